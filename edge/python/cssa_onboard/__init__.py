"""Captions aerial images: ``Captioner().caption("image.jpg").text``.

The command line of the flight program is in this package, too: ``edge caption images/``, or ``python -m cssa_onboard``.
"""

from ._errors import BundleError, CssaError, ImageError, RuntimeUnavailableError
from ._native import Caption, Captioner, CaptionTable, __version__, captions_to_arrow

__all__ = [
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
