#!/usr/bin/env python3
"""Executes the commands of the documentation: every line of every ```sh block in tracked Markdown, and the examples of every --help.

A page's lines run in order in one folder, which looks like the checkout and holds the inputs that the page names (INPUTS). There is no
network but the machine's own, and nothing outside of that folder can be written. What runs until it is stopped (SERVICES) is left running
to the end of the page, and must end well.

What cannot be executed here says so before its block, in the Markdown:

    <!-- needs jetson -->                    no line of this block is executed
    <!-- needs gpu: edge bench, trainer -->  nor one that begins with these words

for one of REASONS. Each program's own test parses all of these lines (tests/manual), executed or not. A line that begins with neither a
program, a file of the checkout nor one of OTHERS is an error.
"""
import concurrent.futures, functools, importlib.util, itertools, json, os, pathlib, re, shlex, shutil, signal, subprocess, sys, time

# Of other makers: executed where the line before or after needs them, else marked.
OTHERS = ["alias", "apt-get", "cargo", "cp", "createdb", "echo", "install", "mkdir", "mpirun", "pip", "podman", "psql", "python", "ros2", "sbatch", "skopeo"]
REASONS = {
    "minutes": "executed by tests/commands.sh long", "demo": "executed by tests/demo.rs", "quiet": "minutes of a machine that does nothing else",
    "backbone": "weights of a backbone, in ../shared/backbones",
    "data": "the research datasets whole", "hours": "training", "gpu": "an NVIDIA GPU", "jetson": "a Jetson", "cluster": "MPI, Slurm or Ray",
    "container": "a container engine or registry", "network": "a package registry or server", "postgres": "a PostgreSQL server (edge/ground/tests/postgres)",
    "ros2": "a ROS 2 network (tests/ros2.sh)", "signature": "a bundle signed by minisign (tests/trust.rs)", "peer": "a Python with torch", "pillow": "a Python with NumPy and Pillow",
    "nightly": "cargo-fuzz", "everything": "is what runs this",
}
# What a name in the documentation stands for, of what inputs.sh makes.
INPUTS = {
    "images": "images", "fog": "images", "my-images": "dataset", "airport.jpg": "airport.jpg", "mine.txt": "objects.txt", "recipe.toml": "recipe.toml",
    "runs/mine": "run", "runs/ucm": "run", "runs/drone": "run", "captions.json": "captions.json", "captions.txt": "captions.txt", "pass.bin": "pass.bin",
    "mine.cssa": "mine.cssa", "new.cssa": "new.cssa", "int8.cssa": "mine.cssa", "fp16.cssa": "new.cssa", "target/bundle": "bundle", "bundle": "bundle",
    "target/calibrated.cssa": "mine.cssa", "new.delta": "new.delta", "model.pem": "model.pem", "model.pub": "model.pub",
    "uav.key": "uav.key", "old.key": "uav.key", "new.key": "new.key", "twelve.key": "uav.key", "thirteen.key": "new.key", "others.key": "new.key",
    "captions.gpkg": "captions.gpkg", "edge.toml": "edge.toml", "tiles.parquet": "tiles.parquet", "scene.tif": "scene.tif",
    "efficientnet_lite2.safetensors": "efficientnet_lite2.safetensors",
    "target/long/drone/own": "dataset", "target/long/drone/held-out": "dataset", "../shared/data/ucm": "ucm", "../shared/data/rsicd": "rsicd",
}
# What is there on every page: a vehicle that flies, and its image files.
ALWAYS = ["vehicle.toml", "vehicle-state", "frames", "uav.key", "scene.tif"]
SERVICES = [r"ground receive\b.*--from (udp|serial|mavlink):", r"ground map\b", r"edge run\b(?!.*--check)", r"link-sim\b.*--listen"]
# Examples of --help have no place for a mark.
NEEDS = {"trainer train": "backbone", "trainer ablate": "hours", "edge bench --choose": "minutes", "demo": "demo", "exporter calibrate": "data", "edge-ros2": "ros2"}
# Half a minute each: the first page that has such a line executes it, the others take what inputs.sh made.
ONCE = ["trainer adapt", "exporter --checkpoint"]
LIMIT = 300
CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PLACE = CHECKOUT / "target/commands"


