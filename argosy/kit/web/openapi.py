"""What every route documents: its problems, named by the classes that raise them, and a plain operation id."""

from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from argosy.kit.errors import (
    ArgosyError,
    BadRequest,
    ContentTooLarge,
    Forbidden,
    Invalid,
    NotFound,
    RequestTimeout,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from argosy.kit.rates import TooManyRequests
from argosy.kit.web.cookies import CrossSiteRequest
from argosy.kit.web.guards import Misdirected
from argosy.kit.web.problems import MEDIA_TYPE


class ErrorDetail(BaseModel):
    """One thing wrong with the input."""

    loc: list[str | int] = Field(examples=[["body", "name"]])
    msg: str = Field(examples=["Field required"])
    type: str = Field(examples=["missing"])


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 shapes it."""

    type: str = Field(examples=["urn:argosy:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str
    instance: str
    request_id: str | None = None
    errors: list[ErrorDetail] | None = None


Responses = dict[int | str, dict[str, Any]]


def problems(*errors: type[ArgosyError]) -> Responses:
    """Return the `responses=` entry that documents errors."""
    described: dict[int, list[type[ArgosyError]]] = {}
    for error in errors:
        described.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": "; ".join(f"{error.title} (`{error.type}`)" for error in group),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status, group in described.items()
    }


PUBLIC: Responses = problems(
    BadRequest,
    RequestTimeout,
    ContentTooLarge,
    UnsupportedMediaType,
    Misdirected,
    Invalid,
    TooManyRequests,
    Unavailable,
)
# Credentials are not needed, but read: an organization that they name must be there.
OPEN: Responses = PUBLIC | problems(Unauthenticated, CrossSiteRequest, NotFound)
GUARDED: Responses = PUBLIC | problems(Unauthenticated, Forbidden, CrossSiteRequest, NotFound)


def operation_id(route: APIRoute) -> str:
    """Name an operation by its handler: clients are generated from it."""
    return route.name


def add_problem_schema(document: dict[str, Any]) -> None:
    """Put the problem document's schema where the responses point."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDocument"] = problem
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
