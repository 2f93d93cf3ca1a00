"""What can go wrong. Files that cannot be read are ``OSError``, arguments of another kind ``TypeError`` and ``ValueError``."""


class CssaError(Exception):
    """An error of this package."""


class ImageError(CssaError, ValueError):
    """An image that cannot be decoded, or an array that is none."""


class BundleError(CssaError, ValueError):
    """A bundle that is damaged, not signed as it should be, or not as its manifest says."""


class RuntimeUnavailableError(CssaError, RuntimeError):
    """The runtime or execution provider that was asked for is not there."""
