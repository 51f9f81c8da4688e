"""Runs conversion and verification in a process of its own: limited, without secrets, in an empty folder.

An upload is data of a stranger. The process that reads it has no environment, no network where the system allows it,
bounded memory, processor time and file size, and dies with the server.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from argosy.conversion.confine import Limits
from argosy.conversion.errors import Failure
from argosy.kit.logs import get_logger
from argosy.settings import ConversionSettings

REFUSED = 3
MAX_STDERR = 64 * 1024
log = get_logger(__name__)


class SandboxFailure(Exception):
    """The work cannot be done; `failure` tells the owner why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Sandbox:
    """Starts confined processes."""

    def __init__(self, settings: ConversionSettings) -> None:
        self._settings = settings
        self._limits = Limits(
            memory_bytes=settings.memory_bytes, cpu_seconds=settings.cpu_seconds, file_bytes=settings.memory_bytes
        )

    async def run(self, command: str, folder: Path, stop: asyncio.Event) -> None:
        """Run `argosy.conversion.isolated COMMAND` on a folder, named by its absolute path.

        Raises `SandboxFailure` when it refuses, crashes or exceeds a limit, `InterruptedError` when told to stop.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "argosy.conversion.confine",
            self._limits.model_dump_json(),
            command,
            str(folder),
            cwd=folder,
            env={},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            stderr = await self._wait(process, stop)
        finally:
            _kill(process)
            await process.wait()
        await self._judge(command, process.returncode or 0, folder, stderr)

    async def _wait(self, process: asyncio.subprocess.Process, stop: asyncio.Event) -> bytes:
        assert process.stderr is not None  # noqa: S101 - a pipe was asked for
        output = asyncio.create_task(_tail(process.stderr))
        stopped = asyncio.create_task(stop.wait())
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ended, stopped}, timeout=self._settings.timeout, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                raise InterruptedError
            if not ended.done():
                raise _exceeded(f"took longer than {self._settings.timeout:.0f} s")
            return await output
        finally:
            for task in (output, stopped, ended):
                task.cancel()

    async def _judge(self, command: str, code: int, folder: Path, stderr: bytes) -> None:
        if code == 0:
            return
        if code == REFUSED:
            raise SandboxFailure(await asyncio.to_thread(_read_failure, folder / "error.json"))
        log.warning("sandbox_failed", command=command, code=code, stderr=stderr.decode(errors="replace")[-2000:])
        if code == -signal.SIGXCPU:
            raise _exceeded(f"used more than {self._settings.cpu_seconds} s of processor time")
        if b"MemoryError" in stderr or b"bad_alloc" in stderr or code == -signal.SIGKILL:
            raise _exceeded(f"used more than {self._settings.memory_bytes // 2**20} MiB of memory")
        raise SandboxFailure(
            Failure(
                code="conversion-crashed",
                reason="the isolated process ended unexpectedly while it read the file",
                advice="check that the file is what the framework wrote; convert it with the SDK and push the ONNX",
            )
        )


async def _tail(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while chunk := await stream.read(MAX_STDERR):
        kept = (kept + chunk)[-MAX_STDERR:]
    return kept


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _exceeded(what: str) -> SandboxFailure:
    return SandboxFailure(
        Failure(
            code="limit-exceeded",
            reason=f"conversion {what}",
            advice="push a smaller sample or a smaller model, or convert it with the SDK and push the ONNX",
        )
    )


def _read_failure(path: Path) -> Failure:
    try:
        return Failure.model_validate_json(path.read_bytes()[:MAX_STDERR])
    except (OSError, ValidationError):
        return Failure(code="conversion-failed", reason="the file could not be converted", advice=None)
