"""The API's calls as values: what to send, and how to read the answer. Both clients share them; neither adds any."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx2
from pydantic import TypeAdapter

from argosy.client import results
from argosy.client.errors import ArgosyAPIError
from argosy.client.uploads import Counter, Upload

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:8000"
UPLOAD_SECONDS = 600.0
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
    upload: Upload | None = None
    counted: Counter = lambda _count: None
    target: Path | None = None
    timeout: float | None = None


@cache
def parsed(kind: Any) -> Callable[[httpx2.Response], Any]:  # noqa: ANN401 - a type
    """Return a reader of JSON answers of a type; built once, as predictions are read again and again."""
    adapter = TypeAdapter(kind)
    return lambda response: adapter.validate_json(response.content)


def nothing(_response: httpx2.Response) -> None:
    """Read an answer without a body."""


def once() -> dict[str, str]:
    """Return a header that makes a creating call safe to repeat."""
    return {"Idempotency-Key": str(uuid4())}


def expecting(revision: int | None) -> dict[str, str]:
    """Return a header that lets a change through only if there still is a revision."""
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def given(**values: Any) -> Json:  # noqa: ANN401 - whatever the API takes
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def text(value: object) -> str | None:
    """Return a value as the API reads it in a query: times as RFC 3339."""
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else str(value)


def raise_for_problem(response: httpx2.Response) -> None:
    """Raise `ArgosyAPIError` for an answer that is an error."""
    if response.status_code < httpx2.codes.BAD_REQUEST:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    request_id = response.headers.get("X-Request-ID")
    raise ArgosyAPIError(response.status_code, problem if isinstance(problem, dict) else {}, request_id)


def default_url(url: str | None) -> str:
    """Return the server's URL: the one given, or `ARGOSY_URL`, or the local default."""
    return (url or os.environ.get("ARGOSY_URL") or DEFAULT_URL).rstrip("/")


def about(full_name: str, *rest: object) -> str:
    """Return the path of a model or of something below it, whatever its name holds."""
    organization, separator, name = full_name.partition("/")
    if not (organization and separator and name) or "/" in name:
        raise ValueError(f"{full_name!r} should be a model's name, or organization/name")
    return under("models", organization, name, *rest)


def under(*parts: object) -> str:
    """Return a path whose parts stay parts: no slash or question mark in one of them leads elsewhere."""
    texts = [str(part) for part in parts]
    wrong = next((text for text in texts if text in {"", ".", ".."}), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no name")
    return "/" + "/".join(quote(text, safe="") for text in texts)


def saved(path: str, params: Json, target: Path) -> Call[Path]:
    """Get what is saved to a file."""
    return Call("GET", path, lambda _response: target, params=params, target=target, timeout=UPLOAD_SECONDS)


def page(path: str, kind: type[T], cursor: str, params: Json) -> Call[results.CursorPage[T]]:
    """Get one page of a list."""
    return Call("GET", path, parsed(results.CursorPage[kind]), params={**params, "cursor": cursor, "size": 100})  # type: ignore[valid-type]
