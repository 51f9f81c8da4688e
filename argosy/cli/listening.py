"""The sockets that workers share: bound once, by who starts them."""

import resource
import socket
import struct
from contextlib import suppress
from mmap import mmap

# As many as the system lets wait (on Linux `net.core.somaxconn`, 4096 unless set). One beyond is dropped after its
# client believes that it is connected: what that sends arrives when it is sent again, seconds later.
BACKLOG = 65_535
MOST_FILES = 65_536
NOBODY = 2**32 - 1


class PortTaken(OSError):
    """An address cannot be listened on."""


def allow_connections() -> None:
    """Let this process, and those that it starts, have as many files open as it may: a connection is one.

    Most systems begin with 1,024, for the sake of programs that are older than `poll`, and let a process raise that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def listen(host: str, port: int) -> socket.socket:
    """Listen; raises `PortTaken`."""
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=BACKLOG)
    except OSError as error:
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def reserve(host: str, port: int) -> socket.socket:
    """Keep a port for gRPC's servers, which listen for themselves and share it; raises `PortTaken`."""
    reserved = socket.socket(_family(host))
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((host, port))
    except OSError as error:
        reserved.close()
        raise PortTaken(f"gRPC cannot listen on {host}:{port}: {error.strerror or error}") from error
    return reserved


def url_of(address: tuple[str, int], *, is_secure: bool, protocol: str = "http") -> str:
    """Return where a socket is reached."""
    host, port = address[:2]
    return f"{protocol}{'s' if is_secure else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Board:
    """How many connections each worker has, in memory that they share."""

    def __init__(self, memory: mmap, places: int) -> None:
        self._memory = memory
        self._format = f"={places}I"

    @staticmethod
    def size(places: int) -> int:
        """Return the bytes a board needs."""
        return places * 4

    def show(self, place: int, connections: int = NOBODY) -> None:
        """Say how many a worker has; without a number, that it takes none."""
        struct.pack_into("=I", self._memory, place * 4, connections)

    def fewest(self) -> int:
        """Return the connections of whoever has fewest."""
        found: tuple[int, ...] = struct.unpack_from(self._format, self._memory)
        return min(found)
