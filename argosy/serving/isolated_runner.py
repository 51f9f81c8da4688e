"""The process of an isolated model: confined, it loads one model and runs it until the server closes the connections.

Run as `python -I -m argosy.serving.isolated_runner LIMITS DESCRIPTOR…`: one connection for each run at a time. On the
first comes `load`, on all `run` and, while that goes on, `cancel`.
"""

import os
import selectors
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from argosy.conversion.confine import Limits, confine

HIGHEST = "1000"


def main() -> None:
    """Confine this process, then serve."""
    limits, *descriptors = sys.argv[1:]
    # When memory runs out, this process goes before the server does.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(HIGHEST)
    confine(Limits.model_validate_json(limits))
    # A fault of the runtime or a lack of memory leaves nothing that could go on.
    try:
        _serve([socket.socket(fileno=int(one)) for one in descriptors])
    finally:
        os._exit(1)


def _serve(connections: list[socket.socket]) -> None:
    from argosy.serving.runner import Runner, loaded  # noqa: PLC0415 - nothing heavy may load unconfined

    runtime = loaded(connections[0])
    if runtime is None:
        return
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            runner = Runner(runtime, connection)
            threading.Thread(target=runner.work, daemon=True).start()
            selector.register(connection, selectors.EVENT_READ, runner)
        while True:
            for key, _ in selector.select():
                key.data.take()


if __name__ == "__main__":
    main()
