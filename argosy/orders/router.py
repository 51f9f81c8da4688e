"""Routes of orders."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from argosy.kit.clock import today
from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.csv import CSV, AsCsv, also_csv, attached
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.orders.errors import NotOnSale, OrderNotFound, OrderStatusConflict, SoldOut
from argosy.orders.schemas import OrderCreate, OrderRead, SaleRead
from argosy.orders.service import OrderReader, OrderService, SaleReader
from argosy.orders.statement_schemas import StatementRead
from argosy.orders.statements import Month, StatementReader
from argosy.orders.states import OrderStatus
from argosy.products.errors import ProductNotFound

router = APIRouter(prefix="/orders", tags=["orders"], route_class=TransactionalRoute, responses=GUARDED)
sales = APIRouter(prefix="/sales", tags=["orders"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.ORDERS_READ)]
Vendor = Annotated[Principal, requires(Scope.SALES_READ)]
Buyer = Annotated[Principal, requires(Scope.ORDERS_WRITE)]
Paging = Annotated[PageQuery, Depends(page_query)]


def asked_month(
    month: Annotated[
        str | None,
        Query(
            pattern="^[12][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-11"], description="UTC; this one, if left out."
        ),
    ] = None,
) -> Month:
    """Read which month is wanted."""
    return Month.parse(month or f"{today():%Y-%m}")


class OrderSort(StrEnum):
    """Sort orders of orders."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


@router.post("", status_code=201, responses=problems(ProductNotFound, NotOnSale, SoldOut), dependencies=[Idempotent])
async def place_order(body: OrderCreate, principal: Buyer, session: Write, response: Response) -> OrderRead:
    """Order products, of one or several vendors, in one currency; each at its price of now."""
    order = await OrderService(session).place(principal, body)
    return tagged(response, OrderRead.of(order))


@router.get("")
async def list_orders(
    principal: Reader,
    session: Read,
    query: Paging,
    status: OrderStatus | None = None,
    sort: Annotated[OrderSort, Query()] = OrderSort.NEWEST,
) -> Page[OrderRead] | CursorPage[OrderRead]:
    """List your organization's orders."""
    return to_page(await OrderReader(session).list(principal, status, query, sort), OrderRead.of)


@router.get("/{order_id}", responses=problems(OrderNotFound))
async def get_order(order_id: UUID, principal: Reader, session: Read, response: Response) -> OrderRead:
    """Show an order."""
    order = await OrderReader(session).get(principal, order_id)
    return tagged(response, OrderRead.of(order))


@router.get(
    "/{order_id}/statement",
    response_model=StatementRead,
    responses=also_csv("The statement") | problems(OrderNotFound),
)
async def get_statement(
    order_id: UUID, principal: Reader, session: Read, month: Annotated[Month, Depends(asked_month)], as_csv: AsCsv
) -> Response | StatementRead:
    """Show what was used in a month of what an order bought; to a vendor of its items, with `sales:read`."""
    found = StatementRead.of(await StatementReader(session).make(principal, order_id, month))
    if not as_csv:
        return found
    return Response(found.csv(), media_type=CSV, headers=attached(f"statement-{order_id}-{found.month}.csv"))


@router.post(
    "/{order_id}/cancel",
    responses=problems(OrderNotFound, OrderStatusConflict, PreconditionFailed),
    dependencies=[Idempotent],
)
async def cancel_order(
    order_id: UUID, principal: Buyer, session: Write, if_match: IfMatch, response: Response
) -> OrderRead:
    """Cancel an order that is not paid yet; what it took from a limited stock goes back."""
    order = await OrderService(session).cancel(principal, order_id, if_match)
    return tagged(response, OrderRead.of(order))


@sales.get("")
async def list_sales(
    principal: Vendor,
    session: Read,
    query: Paging,
    status: OrderStatus | None = None,
    sort: Annotated[OrderSort, Query()] = OrderSort.NEWEST,
) -> Page[SaleRead] | CursorPage[SaleRead]:
    """List what your organization sold: one line for each item of an order."""
    return to_page(await SaleReader(session).list(principal, status, query, sort), SaleRead.of)
