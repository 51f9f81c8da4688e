"""From a batch's outputs to answers: encoded, then metered with one write, then handed out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile
from typing import Protocol
from uuid import UUID

import uuid_utils
from pydantic_core import to_json

from argosy.kit.clock import today
from argosy.kit.principal import Principal
from argosy.kit.rates import Standing
from argosy.predictions.recorder import Recording
from argosy.serving.grants import Spent
from argosy.serving.queue import Ticket
from argosy.serving.runtime import Outputs, Tensors
from argosy.serving.shadow import Mirror
from argosy.serving.target import Target
from argosy.signature.compiled import CompiledSignature
from argosy.signature.tensors import Batch
from argosy.usage.journal import Failure
from argosy.usage.latency import BUCKETS, bucket
from argosy.usage.service import Meter

MOST_ENTRIES = 10_000
START, END = b'{"id":"', b'"}'


class Consumption:
    """Who calls which version, with what the meter notes of it, made once a day, number of rows and latency bucket."""

    def __init__(
        self,
        principal: Principal,
        target: Target,
        signature: CompiledSignature,
        recording: Recording | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self.principal = principal
        self.caller = principal.id.int  # a number is found quicker than an id
        self.recording = recording
        self.mirror = mirror
        self.target = target
        self.signature = signature
        self.head = b'","model":%b,"version":%d,"predictions":[' % (to_json(target.model), target.number)
        self._day: date | None = None
        self._entries: dict[tuple[int, str, UUID | None, UUID | None], bytes] = {}

    def answer(self, prediction_id: str, predictions: bytes, started: float, request_id: str) -> bytes:
        """Return the body of an answer."""
        latency = _latency(time.monotonic() - started)
        return _worded(prediction_id, self.head, predictions, latency, request_id)

    def predictions(self, answer: bytes) -> bytes:
        """Return the part of an answer that does not differ from call to call."""
        return answer[answer.index(self.head) + len(self.head) : answer.rindex(b'],"latency_ms":')]

    def mirrored(self, tensors: Tensors, rows: int, outputs: Outputs) -> None:
        """Put a call that was answered to the shadow, where there is one."""
        if self.mirror is not None and self.target.shadow is not None:
            self.mirror.note(self.target, self.target.shadow, tensors, rows, outputs)

    def entry(self, day: date, rows: int, seconds: float, spent: Spent | None) -> bytes:
        """Return the meter's entry for a call, and of what it took of a quota the product and the order."""
        if day != self._day or len(self._entries) >= MOST_ENTRIES:
            self._day, self._entries = day, {}
        product, item = (None, None) if spent is None else (spent.product_id, spent.order_item_id)
        return self._entry(rows, BUCKETS[bucket(seconds)], product, item)

    def failure(self, day: date, status: int) -> bytes:
        """Return the meter's entry for a call that ended in an error, under no product."""
        if day != self._day:
            self._day, self._entries = day, {}
        return self._entry(0, Failure.of(status), None, None)

    def _entry(self, rows: int, outcome: str, product: UUID | None, item: UUID | None) -> bytes:
        which = (rows, outcome, product, item)
        found = self._entries.get(which)
        if found is None:
            target = self.target
            found = Meter.entry(
                self.principal, target.model_id, target.model, target.number, rows, outcome, product, item
            )
            self._entries[which] = found
        return found


Describe = Callable[[int, int], tuple[bytes, bytes]]


class Asked(Protocol):
    """What a request of another protocol wants of the outputs."""

    @property
    def alike(self) -> object | None:
        """Equal for requests that may be described together; None for one that is answered by itself."""
        ...

    def describe(self, outputs: Outputs, rows: int) -> Describe | None:
        """Return what describes the outputs of some rows of a batch, with the bytes that follow the JSON.

        None where each request is answered by itself.
        """
        ...

    def each(self, outputs: Outputs, rows: int) -> list[bytes] | None:
        """Return the bodies of answers of a row each to requests that all want this; None where that is not quicker."""
        ...

    def told(self, described: bytes) -> bytes:
        """Return the body of the answer around the description of its outputs."""
        ...

    def body(self, outputs: Outputs) -> tuple[bytes, int | None]:
        """Return the body of the answer, and the length of its JSON when more follows it."""
        ...


class Timer(Protocol):
    """What counts the time of answered calls."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        """Count them."""
        ...


@dataclass(eq=False, slots=True)
class Call(Ticket):
    """A prediction on its way; `deliver` takes it with the body of its answer, or the error.

    `asked` is None for the typed protocol. `standing` is the caller's, where it was counted already. `spent` is what it
    took of a quota, which also knows the product that was used.
    """

    consumption: Consumption
    prediction_id: str
    request_id: str
    started: float
    deliver: Callable[["Call", bytes | Exception], None]
    asked: Asked | None = None
    standing: Standing | None = None
    timed: Timer | None = None
    spent: Spent | None = None
    json_length: int | None = field(default=None, init=False)
    failure_is_metered: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls,
        consumption: Consumption,
        batch: Batch,
        started: float,
        deliver: Callable[["Call", bytes | Exception], None],
        asked: Asked | None = None,
        standing: Standing | None = None,
        timed: Timer | None = None,
        request_id: str | None = None,
    ) -> "Call":
        """Return the call of a request; its own id is the prediction's, where it was given none."""
        prediction_id = str(uuid_utils.uuid7())
        return cls(
            batch.tensors,
            batch.rows,
            consumption.caller,
            consumption,
            prediction_id,
            request_id or prediction_id,
            started,
            deliver,
            asked,
            standing,
            timed,
        )


