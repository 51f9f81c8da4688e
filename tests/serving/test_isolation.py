"""Models that are heavy, or may be, in a process of their own: the same answers, and trouble that stays there."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from fastapi import FastAPI
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from argosy.serving.batching import BatchingLimits, Lane, hand_out
from argosy.serving.child import Died, NotLoaded, Plan
from argosy.serving.errors import ModelCrashed, PredictionTimedOut
from argosy.serving.isolation import FIRST_DELAY, IsolatedRuntime
from argosy.serving.runtime import OnnxRuntime, RunFailed
from tests.support.callers import Caller
from tests.support.models import echo, model_of, patient, settled, sums, upload

LIMITS = BatchingLimits(rows=64, queue_rows=1000, queue_bytes=2**20, workers=2, timeout=10)
MIB = 2**20


def value(name: str, kind: int, shape: list[int | None]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def filler() -> bytes:
    """Makes as many numbers as its input says, and answers with their sum."""
    nodes = [
        helper.make_node("Reshape", ["n", "all"], ["flat"]),
        helper.make_node("ReduceMax", ["flat"], ["most"], keepdims=1),
        helper.make_node("ConstantOfShape", ["most"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["total"], keepdims=0),
        helper.make_node("Cast", ["n"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["floats", "total"], ["sum"]),
    ]
    n, total = value("n", TensorProto.INT64, [None, 1]), value("sum", TensorProto.FLOAT, [None, 1])
    return model_of(helper.make_graph(nodes, "filler", [n], [total], [numpy_helper.from_array(np.array([-1]), "all")]))


def weighty(megabytes: int) -> bytes:
    """Adds a constant of so many megabytes' first number."""
    table = numpy_helper.from_array(np.ones((megabytes * MIB // 4,), np.float32), "table")
    zero = numpy_helper.from_array(np.array([0]), "zero")
    nodes = [helper.make_node("Gather", ["table", "zero"], ["one"]), helper.make_node("Add", ["x", "one"], ["y"])]
    x, y = value("x", TensorProto.FLOAT, [None, 1]), value("y", TensorProto.FLOAT, [None, 1])
    return model_of(helper.make_graph(nodes, "weighty", [x], [y], [table, zero]))


def plan(folder: Path, content: bytes, **changes: Any) -> Plan:
    path = folder / "model.onnx"
    path.write_bytes(content)
    made = Plan(
        path=path,
        digest=hashlib.sha256(content).hexdigest(),
        repeats=True,
        sample=None,
        sample_rows=9,
        memory_bytes=2**31,
        workers=2,
        load_seconds=30,
        run_seconds=15,
    )
    return replace(made, **changes)


@contextmanager
def isolated(folder: Path, content: bytes, **changes: Any) -> Iterator[IsolatedRuntime]:
    runtime = IsolatedRuntime(plan(folder, content, **changes))
    try:
        yield runtime
    finally:
        runtime.close()


@asynccontextmanager
async def lane_of(runtime: IsolatedRuntime, limits: BatchingLimits = LIMITS) -> AsyncIterator[Lane]:
    with ThreadPoolExecutor(1) as pool:
        yield Lane(runtime, pool, limits, hand_out)


def counts(*numbers: int) -> dict[str, Any]:
    return {"turns": np.array(numbers, np.int64).reshape(-1, 1)}


def test_answers_are_those_of_a_model_in_this_process_bit_for_bit(tmp_path: Path) -> None:
    data, target = load_digits(return_X_y=True)
    rows = data.astype(np.float32)
    names = np.array([f"№ {one}" for one in target])
    fitted = RandomForestClassifier(10, random_state=0).fit(rows, names)
    content = to_onnx(fitted, rows[:1], options={"zipmap": False}).SerializeToString()
    here = OnnxRuntime(content)
    here.study({"X": rows[:9]}, 9)
    with isolated(tmp_path, content, repeats=False, sample={"X": rows[:9]}) as there:
        assert replace(there.traits, floor=0, slope=0) == replace(here.traits, floor=0, slope=0, loops=True)
        assert there.uniform
        for part in (rows[:1], rows[1:3], rows[:100], rows):
            expected, found = here.run({"X": part}, len(part)), there.run({"X": part}, len(part))
            assert list(expected) == list(found)
            for name, values in expected.items():
                assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape)
                assert found[name].tolist() == values.tolist()


def test_texts_go_there_and_back(tmp_path: Path) -> None:
    texts = np.array([["a"], [""], ["ünï\n\"'\0"]], dtype=object)
    with isolated(tmp_path, echo()) as runtime:
        assert runtime.run({"text": texts}, 3)["said"].tolist() == texts.tolist()


async def test_a_process_that_is_killed_is_an_error_once(tmp_path: Path) -> None:
    with isolated(tmp_path, patient()) as runtime:
        async with lane_of(runtime) as lane:
            running = asyncio.create_task(lane.infer(counts(3_000_000), 1, "a"))
            await asyncio.sleep(0.3)
            first = runtime.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            with pytest.raises(ModelCrashed):
                await running
            assert (await lane.infer(counts(5), 1, "a"))["told"].tolist() == [[5]]
            assert runtime.pid not in {None, first}


async def test_one_that_keeps_dying_is_started_later_and_later(tmp_path: Path) -> None:
    with isolated(tmp_path, patient()) as runtime:
        for _ in range(2):
            running = asyncio.create_task(asyncio.to_thread(runtime.run, counts(3_000_000), 1))
            await died_while_it_ran(runtime)
            with pytest.raises(ModelCrashed):
                await running
        with pytest.raises(ModelCrashed, match="later") as refused:
            runtime.run(counts(1), 1)
        assert refused.value.headers["Retry-After"] == "1"
        await asyncio.sleep(FIRST_DELAY)
        assert runtime.run(counts(1), 1)["told"].tolist() == [[1]]


async def died_while_it_ran(runtime: IsolatedRuntime) -> None:
    while runtime.pid is None:  # noqa: ASYNC110 - it is started on a thread
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    os.kill(runtime.pid, signal.SIGKILL)


async def test_a_run_without_end_is_stopped_and_the_process_serves_on(tmp_path: Path) -> None:
    with isolated(tmp_path, patient(2**40)) as runtime:
        before = runtime.pid
        async with lane_of(runtime, replace(LIMITS, timeout=0.3)) as lane:
            asked = [asyncio.create_task(lane.infer(counts(2**40), 1, "a")) for _ in range(2)]
            for one in asked:
                with pytest.raises(PredictionTimedOut):
                    await one
            assert (await lane.infer(counts(7), 1, "a"))["told"].tolist() == [[7]]
        assert runtime.pid == before, "it could be stopped without ending its process"


async def test_a_process_that_does_not_even_listen_is_ended_at_the_deadline(tmp_path: Path) -> None:
    with isolated(tmp_path, patient()) as runtime:
        async with lane_of(runtime, replace(LIMITS, timeout=0.3)) as lane:
            before = runtime.pid or 0
            os.kill(before, signal.SIGSTOP)
            with pytest.raises(PredictionTimedOut):
                await lane.infer(counts(1), 1, "a")
            async with asyncio.timeout(10):
                while runtime.pid == before:  # noqa: ASYNC110 - it is ended on a thread
                    await asyncio.sleep(0.02)
        assert runtime.run(counts(3), 1)["told"].tolist() == [[3]]
        assert runtime.pid not in {None, before}


def test_memory_has_a_limit_and_lack_of_it_is_an_error_of_the_request(tmp_path: Path) -> None:
    with isolated(tmp_path, filler(), memory_bytes=2**30) as runtime:
        before = runtime.pid
        with pytest.raises(RunFailed):
            runtime.run({"n": np.array([[2**30]])}, 1)
        assert runtime.run({"n": np.array([[3]])}, 1)["sum"].tolist() == [[3.0]]
        assert runtime.pid == before


def test_a_model_that_cannot_be_loaded_in_the_memory_it_may_take_is_refused(tmp_path: Path) -> None:
    content = weighty(100)
    with pytest.raises((NotLoaded, Died)):
        IsolatedRuntime(plan(tmp_path, content, memory_bytes=400 * MIB))
    with isolated(tmp_path, content) as runtime:
        assert runtime.run({"x": np.ones((1, 1), np.float32)}, 1)["y"].tolist() == [[2.0]]
    with pytest.raises(NotLoaded, match="ValueError"):
        IsolatedRuntime(plan(tmp_path, content, digest="0" * 64))


def test_its_process_has_no_secrets_and_ends_with_the_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_SECURITY_SECRET_KEY", "swordfish" * 5)
    with isolated(tmp_path, patient()) as runtime:
        pid = runtime.pid
        if os.geteuid() == 0:
            assert b"swordfish" not in Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert str(2**31) in next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert not Path(f"/proc/{pid}").exists()


def test_a_large_request_gives_its_memory_back() -> None:
    weights = numpy_helper.from_array(np.ones((8, 4096), np.float32), "w")
    axis = numpy_helper.from_array(np.array([1]), "axis")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("Exp", ["wide"], ["wider"]),
        helper.make_node("ReduceSum", ["wider", "axis"], ["y"], keepdims=0),
    ]
    x, y = value("x", TensorProto.FLOAT, [None, 8]), value("y", TensorProto.FLOAT, [None])
    runtime = OnnxRuntime(model_of(helper.make_graph(nodes, "wide", [x], [y], [weights, axis])))
    runtime.run({"x": np.zeros((1, 8), np.float32)}, 1)
    before = resident()
    runtime.run({"x": np.zeros((10_000, 8), np.float32)}, 10_000)
    for rows in range(1, 200):
        runtime.run({"x": np.zeros((rows, 8), np.float32)}, rows, ort.RunOptions())
    assert resident() - before < 64 * MIB, "the run itself took 320 MiB"


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_trouble_of_one_model_is_told_to_its_callers_and_reaches_no_other(app: FastAPI, owner: Caller) -> None:
    for name, content in (("plain", sums()), ("patient", patient())):
        await owner.post("/models", json={"name": name})
        assert (await upload(owner, name, content)).status_code == 202
        assert (await settled(owner, name))["status"] == "ready"
    asked, plain = "/models/owner/patient/predict", "/models/owner/plain/predict"
    headers = {"Authorization": f"Bearer {owner.key}"}
    assert (await owner.post(asked, json={"data": [[3]]}, headers=headers)).json()["predictions"] == [{"told": [3]}]
    await owner.post(plain, json={"data": [[1, 2]]})
    loaded = [lane._runtime for lane in app.state.serving._placement._here._values.values()]
    (runtime,) = [one for one in loaded if isinstance(one, IsolatedRuntime)]
    assert len(loaded) == 2
    for path in (asked, asked):  # the long way, then the fast path
        running = asyncio.create_task(owner.post(path, json={"data": [[3_000_000]]}, headers=headers))
        await asyncio.sleep(0.3)
        os.kill(runtime.pid or 0, signal.SIGKILL)
        told = await running
        assert (told.status_code, told.json()["type"].rpartition(":")[2]) == (503, "model-crashed")
        assert told.headers["retry-after"] == "1"
        assert (await owner.post(plain, json={"data": [[1, 2]]})).json()["predictions"] == [{"total": [3.0]}]
        again = await owner.post(asked, json={"data": [[4]]}, headers=headers)
        assert again.json()["predictions"] == [{"told": [4]}]
