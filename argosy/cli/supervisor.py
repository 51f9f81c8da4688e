"""The supervisor of `argosy up --workers N`: binds the port, keeps N processes serving on it, and counts for them.

It serves nothing itself, and imports neither the application nor the database. Workers end with it, whatever ends it.
"""

import asyncio
import os
import signal
import socket
import tempfile
import time
from collections.abc import Coroutine
from mmap import mmap
from typing import Any

import typer
from pydantic import JsonValue

from argosy.cli.listening import Board, PortTaken, listen, reserve, url_of
from argosy.cli.members import Member, first_of
from argosy.engines.channel import Handler
from argosy.engines.counting import counting
from argosy.engines.rates import SharedRateLimiter
from argosy.kit.figures import FAMILIES, Family, summed, together
from argosy.kit.logs import configure_logs, get_logger
from argosy.settings import Settings

# A worker drains for 25 seconds after it has left its clients 10.
DRAIN_SECONDS = 45.0
START_SECONDS = 120.0
QUICK_SECONDS = 30.0
MOST_QUICK_ENDS = 5
LONGEST_BACKOFF = 8.0
LOOK_SECONDS = 1.0
log = get_logger(__name__)


class Supervisor:
    """Keeps workers serving."""

    def __init__(self, settings: Settings, listener: socket.socket, environment: dict[str, str]) -> None:
        self._wanted = settings.workers
        self._listener = listener
        self._environment = environment
        self._memory = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the process lives
        # While a worker is replaced there is one more.
        self._places = settings.workers + 1
        self._memory.truncate(Board.size(self._places))
        self._board = Board(mmap(self._memory.fileno(), Board.size(self._places)), self._places)
        self._members: dict[int, Member] = {}
        self._leader: Member | None = None
        self._departed: list[Family] = []
        self._counting = counting(SharedRateLimiter("memory://"))
        self._over, self._roll_wanted = asyncio.Event(), asyncio.Event()
        self._code = 0
        self._quick_ends = 0
        self._starting = asyncio.Lock()
        self._attending: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready: str) -> int:
        """Serve until stopped; return the exit code. `ready` is said when all workers serve."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._roll_wanted.set)
        for place in range(self._places):
            self._board.show(place)
        self._spawn(self._start_all(ready))
        await self._over.wait()
        await self._drain()
        return self._code

    def _stop(self, number: signal.Signals) -> None:
        if self._over.is_set() and number is signal.SIGINT:
            for member in self._members.values():
                member.signal(signal.SIGKILL)
        self._over.set()

    def _give_up(self, reason: str) -> None:
        if not self._over.is_set():
            typer.echo(f"argosy: {reason}", err=True)
            self._code = 1
            self._over.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._hold(self._tasks, work)

    def _hold(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        def done(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._give_up(f"workers cannot be kept running: {error!r}")

        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(done)

    async def _start_all(self, ready: str) -> None:
        """Start one worker, which prepares, and then the others."""
        first = await self._start(prepares=True)
        await first_of(first.prepared, first.ended)
        if not first.ended.is_set():
            members = [first, *[await self._start() for _ in range(self._wanted - 1)]]
            await asyncio.gather(*(first_of(member.ready, member.ended) for member in members))
        if all(member.ready.is_set() for member in self._members.values()) and len(self._members) == self._wanted:
            typer.echo(ready)
            self._spawn(self._look())
            await self._roll_when_wanted()
        else:
            self._give_up("a worker did not start")

    async def _start(self, *, prepares: bool = False) -> Member:
        descriptors = {"listener": self._listener.fileno(), "board": self._memory.fileno()}
        async with self._starting:
            place = next(place for place in range(self._places) if place not in self._members)
            member = Member(place, {"wake": self._wake_from(place), "scrape": self._scrape, **self._counting})
            await member.start(descriptors, {"places": self._places, "prepares": prepares}, self._environment)
            self._members[place] = member
        self._hold(self._attending, self._attend(member))
        return member

    async def _attend(self, member: Member) -> None:
        """Go with a worker to its end, and replace it when nobody asked for that."""
        self._spawn(self._choose_leader(member))
        code = await member.wait()
        del self._members[member.place]
        self._board.show(member.place)
        self._departed = summed([self._departed, member.figures])
        if self._leader is member:
            self._leader = None
            await self._choose_leader()
        if not member.leaves and not self._over.is_set() and member.ready.is_set():
            log.error("worker_died", pid=member.pid, exit_code=code)
            self._spawn(self._replace(member))

    async def _replace(self, member: Member) -> None:
        """Start another worker in the place of one, later each time when they end soon after their start."""
        lived = time.monotonic() - member.born
        self._quick_ends = self._quick_ends + 1 if lived < QUICK_SECONDS else 0
        if self._quick_ends >= MOST_QUICK_ENDS:
            self._give_up(f"{self._quick_ends} workers in a row ended within {QUICK_SECONDS:g} seconds of their start")
            return
        if self._quick_ends:
            await asyncio.sleep(min(LONGEST_BACKOFF, 0.25 * 2**self._quick_ends))
        if not self._over.is_set():
            another = await self._start()
            await first_of(another.ready, another.ended)
            if not another.ready.is_set() and not self._over.is_set():
                await self._replace(another)

    async def _choose_leader(self, candidate: Member | None = None) -> None:
        """Have one worker do what one does for all."""
        if candidate is not None:
            await first_of(candidate.ready, candidate.ended)
        able = [one for one in self._members.values() if one.ready.is_set() and not one.leaves]
        if self._leader is None and able and not self._over.is_set():
            self._leader = able[0]
            self._leader.channel.tell("lead")

    async def _roll_when_wanted(self) -> None:
        while True:
            await self._roll_wanted.wait()
            self._roll_wanted.clear()
            log.info("rolling_restart_begins")
            done = await self._roll()
            log.info("rolling_restart_ends", complete=done)

    async def _roll(self) -> bool:
        """Replace each worker by a new one, which serves before the old one leaves; return whether all were.

        The leader comes last, so that what it does for all changes hands once.
        """
        for former in sorted(self._members.values(), key=lambda one: one is self._leader):
            if former.ended.is_set():
                continue
            former.leaves = True
            another = await self._start()
            await first_of(another.ready, another.ended, seconds=START_SECONDS)
            if not another.ready.is_set():
                another.signal(signal.SIGKILL)
                former.leaves = False
                if former.ended.is_set():
                    self._spawn(self._replace(former))
                return False
            former.channel.tell("retire")
            await first_of(former.ended, seconds=DRAIN_SECONDS)
            former.signal(signal.SIGKILL)
            await former.ended.wait()
        return True

    async def _drain(self) -> None:
        """Let all workers answer what is in flight, and end."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._listener.close()
        for member in self._members.values():
            member.signal(signal.SIGTERM)
        if self._attending:
            await asyncio.wait(self._attending, timeout=DRAIN_SECONDS)
        for member in self._members.values():
            log.error("worker_killed", pid=member.pid)
            member.signal(signal.SIGKILL)
        if self._attending:
            await asyncio.wait(self._attending)

    def _wake_from(self, place: int) -> Handler:
        async def wake(names: JsonValue) -> None:
            for other in self._members.values():
                if other.place != place:
                    other.channel.tell("wake", names)

        return wake

    async def _scrape(self, _: JsonValue) -> JsonValue:
        await self._look_once()
        workers = {str(place): member.figures for place, member in sorted(self._members.items())}
        shown: JsonValue = FAMILIES.dump_python(together(self._departed, workers), mode="json")
        return shown

    async def _look(self) -> None:
        """Keep the figures of all workers: what one that dies has counted must not be gone."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look_once()

    async def _look_once(self) -> None:
        if self._members:
            await asyncio.wait([asyncio.create_task(member.look()) for member in self._members.values()])


def supervise(settings: Settings) -> int:
    """Serve with several workers until stopped; return the exit code."""
    configure_logs(settings.log)
    secure = settings.network.tls_certificate is not None
    environment = {**os.environ, "ARGOSY_DATA_DIR": str(settings.data.dir)}
    try:
        listener = listen(settings.host, settings.port)
        ready = f"Argosy ready at {url_of(listener.getsockname(), is_secure=secure)}"
        environment["ARGOSY_HOST"] = settings.host
        if settings.grpc.port is not None:
            reserved = reserve(settings.host, settings.grpc.port)
            address = reserved.getsockname()
            environment["ARGOSY_GRPC_PORT"] = str(address[1])
            ready = f"Argosy speaks gRPC at {url_of(address, is_secure=secure, protocol='grpc')}\n{ready}"
    except PortTaken as error:
        typer.echo(f"argosy: {error}", err=True)
        return 1
    return asyncio.run(Supervisor(settings, listener, environment).run(ready))
