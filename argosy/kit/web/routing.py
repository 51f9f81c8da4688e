"""The route class of every control-plane route: strict JSON in, one transaction a request.

The transaction is committed after the response is made and before it leaves. FastAPI's function-scoped dependencies
would commit at nearly the same point, but cannot see the response, which an idempotent replay has to keep.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import jiter
from fastapi import params
from fastapi.routing import APIRoute
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from argosy.kit.db.session import UnitOfWork
from argosy.kit.errors import ArgosyError, BadRequest, UnsupportedMediaType, invalid
from argosy.kit.web.idempotency import Replay, keep_response

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def parse_json(body: bytes) -> JsonValue:
    """Read strict JSON: UTF-8, no NaN, no key twice, nothing after the end.

    Raises `BadRequest` when it is not JSON, `Invalid` when a string holds NUL or a number is beyond a float.
    """
    try:
        value: JsonValue = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    if b"\\u0000" in body or b"e" in body or b"E" in body:
        _refuse_unstorable(value)
    return value


def _refuse_unstorable(value: JsonValue) -> None:
    pending: list[tuple[list[str | int], JsonValue]] = [(["body"], value)]
    while pending:
        loc, item = pending.pop()
        if isinstance(item, str) and "\x00" in item:
            raise invalid(loc, "must not hold the NUL character", "string_nul")
        if isinstance(item, float) and item in (float("inf"), float("-inf")):
            raise invalid(loc, "must be a finite number", "finite_number")
        if isinstance(item, dict):
            if any("\x00" in key for key in item):
                raise invalid(loc, "a name must not hold the NUL character", "string_nul")
            pending.extend(([*loc, key[:100]], child) for key, child in item.items())
        elif isinstance(item, list):
            pending.extend(([*loc, index], child) for index, child in enumerate(item))


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> JsonValue:
        """Return the body as strict JSON."""
        return parse_json(await self.body())


class TransactionalRoute(APIRoute):
    """Runs each request in a unit of work and commits it before the response leaves."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, params.Form)

        needs_body = takes_json and self.body_field is not None and self.body_field.field_info.is_required()

        async def transactional(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            if takes_json and (needs_body or _has_body(strict)):
                _require_json(strict)
            async with UnitOfWork(request.app.state.database) as work:
                strict.state.work = work
                outcome = await _run(handler, strict)
            if isinstance(outcome, ArgosyError):
                raise outcome
            return outcome

        return transactional


async def _run(handler: Handler, request: Request) -> Response | ArgosyError:
    """Return the response, or an error that lets the transaction commit."""
    try:
        response = await handler(request)
    except Replay as replay:
        return replay.response
    except ArgosyError as error:
        if error.keeps_work:
            return error
        raise
    await keep_response(request, response)
    return response


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType("send the body as application/json")