@functools.cache
def packages():
    """The packages of the workspace, by their names."""
    listed = subprocess.run(["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"], capture_output=True, check=True, cwd=CHECKOUT)
    return {package["name"]: package for package in json.loads(listed.stdout)["packages"]}


@functools.cache
def programs():
    return [target["name"] for package in packages().values() for target in package["targets"] if "bin" in target["kind"]]


class Line:
    def __init__(self, page, number, text, needs):
        self.page, self.number, self.text, self.needs = page, number, text, needs
        self.place = f"{page}:{number}"


def pages():
    """The lines of each page, and what is wrong with its marks."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "docs/manual/help/*.txt"], capture_output=True,
                            text=True, check=True, cwd=CHECKOUT).stdout.split()
    problems, found = [], {}
    for name in listed:
        if name == "CHANGELOG.md" or not (CHECKOUT / name).exists(): continue
        text = (CHECKOUT / name).read_text()
        lines = examples(name, text) if name.endswith(".txt") else markdown(name, text, problems)
        if lines: found[name] = lines
    for line in (line for lines in found.values() for line in lines): problems += check(line)
    return found, problems


def markdown(name, text, problems):
    found, marks, fence, begun = [], [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        mark = re.fullmatch(r"<!-- needs (\w+)(?:: (.+))? -->", bare)
        if fence is None and mark:
            if mark[1] not in REASONS: problems.append(f"{name}:{number}: needs {mark[1]}, expected one of {', '.join(REASONS)}")
            marks.append((mark[1], [prefix.strip() for prefix in (mark[2] or "").split(",")]))
        elif bare.startswith("```"):
            fence = bare[3:] if fence is None else None
            if fence is None: marks = []
            elif fence in ("", "bash", "console", "shell"): problems.append(f"{name}:{number}: ```{fence}, expected ```sh, or the language of what is no command")
        elif fence == "sh":
            begun += bare
            if begun.endswith("\\"): begun = begun[:-1]
            else:
                needs = [reason for reason, prefixes in marks if any(begun.startswith(prefix) for prefix in prefixes)]
                if begun: found.append(Line(name, number, begun, needs[0] if needs else None))
                begun = ""
        elif fence is None and bare:
            if marks: problems.append(f"{name}:{number}: a mark stands before no block")
            marks = []
    return found


def examples(name, text):
    found, inside, begun = [], False, ""
    for number, line in enumerate(text.splitlines(), 1):
        inside = line == "Examples:" or inside and line.startswith("  ")
        if inside and (begun or re.match(r"  \S", line)):
            begun += line.strip()
            if begun.endswith("\\"): begun = begun[:-1]
            else:
                needs = next((reason for prefix, reason in NEEDS.items() if begun.startswith(prefix)), None)
                found.append(Line(name, number, begun, needs))
                begun = ""
    return found


def commands(line):
    """The simple commands of a line, each as words."""
    lexer = shlex.shlex(line.text, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    words, found = list(lexer), [[]]
    for word in words:
        if word in ("&&", "||", "|", ";"): found.append([])
        else: found[-1].append(word)
    return found


def check(line):
    problems = []
    for words in commands(line):
        words = list(itertools.dropwhile(lambda word: re.match(r"\w+=", word), words))
        first = words[0] if words else ""
        script = CHECKOUT / first
        if first.removeprefix("target/release/") in programs() or first in OTHERS: pass
        elif "/" in first and script.is_file():
            # A script's options, where it is not executed: they stand in it.
            for option in (word for word in words if word.startswith("--")):
                if option not in script.read_text(): problems.append(f"{line.place}: {first} has no option {option}")
        else: problems.append(f"{line.place}: {first!r} is no program of this checkout, none of its files and none of OTHERS")
        if first == "cargo": problems += [f"{line.place}: {problem}" for problem in cargo(words)]
    return problems


def cargo(words):
    """Packages and features that a call of cargo names and the workspace has not."""
    end = words.index("--") if "--" in words else len(words)
    given = list(zip(words[:end], words[1:end]))
    named = [value for option, value in given if option in ("-p", "--package")]
    known = {feature for name in named if name in packages() for feature in packages()[name]["features"]}
    features = [value for option, value in given if option == "--features"]
    return [f"no package {name}" for name in named if name not in packages()] + [f"no feature {name} in {named}" for name in features if name not in known]


class Page:
    """A page's folder, and what runs in it."""

    def __init__(self, name, lines):
        self.name, self.lines, self.services = name, lines, []
        self.box = PLACE / re.sub(r"\W+", "-", name)
        self.here = self.box / "checkout"

    def make(self):
        shutil.rmtree(self.box, ignore_errors=True)
        (self.here / "target").mkdir(parents=True)
        made = PLACE / "inputs"
        text = "\n".join(line.text for line in self.lines)
        used = {name: source for name, source in INPUTS.items() if re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text)}
        for name, source in {**used, **{name: name for name in ALWAYS}}.items():
            place = self.here / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(made / source): subprocess.run(["cp", "--recursive", made / source, place], check=True)
        for path in CHECKOUT.iterdir():
            if path.name not in ("target", "runs", ".git", *used): (self.here / path.name).symlink_to(path)
        for path in (CHECKOUT / "target").iterdir():
            if path.name in ("release", "flight", "onnxruntime", "libtorch"): (self.here / "target" / path.name).symlink_to(path)
        return {**os.environ, "PATH": f"{PLACE}/bin:{os.environ['PATH']}", "HOME": str(self.box)}

    def run(self):
        environment = self.make()
        # A serial line on which nobody sends.
        _, line = os.openpty()
        os.symlink(os.ttyname(line), "/dev/ttyUSB0")
        self.start("edge run --config vehicle.toml", environment)
        for line in self.lines:
            for command in re.split(r"\s+&&\s+", line.text):
                problem = self.start(command, environment) if is_service(command) else self.execute(command, environment)
                if problem: raise SystemExit(f"error: {line.place}: {command}\n{problem}")
        while self.services: self.stop(self.services[-1])

    def execute(self, command, environment):
        written = [match[1] for match in re.finditer(r"--(?:out|report) ([\w./-]+)", command)] + re.findall(r"^ground key (\S+)", command)
        for path in (self.here / path for path in written if path != "-"):
            # What a command makes is not there before.
            if path.is_dir() and not path.is_symlink(): shutil.rmtree(path)
            else: path.unlink(missing_ok=True)
        ran = subprocess.run(["bash", "-c", f"set -eo pipefail; {command}"], cwd=self.here, env=environment, capture_output=True, text=True, timeout=LIMIT)
        if ran.returncode: return f"exit code {ran.returncode}: {ran.stderr.strip() or ran.stdout.strip()}"[-2000:]
        missing = [path for path in written if path != "-" and not (self.here / path).exists()]
        return f"did not write {missing}" if missing else None

    def start(self, command, environment):
        kind = " ".join(shlex.split(command)[:2])
        for other in [other for other in self.services if other[0] == kind and "vehicle.toml" not in other[1]]: self.stop(other)
        log = open(self.box / f"service-{len(list(self.box.glob('service-*')))}.txt", "w+")
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.here, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
        self.services.append((kind, command, process, log))
        for _ in range(100):
            time.sleep(0.1)
            if process.poll() is not None: return f"ended with {process.returncode}: {pathlib.Path(log.name).read_text()}"
            if kind != "edge run" or self.is_well(command, environment): break
        else: return f"is not well: {pathlib.Path(log.name).read_text()}"
        time.sleep(0.4)
        if process.poll() is not None: return f"ended with {process.returncode}: {pathlib.Path(log.name).read_text()}"

    def is_well(self, command, environment):
        config = shlex.split(command, comments=True)[-1]
        return subprocess.run(["edge", "health", "--config", config], cwd=self.here, env=environment, capture_output=True).returncode == 0

    def stop(self, service):
        self.services.remove(service)
        _, command, process, log = service
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=20)
        if code: raise SystemExit(f"error: {self.name}: {command}\nended with {code} by SIGTERM: {pathlib.Path(log.name).read_text()[-2000:]}")


