"""Where things lie that this package brings or finds beside it."""

import importlib.util
import re
from pathlib import Path
from typing import Optional


def default_bundle() -> Path:
    """The bundle of this package."""
    return Path(__file__).with_name("bundle")


def onnxruntime_library() -> Optional[Path]:
    """ONNX Runtime's library in the package ``onnxruntime``, which is not imported for it; the highest version where there are several."""
    try:
        found = importlib.util.find_spec("onnxruntime")
    except (ImportError, ValueError):
        return None
    folders = (found.submodule_search_locations or []) if found else []
    libraries = [path for folder in folders for path in Path(folder, "capi").glob("libonnxruntime.so*")]
    return max(libraries, key=lambda path: [int(digits) for digits in re.findall(r"\d+", path.name)], default=None)
