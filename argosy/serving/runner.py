"""What the process of an isolated model does with the messages it gets."""

import os
import socket
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

import onnxruntime as ort

from argosy.serving.frames import Fields, Frame, encoded, receive, send
from argosy.serving.runtime import OnnxRuntime, RunFailed, load


def loaded(connection: socket.socket) -> OnnxRuntime | None:
    """Load the model that the first message names, and say how it may be run, or that it cannot be loaded."""
    asked = receive(connection)
    path, digest = str(asked.fields["path"]), str(asked.fields["digest"])
    try:
        runtime = load(Path(path), digest, repeats=bool(asked.fields["repeats"]), kind=OnnxRuntime)
        runtime.study(asked.tensors or None, int(asked.fields["rows"] or 0))
    except Exception as error:  # noqa: BLE001 - told to the server, which words it
        send(connection, Frame("failed", {"error": type(error).__name__}))
        return None
    fields: Fields = {"uniform": runtime.uniform, **asdict(runtime.traits)}
    send(connection, Frame("loaded", fields))
    return runtime


class Runner:
    """Runs what comes on one connection, one run at a time, on a thread of its own."""

    def __init__(self, runtime: OnnxRuntime, connection: socket.socket) -> None:
        self._runtime = runtime
        self._connection = connection
        self._asked: SimpleQueue[tuple[Frame, ort.RunOptions]] = SimpleQueue()
        self._cancel = ort.RunOptions()

    def take(self) -> None:
        """Take a message; raises `EOFError` when the server has gone."""
        frame = receive(self._connection)
        if frame.kind == "cancel":
            self._cancel.terminate = True
        else:
            self._cancel = ort.RunOptions()
            self._asked.put((frame, self._cancel))

    def work(self) -> None:
        """Run and answer; whatever else goes wrong ends the process, since the server would wait."""
        try:
            while True:
                frame, cancel = self._asked.get()
                self._answer(frame, cancel)
        finally:
            os._exit(1)

    def _answer(self, frame: Frame, cancel: ort.RunOptions) -> None:
        try:
            outputs = self._runtime.run(frame.tensors, int(frame.fields["rows"] or 0), cancel)
            content = encoded(Frame("outputs", tensors=outputs))
        except RunFailed as error:
            content = encoded(Frame("failed", {"error": str(error)}))
        except MemoryError as error:
            content = encoded(Frame("failed", {"error": type(error).__name__}))
        self._connection.sendall(content)
