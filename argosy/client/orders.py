"""The calls about orders."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from uuid import UUID

from argosy.client.requests import Call, Json, expecting, given, once, parsed, saved, under
from argosy.client.results import CursorPage
from argosy.client.trade import Order, OrderPayment, Payment, Statement


def place(quantities: Mapping[str, int] | Mapping[UUID, int]) -> Call[Order]:
    """Order products."""
    items = [{"product_id": str(product), "quantity": quantity} for product, quantity in quantities.items()]
    return Call("POST", "/orders", parsed(Order), json={"items": items}, headers=once())


def get(order_id: object) -> Call[Order]:
    """Show an order."""
    return Call("GET", at(order_id), parsed(Order))


def pay(order_id: object, method: str | None) -> Call[OrderPayment]:
    """Pay an order."""
    body = given(payment_method=method)
    return Call("POST", at(order_id, "pay"), parsed(OrderPayment), json=body, headers=once())


def cancel(order_id: object, revision: int | None) -> Call[Order]:
    """Cancel an order, if it still has a revision."""
    return Call("POST", at(order_id, "cancel"), parsed(Order), headers=once() | expecting(revision))


def refund(order_id: object) -> Call[OrderPayment]:
    """Give an order back."""
    return Call("POST", at(order_id, "refund"), parsed(OrderPayment), headers=once())


def statement(order_id: object, month: str | date | None) -> Call[Statement]:
    """Show the statement of an order for a month, or for the month of a day."""
    return Call("GET", at(order_id, "statement"), parsed(Statement), params=_of(month))


def export_statement(order_id: object, month: str | date | None, target: Path) -> Call[Path]:
    """Save the same as CSV."""
    return saved(at(order_id, "statement"), {**_of(month), "format": "csv"}, target)


def latest_payment(order_id: object) -> Call[Payment | None]:
    """Show the latest attempt to pay an order, if there was one."""
    read = parsed(CursorPage[Payment])
    first = lambda response: next(iter(read(response).items), None)  # noqa: E731
    return Call("GET", at(order_id, "payments"), first, params={"cursor": "", "size": 1})


def _of(month: str | date | None) -> Json:
    return given(month=f"{month:%Y-%m}" if isinstance(month, date) else month)


def at(order_id: object, *rest: object) -> str:
    """Return the path of an order or of something below it."""
    return under("orders", order_id, *rest)
