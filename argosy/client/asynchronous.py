"""The client for asynchronous programs; the same calls as `Argosy`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
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


class AsyncArgosy(BaseClient):
    """Talks to an Argosy server.

    >>> async with AsyncArgosy(api_key="ak_…") as client:
    ...     prediction = await client.predict("iris", [{"sepal_length": 5.1}])
    """

    def __init__(self, url: str | None = None, *, timeout: float = 60.0, **credentials: Any) -> None:  # noqa: ANN401
        super().__init__(url, **credentials)
        self._http = httpx2.AsyncClient(timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Make a call, trying again where that does no harm; raises `ArgosyAPIError` or `ArgosyConnectionError`."""
        if call.signed and self._needs_token():
            self._keep_token(await self._exchange(self._token_call()))
        return await self._exchange(call)

    async def _exchange(self, call: Call[T]) -> T:
        for attempt in range(MAX_ATTEMPTS):
            request = self._request(self._http, call)
            last = attempt == MAX_ATTEMPTS - 1 or not may_repeat(call.method, dict(call.headers))
            try:
                response = await self._http.send(request)
            except httpx2.TransportError as error:
                if last:
                    raise ArgosyConnectionError(f"cannot reach {self.url}: {error}") from error
                await asyncio.sleep(delay_before(attempt, None))
                continue
            if last or not is_worth_repeating(response):
                requests.raise_for_problem(response)
                return call.read(response)
            await asyncio.sleep(delay_before(attempt, response))
        raise AssertionError("the last attempt returns or raises")

    async def _pages(self, path: str, kind: type[T], **params: Any) -> AsyncIterator[T]:  # noqa: ANN401 - query parameters
        cursor: str | None = ""
        while cursor is not None:
            page = await self.send(requests.page(path, kind, cursor, params))
            for item in page.items:
                yield item
            cursor = page.next_cursor

    async def slug(self) -> str:
        """Return the slug of the organization that short model names belong to."""
        if self._slug is None:
            self._slug = (await anext(self.organizations())).slug
        return self._slug

    async def full_name(self, name: str) -> str:
        """Return `organization/name` for a model's short or full name."""
        return name if "/" in name else self._full_name(name, await self.slug())

    async def register(self, email: str, username: str, password: str, full_name: str | None = None) -> results.User:
        """Make an account."""
        return await self.send(requests.register(email, username, password, full_name))

    async def sign_in(self) -> None:
        """Get a token now; raises `ArgosyAPIError` for wrong credentials."""
        self._keep_token(await self._exchange(self._token_call()))

    async def me(self) -> results.User:
        """Show the account."""
        return await self.send(requests.me())

    def organizations(self) -> AsyncIterator[results.Organization]:
        """List the organizations you belong to."""
        return self._pages("/organizations", results.Organization)

    async def create_organization(self, slug: str, name: str) -> results.Organization:
        """Make an organization."""
        return await self.send(requests.create_organization(slug, name))

    async def api_keys(self) -> AsyncIterator[results.ApiKey]:
        """List the organization's API keys."""
        async for item in self._pages(f"/organizations/{await self.slug()}/api-keys", results.ApiKey):
            yield item

    async def create_api_key(self, name: str, scopes: list[str], expires_at: str | None = None) -> results.ApiKey:
        """Make an API key; its secret is `key` of the result, and nowhere else."""
        return await self.send(requests.create_key(await self.slug(), name, scopes, expires_at))

    async def revoke_api_key(self, key_id: str) -> None:
        """Revoke an API key."""
        await self.send(requests.revoke_key(await self.slug(), key_id))

    def models(self, search: str | None = None) -> AsyncIterator[results.Model]:
        """List the models you can see."""
        return self._pages("/models", results.Model, **requests.given(q=search))

    async def model(self, name: str) -> results.Model:
        """Show a model."""
        return await self.send(requests.get_model(await self.full_name(name)))

    async def create_model(self, name: str, **fields: Any) -> results.Model:  # noqa: ANN401 - the API's fields
        """Make a model: `description`, `visibility`, `tags`, `task`."""
        return await self.send(requests.create_model({"name": name, **requests.given(**fields)}))

    async def update_model(self, name: str, **changes: Any) -> results.Model:  # noqa: ANN401 - the API's fields
        """Change a model."""
        return await self.send(requests.update_model(await self.full_name(name), changes))

    async def delete_model(self, name: str) -> None:
        """Delete a model with its versions."""
        await self.send(requests.delete_model(await self.full_name(name)))

    async def push(
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
        upload = await asyncio.to_thread(
            make_upload, model, sample, described, nullable=nullable, trust_pickle=trust_pickle
        )
        full_name = await self._ensure_model(name, visibility)
        version = await self._upload(full_name, upload)
        if not wait:
            return version
        return await self.wait(full_name, version.version, progress=progress)

    async def _ensure_model(self, name: str, visibility: str) -> str:
        full_name = await self.full_name(name)
        try:
            return (await self.model(full_name)).full_name
        except ArgosyAPIError as error:
            if error.status != NOT_FOUND:
                raise
        try:
            return (await self.create_model(full_name.partition("/")[2], visibility=visibility)).full_name
        except ArgosyAPIError as error:
            if error.status != CONFLICT:
                raise
            return full_name

    async def _upload(self, full_name: str, upload: Upload) -> results.Version:
        if self._needs_token():
            await self.sign_in()
        call: Call[results.Version] = requests.create_version(full_name)
        response = await self._http.post(
            f"{self.url}/api/v1{call.path}", files=upload.parts(), headers=self._headers(call), timeout=600
        )
        requests.raise_for_problem(response)
        return call.read(response)

    async def wait(
        self,
        name: str,
        number: int,
        *,
        timeout: float = 600.0,  # noqa: ASYNC109 - the same parameter as in the other client
        progress: Callable[[results.Version], None] | None = None,
    ) -> results.Version:
        """Wait until a version is ready; raises `PushFailed` when it fails, `TimeoutError` when it takes too long."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            version = await self.version(name, number)
            if progress is not None:
                progress(version)
            if version.is_settled:
                if version.status == "failed":
                    raise PushFailed(version)
                return version
            await asyncio.sleep(0.2)
        raise TimeoutError(f"{name} version {number} is not settled after {timeout:.0f} s")

    async def versions(self, name: str) -> AsyncIterator[results.Version]:
        """List the versions of a model."""
        async for item in self._pages(f"/models/{await self.full_name(name)}/versions", results.Version):
            yield item

    async def version(self, name: str, number: int) -> results.Version:
        """Show a version."""
        return await self.send(requests.get_version(await self.full_name(name), number))

    async def update_version(self, name: str, number: int, **changes: Any) -> results.Version:  # noqa: ANN401
        """Change what is said about a version, and the constraints of its features."""
        return await self.send(requests.update_version(await self.full_name(name), number, changes))

    async def compare(self, name: str, a: int, b: int) -> dict[str, Any]:
        """Show what differs between two versions."""
        return await self.send(requests.compare_versions(await self.full_name(name), a, b))

    async def signature(self, name: str, number: int) -> dict[str, Any]:
        """Show a version's signature and its JSON Schema."""
        return await self.send(requests.get_signature(await self.full_name(name), number))

    async def download(self, name: str, number: int, path: str | Path, *, kind: str = "onnx") -> Path:
        """Save a version's artifact to a file."""
        if self._needs_token():
            await self.sign_in()
        target = Path(path)
        address = f"/models/{await self.full_name(name)}/versions/{number}/artifact"
        call = Call("GET", address, requests.nothing, params={"kind": kind})
        response = await self._http.send(self._request(self._http, call), stream=True)
        try:
            if response.is_error:
                await response.aread()
                requests.raise_for_problem(response)
            with target.open("wb") as file:  # noqa: ASYNC230 - opening is quick; what is slow runs in a thread
                async for chunk in response.aiter_bytes():
                    await asyncio.to_thread(file.write, chunk)
        finally:
            await response.aclose()
        return target

    async def aliases(self, name: str) -> list[results.Alias]:
        """List the aliases of a model."""
        return await self.send(requests.list_aliases(await self.full_name(name)))

    async def set_alias(self, name: str, alias: str, version: int) -> results.Alias:
        """Point an alias at a version."""
        return await self.send(requests.set_alias(await self.full_name(name), alias, version))

    async def remove_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""
        await self.send(requests.remove_alias(await self.full_name(name), alias))

    async def alias_history(self, name: str, alias: str) -> AsyncIterator[results.AliasChange]:
        """Show where an alias has pointed, newest first."""
        async for item in self._pages(
            f"/models/{await self.full_name(name)}/aliases/{alias}/history", results.AliasChange
        ):
            yield item

    async def predict(
        self, name: str, inputs: object, *, version: int | None = None, alias: str | None = None
    ) -> results.Prediction:
        """Predict for rows: a list of dictionaries, a data frame, columns by name, or a matrix."""
        return await self.send(requests.predict(await self.full_name(name), prediction_body(inputs), version, alias))

    def jobs(self) -> AsyncIterator[results.Job]:
        """List jobs."""
        return self._pages("/jobs", results.Job)

    async def job(self, job_id: str) -> results.Job:
        """Show a job."""
        return await self.send(requests.get_job(job_id))

    async def cancel_job(self, job_id: str) -> results.Job:
        """Cancel a job."""
        return await self.send(requests.cancel_job(job_id))

    async def usage(self, *group_by: str, model: str | None = None) -> results.Usage:
        """Show what the organization used, by `key`, `model`, `version` and `day`."""
        return await self.send(requests.usage(requests.given(group_by=list(group_by) or None, model=model)))
