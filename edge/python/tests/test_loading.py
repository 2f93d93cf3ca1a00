"""What a captioner is made of, and why there is none."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cssa_onboard
from cssa_onboard import BundleError, Captioner, CssaError, RuntimeUnavailableError


def test_arguments_are_checked() -> None:
    for arguments, said in [
        ({"runtime": "torch"}, 'runtime is "torch", expected one of'),
        ({"provider": "tpu"}, 'provider is "tpu", expected one of'),
        ({"looks": 3}, 'looks is "3", expected one of'),
        ({"threads": 0}, "threads is 0, expected 1 to 64"),
        ({"threads": -1}, "threads is -1, expected 1 to 64"),
        ({"beam": 17}, "beam is 17, expected 1 to 16"),
    ]:
        with pytest.raises(ValueError, match=said.replace("(", r"\(")):
            Captioner(**arguments)  # type: ignore[arg-type]


def test_damaged_bundles_are_refused(tmp_path: Path) -> None:
    with pytest.raises((OSError, BundleError)):
        Captioner(tmp_path / "none")
    bundle = tmp_path / "bundle"
    shutil.copytree(Captioner().bundle, bundle)
    content = bytearray((bundle / "encoder.onnx").read_bytes())
    content[5000] ^= 1
    (bundle / "encoder.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="encoder.onnx") as error:
        Captioner(str(bundle))
    assert isinstance(error.value, CssaError)


def test_a_runtime_that_is_not_there_is_named(runtime: str) -> None:
    if runtime == "ort":
        assert Captioner(runtime="ort").runtime == "ort/CPUExecutionProvider"
    else:
        with pytest.raises(RuntimeUnavailableError, match="pip install onnxruntime"):
            Captioner(runtime="ort")
    with pytest.raises(RuntimeUnavailableError):
        Captioner(runtime="tract", provider="cuda")
    with pytest.raises(RuntimeUnavailableError):
        Captioner(provider="cuda")
    assert Captioner(runtime="tract").runtime == "tract"


def test_a_library_that_does_not_load_gives_way_to_tract(tmp_path: Path) -> None:
    broken = tmp_path / "libonnxruntime.so"
    broken.write_bytes(b"no library")
    script = "import sys, cssa_onboard; print(cssa_onboard.Captioner(runtime=sys.argv[1]).runtime)"
    environment = {**os.environ, "ORT_DYLIB_PATH": str(broken)}
    run = [sys.executable, "-c", script]
    assert subprocess.check_output([*run, "auto"], env=environment, text=True) == "tract\n"
    done = subprocess.run([*run, "ort"], env=environment, text=True, capture_output=True)
    assert done.returncode == 1 and "RuntimeUnavailableError" in done.stderr and str(broken) in done.stderr


def test_the_package_says_what_it_is() -> None:
    metadata = importlib.metadata.metadata("cssa-onboard")
    assert metadata["Version"] == cssa_onboard.__version__
    assert metadata["License-Expression"] == "MIT OR Apache-2.0"
    files = [str(file) for file in importlib.metadata.files("cssa-onboard") or []]
    for name in ["licenses/LICENSE-MIT", "licenses/LICENSE-APACHE", "cssa_onboard/py.typed", "bundle/MODEL_CARD.md"]:
        assert any(file.endswith(name) for file in files), name
    for name in cssa_onboard.__all__:
        assert name == "__version__" or getattr(cssa_onboard, name).__doc__, f"{name} has no documentation"
