"""The usage journal: where a call is noted before its answer leaves, be it a prediction or an error.

An entry is one line in a segment file, handed to the operating system before the call is answered, so that it survives
kill -9 of the server; writing it takes microseconds and no database. Segments are counted into the database in batches,
each in one transaction with its own id, so that a segment left by a crash is counted once, whatever happened.

A live process holds a lock on its segment; a segment without one belongs to a process that is gone.
"""

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from argosy.kit.ids import new_id
from argosy.kit.logs import get_logger
from argosy.kit.principal import PrincipalKind
from argosy.usage.latency import BUCKETS

TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500
# Releases before wrote shorter lines, and would not understand these: they must not find them while both run.
SUFFIX, FORMER_SUFFIXES = ".entries", (".calls", ".usage")
FIELDS, FORMER_FIELDS = 11, {10, 8}
log = get_logger(__name__)


class Failure(StrEnum):
    """What a call that was not answered counts as: refused for what it sent, or failed for want of an answer or room.

    The values are the counters' names.
    """

    REFUSED = "refused"
    ERROR = "errors"

    @classmethod
    def of(cls, status: int) -> "Failure":
        """Return what an HTTP status counts as."""
        return cls.REFUSED if status < SERVER_ERROR and status != TOO_MANY_REQUESTS else cls.ERROR


FAILURES: frozenset[str] = frozenset(Failure)
OUTCOMES = {"", *Failure, *BUCKETS}


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that a version was asked, and of which item of an order it took, where it took of one.

    `outcome` is the counter that it adds to beside its call: a latency bucket's, none if it was not timed, or a
    `Failure`, which is no call that was answered.
    """

    day: date
    organization_id: UUID
    principal_kind: PrincipalKind
    principal_id: UUID
    model_id: UUID
    model: str
    version: int
    rows: int
    outcome: str = ""
    product_id: UUID | None = None
    order_item_id: UUID | None = None

    def line(self) -> bytes:
        """Return the entry as one line."""
        parts = (
            self.day.isoformat(),
            self.organization_id.hex,
            self.principal_kind.value,
            self.principal_id.hex,
            self.model_id.hex,
            self.model,
            str(self.version),
            str(self.rows),
            self.outcome,
            self.product_id.hex if self.product_id else "",
            self.order_item_id.hex if self.order_item_id else "",
        )
        return "\t".join(parts).encode() + b"\n"

    @classmethod
    def parse(cls, line: str) -> "Entry":
        """Read a line back; raises `ValueError` for anything else."""
        parts = line.split("\t")
        if len(parts) in FORMER_FIELDS:
            parts += [""] * (FIELDS - len(parts))
        day, organization, kind, principal, model_id, model, version, rows, outcome, product, item = parts
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no counter")
        return cls(
            day=date.fromisoformat(day),
            organization_id=UUID(organization),
            principal_kind=PrincipalKind(kind),
            principal_id=UUID(principal),
            model_id=UUID(model_id),
            model=model,
            version=int(version),
            rows=int(rows),
            outcome=outcome,
            product_id=UUID(product) if product else None,
            order_item_id=UUID(item) if item else None,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed file of entries."""

    id: UUID
    path: Path

    def entries(self) -> Iterator[tuple[Entry, int]]:
        """Read the entries, each with how often it is there.

        A last line that was cut off belongs to a call that was never answered.
        """
        for line, count in Counter(self.path.read_bytes().split(b"\n")[:-1]).items():
            try:
                yield Entry.parse(line.decode()), count
            except ValueError:
                log.exception("usage_entry_unreadable", segment=self.path.name)


class Journal:
    """The journal of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: int | None = None
        self._segment: Segment | None = None

    def append(self, lines: bytes) -> None:
        """Note calls, a line each; when this returns, they outlive the process."""
        if self._file is None:
            self._open()
        assert self._file is not None  # noqa: S101 - just opened
        written = os.write(self._file, lines)
        if written != len(lines):
            # None of these calls is answered, so none is counted; should even this fail, nothing may follow.
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            self.rotate()
            raise OSError(errno.ENOSPC, "no room for the usage journal")

    def rotate(self) -> Segment | None:
        """Close the current segment and return it, if it has entries."""
        if self._file is None:
            return None
        os.close(self._file)
        closed, self._file, self._segment = self._segment, None, None
        return closed

    def abandoned(self) -> list[Segment]:
        """Return the segments of processes that are gone, and of this one's failed counts, oldest first."""
        paths = sorted(path for suffix in (SUFFIX, *FORMER_SUFFIXES) for path in self._folder.glob(f"*{suffix}"))
        mine = self._segment.path if self._segment else None
        return [Segment(UUID(path.stem), path) for path in paths if path != mine and not _is_held(path)]

    def _open(self) -> None:
        segment_id = new_id()
        draft = self._folder / f"{segment_id}.draft"
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        # Locked before it has its name: another process must never see it free while it is in use.
        fcntl.flock(file, fcntl.LOCK_EX)
        path = draft.rename(draft.with_suffix(SUFFIX))
        self._file, self._segment = file, Segment(segment_id, path)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
