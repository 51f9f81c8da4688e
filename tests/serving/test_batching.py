"""Adaptive batching: the same answers together as alone, and nobody pays for another's request."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier

from argosy.serving.batching import BatchingLimits, Lane, hand_out
from argosy.serving.errors import ModelRejectedInput, Overloaded, PredictionTimedOut
from argosy.serving.runtime import OnnxRuntime, Outputs, Tensors, Traits
from argosy.signature.sample import ROWS

ROW = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
LIMITS = BatchingLimits(rows=64, queue_rows=1000, queue_bytes=2**20, workers=1, timeout=10)
ESTIMATORS = {
    "linear": LinearRegression(),
    "logistic": LogisticRegression(max_iter=2000),
    "forest": RandomForestClassifier(10, random_state=0),
    "network": MLPClassifier((16,), random_state=0),
}


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def model(node_inputs: list[onnx.ValueInfoProto], nodes: list[onnx.NodeProto], output: onnx.ValueInfoProto) -> bytes:
    graph = helper.make_graph(nodes, "graph", node_inputs, [output])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    content: bytes = made.SerializeToString()
    return content


def forever() -> bytes:
    """A model that counts for longer than anybody waits."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still"]),
            helper.make_node("Add", ["held", "held"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("held", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Constant", [], ["turns"], value=helper.make_tensor("t", TensorProto.INT64, [], [2**62])),
        helper.make_node("Loop", ["turns", "", "X"], ["Y"], body=body),
    ]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1])
    return model([x], nodes, helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 1]))


def picky() -> bytes:
    """A model that looks a row up by number, and fails for one that is not there."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [4], [0.0, 10.0, 20.0, 30.0])
    nodes = [
        helper.make_node("Constant", [], ["T"], value=table),
        helper.make_node("Gather", ["T", "X"], ["Y"]),
    ]
    x = helper.make_tensor_value_info("X", TensorProto.INT64, [None])
    return model([x], nodes, helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None]))


class Counting(OnnxRuntime):
    """Notes how many rows each run had."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.sizes: list[int] = []

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        self.sizes.append(rows)
        return super().run(tensors, rows, cancel)


async def idle(lane: Lane) -> bool:
    for _ in range(100):
        if lane.is_idle:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_answers_are_the_same_bit_for_bit_alone_and_together(threads: ThreadPoolExecutor) -> None:
    for load in (load_breast_cancer, load_digits):
        data, target = load(return_X_y=True)
        rows = data.astype(np.float32)
        for name, estimator in ESTIMATORS.items():
            options = None if name == "linear" else {"zipmap": False}
            runtime = OnnxRuntime(to_onnx(estimator.fit(rows, target), rows[:1], options=options).SerializeToString())
            runtime.study({"X": rows[:ROWS]}, ROWS)
            assert runtime.traits.batches, name
            lane = Lane(runtime, threads, LIMITS, hand_out)
            parts = np.split(rows[:96], np.cumsum([1, 2, 1, 5, 1, 1, 7, 30, 1, 3]))
            together = await asyncio.gather(*(lane.infer({"X": part}, len(part), "caller") for part in parts))
            for part, found in zip(parts, together, strict=True):
                alone = await lane.infer({"X": part}, len(part), "caller")
                assert all(alone[key].tobytes() == found[key].tobytes() for key in alone), (name, len(part))


async def test_what_waits_while_the_model_runs_is_run_together(threads: ThreadPoolExecutor) -> None:
    runtime = Counting(picky())
    runtime.study({"X": np.array([0, 1, 2, 3, 0, 1, 2, 3, 0])}, ROWS)
    runtime.sizes.clear()
    lane = Lane(runtime, threads, LIMITS, hand_out)
    found = await asyncio.gather(*(lane.infer({"X": np.array([number % 4])}, 1, "caller") for number in range(100)))
    assert [float(one["Y"][0]) for one in found] == [number % 4 * 10.0 for number in range(100)]
    assert runtime.sizes == [64, 36]
    runtime.sizes.clear()
    assert float((await lane.infer({"X": np.array([2])}, 1, "caller"))["Y"][0]) == 20.0
    assert runtime.sizes == [1], "one alone waits for nobody"


