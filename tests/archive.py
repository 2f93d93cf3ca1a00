"""The program archive with real parts; see archive.sh."""
import functools, glob, http.server, json, os, random, re, signal, subprocess, sys, threading, time
from pathlib import Path
import pystac
import pyarrow as pa, pyarrow.parquet as pq

form = sys.argv[1]
program = os.path.abspath(os.environ.get("ARCHIVE", "target/release/archive"))
work = Path("target/archive-test").absolute() / form
subprocess.run(["rm", "-rf", work], check=True)
scenes = work / "scenes"
scenes.mkdir(parents=True)
SIDE, GRID = 256, 7 if form == "short" else 50   # 256 pixels a tile, GRID x GRID tiles a scene
SCENES = 4 if form == "short" else 8
images = sorted(glob.glob("../shared/data/ucm/images/*"))


def check(truth, said):
    if not truth:
        sys.exit(f"error: {said}")


def run(*args, env=None, **more):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True, env={**os.environ, **(env or {})}, **more)


def make(scene):
    """A COG of shared images side by side, 1 m pixels, UTM 32 N."""
    rows = []
    chosen = [images[(scene * 37 + n) % len(images)] for n in range(GRID * GRID)]
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="0">{os.path.abspath(image)}</SourceFilename><SourceBand>BAND</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="256" ySize="256"/>'
        f'<DstRect xOff="{n % GRID * SIDE}" yOff="{n // GRID * SIDE}" xSize="256" ySize="256"/></SimpleSource>'
        for n, image in enumerate(chosen))
    bands = "".join(f'<VRTRasterBand dataType="Byte" band="{b}"><ColorInterp>{c}</ColorInterp>{sources.replace("BAND", str(b))}</VRTRasterBand>'
                    for b, c in [(1, "Red"), (2, "Green"), (3, "Blue")])
    vrt = work / f"{scene}.vrt"
    vrt.write_text(f'<VRTDataset rasterXSize="{GRID * SIDE}" rasterYSize="{GRID * SIDE}"><SRS>EPSG:32632</SRS>'
                   f'<GeoTransform>{500000 + scene * 20000},1,0,5200000,0,-1</GeoTransform>{bands}</VRTDataset>')
    subprocess.run(["gdal_translate", "-q", "-of", "COG", "-co", "COMPRESS=JPEG", "-co", "BLOCKSIZE=256", "-co", "OVERVIEWS=NONE", vrt,
                    scenes / f"{scene}.tif"], check=True)
    for n in range(GRID * GRID):
        rows.append((f"{scene}/{n}", f"{scene}.tif", n % GRID * SIDE, n // GRID * SIDE, SIDE, SIDE))
    return rows


def table(path, rows):
    columns = list(zip(*rows))
    names = ["id", "source", "x", "y", "width", "height"]
    types = [pa.string(), pa.string(), pa.int32(), pa.int32(), pa.int32(), pa.int32()]
    pq.write_table(pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types)}), path)


