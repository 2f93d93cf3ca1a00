"""A running node and an independent DDS (cyclonedds) beside it; tests/ros2.sh runs the tests in a network of their own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import messages as ros
import pytest
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration
from PIL import Image as Picture

CHECKOUT = Path(__file__).parents[3]
PROGRAM, EDGE = Path(os.environ["EDGE_ROS2"]), Path(os.environ["EDGE"])
# 2030-03-17T17:46:40Z.
START = 1_900_000_000
DEADLINE = 30.0

RELIABLE, BEST_EFFORT = Policy.Reliability.Reliable(duration(seconds=10)), Policy.Reliability.BestEffort
NEWEST, MANY = Policy.History.KeepLast(1), Policy.History.KeepLast(1000)


def quality(reliability=RELIABLE, history=MANY) -> Qos:
    """As ROS 2 writes: XCDR 1."""
    return Qos(reliability, history, Policy.Durability.Volatile, Policy.DataRepresentation(use_cdrv0_representation=True))


def until(found: Callable, what: str, seconds: float = DEADLINE):
    """The first true value of `found`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.005)
    pytest.fail(f"{what}: not within {seconds} s")


class Node:
    """`edge-ros2`, and what another participant sees of it."""

    def __init__(self, domain: int, log: Path, *arguments: str, name: str = "/cssa", **environment: str):
        self.name, self.log = name, log
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("ROS_", "RMW_"))}
        self.process = subprocess.Popen(
            [PROGRAM, "--ros-args", "-p", "threads:=1", *arguments],
            env=plain | {"ROS_DOMAIN_ID": str(domain)} | environment,
            stderr=log.open("wb"),
        )
        self.participant = DomainParticipant(domain)
        self.captions = self.reader(f"rt{name}/caption", ros.String)
        self.diagnostics = self.reader("rt/diagnostics", ros.DiagnosticArray)
        self.said: list[dict] = []
        self.reported: list[ros.DiagnosticStatus] = []
        until(lambda: self.captions.get_matched_publications() and self.diagnostics.get_matched_publications(), "the node is met")

    def writer(self, topic: str, kind: type, qos: Qos | None = None) -> DataWriter:
        writer = DataWriter(self.participant, Topic(self.participant, topic, kind), qos or quality())
        until(writer.get_matched_subscriptions, f"the node reads {topic}")
        # Until the node has met the writer, too, what comes is lost.
        time.sleep(1.0)
        return writer

    def reader(self, topic: str, kind: type) -> DataReader:
        return DataReader(self.participant, Topic(self.participant, topic, kind), quality())

    def heard(self) -> list[dict]:
        """All captions so far."""
        self.said += [json.loads(text.data) for text in self.captions.take(1000)]
        return self.said

    def next(self, count: int) -> dict:
        """The caption with this number, from 1 on."""
        until(lambda: len(self.heard()) >= count, f"caption {count}")
        return self.said[count - 1]

    def status(self) -> ros.DiagnosticStatus | None:
        """The newest diagnostics."""
        self.reported += [status for report in self.diagnostics.take(100) for status in report.status]
        return self.reported[-1] if self.reported else None

    def counts(self) -> dict[str, str]:
        status = self.status()
        return {value.key: value.value for value in status.values} if status else {}

    def count(self, key: str) -> int:
        return int(self.counts().get(key, "0"))

    def service(self, name: str, request: type, response: type) -> Callable:
        """A function that sends a request and returns the response."""
        reader = self.reader(f"rr{self.name}/{name}Reply", response)
        until(reader.get_matched_publications, f"the node answers {name}")
        writer = self.writer(f"rq{self.name}/{name}Request", request)

        def call(sent):
            writer.write(sent)
            return until(lambda: reader.take(1), f"an answer of {name}")[0]

        return call

    def end(self, how: int = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code, and the seconds it took to end."""
        started = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(timeout=10)
        return code, time.monotonic() - started


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Node]]:
    """Starts nodes, each in a domain of its own."""
    nodes: list[Node] = []

    def started(*arguments: str, **environment: str) -> Node:
        start.domain = (start.domain + 1) % 100
        log = tmp_path / f"node-{start.domain}.log"
        nodes.append(Node(start.domain, log, *arguments, **environment))
        return nodes[-1]

    yield started
    for node in nodes:
        if node.process.poll() is None:
            node.process.kill()
            node.process.wait()
        print(f"--- {node.log.name}\n{node.log.read_text()}")


start.domain = 0


def header(number: int, frame_id: str = "camera") -> ros.Header:
    """Of the frame with this number: a second after the one before."""
    return ros.Header(ros.Time(START + number, 0), frame_id)


def image(path: Path, number: int) -> ros.Image:
    """A picture as a camera's driver writes it."""
    picture = Picture.open(path).convert("RGB")
    width, height = picture.size
    return ros.Image(header(number), height, width, "rgb8", 0, 3 * width, picture.tobytes())


def fix(number: int, latitude: float = 48.0, longitude: float = 11.0, **changes) -> ros.NavSatFix:
    fields = {"status": ros.NavSatStatus(), "position_covariance": [1.0] + [0.0] * 3 + [1.0] + [0.0] * 4, "position_covariance_type": 2}
    fields |= {"header": header(number), "latitude": latitude, "longitude": longitude, "altitude": 500.0}
    return ros.NavSatFix(**(fields | changes))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The scenes without loss: every program reads the same pixels of them. Small: cyclonedds' Python writes byte by byte."""
    folder = tmp_path_factory.mktemp("pictures")
    for scene in sorted((CHECKOUT / "fixtures/scenes/images").glob("*.jpg")):
        Picture.open(scene).resize((128, 128)).save(folder / f"{scene.stem}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def known(pictures: list[Path]) -> dict[Path, dict]:
    """What `edge caption --json` says of each of them."""
    output = subprocess.run([EDGE, "caption", "--json", "--threads", "1", *pictures], stdout=subprocess.PIPE, check=True).stdout
    return {Path(line["image"]): line for line in map(json.loads, output.splitlines())}
