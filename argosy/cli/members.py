"""A worker process, as its supervisor sees it."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from pydantic import JsonValue

from argosy.engines.channel import Channel, Handler, Unanswered
from argosy.kit.figures import FAMILIES, Family

MODULE = "argosy.cli.work"
# A worker may be busy; who scrapes waits ten seconds as a rule.
PATIENCE_SECONDS = 5.0


class Member:
    """One worker, from its start to its end."""

    def __init__(self, place: int, handlers: Mapping[str, Handler]) -> None:
        self.place = place
        self.born = time.monotonic()
        self.prepared, self.ready = asyncio.Event(), asyncio.Event()
        # Set when the process has ended; `leaves` is whether it was asked to.
        self.ended, self.leaves = asyncio.Event(), False
        self.figures: list[Family] = []
        own = {"prepared": self._is_prepared, "ready": self._is_ready, "left": self._left}
        self.channel = Channel({**handlers, **own})
        self._process: asyncio.subprocess.Process | None = None
        self._talking: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None  # noqa: S101 - it was started
        return self._process.pid

    async def start(
        self, descriptors: Mapping[str, int], orders: Mapping[str, int | bool], environment: Mapping[str, str]
    ) -> None:
        """Start a fresh interpreter, which inherits the descriptors and nothing else."""
        ours, theirs = socket.socketpair()
        with theirs:
            inherited = {**descriptors, "channel": theirs.fileno()}
            told = json.dumps({**orders, **inherited, "place": self.place, "supervisor": os.getpid()})
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", MODULE, told, pass_fds=tuple(inherited.values()), env=environment
            )
        self._talking = await self.channel.open(ours)

    async def wait(self) -> int:
        """Return the exit code, once the process has ended and all it said was heard."""
        assert self._process is not None  # noqa: S101 - it was started
        assert self._talking is not None  # noqa: S101
        code = await self._process.wait()
        await asyncio.wait({self._talking})
        self.ended.set()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None  # noqa: S101 - it was started
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def look(self) -> None:
        """Ask for its figures; without an answer those before stand."""
        with suppress(Unanswered):
            self.figures = FAMILIES.validate_python(await self.channel.ask("figures", seconds=PATIENCE_SECONDS))

    async def _is_prepared(self, _: JsonValue) -> None:
        self.prepared.set()

    async def _is_ready(self, _: JsonValue) -> None:
        self.ready.set()

    async def _left(self, figures: JsonValue) -> None:
        self.figures = FAMILIES.validate_python(figures)


async def first_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Return when one of the events is set, or the time is over."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
