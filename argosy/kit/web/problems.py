"""Every error as `application/problem+json` (RFC 9457), in one place."""

import errno
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import JsonValue
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import compile_path
from starlette.websockets import WebSocket

from argosy.kit import context
from argosy.kit.db.dialects import is_disk_full, is_transient
from argosy.kit.errors import (
    ArgosyError,
    Conflict,
    Forbidden,
    InsufficientStorage,
    Invalid,
    PreconditionFailed,
    Unavailable,
)
from argosy.kit.logs import get_logger
from argosy.signature.errors import ErrorItem

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
MAX_LOC = 100
log = get_logger(__name__)


class Problem(JSONResponse):
    """A problem document."""

    media_type = MEDIA_TYPE


def problem(error: ArgosyError, path: str, request_id: str | None = None) -> Problem:
    """Return the problem document of an error; of this context's request where no other is named."""
    return problem_of(
        error.status,
        error.type,
        error.title,
        path,
        detail=detail_of(error),
        errors=error.errors,
        headers=error.headers,
        extensions=error.extensions,
        request_id=request_id,
    )


def problem_of(
    status: int,
    kind: str,
    title: str,
    path: str,
    *,
    detail: str | None = None,
    errors: Sequence[ErrorItem] = (),
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, JsonValue] | None = None,
    request_id: str | None = None,
) -> Problem:
    """Return a problem document with the members of RFC 9457 and Argosy's `errors` and `request_id`."""
    body: dict[str, JsonValue] = {
        "type": f"urn:argosy:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail or title,
        "instance": path[:500],
    }
    if errors:
        body["errors"] = [{"loc": [*item["loc"]], "msg": item["msg"], "type": item["type"]} for item in errors]
    if path.startswith("/v2/"):
        body["error"] = body["detail"]  # what clients of the Open Inference Protocol read
    if path.startswith("/v1/"):
        body["error"] = _openai_error(status, kind, str(body["detail"]), errors)
    if known_as := request_id or context.request_id():
        body["request_id"] = known_as
    return Problem(body | dict(extensions or {}), status_code=status, headers=dict(headers or {}))


def _openai_error(status: int, kind: str, message: str, errors: Sequence[ErrorItem]) -> dict[str, JsonValue]:
    """Return an error as OpenAI's clients read it."""
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    limited = status == HTTPStatus.TOO_MANY_REQUESTS
    return {
        "message": message,
        "type": "server_error" if server else "rate_limit_error" if limited else "invalid_request_error",
        "param": ".".join(str(part) for part in errors[0]["loc"]) or None if errors else None,
        "code": kind.replace("-", "_"),
    }


def _summary(errors: Sequence[ErrorItem]) -> str | None:
    if not errors:
        return None
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}{more}"


def detail_of(error: ArgosyError) -> str:
    """Return what an error says to whoever met it."""
    return error.detail or _summary(error.errors) or error.title


def tidy(errors: Sequence[Any]) -> list[ErrorItem]:
    """Return Pydantic's errors as ours: bounded, each once, and never echoing the input."""
    # A body that a dependency reads too is found wrong twice.
    errors = list({(*item["loc"], item["type"], item["msg"]): item for item in errors}.values())
    tidied = [
        ErrorItem(
            loc=[part if isinstance(part, int) else str(part)[:MAX_LOC] for part in item["loc"]],
            msg=str(item["msg"])[:500],
            type=str(item["type"]),
        )
        for item in errors[:MAX_ERRORS]
    ]
    if len(errors) > MAX_ERRORS:
        tidied.append(ErrorItem(loc=[], msg=f"and {len(errors) - MAX_ERRORS} more errors", type="too_many_errors"))
    return tidied


def translate(error: Exception) -> ArgosyError | None:
    """Return Argosy's error for one of a library, or None when it is a defect."""
    match error:
        case ArgosyError():
            return error
        case RequestValidationError():
            return Invalid(errors=tidy(error.errors()))
        case StaleDataError():
            return PreconditionFailed("it was changed by another request; read it again")
        case IntegrityError() if not is_transient(error.orig):
            return Conflict("it clashes with something that exists")
        case DBAPIError() if is_disk_full(error.orig):
            return InsufficientStorage()
        case DBAPIError() if error.connection_invalidated or is_transient(error.orig):
            return Unavailable("the database is not available")
        case PoolTimeoutError():
            return Unavailable("the database is busy")
        case OSError() if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return InsufficientStorage()
        case _:
            return None


def _http_problem(error: HTTPException, path: str) -> Problem:
    # FastAPI wraps whatever goes wrong while it reads a body; the cause says more.
    if isinstance(error.__cause__, ArgosyError):
        return problem(error.__cause__, path)
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != phrase else None
    return problem_of(
        error.status_code, phrase.lower().replace(" ", "-"), phrase, path, detail=detail, headers=error.headers
    )


def _allowed(app: FastAPI, request: Request, error: HTTPException) -> str:
    """Return the methods of every route at a path; the framework names those of the first it finds."""
    for template, operations in app.openapi()["paths"].items():
        if compile_path(template)[0].match(request.url.path):
            return ", ".join(sorted(name.upper() for name in operations))
    return (error.headers or {}).get("Allow", "")


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""

    async def refuse(socket: WebSocket, error: WebSocketRequestValidationError) -> None:
        """Answer a handshake whose URL is wrong as a request would be."""
        await socket.send_denial_response(problem(Invalid(errors=tidy(error.errors())), socket.url.path))

    app.add_exception_handler(WebSocketRequestValidationError, refuse)  # type: ignore[arg-type] # as FastAPI has it

    async def handle(request: Request, error: Exception) -> Problem:
        if isinstance(error, HTTPException):
            if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                error.headers = {**(error.headers or {}), "Allow": _allowed(app, request, error)}
            return _http_problem(error, request.url.path)
        known = translate(error)
        if known is None:
            raise error
        if isinstance(known, Forbidden):
            await request.app.state.denied(known)
        if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("request_failed", problem=known.type, error=str(error))
        return problem(known, request.url.path)

    for kind in (
        ArgosyError,
        HTTPException,
        RequestValidationError,
        StaleDataError,
        DBAPIError,
        PoolTimeoutError,
        OSError,
    ):
        app.add_exception_handler(kind, handle)