def rows_of(folder):
    found = {}
    for path in glob.glob(f"{folder}/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            check(row["id"] not in found, f"{row['id']} is there twice")
            found[row["id"]] = row
    return found


rows = [row for scene in range(SCENES) for row in make(scene)]
table(scenes / "tiles.parquet", rows)
tiles = scenes / "tiles.parquet"

# One undisturbed run; the same command again does nothing.
whole = work / "whole"
started = time.time()
done = run("--tiles", tiles, "--out", whole)
check(done.returncode == 0, done.stderr)
print(f"undisturbed: {len(rows)} tiles in {time.time() - started:.1f} s: {done.stdout.strip()}")
expected = rows_of(whole)
check(len(expected) == len(rows) and all(row["caption"] and row["geometry"] for row in expected.values()), "rows are missing")
box = expected["0/0"]["bbox"]
check(abs(box["xmin"] - 9.0) < 1e-6 and abs(box["ymax"] - 46.953) < 0.01, f"the first tile lies at {box}")
before = {path: os.stat(path).st_mtime_ns for path in glob.glob(f"{whole}/*")}
again = json.loads(run("--tiles", tiles, "--out", whole).stdout)
check(again["captioned_now"] == 0 and again["kept"] == len(rows), f"again: {again}")
check(before == {path: os.stat(path).st_mtime_ns for path in glob.glob(f"{whole}/*")}, "a finished shard was written again")

# What ground exports as STAC are items by STAC's own schema.
ground = os.path.abspath("target/release/ground")
subprocess.run(["cp", "edge/ground/tests/upgrade/captions.gpkg", work], check=True)
subprocess.run([ground, "export", "--archive", work / "captions.gpkg", "--format", "stac", "--out", work / "items.json"], check=True)
items = json.loads((work / "items.json").read_text())["features"]
check(len(items) == 3, f"{len(items)} items, expected 3")
for item in items:
    pystac.Item.from_dict(item).validate()

# Tables are GeoParquet by geoparquet-io's validator, and the bundle's item is what stac-model takes.
subprocess.run([ground, "export", "--archive", work / "captions.gpkg", "--format", "geoparquet", "--out", work / "captions.parquet"], check=True)
tables = [*glob.glob(f"{whole}/*.parquet"), work / "captions.parquet"]
subprocess.run(["target/validators-venv/bin/python", "tests/validators.py", "fixtures/bundle/stac-item.json", *tables], check=True)

# A shard that is cut off is named and made again.
[shard] = glob.glob(f"{whole}/*.parquet")
Path(shard).write_bytes(Path(shard).read_bytes()[:-100])
if form == "short":
    mended = run("--tiles", tiles, "--out", whole)
    check(mended.returncode == 0 and "no whole shard" in mended.stderr and os.path.basename(shard) in mended.stderr, mended.stderr)
    check(rows_of(whole) == expected, "the mended shard differs")

# Two workers that are killed again and again: every row once, as undisturbed.
killed, kills = work / "killed", 0
random.seed(1)
command = lambda i: [program, "--tiles", str(tiles), "--shard", f"{i}/2", "--out", str(killed)]
workers = {i: subprocess.Popen(command(i), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(2)}
limit = 3 if form == "short" else 12
while workers:
    # The first one dies before any can be done.
    time.sleep(0.3 if kills == 0 else random.uniform(0.5, 2.0) if form == "short" else random.uniform(8, 25))
    for i, worker in list(workers.items()):
        if worker.poll() is not None:
            check(worker.returncode == 0, f"worker {i} ended with {worker.returncode}")
            del workers[i]
        elif kills < limit and (kills == 0 or random.random() < 0.6):
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            kills += 1
            workers[i] = subprocess.Popen(command(i), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
check(kills > 0, "nobody was killed")
check(rows_of(killed) == expected, "rows of killed workers differ")
check(not glob.glob(f"{killed}/.work-*"), "parts are left")
print(f"two workers, killed {kills} times: {len(expected)} rows, equal to the undisturbed ones")

if form == "long":
    sys.exit(0)

# A missing source and a tile outside are named and counted, the rest goes on; once the source is there, its rows come.
bad = [("gone", "gone.tif", 0, 0, SIDE, SIDE), ("outside", "0.tif", GRID * SIDE, 0, SIDE, SIDE)] + rows[:20]
table(scenes / "bad.parquet", bad)
partial = work / "partial"
for turn in range(2):
    failed = run("--tiles", scenes / "bad.parquet", "--out", partial)
    report = json.loads(failed.stdout)
    check(failed.returncode != 0 and report["failed"] == {"missing": 1, "outside of its source": 1}, failed.stdout + failed.stderr)
    check((report["captioned_now"], report["kept"]) == ((20, 0) if turn == 0 else (0, 20)), f"turn {turn}: {report}")
    check("gone.tif: is not there" in failed.stderr and "tile outside" in failed.stderr, failed.stderr)

# What does not load is named, and nothing is written.
for options, env, reason in [
    (["--bundle", work / "none"], {}, f"the bundle does not load: {work}/none/manifest.toml: "),
    (["--runtime", "ort"], {"ORT_DYLIB_PATH": "/no/library.so"}, "the runtime does not load: /no/library.so: "),
    (["--provider", "cuda"], {}, "the provider does not load: CUDAExecutionProvider "),
]:
    refused = run("--tiles", scenes / "tiles.parquet", "--out", work / "refused", *options, env=env)
    check(refused.returncode == 1 and f"error: {reason}" in refused.stderr, refused.stderr)
    check(not glob.glob(f"{work}/refused/*"), "something was written")

# Tiles that are captioned together have the rows that they have alone, those that cannot be read among them.
batched = work / "batched"
failed = run("--tiles", scenes / "bad.parquet", "--out", batched, "--batch", 3)
check(failed.returncode != 0 and json.loads(failed.stdout)["captioned_now"] == 20, failed.stdout + failed.stderr)
check(rows_of(batched) == rows_of(partial), "rows of tiles captioned together differ")
found = rows_of(partial)
check(len(found) == 22 and found["gone"]["error"] and found["outside"]["error"] and not found["gone"]["caption"], "rows with errors")
check(all(found[row[0]]["caption"] == expected[row[0]]["caption"] for row in rows[:20]), "the others' captions")
os.link(scenes / "1.tif", scenes / "gone.tif")
failed = run("--tiles", scenes / "bad.parquet", "--out", partial)
check(json.loads(failed.stdout)["failed"] == {"outside of its source": 1}, failed.stdout)
check(len(glob.glob(f"{partial}/*.parquet")) == 1 and rows_of(partial)["gone"]["caption"], "the earlier file gives way")
print("a missing source, a tile outside: named, counted, tried again")


# By footprint, in degrees: the same pixels; and STAC items, cut into tiles.
by_place = [expected[row[0]] for row in rows[:20]]
pq.write_table(pa.table({"id": [row["id"] for row in by_place], "source": [row["source"] for row in by_place],
                         "geometry": pa.array([row["geometry"] for row in by_place], pa.binary())}), scenes / "places.parquet")
done = run("--tiles", scenes / "places.parquet", "--out", work / "places")
check(done.returncode == 0, done.stderr)
check(all(row["geometry"] and abs(row["bbox"]["xmin"] - expected[name]["bbox"]["xmin"]) < 3e-5 for name, row in rows_of(work / "places").items()),
      "footprints differ")
item = {"type": "Feature", "stac_version": "1.1.0", "id": "scene", "properties": {"datetime": "2026-01-02T03:04:05Z"}, "geometry": None, "links": [],
        "assets": {"image": {"href": "./0.tif", "roles": ["data"]}}}
(scenes / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": [item]}))
done = run("--tiles", scenes / "items.json", "--out", work / "stac", "--tile-pixels", SIDE)
check(done.returncode == 0, done.stderr)
found = rows_of(work / "stac")
check(len(found) == GRID * GRID and found["scene/256-0"]["caption"] == expected["0/1"]["caption"], "STAC tiles differ")
check(str(found["scene/0-0"]["datetime"]) == "2026-01-02 03:04:05+00:00", f"dated {found['scene/0-0']['datetime']}")
print("tiles by footprint and of STAC items")

# 16 bits: by the scene's percentiles, in whatever shard a tile is. Over the 180th meridian: no footprint is better than one around the earth.
subprocess.run(["gdal_translate", "-q", "-of", "COG", "-ot", "UInt16", "-scale", "0", "255", "900", "41000", "-co", "BLOCKSIZE=256", scenes / "0.tif", scenes / "deep.tif"], check=True)
subprocess.run(["gdal_translate", "-q", "-of", "COG", "-a_srs", "EPSG:32760", "-a_ullr", "818600", "8110000", "820392", "8108208", scenes / "0.tif", scenes / "over.tif"], check=True)
odd = [(f"{name}/{row[0]}", f"{name}.tif", *row[2:]) for name in ["deep", "over"] for row in rows[:GRID * GRID]]
table(scenes / "odd.parquet", odd)
done = [run("--tiles", scenes / "odd.parquet", "--out", work / "odd"), *(run("--tiles", scenes / "odd.parquet", "--out", work / "odds", "--shard", f"{i}/3") for i in range(3))]
check(all(one.returncode == 0 for one in done), "".join(one.stderr for one in done))
found = rows_of(work / "odd")
check(len(found) == len(odd) and rows_of(work / "odds") == found, "rows of shards differ")
same = sum(found[f"deep/{row[0]}"]["caption"] == expected[row[0]]["caption"] for row in rows[:GRID * GRID])
check(same > GRID * GRID // 4, f"{same} of {GRID * GRID} captions of the scene in 16 bits are those in 8")
over = [found[f"over/{row[0]}"] for row in rows[:GRID * GRID]]
check(all(row["caption"] == expected[row["id"].removeprefix("over/")]["caption"] for row in over), "captions of a scene elsewhere")
placed = [row["bbox"] for row in over if row["geometry"]]
check(0 < len(placed) < len(over) and all(box["xmax"] - box["xmin"] < 0.01 and abs(box["xmin"]) > 179.9 for box in placed), f"{placed}")
check({box["xmin"] > 0 for box in placed} == {True, False}, f"all lie on one side: {placed}")
print(f"16 bits ({same} of {len(over)} captions as in 8), and {len(over) - len(placed)} tiles over the 180th meridian")


# HTTP, with ranges and without.
class Server(http.server.SimpleHTTPRequestHandler):
    ranges = True
    largest = 0

    def log_message(self, *args): pass

    def do_GET(self):
        asked = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not asked or not type(self).ranges:
            return super().do_GET()
        path = self.translate_path(self.path)
        first, last = map(int, asked.groups())
        with open(path, "rb") as file:
            file.seek(first)
            data = file.read(last - first + 1)
        type(self).largest = max(type(self).largest, len(data))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{os.path.getsize(path)}")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", self.date_time_string(os.path.getmtime(path)))
        self.end_headers()
        self.wfile.write(data)


class Without(Server):
    ranges = False


def serve(kind):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(kind, directory=str(scenes)))
    server.handle_error = lambda *about: None   # a client that hangs up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


few = rows[:10]
table(scenes / "few.parquet", few)
address = serve(Server)
remote = work / "remote"
done = run("--tiles", f"{address}/few.parquet", "--out", remote)
check(done.returncode == 0, done.stderr)
found = rows_of(remote)
check(all(found[row[0]]["caption"] == expected[row[0]]["caption"] for row in few), "captions over HTTP differ")
check(0 < Server.largest <= 1 << 20, f"{Server.largest} bytes were asked for at once")
address = serve(Without)
refused = run("--tiles", f"{address}/few.parquet", "--out", work / "refused")
check(refused.returncode != 0 and json.loads(refused.stdout)["failed"] == {"unreadable": 10}, refused.stdout + refused.stderr)
print(f"HTTP: ranges of at most {Server.largest} bytes; a server without ranges is named")

# S3: sources and output in buckets of moto; a bucket without rights.
import logging
import boto3
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
endpoint = "http://%s:%s" % server.get_host_and_port()
env = {"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
s3.create_bucket(Bucket="scenes")
for name in ["0.tif", "few.parquet"]:
    s3.upload_file(str(scenes / name), "scenes", name)
done = run("--tiles", "s3://scenes/few.parquet", "--out", "s3://scenes/out", env=env)
check(done.returncode == 0, done.stdout + done.stderr)
keys = [thing["Key"] for thing in s3.list_objects_v2(Bucket="scenes", Prefix="out")["Contents"]]
check(len(keys) == 1, f"objects: {keys}")
s3.download_file("scenes", keys[0], str(work / "s3.parquet"))
found = {row["id"]: row for row in pq.read_table(work / "s3.parquet").to_pylist()}
check(all(found[row[0]]["caption"] == expected[row[0]]["caption"] for row in few), "captions over S3 differ")
again = json.loads(run("--tiles", "s3://scenes/few.parquet", "--out", "s3://scenes/out", env=env).stdout)
check(again["captioned_now"] == 0, f"S3 again: {again}")
refused = run("--tiles", "s3://scenes/few.parquet", "--out", "s3://elsewhere/out", env=env)
check(refused.returncode != 0 and "s3://elsewhere" in refused.stderr, refused.stderr)
server.stop()


class Private(Server):
    def do_GET(self): self.send_error(403)
    do_HEAD = do_PUT = do_POST = do_GET


address = serve(Private)
table(scenes / "private.parquet", [("private", "s3://private/0.tif", 0, 0, SIDE, SIDE)] + few)
refused = run("--tiles", scenes / "private.parquet", "--out", work / "private", env={**env, "AWS_ENDPOINT_URL": address, "AWS_ENDPOINT": address})
check(refused.returncode != 0 and json.loads(refused.stdout)["failed"] == {"forbidden": 1}, refused.stdout + refused.stderr)
check("s3://private/0.tif: no permission" in refused.stderr, refused.stderr)
refused = run("--tiles", scenes / "few.parquet", "--out", "s3://private/out", env={**env, "AWS_ENDPOINT_URL": address, "AWS_ENDPOINT": address})
check(refused.returncode != 0 and "s3://private/out" in refused.stderr and "no permission" in refused.stderr, refused.stderr)
print("S3: sources and shard in a bucket; one that is not there and one without rights are named")

# The examples for clusters, by their own tools.
deploy = Path("edge/archive/deploy")
subprocess.run([sys.executable, "-m", "kubernetes_validate", deploy / "kubernetes.yaml"], check=True)
subprocess.run(["bash", "-n", deploy / "slurm.sh"], check=True)
import botocore.session, botocore.validate
model = botocore.session.get_session().get_service_model("batch").operation_model("RegisterJobDefinition").input_shape
report = botocore.validate.ParamValidator().validate(json.loads((deploy / "aws-batch.json").read_text()), model)
check(not report.has_errors(), report.generate_report())
print("examples for Kubernetes, Slurm and AWS Batch")
