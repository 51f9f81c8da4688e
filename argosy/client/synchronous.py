"""The client for scripts and notebooks."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from argosy.client import requests, results
from argosy.client.base import BaseClient
from argosy.client.errors import ArgosyAPIError, ArgosyConnectionError, PushFailed
from argosy.client.payloads import Upload, make_upload, prediction_body, version_metadata
from argosy.client.requests import Call
from argosy.client.retries import MAX_ATTEMPTS, delay_before, is_worth_repeating, may_repeat

T = TypeVar("T")
NOT_FOUND = 404
CONFLICT = 409


class Argosy(BaseClient):
    """Talks to an Argosy server.

    >>> with Argosy(api_key="ak_…") as client:
    ...     client.push(pipeline, name="iris", sample=X)
    ...     client.predict("iris", [{"sepal_length": 5.1}]).labels
    """

    def __init__(self, url: str | None = None, *, timeout: float = 60.0, **credentials: Any) -> None:  # noqa: ANN401
        super().__init__(url, **credentials)
        self._http = httpx2.Client(timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Make a call, trying again where that does no harm; raises `ArgosyAPIError` or `ArgosyConnectionError`."""
        if call.signed and self._needs_token():
            self._keep_token(self._exchange(self._token_call()))
        return self._exchange(call)

    def _exchange(self, call: Call[T]) -> T:
        for attempt in range(MAX_ATTEMPTS):
            request = self._request(self._http, call)
            last = attempt == MAX_ATTEMPTS - 1 or not may_repeat(call.method, dict(call.headers))
            try:
                response = self._http.send(request)
            except httpx2.TransportError as error:
                if last:
                    raise ArgosyConnectionError(f"cannot reach {self.url}: {error}") from error
                time.sleep(delay_before(attempt, None))
                continue
            if last or not is_worth_repeating(response):
                requests.raise_for_problem(response)
                return call.read(response)
            time.sleep(delay_before(attempt, response))
        raise AssertionError("the last attempt returns or raises")

    def _pages(self, path: str, kind: type[T], **params: Any) -> Iterator[T]:  # noqa: ANN401 - query parameters
        cursor: str | None = ""
        while cursor is not None:
            page = self.send(requests.page(path, kind, cursor, params))
            yield from page.items
            cursor = page.next_cursor

    @property
    def slug(self) -> str:
        """The slug of the organization that short model names belong to."""
        if self._slug is None:
            self._slug = next(iter(self.organizations())).slug
        return self._slug

    def full_name(self, name: str) -> str:
        """Return `organization/name` for a model's short or full name."""
        return name if "/" in name else self._full_name(name, self.slug)

    def register(self, email: str, username: str, password: str, full_name: str | None = None) -> results.User:
        """Make an account."""
        return self.send(requests.register(email, username, password, full_name))

    def sign_in(self) -> None:
        """Get a token now; raises `ArgosyAPIError` for wrong credentials."""
        self._keep_token(self._exchange(self._token_call()))

    def me(self) -> results.User:
        """Show the account."""
        return self.send(requests.me())

    def organizations(self) -> Iterator[results.Organization]:
        """List the organizations you belong to."""
        return self._pages("/organizations", results.Organization)

    def create_organization(self, slug: str, name: str) -> results.Organization:
        """Make an organization."""
        return self.send(requests.create_organization(slug, name))

    def api_keys(self) -> Iterator[results.ApiKey]:
        """List the organization's API keys."""
        return self._pages(f"/organizations/{self.slug}/api-keys", results.ApiKey)

    def create_api_key(self, name: str, scopes: list[str], expires_at: str | None = None) -> results.ApiKey:
        """Make an API key; its secret is `key` of the result, and nowhere else."""
        return self.send(requests.create_key(self.slug, name, scopes, expires_at))

    def revoke_api_key(self, key_id: str) -> None:
        """Revoke an API key."""
        self.send(requests.revoke_key(self.slug, key_id))

    def models(self, search: str | None = None) -> Iterator[results.Model]:
        """List the models you can see."""
        return self._pages("/models", results.Model, **requests.given(q=search))

    def model(self, name: str) -> results.Model:
        """Show a model."""
        return self.send(requests.get_model(self.full_name(name)))

    def create_model(self, name: str, **fields: Any) -> results.Model:  # noqa: ANN401 - the API's fields
        """Make a model: `description`, `visibility`, `tags`, `task`."""
        return self.send(requests.create_model({"name": name, **requests.given(**fields)}))

    def update_model(self, name: str, **changes: Any) -> results.Model:  # noqa: ANN401 - the API's fields
        """Change a model."""
        return self.send(requests.update_model(self.full_name(name), changes))

    def delete_model(self, name: str) -> None:
        """Delete a model with its versions."""
        self.send(requests.delete_model(self.full_name(name)))

    def push(
        self,
        model: object,
        *,
        name: str,
        sample: object = None,
        visibility: str = "private",
        alias: str | None = "live",
        nullable: bool = True,
        trust_pickle: bool = False,
        wait: bool = True,
        progress: Callable[[results.Version], None] | None = None,
        **metadata: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Version:
        """Push a model: a fitted estimator, which is converted here, or the path of an ONNX or skops file.

        `sample` is some rows of its inputs. `metadata` takes `parameters`, `metrics`, `training_date`, `description`
        and `tags`. The model is made where it does not exist. With `wait`, returns the version once it is ready.

        Raises `ConversionError` when it cannot be converted, `PushFailed` when the server's parity gate refuses it.
        """
        described = version_metadata(**metadata, alias=alias)
        upload = make_upload(model, sample, described, nullable=nullable, trust_pickle=trust_pickle)
        full_name = self._ensure_model(name, visibility)
        version = self._upload(full_name, upload)
        if not wait:
            return version
        return self.wait(full_name, version.version, progress=progress)

    def _ensure_model(self, name: str, visibility: str) -> str:
        full_name = self.full_name(name)
        try:
            return self.model(full_name).full_name
        except ArgosyAPIError as error:
            if error.status != NOT_FOUND:
                raise
        try:
            return self.create_model(full_name.partition("/")[2], visibility=visibility).full_name
        except ArgosyAPIError as error:
            if error.status != CONFLICT:
                raise
            return full_name

    def _upload(self, full_name: str, upload: Upload) -> results.Version:
        if self._needs_token():
            self.sign_in()
        call: Call[results.Version] = requests.create_version(full_name)
        response = self._http.post(
            f"{self.url}/api/v1{call.path}", files=upload.parts(), headers=self._headers(call), timeout=600
        )
        requests.raise_for_problem(response)
        return call.read(response)

    def wait(
        self,
        name: str,
        number: int,
        *,
        timeout: float = 600.0,
        progress: Callable[[results.Version], None] | None = None,
    ) -> results.Version:
        """Wait until a version is ready; raises `PushFailed` when it fails, `TimeoutError` when it takes too long."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            version = self.version(name, number)
            if progress is not None:
                progress(version)
            if version.is_settled:
                if version.status == "failed":
                    raise PushFailed(version)
                return version
            time.sleep(0.2)
        raise TimeoutError(f"{name} version {number} is not settled after {timeout:.0f} s")

    def versions(self, name: str) -> Iterator[results.Version]:
        """List the versions of a model."""
        return self._pages(f"/models/{self.full_name(name)}/versions", results.Version)

    def version(self, name: str, number: int) -> results.Version:
        """Show a version."""
        return self.send(requests.get_version(self.full_name(name), number))

    def update_version(self, name: str, number: int, **changes: Any) -> results.Version:  # noqa: ANN401
        """Change what is said about a version, and the constraints of its features."""
        return self.send(requests.update_version(self.full_name(name), number, changes))

    def compare(self, name: str, a: int, b: int) -> dict[str, Any]:
        """Show what differs between two versions."""
        return self.send(requests.compare_versions(self.full_name(name), a, b))

    def signature(self, name: str, number: int) -> dict[str, Any]:
        """Show a version's signature and its JSON Schema."""
        return self.send(requests.get_signature(self.full_name(name), number))

    def download(self, name: str, number: int, path: str | Path, *, kind: str = "onnx") -> Path:
        """Save a version's artifact to a file."""
        if self._needs_token():
            self.sign_in()
        target = Path(path)
        address = f"/models/{self.full_name(name)}/versions/{number}/artifact"
        call = Call("GET", address, requests.nothing, params={"kind": kind})
        response = self._http.send(self._request(self._http, call), stream=True)
        try:
            if response.is_error:
                response.read()
                requests.raise_for_problem(response)
            with target.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
        finally:
            response.close()
        return target

    def aliases(self, name: str) -> list[results.Alias]:
        """List the aliases of a model."""
        return self.send(requests.list_aliases(self.full_name(name)))

    def set_alias(self, name: str, alias: str, version: int) -> results.Alias:
        """Point an alias at a version."""
        return self.send(requests.set_alias(self.full_name(name), alias, version))

    def remove_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""
        self.send(requests.remove_alias(self.full_name(name), alias))

    def alias_history(self, name: str, alias: str) -> Iterator[results.AliasChange]:
        """Show where an alias has pointed, newest first."""
        return self._pages(f"/models/{self.full_name(name)}/aliases/{alias}/history", results.AliasChange)

    def predict(
        self, name: str, inputs: object, *, version: int | None = None, alias: str | None = None
    ) -> results.Prediction:
        """Predict for rows: a list of dictionaries, a data frame, columns by name, or a matrix."""
        return self.send(requests.predict(self.full_name(name), prediction_body(inputs), version, alias))

    def jobs(self) -> Iterator[results.Job]:
        """List jobs."""
        return self._pages("/jobs", results.Job)

    def job(self, job_id: str) -> results.Job:
        """Show a job."""
        return self.send(requests.get_job(job_id))

    def cancel_job(self, job_id: str) -> results.Job:
        """Cancel a job."""
        return self.send(requests.cancel_job(job_id))

    def usage(self, *group_by: str, model: str | None = None) -> results.Usage:
        """Show what the organization used, by `key`, `model`, `version` and `day`."""
        return self.send(requests.usage(requests.given(group_by=list(group_by) or None, model=model)))
