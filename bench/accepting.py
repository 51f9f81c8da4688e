"""How evenly connections fall on processes that share a port, three ways: `python -m bench.accepting`.

What each answers is its process id, after a little work; the share of the busiest one is shown, mean and worst.
"""

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from functools import partial
from itertools import product
from mmap import mmap
from typing import cast

import uvloop

from argosy.cli.accepting import Acceptor
from argosy.cli.listening import Board, listen

WAYS = ("shared", "reuseport", "politely")
ROUNDS = 5
WORK_SECONDS = 0.0002
SETTLE_SECONDS = 0.15


class Answering(asyncio.Protocol):
    open = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio's
        Answering.open += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        Answering.open -= 1

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        ends = time.perf_counter() + WORK_SECONDS
        while time.perf_counter() < ends:
            pass
        self.transport.write(b"%d\n" % os.getpid())


async def worker(place: int, way: str, listener: socket.socket, board: Board) -> None:
    loop = asyncio.get_running_loop()
    if way != "politely":
        await (await loop.create_server(Answering, sock=listener, backlog=2048)).serve_forever()
    acceptor = Acceptor(listener, Answering, None, 1.0, lambda: Answering.open, partial(board.show, place), board)
    acceptor.start()
    while True:
        await asyncio.sleep(0.1)
        acceptor.count()


def reusing(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), reuse_port=True, backlog=2048)


def start(way: str, workers: int) -> tuple[int, list[int]]:
    board = Board(mmap(-1, Board.size(workers)), workers)
    first = reusing(0) if way == "reuseport" else listen("127.0.0.1", 0)
    port: int = first.getsockname()[1]
    listeners = [first] + [reusing(port) if way == "reuseport" else first for _ in range(workers - 1)]
    pids = []
    for place, listener in enumerate(listeners):
        pid = os.fork()
        if not pid:
            uvloop.run(worker(place, way, listener, board))
        pids.append(pid)
    for listener in set(listeners):
        listener.close()
    return port, pids


async def one(port: int) -> tuple[bytes, float, asyncio.StreamWriter]:
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"?")
    return await reader.readline(), time.perf_counter() - started, writer


async def busiest(port: int, connections: int, *, at_once: bool) -> tuple[float, float]:
    """The share of the busiest, and the median time to the first answer."""
    if at_once:
        answers = await asyncio.gather(*(one(port) for _ in range(connections)))
    else:
        answers = [await one(port) for _ in range(connections)]
    for *_, writer in answers:
        writer.close()
    await asyncio.sleep(SETTLE_SECONDS)
    times = sorted(seconds for _, seconds, _ in answers)
    return max(Counter(pid for pid, *_ in answers).values()) / connections, times[connections // 2]


async def measure(port: int, title: str) -> None:
    for connections, at_once in product((8, 32, 128), (True, False)):
        found = [await busiest(port, connections, at_once=at_once) for _ in range(ROUNDS)]
        shares, times = zip(*found, strict=True)
        print(
            f"{title}, {connections} {'at once' if at_once else 'one by one'}: share of the busiest "
            f"{sum(shares) / ROUNDS:.2f}, {max(shares):.2f}; first answer {sum(times) / ROUNDS * 1000:.2f} ms"
        )


def main() -> None:
    for workers, way in product((2, 4), WAYS):
        port, pids = start(way, workers)
        try:
            time.sleep(0.5)
            uvloop.run(measure(port, f"{way}, {workers} workers"))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
