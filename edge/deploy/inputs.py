"""What is read, and what is said where it is not as expected: one line, and what to do next."""

import hashlib
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def fail(problem):
    sys.exit(f"error: {problem}")


def note(remark):
    print(f"note: {remark}", file=sys.stderr)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def pieces(path):
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def digest_of_file(path):
    found = hashlib.sha256()
    for piece in pieces(path):
        found.update(piece)
    return "sha256:" + found.hexdigest()


def json_object(content, where):
    try:
        found = json.loads(content)
    except RecursionError:
        fail(f"{where} is nested too deeply")
    except ValueError as error:
        fail(f"{where} is no JSON: {error}")
    return found if isinstance(found, dict) else fail(f"{where} is no JSON object")
