from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, final

import numpy as np
import numpy.typing as npt

class _ArrayInterface(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

class _Array(Protocol):
    def __array__(self) -> npt.NDArray[Any]: ...

_Path: TypeAlias = str | PathLike[str]
_Image: TypeAlias = _Path | bytes | npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | _ArrayInterface | _Array

__version__: str

@final
class Caption:
    def __new__(
        cls,
        text: str,
        confidence: float | None = None,
        familiarity: float | None = None,
        reasons: Sequence[str] = ...,
        tokens: Sequence[int] = ...,
        score: float = 0.0,
        milliseconds: float = 0.0,
    ) -> Caption: ...
    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def familiarity(self) -> float | None: ...
    @property
    def outside(self) -> bool | None: ...
    @property
    def reasons(self) -> list[str]: ...
    @property
    def tokens(self) -> list[int]: ...
    @property
    def score(self) -> float: ...
    @property
    def milliseconds(self) -> float: ...
    def as_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs__(
        self,
    ) -> tuple[str, float | None, float | None, list[str], list[int], float, float]: ...

@final
class Captioner:
    def __new__(
        cls,
        bundle: _Path | None = None,
        runtime: Literal["auto", "ort", "tract"] = "auto",
        threads: int = 1,
        *,
        looks: Literal[1, 2, 4, 8] = 1,
        beam: int | None = None,
        provider: Literal["cpu", "cuda", "tensorrt"] = "cpu",
        trust: _Path | None = None,
    ) -> Captioner: ...
    @property
    def runtime(self) -> str: ...
    @property
    def bundle(self) -> Path: ...
    def caption(self, image: _Image) -> Caption: ...
    def caption_batch(self, images: Iterable[_Image]) -> list[Caption]: ...

@final
class CaptionTable:
    @property
    def column_names(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class _ShardOutcome(TypedDict):
    file: str
    tiles: int
    captioned_now: int
    kept: int
    failed: dict[str, int]
    errors: list[str]

@final
class Archive:
    def __new__(
        cls,
        tiles: str,
        *,
        tile_pixels: int = 512,
        stride: int | None = None,
        bundle: _Path | None = None,
        runtime: Literal["auto", "ort", "tract"] = "auto",
        looks: Literal[1, 2, 4, 8] = 1,
        threads: int = 1,
        readers: int = 2,
    ) -> Archive: ...
    def __len__(self) -> int: ...
    def caption_shard(self, shard: int, shards: int, out: str) -> _ShardOutcome: ...

def captions_to_arrow(captions: Sequence[Caption], ids: Sequence[str] | None = None) -> CaptionTable: ...
def run(arguments: Sequence[str | PathLike[str]], again: Sequence[str | PathLike[str]]) -> int: ...
