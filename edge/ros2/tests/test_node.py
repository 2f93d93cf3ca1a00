"""The node among others: its services, its parameters, its end."""

import itertools
import resource
import signal
import socket
import struct
import subprocess
import random
import time

import messages as ros
import pytest
from conftest import PROGRAM, START, header, image, until

# Of heartbeats: each is larger than those before.
COUNTS = itertools.count(1000)


@pytest.mark.parametrize("middleware", ["rmw_cyclonedds_cpp", "rmw_fastrtps_cpp"])
def test_a_call_is_told_what_the_newest_frame_shows(start, pictures, known, middleware):
    cyclone = middleware == "rmw_cyclonedds_cpp"
    node = start("-p", "reliability:=reliable", "-p", "period:=3600.0", RMW_IMPLEMENTATION=middleware)
    kinds = (ros.CycloneTriggerRequest, ros.CycloneTriggerResponse) if cyclone else (ros.TriggerRequest, ros.TriggerResponse)
    call = node.service("caption", *kinds)
    number = 0

    def ask():
        nonlocal number
        number += 1
        answer = call(ros.CycloneTriggerRequest(0x1122334455667788, number) if cyclone else ros.TriggerRequest())
        if cyclone:
            assert (answer.client, answer.number) == (0x1122334455667788, number), "the answer is this client's to this call"
        return answer

    first = ask()
    assert not first.success and first.message == "no frame has come yet"
    writer = node.writer("rt/image", ros.Image)
    writer.write(image(pictures[0], 0))
    assert node.next(1)["caption"] == known[pictures[0]]["caption"]
    writer.write(image(pictures[1], 1))
    until(lambda: node.count("frames") == 2, "the second frame")
    assert len(node.heard()) == 1, "it waits for its period"
    second = ask()
    assert second.success and f'"sec":{START + 1}' in second.message and known[pictures[1]]["caption"] in second.message
    assert node.next(2)["header_stamp"]["sec"] == START + 1, "what was captioned for a call is published, too"
    assert ask().message == second.message, "nothing is captioned twice"
    writer.write(ros.Image(header(2), 2, 2, "32FC1", 0, 8, bytes(16)))
    until(lambda: node.count("frames") == 3, "the third frame")
    third = ask()
    assert not third.success and third.message.startswith('encoding "32FC1", expected one of rgb8')


def double(value: float) -> ros.ParameterValue:
    return ros.ParameterValue(type=3, double_value=value)


