"""Pages by number and by cursor (keyset), and sorting, over any SELECT of ORM rows.

Every list orders by the asked key and then by id, so that equal keys have one order and a cursor stays right while
rows are added.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic_core import to_json
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from argosy.kit.db.session import ReadSession
from argosy.kit.db.totals import key_of
from argosy.kit.db.types import UTCDateTime
from argosy.kit.errors import invalid
from argosy.kit.schemas import Schema

T = TypeVar("T")
U = TypeVar("U")
# An execution option of a SELECT that takes long to find few rows: it is run once for a page and its total.
FEW = "few"
MAX_PAGE = 1_000_000
MAX_INTEGER = 2**63 - 1  # what a column holds


class Page(Schema, Generic[T]):
    """One page of a list, by number."""

    items: list[T]
    total: int
    page: int
    size: int
    pages: int


class CursorPage(Schema, Generic[T]):
    """One page of a list, by cursor; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page is asked for."""

    page: int = 1
    size: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of rows, as services return it; `total` is counted only for a page by number."""

    items: list[T]
    query: PageQuery
    total: int | None = None
    next_cursor: str | None = None


def page_query(
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Page number, from 1.")] = 1,
    size: Annotated[int, Query(ge=1, le=200, description="Items a page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(max_length=1000, description="Page by cursor instead: empty for the first, then `next_cursor`."),
    ] = None,
) -> PageQuery:
    """Read the paging parameters of a list."""
    return PageQuery(page=page, size=size, cursor=cursor)


async def paginate(
    session: ReadSession,
    statement: Select[T],
    query: PageQuery,
    *,
    model: type[Any],
    sort: str = "-created_at",
) -> Listing[T]:
    """Run a SELECT as one page. `sort` is an attribute of the model, `-` first for descending."""
    key: InstrumentedAttribute[Any] = getattr(model, sort.removeprefix("-"))
    descending = sort.startswith("-")
    ordered = statement.order_by(*((column.desc() if descending else column.asc()) for column in (key, model.id)))
    if query.cursor is not None:
        return await _by_cursor(session, ordered, query, key, model, descending=descending)
    if statement.get_execution_options().get(FEW):
        return await _of_few(session, statement, query, key, model, descending=descending)
    total = await _total(session, statement)
    rows = await session.scalars(ordered.limit(query.size).offset((query.page - 1) * query.size))
    return Listing(list(rows), query, total=total)


def to_page(listing: Listing[T], convert: Callable[[T], U]) -> Page[U] | CursorPage[U]:
    """Return the wire shape of a listing, every row converted."""
    items, query = [convert(item) for item in listing.items], listing.query
    if listing.total is None:
        return CursorPage[Any].model_construct(items=items, next_cursor=listing.next_cursor)
    pages = -(-listing.total // query.size)
    return Page[Any].model_construct(items=items, total=listing.total, page=query.page, size=query.size, pages=pages)


async def _of_few(
    session: ReadSession,
    statement: Select[T],
    query: PageQuery,
    key: InstrumentedAttribute[Any],
    model: type[Any],
    *,
    descending: bool,
) -> Listing[T]:
    """Find the rows once, to count them and to cut the page out of their ids; then read those of the page."""
    found = statement.order_by(None).subquery()
    place = (found.c[key.key], found.c.id)
    ids = select(found.c.id, func.count().over()).limit(query.size).offset((query.page - 1) * query.size)
    ids = ids.order_by(*((column.desc() if descending else column.asc()) for column in place))
    cut = (await session.execute(ids)).all()
    if not cut:
        return Listing([], query, total=await _total(session, statement))
    shown = select(model).where(model.id.in_([row[0] for row in cut]))
    rows = await session.scalars(shown.options(*statement._with_options))  # noqa: SLF001 - nothing public tells them
    by_id = {row.id: row for row in rows}
    return Listing([by_id[row[0]] for row in cut], query, total=cut[0][1])


async def _total(session: ReadSession, statement: Select[Any]) -> int:
    """Count the rows of a list; of many, perhaps as they were counted a moment ago."""
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    key = key_of(session.actor, counted)
    total = session.totals.get(key)
    if total is None:
        total = await session.scalar(counted) or 0
        if key is not None:
            session.totals.keep(key, total)
    return total


async def _by_cursor(
    session: ReadSession,
    ordered: Select[T],
    query: PageQuery,
    key: InstrumentedAttribute[Any],
    model: type[Any],
    *,
    descending: bool,
) -> Listing[T]:
    if query.cursor:
        position = tuple_(key, model.id)
        kind = datetime if isinstance(key.type, UTCDateTime) else key.type.python_type
        after = tuple_(*decode_cursor(query.cursor, [kind, UUID]))
        ordered = ordered.where(position < after if descending else position > after)
    rows: Sequence[Any] = (await session.scalars(ordered.limit(query.size + 1))).all()
    shown = list(rows[: query.size])
    more = len(rows) > query.size
    last = encode_cursor([getattr(shown[-1], key.key), shown[-1].id]) if more else None
    return Listing(shown, query, next_cursor=last)


def encode_cursor(values: Sequence[object]) -> str:
    """Return a place in a list, as the values that it is ordered by, in a form that clients hand back."""
    return base64.urlsafe_b64encode(to_json(list(values))).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: Sequence[type[Any]]) -> list[Any]:
    """Return the values of a place in a list, of these types; raises `Invalid` for anything else."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list):
            raise TypeError
        return [_typed(value, kind) for value, kind in zip(values, kinds, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise invalid(["query", "cursor"], "must be a next_cursor of this list with this sort order") from error


def _typed(value: Any, kind: type[Any]) -> Any:  # noqa: ANN401 - whatever a list is ordered by
    typed = kind.fromisoformat(value) if issubclass(kind, date) else kind(value) if kind is UUID else value
    is_storable = (
        (not isinstance(typed, datetime) or typed.tzinfo is not None)
        and (not isinstance(typed, int) or abs(typed) <= MAX_INTEGER)
        and (not isinstance(typed, float) or isfinite(typed))
        and (not isinstance(typed, str) or "\x00" not in typed)
    )
    if not isinstance(typed, kind) or isinstance(typed, bool) or not is_storable:
        raise TypeError
    if isinstance(typed, str):
        typed.encode()  # half a surrogate pair is JSON, and no text
    # A moment at the edge of the calendar may be none in UTC.
    return typed.astimezone(UTC) if isinstance(typed, datetime) else typed
