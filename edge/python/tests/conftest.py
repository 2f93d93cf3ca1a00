"""What the tests of the wheel have in common; tests/wheel.sh runs them against the wheel as it is installed."""

import os
from pathlib import Path

import pytest

from cssa_onboard import Captioner

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def scenes() -> list[Path]:
    return sorted((CHECKOUT / "fixtures/scenes/images").glob("*.jpg"))


@pytest.fixture(scope="session")
def runtime() -> str:
    """The runtime that this environment is for."""
    return os.environ.get("WHEEL_RUNTIME", "tract")


@pytest.fixture(scope="session")
def captioner(runtime: str) -> Captioner:
    found = Captioner()
    assert found.runtime.startswith(runtime), "auto takes ONNX Runtime where its package is installed, else tract"
    return found
