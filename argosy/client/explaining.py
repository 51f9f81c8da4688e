"""The flow of an explanation: queue the job, wait for it, fetch what came of it."""

import json
import time

from argosy.client import accounts, results
from argosy.client.errors import JobUnsuccessful
from argosy.client.flows import Flow, Pause
from argosy.client.payloads import prediction_body
from argosy.client.pushing import POLL_SECONDS, PushingClient
from argosy.client.requests import Json


class ExplainingClient(PushingClient):
    """Adds explanations to the flows."""

    def _explain(self, name: str, inputs: object, background: object, fields: Json) -> Flow[results.Job]:
        full_name = yield from self._full_name(name)
        body: Json = {"kind": "explanation", "model": full_name, **fields, **json.loads(prediction_body(inputs))}
        if background is not None:
            body["background"] = _rows(json.loads(prediction_body(background)))
        return (yield from self._send(accounts.explain(body)))

    def _result(self, job_id: object, timeout: float) -> Flow[Json]:
        deadline = time.monotonic() + timeout
        while True:
            job = yield from self._send(accounts.get_job(job_id))
            if job.status == "succeeded":
                return (yield from self._send(accounts.job_result(job_id)))
            if job.is_settled:
                raise JobUnsuccessful(job)
            if time.monotonic() >= deadline:
                raise TimeoutError(f"job {job_id} has not ended after {timeout:.0f} s")
            yield Pause(POLL_SECONDS)


def _rows(body: Json) -> list[object]:
    if "columns" not in body:
        rows: list[object] = body.get("rows") or body["data"]
        return rows
    columns: dict[str, list[object]] = body["columns"]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
