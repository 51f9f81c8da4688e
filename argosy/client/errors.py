"""What the SDK raises."""

from typing import Any

from argosy.client.results import Job, Version
from argosy.client.trade import Payment


class ArgosyAPIError(Exception):
    """The server refused; carries its problem document (RFC 9457).

    >>> try:
    ...     client.predict("iris", [{"sepal_length": "long"}])
    ... except ArgosyAPIError as error:
    ...     print(error.status, error.errors[0]["loc"])
    422 ['rows', 0, 'sepal_length']
    """

    def __init__(self, status: int, problem: dict[str, Any], request_id: str | None = None) -> None:
        self.status = status
        self.problem = problem
        self.type = str(problem.get("type", "about:blank"))
        self.detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        found = problem.get("errors")
        self.errors: list[dict[str, Any]] = found if isinstance(found, list) else []
        self.request_id: str | None = problem.get("request_id") or request_id
        super().__init__(f"{status} {self.detail}")

    @property
    def advice(self) -> str | None:
        """What the server advises to do, where it does."""
        advice = self.problem.get("advice")
        return advice if isinstance(advice, str) else None


class ArgosyConnectionError(Exception):
    """The server could not be reached, also after retries."""


class PushFailed(Exception):
    """The version did not become ready; `version` has the parity report, `reason` and `advice` say what to do."""

    def __init__(self, version: Version) -> None:
        self.version = version
        failure = version.error
        self.reason = failure.reason if failure else f"the version is {version.status}"
        self.advice = failure.advice if failure else None
        advice = f" - {self.advice}" if self.advice else ""
        super().__init__(f"{version.model} version {version.version}: {self.reason}{advice}")


class JobUnsuccessful(Exception):
    """The job failed or was cancelled; `job` says why."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"the job {job.id} has {job.status}: {job.error}")


class PaymentFailed(Exception):
    """An order was not paid; `payment` says why."""

    def __init__(self, payment: Payment) -> None:
        self.payment = payment
        failure = payment.failure
        reason = (failure.message or failure.code) if failure else f"it is {payment.status}"
        super().__init__(f"the payment of the order {payment.order_id} has failed: {reason}")