class Answerer:
    """Settles batches of calls."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def settle(self, batch: Sequence[Ticket], result: Outputs | Exception) -> None:
        """Answer every call of a batch; the other tickets are not its business."""
        calls = [ticket for ticket in batch if type(ticket) is Call and not ticket.gone]
        if not calls:
            return
        if isinstance(result, Exception):
            for call in calls:
                call.deliver(call, result)
            return
        try:
            ended = time.monotonic()
            times = [ended - call.started for call in calls]
            alike = _are_alike(calls)
            bodies = _bodies(batch, calls, times, result)
            self._meter.record(_entries(calls, times, alike=alike))
        except Exception as error:  # noqa: BLE001 - it goes to whoever called
            for call in calls:
                call.deliver(call, error)
            return
        _count(calls, times, alike=alike)
        for call, body in zip(calls, bodies, strict=True):
            consumption = call.consumption
            if consumption.recording is not None or consumption.mirror is not None:
                _keep(call, body, _own(call, batch, result))
            call.deliver(call, body)


def _are_alike(calls: Sequence[Call]) -> bool:
    """Tell whether calls are counted alike, but for the time they took, as those of one caller are."""
    first = calls[0]
    consumption, rows, timed = first.consumption, first.rows, first.timed
    for call in calls:
        if (
            call.consumption is not consumption
            or call.spent is not None
            or call.rows != rows
            or call.timed is not timed
        ):
            return False
    return True


def _entries(calls: Sequence[Call], times: Sequence[float], *, alike: bool) -> bytes:
    """Return the meter's entries."""
    day, first = today(), calls[0]
    if alike and bucket(longest := max(times)) == bucket(min(times)):
        return first.consumption.entry(day, first.rows, longest, None) * len(calls)
    return b"".join(
        [
            call.consumption.entry(day, call.rows, seconds, call.spent)
            for call, seconds in zip(calls, times, strict=True)
        ]
    )


def _count(calls: Sequence[Call], times: Sequence[float], *, alike: bool) -> None:
    """Count the times in what counts them."""
    if alike:
        if (timed := calls[0].timed) is not None:
            timed.observe_all(times)
        return
    for call, seconds in zip(calls, times, strict=True):
        if call.timed is not None:
            call.timed.observe_all([seconds])


def _bodies(batch: Sequence[Ticket], calls: Sequence[Call], times: Sequence[float], outputs: Outputs) -> list[bytes]:
    """Return the bodies of a batch's calls; what is alike is encoded together."""
    rows = sum([ticket.rows for ticket in batch])
    if len(calls) == rows and (each := _each(calls, times, outputs, rows)) is not None:
        return each
    signature = next((call.consumption.signature for call in calls if call.asked is None), None)
    texts = [] if signature is None else signature.encode_json(outputs, rows)
    bodies: list[bytes] = []
    start, alike, describe = 0, None, None
    taken = iter(times)
    for ticket in batch:
        stop = start + ticket.rows
        if type(ticket) is Call and not ticket.gone:
            asked, seconds = ticket.asked, next(taken)
            if asked is None:
                told = b",".join(texts[start:stop])
                head, latency = ticket.consumption.head, _latency(seconds)
                bodies.append(_worded(ticket.prediction_id, head, told, latency, ticket.request_id))
            else:
                if asked.alike != alike:
                    alike = asked.alike
                    describe = None if alike is None else asked.describe(outputs, rows)
                if describe is None:
                    body, ticket.json_length = asked.body(_part(batch, outputs, start, stop))
                    bodies.append(body)
                else:
                    described, tail = describe(start, stop)
                    told = asked.told(described)
                    ticket.json_length = len(told) if tail else None
                    bodies.append(told + tail if tail else told)
        start = stop
    return bodies


def _each(calls: Sequence[Call], times: Sequence[float], outputs: Outputs, rows: int) -> list[bytes] | None:
    """Return the bodies of calls of a row each, where all are asked in one form; else None."""
    asked = calls[0].asked
    for call in calls:
        if call.asked is not asked:
            return None
    if asked is not None:
        return asked.each(outputs, rows)
    told: list[bytes] = []
    known, latency = -1.0, b""
    for call, predictions, seconds in zip(
        calls, calls[0].consumption.signature.encode_json(outputs, rows), times, strict=True
    ):
        if seconds != known:  # those that came together took as long
            known, latency = seconds, _latency(seconds)
        told.append(_worded(call.prediction_id, call.consumption.head, predictions, latency, call.request_id))
    return told


def _part(batch: Sequence[Ticket], outputs: Outputs, start: int, stop: int) -> Outputs:
    return outputs if len(batch) == 1 else {name: values[start:stop] for name, values in outputs.items()}


def _keep(call: Call, body: bytes, outputs: Outputs) -> None:
    """Record a call and put it to the shadow, as its consumption has it."""
    if (recording := call.consumption.recording) is not None:
        answer = body if call.asked is None else outputs
        given = Batch(dict(call.tensors), call.rows)
        recording.served(call.prediction_id, call.request_id, call.started, given, answer)
    call.consumption.mirrored(call.tensors, call.rows, outputs)


def _own(call: Call, batch: Sequence[Ticket], outputs: Outputs) -> Outputs:
    start = sum(one.rows for one in takewhile(lambda one: one is not call, batch))
    return _part(batch, outputs, start, start + call.rows)


def _latency(seconds: float) -> bytes:
    return b'],"latency_ms":%.3f,"request_id":"' % (seconds * 1000)


def _worded(prediction_id: str, head: bytes, predictions: bytes, latency: bytes, request_id: str) -> bytes:
    return b"".join((START, prediction_id.encode(), head, predictions, latency, request_id.encode(), END))
