"""The file system that an image's layers make (image-spec, layer.md): entries in order, whiteouts, hard links and symbolic links."""

import itertools
import posixpath

# A folder is a dict by name, a symbolic link its target as text, a file a tuple; of devices and pipes nothing is kept.
MAX_ENTRIES = 2_000_000
MAX_LINKS = 40


class TooMany(Exception):
    pass


class FileSystem:
    def __init__(self):
        self.root, self.entries = {}, 0

    def add(self, layer, entries):
        """A layer over what is there: tar's entries, each with its number and what is kept of its content or None."""
        # No more are taken than may be: a layer of empty names is small, its list is not.
        taken = itertools.islice(entries, MAX_ENTRIES - self.entries + 1)
        entries = [(posixpath.normpath("/" + entry.name.lstrip("/")), *more, entry) for *more, entry in taken]
        self.entries += len(entries)
        if self.entries > MAX_ENTRIES:
            raise TooMany(f"more than {MAX_ENTRIES} files")
        # A whiteout hides what is below its layer, wherever it stands in it.
        for path, *_ in entries:
            self._hide(path)
        for path, number, content, entry in entries:
            if path != "/" and not posixpath.basename(path).startswith(".wh."):
                self._put(path, (layer, number, content), entry)

    def find(self, path):
        """What a process in the image finds there."""
        return self._walk(path, lambda folder, part: folder.get(part))

    def _hide(self, path):
        folder, name = posixpath.split(path)
        if name.startswith(".wh."):
            found = self.find(folder)
            if isinstance(found, dict):
                if name == ".wh..wh..opq":
                    found.clear()
                else:
                    found.pop(name[len(".wh.") :], None)

    def _put(self, path, file, entry):
        folder, name = posixpath.split(path)
        folder = self._walk(folder, made)
        if not isinstance(folder, dict):
            return
        if entry.isdir():
            if not isinstance(folder.get(name), dict):
                folder[name] = {}
        elif entry.issym():
            folder[name] = entry.linkname
        elif entry.islnk():
            target, linked = posixpath.split(posixpath.normpath("/" + entry.linkname.lstrip("/")))
            found = self.find(target)
            folder[name] = found.get(linked) if isinstance(found, dict) else None
        else:
            folder[name] = file if entry.isreg() else None

    def _walk(self, path, step):
        trail, parts, links = [self.root], path.split("/")[::-1], 0
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            if part == "..":
                trail = trail[:-1] or trail
                continue
            found = step(trail[-1], part)
            if isinstance(found, str):
                links += 1
                if links > MAX_LINKS:
                    return None
                if found.startswith("/"):
                    trail = trail[:1]
                parts += found.split("/")[::-1]
            elif isinstance(found, dict):
                trail.append(found)
            else:
                return found if not any(each not in ("", ".") for each in parts) else None
        return trail[-1]


def made(folder, part):
    """The folder of that name, made where nothing or a file is; a link is followed."""
    if not isinstance(folder.get(part), (dict, str)):
        folder[part] = {}
    return folder[part]
