"""The command line in the wheel."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import CHECKOUT

EDGE = str(Path(sys.executable).with_name("edge"))


def edge(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([EDGE, *map(str, arguments)], capture_output=True, text=True, cwd="/")


def test_it_is_the_program(scenes: list[Path], runtime: str) -> None:
    done = edge("caption", "--json", *scenes[:2])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and [line["image"] for line in lines] == [str(scene) for scene in scenes[:2]]
    assert lines[0]["runtime"].startswith(runtime)
    program = os.environ.get("EDGE", str(CHECKOUT / "target/release/edge"))
    for arguments in (["--version"], ["--help"], ["caption", "--help"], [], ["caption"], ["fly"]):
        mine = edge(*arguments)
        theirs = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert (mine.returncode, mine.stdout, mine.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)
    failed = edge("caption", "none.jpg")
    assert failed.returncode == 1 and failed.stderr.startswith("error: ") and "Traceback" not in failed.stderr


def test_a_bundle_proves_itself_in_a_process_of_its_own(tmp_path: Path) -> None:
    """`edge install` starts the program once more: Python with this package, not Python alone."""
    done = edge("install", CHECKOUT / "fixtures/bundle", "--state", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "is active from the next start on" in done.stderr
    module = [sys.executable, "-m", "cssa_onboard", "self-test", "--bundle", str(tmp_path / "slots/a")]
    assert subprocess.run(module, capture_output=True, text=True).returncode == 0


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told(scenes: list[Path], told: signal.Signals) -> None:
    running = subprocess.Popen([EDGE, "caption", *map(str, scenes * 400)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline()
    running.send_signal(told)
    began = time.monotonic()
    _, said = running.communicate(timeout=10)
    assert running.returncode == -told and time.monotonic() - began < 2 and b"Traceback" not in said


def test_a_flight_ends_in_order(tmp_path: Path, scenes: list[Path]) -> None:
    (tmp_path / "frames").mkdir()
    configuration = tmp_path / "edge.toml"
    configuration.write_text(
        f'state = "{tmp_path}/state"\n[model]\nbundle = "{CHECKOUT}/fixtures/bundle"\n'
        f'[source]\nkind = "folder"\npath = "{tmp_path}/frames"\n[link]\nto = "file:{tmp_path}/link.bin"\n'
    )
    running = subprocess.Popen([EDGE, "run", "--config", str(configuration)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    status = tmp_path / "state/status.json"
    for _ in range(300):
        if status.exists() or running.poll() is not None:
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    said, log = running.communicate(timeout=10)
    assert running.returncode == 0, log
    assert json.loads(said)
