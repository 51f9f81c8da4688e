"""The workers of a server process, as the system shows them."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.servers import ServerProcess

ESTABLISHED, LISTENING = "01", "0A"


def workers(server: ServerProcess) -> set[int]:
    """The processes that the supervisor has started."""
    return {int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()}


def connections(server: ServerProcess) -> Counter[int]:
    """How many connections each worker has."""
    return sockets_of(workers(server), urlsplit(server.url).port or 0, ESTABLISHED)


def sockets_of(pids: Iterable[int], port: int, state: str) -> Counter[int]:
    """How many sockets on a port each process has in a state."""
    tables = (Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    lines = [line.split() for table in tables for line in table]
    inodes = {f"socket:[{one[9]}]" for one in lines if one[1].endswith(f":{port:04X}") and one[3] == state}
    found: Counter[int] = Counter()
    for pid in pids:
        found[pid] = 0
        with suppress(FileNotFoundError):  # it has ended, or a descriptor was closed
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                found[pid] += str(descriptor.readlink()) in inodes
    return found


def wait_until_all_serve(server: ServerProcess, count: int = 2) -> None:
    """Until each worker takes connections; those that have just come are given the next ones."""
    address = urlsplit(server.url)

    def all_serve() -> bool:
        with ExitStack() as stack:
            for _ in range(4 * count):
                stack.enter_context(socket.create_connection((str(address.hostname), address.port or 0)))
            time.sleep(0.1)
            found = connections(server)
        return len(found) == count and all(found.values())

    wait_until(all_serve, pause=0.2)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 100.0, pause: float = 0.05) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(pause)
