"""What the clients do, without doing it: generators that yield each wait, request or slow piece of work.

Both clients run the same flows; one sleeps and sends by itself, the other awaits. So retries, tokens, pages and pushes
are written once.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from argosy.client.requests import Call
from argosy.client.results import Version
from argosy.client.uploads import Upload

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send a request; the flow gets the response, or the connection's error thrown into it."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Do something slow; the flow gets what it returns."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Refresh:
    """Get a new token, unless another thread or task has replaced the stale one meanwhile."""

    stale: str | None


Action = Exchange | Pause | Work | Refresh
Flow = Generator[Action, Any, T]


@dataclass(frozen=True, slots=True)
class PushProgress:
    """How far a push is: `status` is preparing, uploading, or the version's status; `done` of `total` are bytes.

    >>> client.push(pipeline, name="iris", sample=X, progress=lambda seen: print(seen.status, seen.done, seen.total))
    """

    status: str
    done: int = 0
    total: int = 0
    version: Version | None = None


Progress = Callable[[PushProgress], None]


def ignore(_progress: PushProgress) -> None:
    """Hear nothing."""


@dataclass(frozen=True, slots=True)
class Push:
    """A push as it was asked for."""

    name: str
    prepare: Callable[[], Upload]
    visibility: str | None = None
    wait: bool = True
    progress: Progress = field(default=ignore)
