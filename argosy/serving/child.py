"""The server's end of the process of one isolated model."""

import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from argosy.conversion.confine import Limits
from argosy.serving.frames import Fields, Frame, receive, send
from argosy.serving.runtime import Outputs, RunFailed, Tensors, Traits

# How often a wait looks whether it was cancelled; how long a cancelled run may take to end by itself.
LOOK_MS = 10
GRACE_SECONDS = 0.5


class Died(Exception):
    """The process ended, or was ended, before it answered."""


class NotLoaded(Exception):
    """The process could not load the model."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process loads, and what it may take: rows to study it with, memory, runs at once, seconds."""

    path: Path
    digest: str
    repeats: bool
    sample: Tensors | None
    sample_rows: int
    memory_bytes: int
    workers: int
    load_seconds: float
    run_seconds: float


class Child:
    """One process, started and loaded; raises `NotLoaded` or `Died`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # Whether it was ended because of a run that did not: the others' runs may be tried again.
        self.was_stopped = False
        pairs = [socket.socketpair() for _ in range(plan.workers)]
        self._connections = [ours for ours, _ in pairs]
        theirs = [their for _, their in pairs]
        limits = Limits(memory_bytes=plan.memory_bytes, cpu_seconds=None, file_bytes=0, with_parent=False)
        module = "argosy.serving.isolated_runner"
        descriptors = [str(one.fileno()) for one in theirs]
        self._process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, "-I", "-m", module, limits.model_dump_json(), *descriptors],
            cwd="/",
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[one.fileno() for one in theirs],
            start_new_session=True,
        )
        for one in theirs:
            one.close()
        try:
            self.traits, self.uniform = self._load()
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def _load(self) -> tuple[Traits, bool]:
        plan = self._plan
        fields: Fields = {
            "path": str(plan.path),
            "digest": plan.digest,
            "repeats": plan.repeats,
            "rows": plan.sample_rows,
        }
        answer = self._ask(0, Frame("load", fields, plan.sample or {}), None, plan.load_seconds)
        told = answer.fields
        if answer.kind != "loaded":
            raise NotLoaded(str(told.get("error")))
        traits = Traits(
            batches=bool(told["batches"]),
            pads=bool(told["pads"]),
            # Its runs are waited for on threads, however quick they are.
            loops=True,
            floor=float(told["floor"] or 0),
            slope=float(told["slope"] or 0),
        )
        return traits, bool(told["uniform"])

    def run(self, slot: int, tensors: Tensors, rows: int, cancel: ort.RunOptions | None) -> Outputs:
        """Return the outputs of a run on one of the connections; raises `RunFailed` or `Died`."""
        answer = self._ask(slot, Frame("run", {"rows": rows}, tensors), cancel, self._plan.run_seconds)
        if answer.kind != "outputs":
            raise RunFailed(str(answer.fields.get("error")))
        return dict(answer.tensors)

    def _ask(self, slot: int, frame: Frame, cancel: ort.RunOptions | None, seconds: float) -> Frame:
        connection, ends = self._connections[slot], time.monotonic() + seconds
        try:
            # Bounds the sending too: a process may be stopped without being ended.
            connection.settimeout(seconds)
            send(connection, frame)
            if not self._answers(connection, cancel, ends):
                send(connection, Frame("cancel"))
                if not self._answers(connection, None, time.monotonic() + GRACE_SECONDS):
                    self.was_stopped = True
                    self.end()
                    raise Died("it was stopped, since it did not end")
            return receive(connection)
        except (OSError, EOFError) as error:
            self.end()
            raise Died(f"it ended with code {self._process.returncode}") from error

    def _answers(self, connection: socket.socket, cancel: ort.RunOptions | None, ends: float) -> bool:
        """Wait for an answer; False when the time is over, or it is cancelled."""
        waiting = select.poll()
        waiting.register(connection, select.POLLIN)
        while not waiting.poll(LOOK_MS):
            if time.monotonic() > ends or (cancel is not None and cancel.terminate):
                return False
        return True

    def end(self) -> None:
        """End the process, if it has not; whoever waits for an answer gets none."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for one in self._connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the process and let go of the connections; nobody may wait for an answer."""
        self.end()
        for one in self._connections:
            one.close()
