"""Captions aerial images: ``Captioner().caption("image.jpg").text``.

The command line of the flight program is in this package, too: ``edge caption images/``, or ``python -m cssa_onboard``.
``python -m cssa_onboard.archive`` captions an archive of scenes on a Ray cluster.
"""

import os as _os

# ONNX Runtime would keep a device's number and a database of its use in the home folder.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from ._errors import BundleError, CssaError, ImageError, RuntimeUnavailableError
from ._native import Archive, Caption, Captioner, CaptionTable, __version__, captions_to_arrow

__all__ = [
    "Archive",
    "BundleError",
    "Caption",
    "CaptionTable",
    "Captioner",
    "CssaError",
    "ImageError",
    "RuntimeUnavailableError",
    "__version__",
    "captions_to_arrow",
]
