"""One measurement of a running server, its answers checked."""

import subprocess
import sys

from pydantic import BaseModel

from bench import processes
from bench.load import Result, Spec
from bench.servers import Server
from bench.workloads import WrongAnswer

WARM_UP_SECONDS = 2.0  # by then TCP has opened the windows of new connections for large bodies
SPARE_SECONDS = 60
MOST_STOLEN = 0.005  # the slowest of a hundred requests are measured
MOST_TRIES = 3


class Measurement(BaseModel):
    """What a server did under one load; milliseconds, seconds and megabytes.

    `stolen` is the share of the processor time wanted meanwhile that the hypervisor gave others: the machine's noise.
    """

    peer: str
    mode: str
    workload: str
    concurrency: int
    rate: float
    p50: float
    p99: float
    cpu_ms: float
    memory_mb: float
    start_seconds: float
    stolen: float
    refused: int
    broken: int


def drive(
    server: Server, concurrency: int, seconds: float, count: int | None = None, rate: float | None = None
) -> Result:
    """Put a load on a server from another process; raises `WrongAnswer` for any input answered wrongly."""
    spec = Spec.model_construct(
        port=server.port,
        requests=server.requests(),
        concurrency=concurrency,
        seconds=seconds,
        warm_up=0.0 if count else WARM_UP_SECONDS,
        count=count,
        rate=rate,
        server=server.pid,
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=spec.model_dump_json().encode(),
        stdout=subprocess.PIPE,
        timeout=seconds + SPARE_SECONDS,
        check=True,
    )
    result = Result.model_validate_json(done.stdout)
    if not result.count:
        raise WrongAnswer(f"no right answer under load: refused {result.refused}, broken {result.broken}")
    for index, answer in result.answers.items():
        server.check(index, answer)
    return result


def calmest(server: Server, concurrency: int, seconds: float) -> Measurement:
    """Measure; again while the hypervisor disturbs it, and return the measurement that it disturbed least."""
    found = [measure(server, concurrency, seconds)]
    while found[-1].stolen > MOST_STOLEN and len(found) < MOST_TRIES:
        found.append(measure(server, concurrency, seconds))
    return min(found, key=lambda one: one.stolen)


def measure(server: Server, concurrency: int, seconds: float) -> Measurement:
    """Put a load on a server and return its figures."""
    result = drive(server, concurrency, seconds)
    return Measurement(
        peer=server.peer.name,
        mode=server.mode,
        workload=server.case.workload.name,
        concurrency=concurrency,
        rate=result.rate,
        p50=result.p50,
        p99=result.p99,
        cpu_ms=result.cpu_ms,
        memory_mb=processes.memory_bytes(server.pid) / 2**20,
        start_seconds=server.start_seconds,
        stolen=result.stolen,
        refused=sum(result.refused.values()),
        broken=result.broken,
    )
