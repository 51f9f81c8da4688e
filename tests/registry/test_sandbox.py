"""The isolated process: bounded, without secrets, and stopped when told."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from argosy.conversion import confine
from argosy.registry.sandbox import Sandbox, SandboxFailure
from argosy.settings import ConversionSettings
from tests.support.conversions import Run
from tests.support.models import linear_classifier


@pytest.fixture(autouse=True)
def each_time(isolated: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered here."""
    monkeypatch.setattr(Sandbox, "run", isolated)


def folder(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "model.onnx").write_bytes(content)
    return tmp_path


async def test_it_does_its_work(tmp_path: Path) -> None:
    await Sandbox(ConversionSettings()).run("verify", folder(tmp_path, linear_classifier()), asyncio.Event())
    assert (tmp_path / "report.json").exists()


async def test_a_refusal_comes_back(tmp_path: Path) -> None:
    with pytest.raises(SandboxFailure) as refused:
        await Sandbox(ConversionSettings()).run("verify", folder(tmp_path, b"\x08\x09"), asyncio.Event())
    assert refused.value.failure.code == "onnx-invalid"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ConversionSettings(timeout=0.05), "longer than"),
        (ConversionSettings(memory_bytes=100 * 2**20), "memory|unexpectedly"),
    ],
)
async def test_a_limit_ends_it_with_a_reason(tmp_path: Path, settings: ConversionSettings, said: str) -> None:
    with pytest.raises(SandboxFailure, match=said) as ended:
        await Sandbox(settings).run("verify", folder(tmp_path, linear_classifier()), asyncio.Event())
    assert ended.value.failure.advice


async def test_a_crash_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(SandboxFailure) as ended:
        await Sandbox(ConversionSettings()).run("no such command", tmp_path, asyncio.Event())
    assert ended.value.failure.code == "conversion-crashed"


async def test_it_stops_when_told(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()
    started = time.monotonic()
    with pytest.raises(InterruptedError):
        await Sandbox(ConversionSettings()).run("verify", folder(tmp_path, linear_classifier()), stop)
    assert time.monotonic() - started < 5


async def test_it_sees_no_secrets_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is told to confine itself and then to report what it can reach."""
    monkeypatch.setenv("ARGOSY_SECURITY_SECRET_KEY", "swordfish" * 5)
    program = (
        "import os, resource, socket, sys; from argosy.conversion.confine import Limits, confine;"
        "confine(Limits(memory_bytes=2**30, cpu_seconds=5, file_bytes=1000));"
        "print(resource.getrlimit(resource.RLIMIT_AS)[1], resource.getrlimit(resource.RLIMIT_FSIZE)[1],"
        "sorted(os.environ), [name for _, name in socket.if_nameindex()])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", program, env={}, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    shown = (await process.communicate())[0].decode()
    assert shown.startswith(f"{2**30} 1000 ")
    assert "SECRET" not in shown
    if os.geteuid() == 0:
        assert shown.strip().endswith("['lo']")
    assert confine.MAX_FILES < 1024
