"""What the demonstration does with each model, and what it holds the answers against."""

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import numpy as np

from argosy.client import Argosy, ArgosyAPIError, Prediction, PushProgress
from argosy.client.results import Version
from argosy.client.usage import Usage
from argosy.demo.cases import Case

TOLERANCE = 1e-4
BATCH = 100
USAGE_SECONDS = 10.0
UNPROCESSABLE = 422
SCOPES = ["models:read", "models:write", "predict", "usage:read", "jobs:read", "articles:write"]
SELLING = ["products:read", "products:write", "orders:read", "sales:read"]
Note = Callable[[str], None]


class StepFailed(RuntimeError):
    """A step did not hold."""


def require(holds: bool, what: str) -> None:
    """Raise `StepFailed` unless something holds."""
    if not holds:
        raise StepFailed(what)


def new_key(url: str, username: str, scopes: list[str]) -> str:
    """Make an account; return an API key of it."""
    password = secrets.token_urlsafe(18)
    with Argosy(url) as anonymous:
        anonymous.register(f"{username}@example.org", username, password)
    with Argosy(url, username=username, password=password) as person:
        made = person.create_api_key("demo", scopes)
    require(made.key is not None, "the new key was not shown")
    return made.key or ""


@dataclass(slots=True)
class Outcome:
    """The figures of one model, each from a real call."""

    case: Case
    version: Version
    probes: int
    rows: int
    calls: int
    difference: float
    milliseconds: float
    refusal: str


@dataclass(slots=True)
class Demonstration:
    """Calls a server as a user would."""

    url: str
    username: str = field(default_factory=lambda: f"demo-{secrets.token_hex(3)}")
    key: str = ""

    def sign_up(self) -> Argosy:
        """Make an account and an API key; return a client that calls with the key."""
        self.key = new_key(self.url, self.username, [*SCOPES, *SELLING])
        return Argosy(self.url, api_key=self.key, organization=self.username)

    def run(self, client: Argosy, case: Case, note: Note) -> Outcome:
        """Push a model, predict every held-out row, and hold the answers against scikit-learn's own."""
        note(f"{case.name}: pushing")
        version = self._push(client, case, note)
        note(f"{case.name}: predicting {len(case.held_out)} rows")
        started = time.perf_counter()
        answers = [client.predict(case.name, case.held_out.iloc[at : at + BATCH]) for at in _starts(case)]
        elapsed = (time.perf_counter() - started) * 1000 / len(answers)
        difference = _difference(case, answers)
        require(difference <= TOLERANCE, f"{case.name}: answers differ by {difference}")
        require(self._documented(case), f"{case.name}: the OpenAPI document does not show it")
        report = version.parity
        return Outcome(
            case=case,
            version=version,
            probes=sum(check.rows for check in report.checks[1:]) if report else 0,
            rows=len(case.held_out),
            calls=len(answers),
            difference=difference,
            milliseconds=elapsed,
            refusal=self._bad_input(client, case),
        )

    def _push(self, client: Argosy, case: Case, note: Note) -> Version:
        def progress(seen: PushProgress) -> None:
            note(f"{case.name}: {seen.status}")

        if not case.as_skops:
            return client.push(case.model, name=case.name, sample=case.sample, metrics=case.metrics, progress=progress)
        import skops.io  # noqa: PLC0415 - only for this

        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{case.name}.skops"
            skops.io.dump(case.model, path)
            return client.push(path, name=case.name, sample=case.sample, metrics=case.metrics, progress=progress)

    def _documented(self, case: Case) -> bool:
        headers = {"Authorization": f"Bearer {self.key}"}
        document = httpx2.get(f"{self.url}/openapi.json", headers=headers).json()
        return f"/api/v1/models/{self.username}/{case.name}/predict" in document["paths"]

    def _bad_input(self, client: Argosy, case: Case) -> str:
        row = {str(name): value for name, value in case.held_out.head(1).to_dict("records")[0].items()}
        column = next(iter(row))
        try:
            client.predict(case.name, [{**row, column: ["not", "a", "value"]}])
        except ArgosyAPIError as error:
            require(error.status == UNPROCESSABLE, f"{case.name}: a wrong value was answered with {error.status}")
            named = ".".join(str(part) for part in error.errors[0]["loc"])
            require(column in named, f"{case.name}: the refusal does not name {column}")
            return f"{error.status} {named}: {error.errors[0]['msg']}"
        raise StepFailed(f"{case.name}: a wrong value was accepted")

    def check_usage(self, client: Argosy, outcomes: list[Outcome]) -> Usage:
        """Wait until usage is counted, and hold it against the calls that were made."""
        calls, rows = sum(outcome.calls for outcome in outcomes), sum(outcome.rows for outcome in outcomes)
        deadline = time.monotonic() + USAGE_SECONDS
        usage = client.usage("model")
        while usage.calls < calls and time.monotonic() < deadline:
            time.sleep(0.2)
            usage = client.usage("model")
        counted = (usage.calls, usage.rows)
        require(counted == (calls, rows), f"usage says {counted}, but {(calls, rows)} were made")
        return usage


def _starts(case: Case) -> range:
    return range(0, len(case.held_out), BATCH)


def _difference(case: Case, answers: list[Prediction]) -> float:
    """Return the largest relative difference from scikit-learn's answers; infinite when a label differs."""
    if not case.is_classifier:
        served = np.concatenate([answer.values for answer in answers])
        expected = np.asarray(case.model.predict(case.held_out), dtype=float)
        return float(np.max(np.abs(served - expected) / np.maximum(np.abs(expected), 1.0)))
    labels = [label for answer in answers for label in answer.labels]
    if labels != case.model.predict(case.held_out).tolist():
        return math.inf
    served = np.concatenate([answer.probability_matrix() for answer in answers])
    return float(np.max(np.abs(served - case.model.predict_proba(case.held_out))))
