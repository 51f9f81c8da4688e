"""Saving what is downloaded: the file is there whole, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def saving(target: Path) -> Iterator[BinaryIO]:
    """Open a draft beside a file; it takes the file's place when it was written to the end."""
    draft = target.with_name(f".{target.name}-{uuid4().hex}")
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
