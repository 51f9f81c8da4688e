"""The workers of a server process, as the system shows them."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.servers import ServerProcess

ESTABLISHED = "01"


def workers(server: ServerProcess) -> set[int]:
    """The processes that the supervisor has started."""
    return {int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()}


def connections(server: ServerProcess) -> Counter[int]:
    """How many connections each worker has."""
    port = f":{urlsplit(server.url).port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{one[9]}]" for one in lines if one[1].endswith(port) and one[3] == ESTABLISHED}
    found: Counter[int] = Counter()
    for pid in workers(server):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            found[pid] += str(descriptor.readlink()) in inodes
    return found


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 60.0, pause: float = 0.05) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(pause)
