"""From a batch's outputs to answers: encoded, then metered with one write, then handed out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from pydantic_core import to_json

from argosy.kit.clock import today
from argosy.kit.principal import Principal
from argosy.serving.batching import Ticket
from argosy.serving.runtime import Outputs
from argosy.serving.target import Target
from argosy.signature.compiled import CompiledSignature
from argosy.usage.service import Meter


class Consumption:
    """Who calls which version, with what the meter notes of it, made once a day and number of rows."""

    def __init__(self, principal: Principal, target: Target, signature: CompiledSignature) -> None:
        self.principal = principal
        self.target = target
        self.signature = signature
        self.head = b'","model":%b,"version":%d,"predictions":' % (to_json(target.model), target.number)
        self._day: date | None = None
        self._entries: dict[int, bytes] = {}

    def entry(self, day: date, rows: int) -> bytes:
        """Return the meter's entry for a call."""
        if day != self._day:
            self._day, self._entries = day, {}
        found = self._entries.get(rows)
        if found is None:
            target = self.target
            found = Meter.entry(self.principal, target.model_id, target.model, target.number, rows)
            self._entries[rows] = found
        return found


@dataclass(eq=False, slots=True)
class Call(Ticket):
    """A typed prediction on its way; `deliver` takes the body of the answer, or the error."""

    consumption: Consumption
    prediction_id: str
    request_id: str
    started: float
    deliver: Callable[[bytes | Exception], None]


class Answerer:
    """Settles batches of calls."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def settle(self, batch: Sequence[Ticket], result: Outputs | Exception) -> None:
        """Answer every typed call of a batch; the others are not its business."""
        calls = [ticket for ticket in batch if type(ticket) is Call]
        if not calls:
            return
        try:
            if isinstance(result, Exception):
                raise result
            bodies = _bodies(batch, result)
            day = today()
            self._meter.record(b"".join([call.consumption.entry(day, call.rows) for call in calls]))
        except Exception as error:  # noqa: BLE001 - it goes to whoever called
            for call in calls:
                call.deliver(error)
            return
        for call, body in zip(calls, bodies, strict=True):
            call.deliver(body)


def _bodies(batch: Sequence[Ticket], outputs: Outputs) -> list[bytes]:
    signature = next(ticket.consumption.signature for ticket in batch if type(ticket) is Call)
    predictions = signature.encode(outputs, sum([ticket.rows for ticket in batch]))
    ended = time.perf_counter()
    bodies, start = [], 0
    for ticket in batch:
        stop = start + ticket.rows
        if type(ticket) is Call:
            shown = to_json(predictions[start:stop], inf_nan_mode="null")
            bodies.append(
                b'{"id":"%b%b%b,"latency_ms":%.3f,"request_id":"%b"}'
                % (
                    ticket.prediction_id.encode(),
                    ticket.consumption.head,
                    shown,
                    (ended - ticket.started) * 1000,
                    ticket.request_id.encode(),
                )
            )
        start = stop
    return bodies
