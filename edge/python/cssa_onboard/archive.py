"""Captions an archive of scenes on a Ray cluster, as the program ``archive`` does on a batch system.

::

    python -m cssa_onboard.archive --tiles tiles.parquet --out captions/ --ray auto

The tiles are cut into shards, small enough that every worker has some, and their number follows from the tiles alone. A worker a core captions
one shard after another, each into a GeoParquet file of its own whose name is made of its tiles, sources and bundle. That file is the checkpoint:
it appears whole or not at all, so that a row is never there twice, whoever is killed, and the same command again does what is missing.
"""

import argparse
import json
import math
import os
import sys
import time
import typing

from . import Archive, CssaError

__all__ = ["Worker", "main", "shards_of"]

# A shard takes seconds, so that what a killed worker loses is small, and files are not too many: 4,000 for a million tiles.
_TILES_A_SHARD = 256
# Where there are few tiles, so many shards that every worker has some.
_SHARDS = 32
_SAID_EVERY = 5.0


def shards_of(tiles: int) -> int:
    """Into how many shards so many tiles are cut."""
    return max(1, math.ceil(tiles / _TILES_A_SHARD), min(tiles, _SHARDS))


class Worker:
    """An actor: its plan and its model stay from shard to shard."""

    def __init__(self, options: dict[str, typing.Any], shards: int, out: str) -> None:
        self._archive = Archive(**options)
        self._shards, self._out = shards, out

    def __call__(self, batch: dict[str, typing.Any]) -> dict[str, list[str]]:
        """Captions the shards of a batch; one that cannot be written stops no other."""
        outcomes = []
        for shard in map(int, batch["shard"]):
            try:
                outcome: dict[str, typing.Any] = dict(self._archive.caption_shard(shard, self._shards, self._out))
            except CssaError as error:
                outcome = {"shard": shard, "problem": str(error)}
            outcomes.append(json.dumps(outcome))
        return {"outcome": outcomes}


def _options(arguments: typing.Optional[list[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cssa_onboard.archive", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiles", required=True, help="a Parquet table (id, source; x, y, width, height or geometry; datetime), or STAC items as JSON: a path, http(s):// or s3://")
    parser.add_argument("--out", required=True, help="a folder that all workers see, or s3://BUCKET/PREFIX")
    parser.add_argument("--ray", default="auto", metavar="ADDRESS", help="the cluster's address; auto: the one that runs here or that RAY_ADDRESS names, else a new one on this machine")
    parser.add_argument("--workers", type=int, help="workers; left out, one for each core of the cluster (or for each --threads of them)")
    parser.add_argument("--tile-pixels", type=int, default=512, help="STAC: pixels of a tile's side (default 512)")
    parser.add_argument("--stride", type=int, help="STAC: pixels from one tile to the next; left out, as many as a tile has")
    parser.add_argument("--bundle", help="a folder or .cssa file; left out, the one in this package")
    parser.add_argument("--runtime", default="auto", choices=["auto", "ort", "tract"])
    parser.add_argument("--looks", type=int, default=1, choices=[1, 2, 4, 8], help="turned and mirrored views of a tile that are captioned")
    parser.add_argument("--threads", type=int, default=1, help="threads of a worker's model")
    parser.add_argument("--readers", type=int, default=2, help="threads that read tiles meanwhile")
    return parser.parse_args(arguments)


def _place(location: str) -> str:
    """A path as workers with another working directory have it; an address as it is."""
    return location if "://" in location else os.path.abspath(location)


def _connect(address: str) -> None:
    import ray  # type: ignore[import-not-found,import-untyped,unused-ignore]

    quiet: dict[str, typing.Any] = {"logging_level": "warning", "log_to_driver": False}
    if address != "auto":
        ray.init(address=address, **quiet)
        return
    try:
        ray.init(address="auto", **quiet)
    except ConnectionError:
        ray.init(include_dashboard=False, **quiet)


def _run(options: argparse.Namespace) -> dict[str, typing.Any]:
    import ray  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import ray.data  # type: ignore[import-not-found,import-untyped,unused-ignore]

    archive: dict[str, typing.Any] = {
        "tiles": _place(options.tiles),
        "tile_pixels": options.tile_pixels,
        "stride": options.stride,
        "bundle": _place(options.bundle) if options.bundle else None,
        "runtime": options.runtime,
        "looks": options.looks,
        "threads": options.threads,
        "readers": options.readers,
    }
    tiles = len(Archive(**archive))
    shards = shards_of(tiles)
    _connect(options.ray)
    cores = int(ray.cluster_resources().get("CPU", 1))
    workers = min(options.workers or max(1, cores // options.threads), shards)
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Items lie in the driver's blocks, a shard each: no task beside the workers needs a core, and no two shards are put together.
    items = ray.data.from_items([{"shard": shard} for shard in range(shards)], override_num_blocks=shards)
    captioned = items.map_batches(
        Worker,
        fn_constructor_args=(archive, shards, _place(options.out)),
        batch_size=1,
        num_cpus=options.threads,
        concurrency=workers,
    )
    total: dict[str, typing.Any] = {"files": 0, "tiles": tiles, "captioned_now": 0, "kept": 0, "failed": {}, "problems": []}
    started = said = time.monotonic()
    print(f"{tiles} tiles in {shards} shards, {workers} workers", file=sys.stderr)
    for row in captioned.iter_rows():
        outcome = json.loads(row["outcome"])
        if "problem" in outcome:
            total["problems"].append(f"shard {outcome['shard']}: {outcome['problem']}")
            print(f"error: {total['problems'][-1]}", file=sys.stderr)
            continue
        total["files"] += 1
        for what in ("captioned_now", "kept"):
            total[what] += outcome[what]
        for reason, count in outcome["failed"].items():
            total["failed"][reason] = total["failed"].get(reason, 0) + count
        for error in outcome["errors"]:
            print(f"error: {error}", file=sys.stderr)
        if time.monotonic() - said >= _SAID_EVERY:
            said = time.monotonic()
            rate = total["captioned_now"] / (said - started)
            failed = sum(total["failed"].values())
            done = total["captioned_now"] + total["kept"] + failed
            print(f"{done} of {tiles} tiles, {rate:.1f} captions a second, {failed} failed", file=sys.stderr)
    total["captions_a_second"] = round(total["captioned_now"] / (time.monotonic() - started), 1)
    return total


def main(arguments: typing.Optional[list[str]] = None) -> int:
    """Captions an archive; the exit code is 1 where a tile has no caption, and where the archive cannot be captioned at all."""
    options = _options(arguments)
    try:
        import ray.data  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        print(f"error: {error}: pip install 'cssa-onboard[ray]'", file=sys.stderr)
        return 1
    try:
        total = _run(options)
    except (CssaError, ValueError, ConnectionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(total))
    missing = total["tiles"] - total["captioned_now"] - total["kept"]
    if missing or total["problems"]:
        print(f"error: {missing} of {total['tiles']} tiles have no caption: {total['failed']}; the same command tries them again", file=sys.stderr)
    return 1 if missing or total["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
