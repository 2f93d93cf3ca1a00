"""An archive captioned by Ray, beside what the program archive makes of it; see ray.sh."""
import glob, json, os, random, signal, subprocess, sys, time
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq

form = sys.argv[1]
root = Path("target/archive-test").absolute()
scenes, work = root / "short/scenes", root / "ray"
subprocess.run(["rm", "-rf", work], check=True)
work.mkdir(parents=True)
program = os.path.abspath("target/release/archive")


def check(truth, said):
    if not truth:
        sys.exit(f"error: {said}")


def rows_of(folder):
    found = {}
    for path in glob.glob(f"{folder}/*.parquet"):
        for row in pq.ParquetFile(path).read().to_pylist():
            check(row["id"] not in found, f"{row['id']} is there twice")
            found[row["id"]] = row
    return found


def command(tiles, out, *more):
    return [sys.executable, "-m", "cssa_onboard.archive", "--tiles", str(tiles), "--out", str(out), "--ray", "auto", "--workers", "2", *more]


def run(tiles, out, *more):
    return subprocess.run(command(tiles, out, *more), capture_output=True, text=True)


def workers():
    """Processes of Ray's actors, by their titles."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            title = Path(path).read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b"Worker" in title:
            found.append(int(path.split("/")[2]))
    return found


def wait_for_files(out, count, process):
    until = time.time() + 120
    while len(glob.glob(f"{out}/*.parquet")) < count:
        check(time.time() < until and process.poll() is None, f"{out} has no {count} files")
        time.sleep(0.05)


tiles = scenes / "tiles.parquet"
expected = rows_of(root / "short/whole")
started = time.time()
done = run(tiles, work / "whole")
check(done.returncode == 0, done.stdout + done.stderr)
report = json.loads(done.stdout)
check(report["captioned_now"] == len(expected) and not report["failed"], done.stdout)
check(rows_of(work / "whole") == expected, "rows differ from those of the program archive")
print(f"{len(expected)} tiles by two workers in {time.time() - started:.1f} s: {done.stdout.strip()}")

# A relative path, and all is there already.
again = subprocess.run(command(tiles, os.path.relpath(work / "whole", scenes)), capture_output=True, text=True, cwd=scenes)
check(again.returncode == 0 and json.loads(again.stdout)["captioned_now"] == 0, again.stdout + again.stderr)

# A worker is killed: its shard is another's, or its own when it is back.
process = subprocess.Popen(command(tiles, work / "worker"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
wait_for_files(work / "worker", 3, process)
victims = workers()
check(len(victims) >= 2, f"workers: {victims}")
os.kill(victims[0], signal.SIGKILL)
said, wrong = process.communicate(timeout=300)
check(process.returncode == 0, said + wrong)
check(rows_of(work / "worker") == expected, "rows after a worker was killed")

# The driver is killed, and all that it had started; the same command goes on.
process = subprocess.Popen(command(tiles, work / "driver"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wait_for_files(work / "driver", 5, process)
process.kill()
process.wait()
until = time.time() + 60
while workers() and time.time() < until:
    time.sleep(0.2)
check(not workers(), "workers outlive their driver")
kept = len(glob.glob(f"{work}/driver/*.parquet"))
done = run(tiles, work / "driver")
report = json.loads(done.stdout)
check(done.returncode == 0 and 0 < report["captioned_now"] < len(expected), done.stdout + done.stderr)
check(report["captioned_now"] + report["kept"] == len(expected) and rows_of(work / "driver") == expected, "rows after the driver was killed")
check(not glob.glob(f"{work}/*/.work-*"), "parts are left")
print(f"a killed worker, a killed driver ({kept} of {report['files']} files were there): every row once")

# What is wrong is named and counted, the rest is done, and the exit code says so.
bad = [("gone", "gone-too.tif", 0, 0, 256, 256), ("outside", "0.tif", 1 << 20, 0, 256, 256)] + [(f"0/{n}", "0.tif", n * 256, 0, 256, 256) for n in range(5)]
names = ["id", "source", "x", "y", "width", "height"]
pq.write_table(pa.table({name: list(column) for name, column in zip(names, zip(*bad))}), scenes / "ray-bad.parquet")
failed = run(scenes / "ray-bad.parquet", work / "bad")
check(failed.returncode == 1, failed.stdout + failed.stderr)
check(json.loads(failed.stdout)["failed"] == {"missing": 1, "outside of its source": 1}, failed.stdout + failed.stderr)
check("gone-too.tif: is not there" in failed.stderr and len(rows_of(work / "bad")) == 7, failed.stderr)
refused = run(scenes / "nothing.parquet", work / "bad")
check(refused.returncode == 1 and "nothing.parquet" in refused.stderr and "Traceback" not in refused.stderr, refused.stderr)
refused = run(tiles, "/proc/nowhere")
check(refused.returncode == 1 and "/proc/nowhere" in refused.stderr and "Traceback" not in refused.stderr, refused.stderr)
print("what is wrong is named and counted")
if form == "short":
    sys.exit(0)

# Two workers beside two plain processes, in turns; Ray starts once, for seconds: on 10,000 tiles that is little.
rows = pq.read_table(tiles).to_pylist()
many = [{**row, "id": f"{turn}/{row['id']}"} for turn in range(52) for row in rows]
pq.write_table(pa.Table.from_pylist(many, schema=pq.read_schema(tiles)), scenes / "many.parquet")
rates = {"ray": [], "archive": []}
for turn in range(2):
    done = run(scenes / "many.parquet", work / f"ray-{turn}")
    check(done.returncode == 0, done.stdout + done.stderr)
    rates["ray"].append(json.loads(done.stdout)["captions_a_second"])
    started = time.time()
    plain = [subprocess.Popen([program, "--tiles", scenes / "many.parquet", "--shard", f"{i}/2", "--out", work / f"plain-{turn}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
             for i in range(2)]
    check(all(process.wait() == 0 for process in plain), "a plain process failed")
    rates["archive"].append(round(len(many) / (time.time() - started), 1))
    check(rows_of(work / f"ray-{turn}") == rows_of(work / f"plain-{turn}"), "rows of many differ")
ratio = sum(rates["ray"]) / sum(rates["archive"])
print(f"{len(many)} tiles, tiles a second: {rates}: Ray has {ratio:.3f} of two plain processes")
check(ratio >= 0.9, f"Ray has {ratio:.3f} of two plain processes, expected 0.9")
