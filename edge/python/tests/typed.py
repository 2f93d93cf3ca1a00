"""What a type checker must understand: checked with mypy, never run."""

from pathlib import Path

import numpy as np
from PIL import Image

from cssa_onboard import Archive, Caption, Captioner, CaptionTable, captions_to_arrow

captioner: Captioner = Captioner(Path("bundle"), runtime="ort", threads=2, looks=4)
captions: list[Caption] = [
    captioner.caption("image.jpg"),
    captioner.caption(np.zeros((8, 8, 3), np.uint8)),
    captioner.caption(Image.new("RGB", (8, 8))),
]
captions += captioner.caption_batch(Path("images").iterdir())
table: CaptionTable = captions_to_arrow(captions)
confidence: float | None = captions[0].confidence
archive = Archive("tiles.parquet", stride=256)
failed: dict[str, int] = archive.caption_shard(0, len(archive), "captions")["failed"]
captioner.caption(7)  # type: ignore[arg-type]
Captioner(runtime="torch")  # type: ignore[arg-type]
