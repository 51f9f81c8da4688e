"""What the SDK raises."""

from typing import Any

from argosy.client.results import Version


class ArgosyAPIError(Exception):
    """The server refused; carries its problem document (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.type = str(problem.get("type", "about:blank"))
        self.detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        self.errors: list[dict[str, Any]] = problem.get("errors", [])
        self.request_id: str | None = problem.get("request_id")
        super().__init__(f"{status} {self.detail}")


class ArgosyConnectionError(Exception):
    """The server could not be reached, also after retries."""


class PushFailed(Exception):
    """The version did not become ready; `version` has the parity report, the reason and the advice."""

    def __init__(self, version: Version) -> None:
        self.version = version
        failure = version.error
        reason = failure.reason if failure else f"the version is {version.status}"
        advice = f" - {failure.advice}" if failure and failure.advice else ""
        super().__init__(f"{version.model} version {version.version}: {reason}{advice}")
