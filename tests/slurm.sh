#!/usr/bin/env bash
# trainer/deploy/train.sbatch in a Slurm of this machine alone: four processes, one of which is killed; submitted again, it makes the run that
# nobody disturbed. Ends with 3 where it cannot run: it needs root, slurmctld, slurmd, slurm-client and munge.
# usage: tests/slurm.sh TRAINER FOLDER     TRAINER was built with the feature mpi, scenes lies beside it; FOLDER is made anew
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
[ $# = 2 ] || fail "expected TRAINER FOLDER"
weights=$PWD/../shared/backbones/efficientnet_lite2.safetensors
for program in munged slurmctld slurmd sbatch; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v $program)" ] || { echo "skipped: $program is not here (apt-get install slurmctld slurmd slurm-client munge)"; exit 3; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: slurmd wants to be root"; exit 3; }
[ -e "$weights" ] || { echo "skipped: $weights is not here"; exit 3; }
TRAINER=$(realpath "$1"); export TRAINER
rm -rf "$2" && mkdir -p "$2" && out=$(realpath "$2")
PATH=$PATH:/usr/sbin

# munge's socket wants a folder that nobody else can write, up to the root.
daemons=$(mktemp -d) && chmod 755 "$daemons" && mkdir "$daemons/spool" "$daemons/state"
cat > "$daemons/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$(hostname)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$daemons/munge.socket
StateSaveLocation=$daemons/state
SlurmdSpoolDir=$daemons/spool
SlurmctldPidFile=$daemons/slurmctld.pid
SlurmdPidFile=$daemons/slurmd.pid
SlurmctldLogFile=$daemons/slurmctld.log
SlurmdLogFile=$daemons/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
NodeName=$(hostname) CPUs=8 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
CONF
export SLURM_CONF=$daemons/slurm.conf
end() { for one in slurmd slurmctld munge; do [ ! -e "$daemons/$one.pid" ] || kill "$(cat "$daemons/$one.pid")" || true; done; sleep 1; rm -rf "$daemons"; }
trap end EXIT
(umask 077; head -c 1024 /dev/urandom > "$daemons/munge.key")
munged --force --key-file="$daemons/munge.key" --socket="$daemons/munge.socket" --pid-file="$daemons/munge.pid" --log-file="$daemons/munge.log" --seed-file="$daemons/munge.seed"
slurmctld && sleep 2 && slurmd
for _ in {1..30}; do sinfo --noheader --format=%t | grep idle >/dev/null && break; sleep 1; done
sinfo --noheader --format=%t | grep idle >/dev/null || { tail "$daemons"/*.log >&2; fail "the node does not come up"; }

"$(dirname "$TRAINER")/scenes" --out "$out/scenes" --count 60 --seed 5
cat trainer/tests/ranks/network.toml - > "$out/recipe.toml" <<'TOML'
[data]
minimum_count = 1
views = 2
[mccl]
epochs = 20
unit = "images"
batch = 4
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
[rsic]
epochs = 60
unit = "images"
batch = 4
schedule = { kind = "noam", factor = 0.1, warmup = 12 }
TOML
export LD_LIBRARY_PATH="$PWD/target/libtorch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
submit() { # RUN OPTIONS…
  sbatch --nodes=1 --ntasks-per-node=4 --gpus-per-node=0 --cpus-per-task=1 --output="$out/$1.log" "${@:2}" trainer/deploy/train.sbatch \
    "$out/recipe.toml" "$out/scenes" "$weights" "$out/$1"
}
submit whole --test-only
submit whole --wait || { tail "$out/whole.log" >&2; fail "the job failed"; }
submit killed > /dev/null
for _ in {1..600}; do [ -e "$out/killed/state/rsic.toml" ] && break; sleep 0.1; done
killed=0
for process in $(pgrep -f "train .*--out $out/killed"); do
  # srun and the shell before it name the run, too: the rank is the program itself.
  if [ "$(readlink "/proc/$process/exe")" = "$TRAINER" ] && grep -qz '^SLURM_PROCID=2$' "/proc/$process/environ"; then kill -9 "$process" && killed=1; fi
done
[ $killed = 1 ] || fail "rank 2 was not there to be killed"
for _ in {1..60}; do [ -z "$(squeue --noheader)" ] && break; sleep 0.5; done
[ -z "$(squeue --noheader)" ] || fail "the job goes on without rank 2"
grep -q "tasks* .*Terminated\|Killed" "$out/killed.log" || { cat "$out/killed.log" >&2; fail "nothing says that a process was killed"; }
[ ! -e "$out/killed/model.safetensors" ] || ! cmp -s "$out/whole/metrics.json" "$out/killed/metrics.json" || fail "the run ended before it was killed"
submit killed --wait || { tail "$out/killed.log" >&2; fail "the job did not go on"; }
cmp "$out/whole/model.safetensors" "$out/killed/model.safetensors"
echo "Slurm: a job of four processes, killed and submitted again, made the undisturbed run"
