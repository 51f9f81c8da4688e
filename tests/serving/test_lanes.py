"""The budget of loaded models, and the notes of what ran when a process died."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from argosy.conversion.facts import Facts
from argosy.serving.batching import BatchingLimits, Lane, hand_out
from argosy.serving.errors import ModelNotLoadable
from argosy.serving.lanes import Budget, Lanes
from argosy.serving.loading import Loader
from argosy.serving.runtime import OnnxRuntime
from argosy.serving.suspects import Suspects
from argosy.serving.target import Target
from argosy.settings import ServingSettings
from tests.support.models import patient, sums

LIMITS = BatchingLimits(rows=64, queue_rows=1000, queue_bytes=2**20, workers=1, timeout=10)
MODEL = UUID(int=0)
LIGHT = Facts(repeats=False, grows=False, load_bytes=1, run_bytes=1, batch_bytes=1)


def target(number: int, size: int = 1, facts: Facts | None = LIGHT) -> Target:
    digest = f"{number:064}"
    return Target(MODEL, MODEL, "a/b", UUID(int=number), number, 1, digest, {}, onnx_size=size, facts=facts)


class Loads:
    """Loads models of two numbers; the one with the number 9 counts to its first."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self.loaded: list[int] = []

    async def __call__(self, one: Target) -> Lane:
        self.loaded.append(one.number)
        runtime = OnnxRuntime(patient(), repeats=True) if one.number == 9 else OnnxRuntime(sums())
        return Lane(runtime, self._pool, LIMITS, hand_out)


@pytest.fixture
async def loads() -> AsyncIterator[Loads]:
    with ThreadPoolExecutor(2) as pool:
        yield Loads(pool)


def lanes_of(loads: Loads, memory_bytes: int, models: int = 10) -> Lanes:
    return Lanes(Budget(models, memory_bytes), lambda one: one.onnx_size, loads)


async def ask(lane: Lane) -> Any:
    return (await lane.infer({"a": np.ones((1, 1)), "b": np.ones((1, 1))}, 1, "caller"))["total"].tolist()


async def test_models_that_were_not_asked_for_longest_make_room(loads: Loads) -> None:
    lanes = lanes_of(loads, 25)
    first, second = await lanes.get(target(1, 10)), await lanes.get(target(2, 10))
    await ask(second)
    await ask(first)  # as the fast path does: without asking the cache
    await lanes.get(target(3, 10))
    assert (second.closed, first.closed, lanes.weight) == (True, False, 20)
    assert await ask(await lanes.get(target(2, 10))) == [[2.0]]
    assert loads.loaded == [1, 2, 3, 2]


async def test_their_number_is_bounded_too(loads: Loads) -> None:
    lanes = lanes_of(loads, 100, models=2)
    for number in (1, 2, 3, 1):
        await lanes.get(target(number))
    assert loads.loaded == [1, 2, 3, 1]
    assert lanes.weight == 2


async def test_a_model_that_runs_is_not_unloaded(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argosy.serving.lanes.PATIENCE_SECONDS", 0.03)
    lanes = lanes_of(loads, 15)
    busy = await lanes.get(target(9, 10))
    running = asyncio.create_task(busy.infer({"turns": np.array([[100_000]])}, 1, "caller"))
    await asyncio.sleep(0)
    with pytest.raises(ModelNotLoadable):
        await lanes.get(target(1, 10))
    assert not busy.closed
    assert (await running)["told"].tolist() == [[100_000]]
    assert await ask(await lanes.get(target(1, 10))) == [[2.0]]
    assert busy.closed


async def test_a_model_that_never_fits_is_refused_and_unloads_no_other(loads: Loads) -> None:
    lanes = lanes_of(loads, 15)
    kept = await lanes.get(target(1, 10))
    with pytest.raises(ModelNotLoadable):
        await lanes.get(target(2, 16))
    assert not kept.closed


def test_only_what_is_known_to_be_light_runs_in_this_process(tmp_path: Path) -> None:
    loader = Loader(ServingSettings(isolate_bytes=1000), tmp_path)
    heavy, unknown = LIGHT.model_copy(update={"batch_bytes": 1001}), LIGHT.model_copy(update={"batch_bytes": None})
    repeats, grows = LIGHT.model_copy(update={"repeats": True}), LIGHT.model_copy(update={"grows": True})
    assert not loader.is_isolated(target(1))
    assert all(loader.is_isolated(target(1, facts=facts)) for facts in (heavy, unknown, repeats, grows, None))
    assert loader.weight(target(1, 500, LIGHT)) == 500
    assert loader.weight(target(1, 500, None)) > 2000


def test_what_ran_when_two_processes_were_killed_is_isolated_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal, sys; from argosy.serving.suspects import Suspects;"
        "notes = Suspects(pathlib.Path(sys.argv[1])); ran, running = notes.mark('1' * 64), notes.mark('2' * 64)\n"
        "with ran: pass\n"
        "with running: os.kill(os.getpid(), signal.SIGKILL)"
    )
    for deaths in (1, 2):
        assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == -signal.SIGKILL
        notes = Suspects(tmp_path)
        assert notes.includes("2" * 64) == (deaths == 2), "once may be chance"
        notes.close()
    notes = Suspects(tmp_path)
    assert not notes.includes("1" * 64)
    assert notes.includes("2" * 64)
    notes.close()
    assert [path.name for path in tmp_path.iterdir()] == ["2" * 64]
    os.utime(tmp_path / ("2" * 64), (0, 0))
    assert not notes.includes("2" * 64), "it is trusted again in the end"
