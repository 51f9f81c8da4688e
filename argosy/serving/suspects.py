"""Which models ran when a process of the server died: they are not run within it any more.

A model in this process can take it down. What runs is noted in a file that the system keeps when the process ends,
however that happens; the next process finds there who it may have been. Once may be chance, since a server that is
killed from outside was running something too.
"""

import mmap
import os
import time
from contextlib import suppress
from pathlib import Path

DIGEST = 64
SLOTS = 1024
SUSPECT_SECONDS = 7 * 86_400
DEATHS = 2
ENDING = ".runs"


class Mark:
    """The note of one loaded model: entered before a run, left after it."""

    def __init__(self, notes: mmap.mmap | None, at: int) -> None:
        self._notes = notes
        self._at = at
        self._runs = 0

    def __enter__(self) -> None:
        self._runs += 1
        if self._notes is not None:
            self._notes[self._at] = 1

    def __exit__(self, *_: object) -> None:
        self._runs -= 1
        if self._notes is not None and self._runs <= 0:
            self._notes[self._at] = 0


class Suspects:
    """The notes of one process, in a folder that the processes of one server share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._read()
        self._path = folder / f"{os.getpid()}{ENDING}"
        with self._path.open("w+b") as file:
            file.truncate(SLOTS * (DIGEST + 1))
            self._notes = mmap.mmap(file.fileno(), 0)
        self._slots: dict[str, int] = {}

    def includes(self, digest: str) -> bool:
        """Tell whether a model ran whenever a process died, more than once in the last days."""
        with suppress(OSError):
            noted = (self._folder / digest).stat()
            return noted.st_size >= DEATHS and time.time() - noted.st_mtime < SUSPECT_SECONDS
        return False

    def mark(self, digest: str) -> Mark:
        """Return the note of a model."""
        slot = self._slots.setdefault(digest, len(self._slots))
        if slot >= SLOTS:
            return Mark(None, 0)
        at = slot * (DIGEST + 1)
        self._notes[at + 1 : at + 1 + DIGEST] = digest.encode().ljust(DIGEST)[:DIGEST]
        return Mark(self._notes, at)

    def close(self) -> None:
        """Forget the notes: the process ends well."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        for path in self._folder.glob(f"*{ENDING}"):
            if _lives(int(path.stem)) and int(path.stem) != os.getpid():
                continue
            content = path.read_bytes()
            for at in range(0, len(content) - DIGEST, DIGEST + 1):
                if content[at]:
                    self._note(self._folder / content[at + 1 : at + 1 + DIGEST].decode().strip())
            path.unlink(missing_ok=True)

    @staticmethod
    def _note(path: Path) -> None:
        """Add one death to a model's, and forget those of long ago."""
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > SUSPECT_SECONDS:
                path.unlink()
        with path.open("ab") as file:
            file.write(b"x")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