async def test_an_error_stays_with_its_request(threads: ThreadPoolExecutor) -> None:
    runtime = OnnxRuntime(picky())
    runtime.study({"X": np.arange(ROWS) % 4}, ROWS)
    lane = Lane(runtime, threads, LIMITS, hand_out)
    given = [0, 1, 99, 3, -50, 2]
    found = await asyncio.gather(
        *(lane.infer({"X": np.array([one])}, 1, "caller") for one in given), return_exceptions=True
    )
    for one, outcome in zip(given, found, strict=True):
        if 0 <= one < 4:
            assert isinstance(outcome, dict)
            assert float(outcome["Y"][0]) == one * 10.0
        else:
            assert isinstance(outcome, ModelRejectedInput)


async def test_a_model_without_end_is_stopped_and_its_queue_is_bounded(threads: ThreadPoolExecutor) -> None:
    runtime = OnnxRuntime(forever(), repeats=True)
    runtime.study({"X": np.ones((ROWS, 1), np.float32)}, ROWS)
    assert runtime.traits.loops
    limits = BatchingLimits(rows=64, queue_rows=3, queue_bytes=2**20, workers=1, timeout=0.3)
    lane = Lane(runtime, threads, limits, hand_out)
    one = {"X": np.ones((1, 1), np.float32)}
    running = asyncio.create_task(lane.infer(one, 1, "caller"))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(lane.infer(one, 1, "caller")) for _ in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await lane.infer(one, 1, "caller")
    for gone in waiting:
        gone.cancel()
    with pytest.raises(PredictionTimedOut):
        await running
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await idle(lane), "the thread was freed"


async def test_a_caller_who_goes_frees_the_thread(threads: ThreadPoolExecutor) -> None:
    lane = Lane(OnnxRuntime(forever(), repeats=True), threads, LIMITS, hand_out)
    calling = asyncio.create_task(lane.infer({"X": np.ones((1, 1), np.float32)}, 1, "caller"))
    await asyncio.sleep(0.1)
    assert not lane.is_idle
    calling.cancel()
    assert await idle(lane)


async def test_a_caller_who_sends_little_does_not_wait_for_one_who_sends_much(threads: ThreadPoolExecutor) -> None:
    runtime = Counting(to_onnx(LinearRegression().fit(ROW, [0.0, 1.0]), ROW[:1]).SerializeToString())
    lane = Lane(runtime, threads, replace(LIMITS, rows=1), hand_out)
    order: list[str] = []

    async def ask(caller: str) -> None:
        await lane.infer({"X": ROW[:1]}, 1, caller)
        order.append(caller)

    await asyncio.gather(*(ask("much") for _ in range(20)), ask("little"))
    assert order.index("little") <= 2


async def test_a_full_queue_turns_away_whoever_fills_it(threads: ThreadPoolExecutor) -> None:
    lane = Lane(OnnxRuntime(forever(), repeats=True), threads, replace(LIMITS, queue_rows=4, timeout=0.5), hand_out)
    one = {"X": np.ones((1, 1), np.float32)}
    running = asyncio.create_task(lane.infer(one, 1, "much"))
    await asyncio.sleep(0.05)
    much = [asyncio.create_task(lane.infer(one, 1, "much")) for _ in range(4)]
    await asyncio.sleep(0)
    little = asyncio.create_task(lane.infer(one, 1, "little"))
    done, _ = await asyncio.wait(much, return_when=asyncio.FIRST_COMPLETED)
    assert [type(task.exception()) for task in done] == [Overloaded]
    assert much[-1] in done
    for task in (*much, little, running):
        task.cancel()
    await asyncio.gather(*much, little, running, return_exceptions=True)


async def test_a_queue_is_bounded_in_bytes(threads: ThreadPoolExecutor) -> None:
    lane = Lane(OnnxRuntime(forever(), repeats=True), threads, replace(LIMITS, queue_bytes=1000), hand_out)
    running = asyncio.create_task(lane.infer({"X": np.ones((1, 1), np.float32)}, 1, "a"))
    await asyncio.sleep(0.05)
    wide = {"X": np.ones((200, 1), np.float32)}
    waiting = asyncio.create_task(lane.infer(wide, 1, "a"))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await lane.infer(wide, 1, "a")
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)


