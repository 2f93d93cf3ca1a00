#!/usr/bin/env python3
"""Documentation that would go stale unseen: what it cites is there. Its commands are tests/commands.sh's."""
import glob, os, pathlib, re, subprocess, sys

# Written beside this one.
README_BYTES = 8192
problems = []
tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
folders = {path.split("/")[0] for path in tracked if "/" in path}
tests = set()
for path in tracked:
    if path.endswith(".rs") and os.path.exists(path):
        tests.update(re.findall(r"\bfn (\w+)", pathlib.Path(path).read_text()))


for name in sys.argv[1:]:
    text = pathlib.Path(name).read_text()
    if name == "README.md" and len(text.encode()) > README_BYTES:
        problems.append(f"README.md has {len(text.encode())} bytes, expected {README_BYTES} at most: the rest belongs into docs/src")
    if name == "CHANGELOG.md": continue
    if name.startswith("docs/src/") and pathlib.Path(name).stem not in ("README", "SUMMARY") and "**Your task.**" not in text:
        problems.append(f"{name} does not begin with the reader's task")
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
    for cited in re.findall(r"`([^`\n]+)`", prose):
        choice = re.fullmatch(r"(.*)\{(.*)\}(.*)", cited)
        for path in [choice[1] + one + choice[3] for one in choice[2].split(",")] if choice else [cited.split(" ")[0]]:
            is_path = re.fullmatch(r"[\w.*-]+(/[\w.*-]+)+/?", path) and path.split("/")[0] in folders
            if is_path and not glob.glob(path): problems.append(f"{name} cites {path}, which is not there")
        if re.fullmatch(r"[a-z]+(_[a-z0-9]+){4,}", cited) and cited not in tests: problems.append(f"{name} cites the test {cited}, which is not there")

for problem in problems: print(f"error: {problem}", file=sys.stderr)
sys.exit(bool(problems))