def test_parameters_are_told_and_set_as_they_may_be(start, pictures, tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text("/**:\n  ros__parameters:\n    reliability: reliable\n    looks: 2\n    use_sim_time: true\n    exposure: 7\n"
                    "/drone/eye:\n  ros__parameters:\n    looks: 4\n")
    node = start("--params-file", str(file), "-r", "__ns:=/drone", "-r", "__node:=eye", name="/drone/eye")
    get = node.service("get_parameters", ros.GetParametersRequest, ros.GetParametersResponse)
    values = get(ros.GetParametersRequest(["looks", "reliability", "period", "exposure"])).values
    assert [values[0].integer_value, values[1].string_value, values[2].type, values[3].type] == [4, "reliable", 3, 0]
    set_parameters = node.service("set_parameters", ros.SetParametersRequest, ros.SetParametersResponse)

    def change(name: str, value: ros.ParameterValue) -> tuple[bool, str]:
        result = set_parameters(ros.SetParametersRequest([ros.Parameter(name, value)])).results[0]
        return result.successful, result.reason

    assert change("least_confidence", double(1.0)) == (True, "")
    writer = node.writer("rt/drone/image", ros.Image)
    writer.write(image(pictures[0], 0))
    until(lambda: node.count("unsure") == 1, "a caption that is not sure enough")
    assert node.count("captioned") == 0 and not node.heard()
    assert change("least_confidence", double(0.0)) == (True, "")
    writer.write(image(pictures[0], 1))
    assert node.next(1)["looks"] == 4
    assert change("looks", ros.ParameterValue(type=2, integer_value=1)) == (False, "parameter looks is fixed at the start of the node")
    assert change("period", double(-1.0)) == (False, "parameter period: expected a number of 0 to 86400")
    assert not change("period", ros.ParameterValue(type=4, string_value="1"))[0]
    assert not change("exposure", double(1.0))[0]
    assert "parameter exposure is not known" in node.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_two_seconds_whatever_comes(start, pictures, how):
    node = start("-p", "looks:=8")
    writer, frame = node.writer("rt/image", ros.Image), image(pictures[0], 0)
    for n in range(20):
        frame.header = header(n)
        writer.write(frame)
        time.sleep(0.01)
    node.next(1)
    code, seconds = node.end(how)
    assert code == 0 and seconds < 2.0, f"{code} after {seconds:.2f} s"
    assert "ended: " in node.log.read_text()


def ports(node):
    """Of its sockets; none where it has ended."""
    try:
        lines = open(f"/proc/{node.process.pid}/net/udp").read().splitlines()[1:]
    except OSError:
        return []
    return sorted({int(line.split()[1].split(":")[1], 16) for line in lines})


def test_noise_on_its_ports_harms_nothing(start, pictures):
    """Datagrams that are no RTPS, or RTPS that is cut or changed."""
    node, noise = start("-p", "reliability:=reliable"), random.Random(1)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in ports(node):
        for _ in range(200):
            start_of = b"RTPS\x02\x04\x01\x10" if noise.random() < 0.7 else b""
            sender.sendto(start_of + noise.randbytes(noise.randrange(200)), ("127.0.0.1", port))
    writer = node.writer("rt/image", ros.Image)
    writer.write(image(pictures[0], 0))
    assert node.next(1)["caption"]
    assert node.process.poll() is None


def flood(node, writer):
    """One more heartbeat of numbers that nobody has sent: RustDDS lists them all, and hears nothing meanwhile. One is enough where it
    arrives; a node under load may lose datagrams, and none of a known count is looked at."""
    number = lambda value: struct.pack("<iI", value >> 32, value & 0xFFFFFFFF)
    body = bytes(4) + bytes.fromhex("000003c2") + number(1) + number(1 << 40) + struct.pack("<I", next(COUNTS))
    heartbeat = b"RTPS\x02\x04\x01\x10" + writer.guid.bytes[:12] + struct.pack("<BBH", 7, 1, len(body)) + body
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for port in ports(node):
            sender.sendto(heartbeat, ("127.0.0.1", port))
    time.sleep(0.2)


def flooded(start, pictures, memory):
    node = start("-p", f"memory_mib:={memory}")
    writer = node.writer("rt/image", ros.Image)
    writer.write(image(pictures[0], 0))
    assert node.next(1)["caption"]
    return node, writer


def resident(node):
    """MiB."""
    return int(open(f"/proc/{node.process.pid}/statm").read().split()[1]) * resource.getpagesize() >> 20


def test_a_datagram_that_takes_all_memory_ends_the_node(start, pictures):
    node, writer = flooded(start, pictures, 600)
    until(lambda: node.process.poll() is not None or flood(node, writer), "its end")
    assert node.process.wait() == 1
    assert "more than the parameter memory_mib (600) allows" in node.log.read_text()


def test_a_node_that_hears_nothing_any_more_ends_when_it_is_told_to(start, pictures):
    """What is RustDDS's is not waited for: it would take memory until there is none."""
    node, writer = flooded(start, pictures, 1 << 20)
    until(lambda: resident(node) > 300 or flood(node, writer), "memory that is taken")
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(timeout=10) == 0


def test_what_is_refused_is_said_in_a_line(start, pictures):
    node = start("-p", "reliability:=reliable")
    writer = node.writer("rt/image", ros.Image)
    writer.write(ros.Image(header(0), 2, 2, "32FC1" * 400_000, 0, 8, bytes(16)))
    until(lambda: node.count("refused") == 1, "the refusal")
    assert len(node.log.read_text()) < 4000
    writer.write(image(pictures[0], 1))
    assert node.next(1)["caption"]
    until(lambda: node.count("captioned") == 1, "diagnostics after it")


@pytest.mark.parametrize(("arguments", "said"), [
    (["--ros-args", "-p", "looks:=3"], "error: parameter looks is 3, expected one of 1, 2, 4, 8"),
    (["--ros-args", "-p", "look:=4"], "error: parameter look is not known, expected one of beam, bundle"),
    (["--ros-args", "-r", "image"], "error: -r image, expected from:=to"),
    (["--ros-args", "-r", "__node:=1st"], "error: /1st is no name of ROS 2"),
    (["--ros-args", "--params-file", "/nowhere.yaml"], "error: /nowhere.yaml: cannot be read"),
    (["--ros-args", "-p", "bundle:=/nowhere"], "error: /nowhere"),
    (["--looks", "4"], "error: unexpected argument '--looks'"),
])
def test_a_wrong_command_line_ends_the_start(arguments, said):
    ended = subprocess.run([PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, timeout=20)
    assert ended.returncode != 0 and said in ended.stderr