def is_service(command):
    return any(re.match(pattern, command) for pattern in SERVICES)


def boxed(*arguments):
    """In a world of its own: the checkout cannot be written, and no network is there but the loopback."""
    return subprocess.run(["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind", PLACE, PLACE, "--unshare-net",
                           "--unshare-pid", "--die-with-parent", *arguments], capture_output=True, text=True)


def prepare():
    """The programs by their names, cargo as one of them, and the inputs."""
    shutil.rmtree(PLACE, ignore_errors=True)
    (PLACE / "bin").mkdir(parents=True)
    for program in programs():
        if os.path.exists(f"{os.environ['PROGRAMS']}/{program}"): (PLACE / "bin" / program).symlink_to(f"{os.environ['PROGRAMS']}/{program}")
    shim = PLACE / "bin/cargo"
    shim.write_text('#!/bin/sh\n# cargo run --release -p PROGRAM -- ARGUMENTS, built already.\n[ "$1 $2 $3" = "run --release -p" ] && [ "$5" = -- ] || exit 2\nprogram=$4; shift 5\nexec "$program" "$@"\n')
    shim.chmod(0o755)
    (PLACE / "inputs").mkdir()
    made = boxed("--chdir", PLACE / "inputs", "--setenv", "PATH", f"{PLACE}/bin:{os.environ['PATH']}", CHECKOUT / "tests/commands/inputs.sh", CHECKOUT)
    if made.returncode: sys.exit(f"error: tests/commands/inputs.sh: {made.stdout}{made.stderr}")


