"""Confines this process, then hands over to `argosy.conversion.isolated`.

Run as `python -I -m argosy.conversion.confine LIMITS COMMAND FOLDER`. The limits are set by the process itself, before
it reads anything of the upload; being hard limits they cannot be raised again. Linux only where it names Linux: other
systems get the resource limits.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress

from pydantic import BaseModel

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MAX_FILES = 256
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


class Limits(BaseModel):
    """What the process may use."""

    memory_bytes: int
    cpu_seconds: int | None
    file_bytes: int
    with_parent: bool = True  # whether it dies with the thread that started it


def confine(limits: Limits) -> None:
    """Limit this process for good: memory, processor time, files; no network and no privileges where possible."""
    for kind, amount in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        if amount is None:
            continue
        _, hard = resource.getrlimit(kind)
        bound = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (bound, bound))
    # One thread each: numerical libraries reserve memory for every thread they might start.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    if sys.platform == "linux":
        _confine_linux(with_parent=limits.with_parent)


def _confine_linux(*, with_parent: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if with_parent:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    # An empty network namespace; a system that forbids it leaves the network as it is.
    with suppress(OSError):
        if libc.unshare(CLONE_NEWNET) != 0:
            libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def main() -> None:
    """Confine, then do the command on the folder."""
    _, limits, command, folder = sys.argv
    confine(Limits.model_validate_json(limits))
    from argosy.conversion.isolated import main as isolated  # noqa: PLC0415 - nothing of it may load unconfined

    sys.exit(isolated([command, folder]))


if __name__ == "__main__":
    main()
