"""The command line of ``edge``: also ``python -m cssa_onboard``."""

import os
import signal
import sys

from . import _native
from ._package import default_bundle, onnxruntime_library


def main() -> int:
    """Runs it with the arguments of this process and gives its exit code."""
    # Python only notes SIGINT, and looks at its notes between its own instructions: there are none until the end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    library = onnxruntime_library()
    if library is not None:
        os.environ.setdefault("ORT_DYLIB_PATH", str(library))
    os.environ.setdefault("CSSA_BUNDLE", str(default_bundle()))
    return _native.run(["edge", *sys.argv[1:]], [sys.executable, "-m", __package__])


if __name__ == "__main__":
    sys.exit(main())