async def test_what_waits_too_long_for_its_caller_is_answered_in_time(threads: ThreadPoolExecutor) -> None:
    lane = Lane(OnnxRuntime(forever(), repeats=True), threads, LIMITS, hand_out)
    loop = asyncio.get_running_loop()
    started = loop.time()
    calls = [lane.infer({"X": np.ones((1, 1), np.float32)}, 1, "a", started + 0.1) for _ in range(3)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in found] == [PredictionTimedOut] * 3
    assert loop.time() - started < 5
    for _ in range(500):
        if lane.is_idle:
            break
        await asyncio.sleep(0.01)
    assert lane.is_idle  # the run was stopped, since it is for nobody


async def test_a_wait_that_the_owner_wants_makes_a_batch_of_what_comes_meanwhile(threads: ThreadPoolExecutor) -> None:
    runtime = Counting(picky())
    runtime.study({"X": np.arange(ROWS) % 4}, ROWS)
    runtime.sizes.clear()
    lane = Lane(runtime, threads, replace(LIMITS, rows=4, wait=5.0), hand_out)
    calls = []
    for _ in range(4):
        calls.append(asyncio.create_task(lane.infer({"X": np.array([2])}, 1, "a")))
        await asyncio.sleep(0.01)
    async with asyncio.timeout(2):  # a full batch does not wait
        await asyncio.gather(*calls)
    assert runtime.sizes == [4]


class Slow(OnnxRuntime):
    """A model whose every row takes a while."""

    def __init__(self) -> None:
        self.traits = Traits(batches=True, loops=False, floor=0.0, slope=0.02)
        self.uniform = True

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        time.sleep(0.02 * rows)
        return {"Y": np.ones((rows, 1), np.float32)}


async def test_no_more_waits_than_runs_in_the_time_that_is_given(threads: ThreadPoolExecutor) -> None:
    lane = Lane(Slow(), threads, replace(LIMITS, rows=4, queue_seconds=1.0), hand_out)
    one = {"X": np.ones((1, 1), np.float32)}
    await lane.infer(one, 1, "caller")
    asked = [asyncio.create_task(lane.infer(one, 1, "caller")) for _ in range(100)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in found if isinstance(one, Overloaded)]
    answered = [one for one in found if isinstance(one, dict)]
    assert len(refused) + len(answered) == 100
    assert 32 <= len(answered) <= 60  # 50 rows of 20 ms, as far as a sleep is exact, and what runs


class Stalls(Slow):
    """Answers soon, but for one run that the machine interrupts."""

    def __init__(self) -> None:
        super().__init__()
        self.traits = Traits(batches=True, loops=False, floor=0.0, slope=0.002)
        self.stalls = False

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        if self.stalls:
            self.stalls = False
            time.sleep(0.5)
        return {"Y": np.ones((rows, 1), np.float32)}


async def test_one_run_that_is_interrupted_turns_nobody_away(threads: ThreadPoolExecutor) -> None:
    runtime = Stalls()
    lane = Lane(runtime, threads, replace(LIMITS, rows=4, queue_seconds=1.0), hand_out)
    one = {"X": np.ones((1, 1), np.float32)}
    await lane.infer(one, 1, "caller")
    runtime.stalls = True
    await lane.infer(one, 1, "caller")
    await asyncio.gather(*(lane.infer(one, 1, "caller") for _ in range(100)))


class Interrupted(Slow):
    """Is quick, but the machine lets it wait at every run; tells on which threads it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.traits = Traits(batches=True, loops=False, floor=10e-6, slope=1e-6)
        self.threads: set[int] = set()

    def run(self, tensors: Tensors, rows: int, cancel: ort.RunOptions | None = None) -> Outputs:
        self.threads.add(threading.get_ident())
        time.sleep(0.001)
        return {"Y": np.ones((rows, 1), np.float32)}


async def test_a_quick_model_runs_on_the_event_loop_also_on_a_busy_machine(threads: ThreadPoolExecutor) -> None:
    runtime = Interrupted()
    lane = Lane(runtime, threads, LIMITS, hand_out)
    for rows in [1, 8, 8] * 200:  # one run of eight is timed, and what is learned grows by a tenth
        await lane.infer({"X": np.ones((rows, 1), np.float32)}, rows, "caller")
    assert runtime.threads == {threading.get_ident()}
