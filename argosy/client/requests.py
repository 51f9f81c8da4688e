"""The API's calls as values: what to send, and how to read the answer. Both clients share them; neither adds any."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import uuid4

import httpx2
from pydantic import TypeAdapter

from argosy.client import results
from argosy.client.errors import ArgosyAPIError

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:8000"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call of the API."""

    method: str
    path: str
    read: Callable[[httpx2.Response], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: object = None
    content: bytes | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True


def parsed(kind: Any) -> Callable[[httpx2.Response], Any]:  # noqa: ANN401 - a type
    """Return a reader of JSON answers of a type."""
    adapter = TypeAdapter(kind)
    return lambda response: adapter.validate_json(response.content)


def nothing(_response: httpx2.Response) -> None:
    """Read an answer without a body."""


def once() -> dict[str, str]:
    """Return a header that makes a creating call safe to repeat."""
    return {"Idempotency-Key": str(uuid4())}


def given(**values: Any) -> Json:  # noqa: ANN401 - whatever the API takes
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def raise_for_problem(response: httpx2.Response) -> None:
    """Raise `ArgosyAPIError` for an answer that is an error."""
    if response.status_code < httpx2.codes.BAD_REQUEST:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    raise ArgosyAPIError(response.status_code, problem if isinstance(problem, dict) else {})


def default_url(url: str | None) -> str:
    """Return the server's URL: the one given, or `ARGOSY_URL`, or the local default."""
    return (url or os.environ.get("ARGOSY_URL") or DEFAULT_URL).rstrip("/")


def register(email: str, username: str, password: str, full_name: str | None) -> Call[results.User]:
    """Make an account."""
    body = given(email=email, username=username, password=password, full_name=full_name)
    return Call("POST", "/auth/register", parsed(results.User), json=body, signed=False)


def token(form: Mapping[str, str]) -> Call[Json]:
    """Get tokens."""
    return Call("POST", "/auth/token", parsed(Json), form=form, signed=False)


def me() -> Call[results.User]:
    """Show the caller's account."""
    return Call("GET", "/users/me", parsed(results.User))


def create_organization(slug: str, name: str) -> Call[results.Organization]:
    """Make an organization."""
    body = {"slug": slug, "name": name}
    return Call("POST", "/organizations", parsed(results.Organization), json=body, headers=once())


def create_key(org: str, name: str, scopes: list[str], expires_at: str | None) -> Call[results.ApiKey]:
    """Make an API key."""
    body = given(name=name, scopes=scopes, expires_at=expires_at)
    return Call("POST", f"/organizations/{org}/api-keys", parsed(results.ApiKey), json=body, headers=once())


def revoke_key(org: str, key_id: str) -> Call[None]:
    """Revoke an API key."""
    return Call("DELETE", f"/organizations/{org}/api-keys/{key_id}", nothing)


def create_model(body: Json) -> Call[results.Model]:
    """Make a model."""
    return Call("POST", "/models", parsed(results.Model), json=body, headers=once())


def get_model(full_name: str) -> Call[results.Model]:
    """Show a model."""
    return Call("GET", f"/models/{full_name}", parsed(results.Model))


def update_model(full_name: str, changes: Json) -> Call[results.Model]:
    """Change a model."""
    return Call("PATCH", f"/models/{full_name}", parsed(results.Model), json=changes)


def delete_model(full_name: str) -> Call[None]:
    """Delete a model."""
    return Call("DELETE", f"/models/{full_name}", nothing)


def create_version(full_name: str) -> Call[results.Version]:
    """Upload a version; the client adds the parts."""
    return Call("POST", f"/models/{full_name}/versions", parsed(results.Version), headers=once())


def get_version(full_name: str, number: int) -> Call[results.Version]:
    """Show a version."""
    return Call("GET", f"/models/{full_name}/versions/{number}", parsed(results.Version))


def update_version(full_name: str, number: int, changes: Json) -> Call[results.Version]:
    """Change what is said about a version."""
    return Call("PATCH", f"/models/{full_name}/versions/{number}", parsed(results.Version), json=changes)


def compare_versions(full_name: str, a: int, b: int) -> Call[Json]:
    """Show what differs between two versions."""
    return Call("GET", f"/models/{full_name}/versions/compare", parsed(Json), params={"a": a, "b": b})


def get_signature(full_name: str, number: int) -> Call[Json]:
    """Show a version's signature and JSON Schema."""
    return Call("GET", f"/models/{full_name}/versions/{number}/signature", parsed(Json))


def list_aliases(full_name: str) -> Call[list[results.Alias]]:
    """List aliases."""
    return Call("GET", f"/models/{full_name}/aliases", parsed(list[results.Alias]))


def set_alias(full_name: str, alias: str, number: int) -> Call[results.Alias]:
    """Point an alias at a version."""
    path = f"/models/{full_name}/aliases/{alias}"
    return Call("PUT", path, parsed(results.Alias), json={"version": number})


def remove_alias(full_name: str, alias: str) -> Call[None]:
    """Remove an alias."""
    return Call("DELETE", f"/models/{full_name}/aliases/{alias}", nothing)


def get_job(job_id: str) -> Call[results.Job]:
    """Show a job."""
    return Call("GET", f"/jobs/{job_id}", parsed(results.Job))


def cancel_job(job_id: str) -> Call[results.Job]:
    """Cancel a job."""
    return Call("POST", f"/jobs/{job_id}/cancel", parsed(results.Job))


def usage(params: Json) -> Call[results.Usage]:
    """Show usage."""
    return Call("GET", "/usage", parsed(results.Usage), params=params)


def predict(full_name: str, body: bytes, version: int | None, alias: str | None) -> Call[results.Prediction]:
    """Predict."""
    return Call(
        "POST",
        f"/models/{full_name}/predict",
        parsed(results.Prediction),
        params=given(version=version, alias=alias),
        content=body,
        headers={"Content-Type": "application/json"},
    )


def page(path: str, kind: type[T], cursor: str, params: Json) -> Call[results.CursorPage[T]]:
    """Get one page of a list."""
    return Call("GET", path, parsed(results.CursorPage[kind]), params={**params, "cursor": cursor, "size": 100})  # type: ignore[valid-type]
