"""The benchmark's own tools, against a real server."""

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import measuring, processes
from bench.load import body_of, is_whole, percentile
from bench.measuring import Measurement, drive, measure
from bench.peers.floor import Bare, ByHand
from bench.report import Report
from bench.rounds import Outcome, Plan
from bench.servers import Server, running
from bench.workloads import Case, Workload, WrongAnswer, check, prepare

TINY = Workload("tiny", "linear", features=3, inputs=4)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return prepare(TINY, tmp_path_factory.mktemp("bench") / "tiny")


@pytest.fixture(scope="module")
def bare(case: Case) -> Iterator[Server]:
    with running(Bare(), "constant", case) as server:
        yield server


def test_a_load_counts_what_was_answered_and_times_it(bare: Server) -> None:
    result = drive(bare, 4, 0.3)
    assert 0.29 <= result.seconds < 5
    assert result.count > 50
    assert result.rate == pytest.approx(result.count / result.seconds)
    assert 0 < result.p50 <= result.p99 < 1000 * result.seconds
    # With one request at a time on each connection, their latencies fill the time: neither lost nor counted twice.
    assert result.count * result.p50 / 1000 < 4 * result.seconds * 1.5
    assert (result.refused, result.broken) == ({}, 0)
    assert set(result.answers) == {0, 1, 2, 3}


def test_a_load_ends_after_a_number_of_answers(bare: Server) -> None:
    result = drive(bare, 2, 30, count=100)
    assert 100 <= result.count <= 102
    assert result.seconds < 10


def test_a_measurement_knows_what_the_server_used(bare: Server) -> None:
    measured = measure(bare, 2, 0.3)
    assert measured.cpu_ms > 0
    assert measured.memory_mb > 5


def test_children_count_while_they_run_and_when_they_have_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes.cpu_seconds(process.pid) > 0.15  # it is told in hundredths
        assert processes.tree(process.pid)[0] == process.pid
        process.communicate(b"\n")


def test_a_server_that_answers_wrongly_is_found_out(case: Case) -> None:
    lies = Bare()
    lies.computes = True
    with running(lies, "constant", case) as server, pytest.raises(WrongAnswer):
        drive(server, 4, 0.3)


def test_what_the_hypervisor_disturbs_is_measured_again(bare: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def among(*stolen: float) -> list[float]:
        """Which is taken of measurements so disturbed, and which were not made."""
        left = list(stolen)
        monkeypatch.setattr(measuring, "measure", lambda *_: SimpleNamespace(stolen=left.pop(0)))
        found = measuring.calmest(bare, 1, 0.1)
        return [found.stolen, *left]

    assert 0 <= measure(bare, 2, 0.3).stolen <= 1
    assert among(0.0, 0.5) == [0.0, 0.5]
    assert among(0.3, 0.004, 0.5) == [0.004, 0.5]
    assert among(0.3, 0.1, 0.2, 0.0) == [0.1, 0.0]
    wanted, stolen = processes.wanted_and_stolen()
    assert wanted > stolen >= 0


def test_answers_are_read_by_length_and_in_chunks() -> None:
    for whole in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nab"):
        assert is_whole(whole)
        assert body_of(whole) == b"ab"
        assert not is_whole(whole[:-1])
    assert not is_whole(b"HTTP/1.1 200 OK\r\nContent-")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n"
    assert not is_whole(chunked)
    assert is_whole(chunked + b"0\r\n\r\n")
    assert body_of(chunked + b"0\r\n\r\n") == b"abc"


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert math.isnan(percentile([], 0.5))


def test_a_wrong_number_of_values_is_wrong(case: Case) -> None:
    with pytest.raises(WrongAnswer, match="2 values instead of 1"):
        check([1.0, 2.0], case.answers[0])


def test_the_report_shows_medians_ratios_and_what_is_missing(tmp_path: Path) -> None:
    def one(peer: str, mode: str, rate: float) -> Measurement:
        return Measurement(
            peer=peer, mode=mode, workload="tiny", concurrency=1, rate=rate, p50=1, p99=2, cpu_ms=0.5,
            memory_mb=10, start_seconds=1, stolen=0.01, refused=0, broken=0,
        )  # fmt: skip

    found = [one("Argosy", "compact", rate) for rate in (900.0, 1000.0, 5000.0)]
    found += [one("MLServer", "onnx", 500.0), one("MLServer", "sklearn", 100.0), one("bare", "constant", 2000.0)]
    outcome = Outcome(found, {("MLflow", "all", "all"): "no such package"})
    report = Report(Plan([Bare(), ByHand()], [TINY], [1], 1.0, 3), {"Argosy": "1"}, outcome)
    report.write(tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert "| MLServer | onnx     | 500 " in page
    assert "sklearn" not in page
    assert "no such package" in page
    assert [(ratio["other"], ratio["rate"]) for ratio in report.content()["ratios"]] == [("MLServer", 2), ("bare", 0.5)]