def main(arguments):
    found, problems = pages()
    if problems: sys.exit("\n".join(f"error: {problem}" for problem in problems))
    is_long = arguments[:1] == ["long"]
    words = arguments[is_long:]
    is_here = {"minutes": is_long, "backbone": (CHECKOUT / "../shared/backbones").is_dir(), "pillow": all(map(importlib.util.find_spec, ["PIL", "numpy"]))}
    may = {None, *(reason for reason in is_here if is_here[reason])}
    first, total, chosen = {}, 0, {}
    for name, lines in found.items():
        total += len(lines)
        is_new = lambda line: not line.text.startswith(tuple(ONCE)) or first.setdefault(line.text, line) is line
        chosen[name] = [line for line in lines if line.needs in may and is_new(line)]
    chosen = {name: lines for name, lines in chosen.items() if lines and (not words or any(word in name for word in words))}
    prepare()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        def run(name):
            (PLACE / "lines").mkdir(exist_ok=True)
            plan = PLACE / "lines" / re.sub(r"\W+", "-", name)
            plan.write_text(json.dumps([name, [[line.number, line.text] for line in chosen[name]]]))
            began = time.time()
            return name, boxed(sys.executable, __file__, "--page", plan), time.time() - began
        # The longest first.
        weight = lambda name: sum(10 if line.text.startswith(tuple(ONCE)) else line.text.startswith(("trainer", "exporter")) for line in chosen[name])
        results = list(pool.map(run, sorted(chosen, key=weight, reverse=True)))
    failed = [ran for _, ran, _ in results if ran.returncode]
    for ran in failed: print(ran.stdout + ran.stderr, file=sys.stderr, end="")
    if os.environ.get("COMMANDS_TIMES"):
        for name, _, seconds in results: print(f"{seconds:6.1f} s {name}")
    if failed: sys.exit(1)
    executed = sum(map(len, chosen.values()))
    print(f"{executed} documented command lines of {total} executed on {len(chosen)} pages; the others need what is not here, and are parsed by their programs' tests")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--page"]:
        name, lines = json.loads(pathlib.Path(sys.argv[2]).read_text())
        Page(name, [Line(name, number, text, None) for number, text in lines]).run()
    else: main(sys.argv[1:])
