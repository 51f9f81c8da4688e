"""Shadow traffic: calls that were answered are put to another version too, and its answers compared.

Nobody waits for it: what does not fit into a bounded queue is left out, and counted.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import numpy as np
from prometheus_client import CollectorRegistry, Counter

from argosy.deployments.repository import ShadowRepository
from argosy.kit.clock import today
from argosy.kit.db.session import Database
from argosy.kit.errors import ArgosyError
from argosy.kit.logs import get_logger
from argosy.serving.runtime import Outputs, Tensors
from argosy.serving.target import Shadow, Target

MOST_WAITING = 1000
MOST_ROWS = 1000
FLUSH_SECONDS = 1.0
# What two trainings or two conversions of one model may differ by without meaning anything.
RELATIVE, ABSOLUTE = 1e-4, 1e-6
Run = Callable[[Target, Tensors, int], Awaitable[Outputs]]
log = get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What was counted of a pair of versions since the last flush."""

    calls: int = 0
    rows: int = 0
    different_rows: int = 0
    errors: int = 0
    largest_difference: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A call that was answered."""

    target: Target
    shadow: Target
    tensors: Tensors = field(repr=False)
    rows: int
    outputs: Outputs = field(repr=False)


class Mirror:
    """Puts calls to shadows, one after the other, and keeps what came of it."""

    def __init__(self, database: Database, run: Run, registry: CollectorRegistry) -> None:
        self._database = database
        self._run = run
        self._waiting: asyncio.Queue[Mirrored] = asyncio.Queue(MOST_WAITING)
        self._tallies: dict[tuple[UUID, UUID, int, int, date], Tally] = {}
        self._left_out = Counter("argosy_shadow_left_out", "Calls that shadows were not asked.", registry=registry)

    def note(self, target: Target, shadow: Shadow, tensors: Tensors, rows: int, outputs: Outputs) -> None:
        """Put a call that was answered to the shadow, some time, if it is one of those that are."""
        if random.random() >= shadow.sample_rate:  # noqa: S311 - a sample, no secret
            return
        if rows > MOST_ROWS or self._waiting.full():
            self._left_out.inc()
            return
        self._waiting.put_nowait(Mirrored(target, shadow.target, tensors, rows, outputs))

    async def run(self) -> None:
        """Ask and write until cancelled."""
        flushing = asyncio.create_task(self._flush_regularly())
        try:
            while True:
                await self._ask(await self._waiting.get())
        finally:
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Write what was counted."""
        tallies, self._tallies = self._tallies, {}
        try:
            for (organization_id, model_id, version, shadow_version, day), tally in tallies.items():
                async with self._database.write() as session:
                    await ShadowRepository(session).add_counts(
                        {
                            "organization_id": organization_id,
                            "model_id": model_id,
                            "version": version,
                            "shadow_version": shadow_version,
                            "day": day,
                            **{name: getattr(tally, name) for name in Tally.__slots__},
                        }
                    )
        except Exception as error:  # noqa: BLE001 - figures of an experiment; the model may be gone by now
            log.warning("shadow_comparisons_unwritten", error=repr(error))

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if self._tallies:
                await self.flush()

    async def _ask(self, call: Mirrored) -> None:
        target, shadow = call.target, call.shadow
        key = (target.organization_id, target.model_id, target.number, shadow.number, today())
        started = time.perf_counter()
        answered: Outputs | None = None
        try:
            answered = await self._run(shadow, call.tensors, call.rows)
        except ArgosyError as error:
            log.debug("shadow_failed", model=target.model, version=shadow.number, error=repr(error))
        except Exception:
            log.exception("shadow_failed", model=target.model, version=shadow.number)
        compared = differences(call.outputs, answered, call.rows) if answered is not None else None
        tally = self._tallies.setdefault(key, Tally())
        tally.calls += 1
        tally.rows += call.rows
        tally.seconds += time.perf_counter() - started
        if compared is None:
            tally.errors += 1
        else:
            tally.different_rows += compared[0]
            tally.largest_difference = max(tally.largest_difference, compared[1])


def differences(one: Outputs, other: Outputs, rows: int) -> tuple[int, float] | None:
    """Return in how many rows outputs differ beyond rounding, and by how much numbers do at most.

    None when they cannot be compared: names, kinds or shapes differ.
    """
    differs, largest = np.zeros(rows, dtype=bool), 0.0
    if one.keys() != other.keys():
        return None
    for name, values in one.items():
        a, b = np.asarray(values), np.asarray(other[name])
        if a.shape != b.shape or a.ndim == 0 or len(a) != rows or (a.dtype.kind == "f") != (b.dtype.kind == "f"):
            return None
        if a.dtype.kind == "f":
            same = np.isclose(a, b, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
            gaps = np.abs(a.astype(np.float64) - b.astype(np.float64))
            largest = max(largest, float(np.max(gaps, initial=0.0, where=np.isfinite(gaps))))
        else:
            same = np.asarray(a == b)
        differs |= ~same.reshape(rows, -1).all(axis=1)
    return int(differs.sum()), largest
