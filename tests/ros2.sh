#!/usr/bin/env bash
# Holds the ROS 2 node against an independent DDS (cyclonedds) and recordings that rosbags writes and reads, in a network of their own:
# loopback with multicast. The programs edge-ros2 and edge must be built.
#   tests/ros2.sh [OPTION OF PYTEST]…
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
export EDGE=${EDGE:-$PWD/target/release/edge} EDGE_ROS2=${EDGE_ROS2:-$PWD/target/release/edge-ros2} PIP_DISABLE_PIP_VERSION_CHECK=1
for program in "$EDGE" "$EDGE_ROS2"; do
  [ -x "$program" ] || fail "$program is missing: cargo build --release -p edge -p edge-ros2"
done

network() {
  unshare --user --map-root-user --net sh -euc \
    'ip link set lo up; ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo; exec "$@"' network "$@"
}
network true 2>/dev/null || { echo "skipped: a network namespace cannot be had (ip, unshare, user namespaces)"; exit 0; }

# Wheels only: cyclonedds builds a C library otherwise.
packages=("cyclonedds==11.0.1" "rosbags==0.11.9" "pytest==8.4.2" "pillow>=11")
venv=target/ros2-venv
known="$(python3 --version) ${packages[*]}"
if [ "$(cat $venv/known 2>/dev/null)" != "$known" ]; then
  rm -rf $venv
  python3 -m venv $venv
  if ! $venv/bin/pip install --quiet --only-binary :all: "${packages[@]}"; then
    echo "skipped: ${packages[*]} cannot be had for $(python3 --version)"
    exit 0
  fi
  echo "$known" > $venv/known
fi
export CYCLONEDDS_URI='<CycloneDDS><Domain><General><Interfaces><NetworkInterface name="lo" multicast="true"/></Interfaces></General></Domain></CycloneDDS>'
network $venv/bin/python -m pytest --quiet -p no:cacheprovider edge/ros2/tests "$@"
