#!/usr/bin/env python3
"""How many instructions a caption takes, counted under qemu's user emulation: for processors that are not at hand.

    edge/deploy/instructions.py EDGE LIBONNXRUNTIME_SO [--cpu CPU] [--count CAPTIONS]

Prints a row of the documentation's table: the means of as many captions of the rendered scenes, in millions of instructions, by the phases that
`edge bench` times. `instructions.c`, a plugin, writes the count down whenever the program reads its clock; here the readings of one caption
after the other are found again. An instruction is no unit of time: a multiplication of 16 bytes and a jump count as one each.

It needs qemu-user (with plugins: Debian's qemu-user, not qemu-user-static) and gcc; for aarch64 also libc6-dev-arm64-cross and libstdc++6-arm64-cross.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
root = here.parent.parent

# Between the readings of the clock of one caption, in their order (edge/src/bench.rs, edge/captioner/src/captioner.rs).
PHASES = ["file", "preprocessing", "encoder", "judgement", "", "decoder", "", "judgement", "packet"]


def machine_of(program: Path) -> str:
    with program.open("rb") as file:
        header = file.read(20)
    number = int.from_bytes(header[18:20], "little") if header[:4] == b"\x7fELF" else 0
    machines = {62: "x86_64", 183: "aarch64"}
    if number not in machines:
        sys.exit(f"error: {program} is no program for x86-64 or aarch64")
    return machines[number]


def system_of_arm(folder: Path, cpu: str) -> Path:
    """The libraries for aarch64, and a /proc/cpuinfo as an Arm has it: with this machine's own, ONNX Runtime ends with SIGSEGV as it starts."""
    libraries = Path("/usr/aarch64-linux-gnu/lib")
    if not libraries.is_dir():
        sys.exit(f"error: {libraries} is missing: apt-get install libc6-dev-arm64-cross libstdc++6-arm64-cross")
    (folder / "lib").symlink_to(libraries)
    (folder / "proc").mkdir()
    # Arm's numbers of its parts; the instructions that there are, qemu says otherwise. A Pi 5 is 0xd0b, an Orin 0xd42.
    part = {"cortex-a53": "0xd03", "cortex-a57": "0xd07", "cortex-a72": "0xd08"}.get(cpu, "0xd0b")
    (folder / "proc/cpuinfo").write_text(
        f"processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: {part}\nCPU revision\t: 0\n\n"
    )
    return folder


def captions_of(counts: list[int], wanted: int) -> list[dict[str, int]]:
    """The phases of the last captions, one after the other: the encoder's step is most of a caption, and the same for all of them."""
    steps = [after - before for before, after in zip(counts, counts[1:])]
    length = len(PHASES) + 1
    for last in reversed(range(length * (wanted - 1), len(steps) - len(PHASES) + 1)):
        captions = [dict.fromkeys(filter(None, PHASES), 0) for _ in range(wanted)]
        gaps = 0
        for number, phases in enumerate(captions):
            for phase, step in zip(PHASES, steps[last - length * number :]):
                if phase:
                    phases[phase] += step
                else:
                    gaps = max(gaps, step)
        alike = [phases["encoder"] for phases in captions]
        if gaps < 10_000 and max(alike) < 1.05 * min(alike) and all(2 * phases["encoder"] > sum(phases.values()) for phases in captions):
            return captions
    sys.exit(f"error: {len(counts)} readings of the clock are not those of edge bench: see PHASES")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edge", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("--cpu", default="max", help="a processor of qemu-aarch64 -cpu help; left out, all that qemu has")
    parser.add_argument("--count", type=int, default=8, help="captions")
    options = parser.parse_args()
    machine = machine_of(options.edge)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        plugin, counts = folder / "instructions.so", folder / "counts"
        compiler = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]
        subprocess.run([*compiler, "-o", plugin, here / "instructions.c"], check=True)
        command = [f"qemu-{machine}", "-cpu", options.cpu, "-plugin", f"{plugin},out={counts}"]
        if machine == "aarch64":
            command += ["-L", str(system_of_arm(folder, options.cpu)), "-E", "LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib"]
        bench = ["bench", root / "fixtures/scenes", "--bundle", root / "fixtures/bundle", "--runtime", "ort", "--threads", "1"]
        # ONNX Runtime's telemetry has a thread of its own, which reads the clock, too.
        environment = {**os.environ, "ORT_DYLIB_PATH": str(options.library.resolve()), "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
        ran = subprocess.run([*command, options.edge, *bench, "--count", str(options.count)], env=environment, stdout=subprocess.PIPE, text=True)
        if ran.returncode != 0:
            sys.exit(f"error: {command[0]} -cpu {options.cpu} ended with {ran.returncode}")
        kernel = ran.stdout.split("decoder ", 1)[1].split(" · ", 1)[0]
        captions = captions_of([int(line) for line in counts.read_text().splitlines()], options.count)
    means = {phase: sum(caption[phase] for caption in captions) / len(captions) / 1e6 for phase in captions[0]}
    shown = [f"{means[phase]:.1f}" for phase in ("encoder", "decoder", "preprocessing", "judgement", "file")]
    print(f"| {machine}, `-cpu {options.cpu}` | {kernel} | {' | '.join(shown)} | {sum(means.values()):.1f} |")


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
