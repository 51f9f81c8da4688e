"""What a process holds of quotas and has not spent, noted in a file beside it, so that it goes back when it is killed.

A note never says more than is held: it is raised after a lease was taken, and lowered before a call goes on with what
it spends and before anything is put back. Notes are handed to the operating system, and so outlive the process. They do
not outlive a crash of the machine, after which a file may be older than what was spent: it is believed only within the
same start of the machine, and never when it is a copy.

What is taken is noted once the ledger has told of it: a lease that a process did not live to hear of stays taken.

A live process holds a lock on its file; a file without one belongs to a process that is gone.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from argosy.entitlements.ledger import Held, Units
from argosy.kit.ids import new_id
from argosy.kit.logs import get_logger

SUFFIX = ".held"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
HEAD = struct.Struct("<36sQ")  # the start of the machine, the file's inode
WHICH, AMOUNTS = struct.Struct("<16sq"), struct.Struct("<qq")  # entitlement and period; calls and rows
PLACE = 64  # bytes for each, so that none lies on two pages: a kill leaves a note whole, or as it was
EPOCH, SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)
Which = tuple[UUID, datetime]
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Notes:
    """What a process left that is gone."""

    id: UUID
    held: list[Held]


class Holdings:
    """The notes of this process, and of those that are gone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._boot = _boot()
        self._file: int | None = None
        self._path: Path | None = None
        self._places: dict[Which, int] = {}
        self._free: list[int] = []

    def hold(self, which: Which, units: Units) -> None:
        """Note what is held, also where nothing was; where that fails, it is lost if the process is killed."""
        if which in self._places:
            self.change(which, units.calls, units.rows)
        elif units and self._boot:
            try:
                self._add(which, units)
            except OSError as error:
                self._drop(error)

    def change(self, which: Which, calls: int, rows: int) -> None:
        """Note what is held by now, where anything is noted."""
        place = self._places.get(which)
        if place is None:
            return
        assert self._file is not None  # noqa: S101 - it has the place
        try:
            os.pwrite(self._file, AMOUNTS.pack(calls, rows), place + WHICH.size)
        except OSError as error:
            self._drop(error)
            return
        if not (calls or rows):
            self._free.append(self._places.pop(which))

    def others(self) -> list[Path]:
        """Return the files of other processes."""
        return [path for path in sorted(self._folder.glob(f"*{SUFFIX}")) if path != self._path]

    def left(self, path: Path) -> Notes | None:
        """Return what a file says, if its process is gone."""
        content = _unlocked(path)
        return None if content is None else Notes(UUID(path.stem), list(self._read(*content)))

    def close(self) -> None:
        """Remove the file when nothing is held; what could not be put back is for others, once this process is gone."""
        if self._file is not None and self._path is not None and not self._places:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = self._path = None
            self._free = []

    def _add(self, which: Which, units: Units) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None  # noqa: S101 - just opened
        place = self._free.pop() if self._free else PLACE * (len(self._places) + 1)
        entitlement_id, start = which
        note = WHICH.pack(entitlement_id.bytes, (start - EPOCH) // SECOND) + AMOUNTS.pack(units.calls, units.rows)
        os.pwrite(self._file, note.ljust(PLACE, b"\0"), place)
        self._places[which] = place

    def _open(self) -> None:
        draft = self._folder / f"{new_id()}.draft"
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Locked before it has its name: another process must never see it free while it is in use.
        fcntl.flock(file, fcntl.LOCK_EX)
        os.pwrite(file, HEAD.pack(self._boot, os.fstat(file).st_ino).ljust(PLACE, b"\0"), 0)
        self._file, self._path = file, draft.rename(draft.with_suffix(SUFFIX))

    def _drop(self, error: OSError) -> None:
        """Note nothing of what is held now: a note that cannot be lowered must not be found."""
        log.warning("quota_not_noted", error=repr(error))
        self._places, self._free = {}, []
        if self._path is not None and self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._file)
        self._file = self._path = None

    def _read(self, content: bytes, inode: int) -> Iterator[Held]:
        if len(content) < PLACE or not self._boot or HEAD.unpack_from(content) != (self._boot, inode):
            return
        for place in range(PLACE, len(content) - PLACE + 1, PLACE):
            entitlement_id, start = WHICH.unpack_from(content, place)
            units = Units(*AMOUNTS.unpack_from(content, place + WHICH.size))
            if units:
                yield Held(UUID(bytes=entitlement_id), EPOCH + start * SECOND, units)


def _boot() -> bytes:
    """Return what tells this start of the machine from others; nothing, where nothing can be noted."""
    try:
        told = BOOT_ID.read_bytes().strip()[:36]
    except OSError:
        return b""
    return told and told.ljust(36, b"\0")


def _unlocked(path: Path) -> tuple[bytes, int] | None:
    """Return what is in a file that no process holds, and which file it is."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file.read(), os.fstat(file.fileno()).st_ino
    except (FileNotFoundError, BlockingIOError):
        return None
