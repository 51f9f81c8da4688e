"""`argosy orders` and `argosy sales`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from argosy.cli.console import (
    CsvOption,
    JsonOption,
    OrganizationOption,
    YesOption,
    pairs,
    plain,
    save_csv,
    say,
    session,
    show,
    sure,
)
from argosy.cli.products import granted
from argosy.client.trade import Order, Payment, Plan, Sale, StatementItem

orders = typer.Typer(help="Orders: place, pay, cancel and refund them, and their statements.", no_args_is_help=True)
COLUMNS = ("id", "status", "total", "items", "created_at")
PAYMENT_COLUMNS = ("id", "status", "amount", "provider", "payment_method", "failure", "created_at")
STATEMENT_COLUMNS = ("product", "vendor", "quantity", "quota", "calls", "rows", "price", "total")
SALE_COLUMNS = ("order_id", "customer", "name", "quantity", "total", "status", "created_at")
OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id.")]
StatusOption = Annotated[str | None, typer.Option(help="Only with this status, such as pending or fulfilled.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is confirmed.")]


@orders.command("list")
def list_orders(status: StatusOption = None, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """List your organization's orders, newest first."""
    with session(org) as client:
        found = list(client.orders(status))
        show(found if json else [_line(one) for one in found], json, COLUMNS)


@orders.command("show")
def show_order(order_id: OrderId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Show an order."""
    with session(org) as client:
        _show(client.order(order_id), json)


@orders.command("place")
def place_order(
    products: Annotated[list[str], typer.Argument(metavar="PRODUCT[=QUANTITY]...", help="Ids of products.")],
    pay: Annotated[bool, typer.Option("--pay", help="Pay it at once, and wait until it is fulfilled.")] = False,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Order products, each at its price of now."""
    with session(org) as client:
        order = client.place_order(_quantities(products))
        if pay:
            client.pay_order(order.id)
            order = client.wait_for_order(order.id)
        _show(order, json)


@orders.command("pay")
def pay_order(
    order_id: OrderId,
    method: Annotated[str | None, typer.Option(help="One that the payment provider knows; its usual one else.")] = None,
    no_wait: NoWaitOption = False,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Pay an order, and wait until it is fulfilled."""
    with session(org) as client:
        asked = client.pay_order(order_id, method)
        if asked.payment.action_url and not json:
            say(f"Go to {asked.payment.action_url} to confirm it.")
        _show(asked if no_wait else client.wait_for_order(order_id), json)


@orders.command("cancel")
def cancel_order(order_id: OrderId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Cancel an order that is not paid yet."""
    with session(org) as client:
        _show(client.cancel_order(order_id), json)


@orders.command("refund")
def refund_order(
    order_id: OrderId, yes: YesOption = False, org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """Give an order back: what it granted ends, once the provider has returned the money."""
    sure(f"Give back {order_id} and all it granted?", yes)
    with session(org) as client:
        asked = client.refund_order(order_id)
        show(asked.payment if json else _payment(asked.payment), json, PAYMENT_COLUMNS)


@orders.command("payments")
def list_payments(order_id: OrderId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """List the attempts to pay an order, with why they failed."""
    with session(org) as client:
        found = list(client.order_payments(order_id))
        show(found if json else [_payment(one) for one in found], json, PAYMENT_COLUMNS)


@orders.command("statement")
def show_statement(
    order_id: OrderId,
    month: Annotated[datetime | None, typer.Option(formats=["%Y-%m"], help="UTC; this one, if left out.")] = None,
    csv: CsvOption = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was used in a month of what an order bought; to its vendor, of what it sold."""
    with session(org) as client:
        if csv is not None:
            save_csv(csv, lambda target: client.export_order_statement(target, order_id, month), json)
            return
        found = client.order_statement(order_id, month)
        show(found if json else [_statement_item(item) for item in found.items], json, STATEMENT_COLUMNS)
        if not json:
            say(f"{found.month}: {found.calls} calls, {found.rows} rows; {found.total}, {found.status}")


def sales(status: StatusOption = None, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """List what your organization sold, newest first."""
    with session(org) as client:
        found = list(client.sales(status))
        show(found if json else [_sale(one) for one in found], json, SALE_COLUMNS)


def _quantities(products: list[str]) -> dict[str, int]:
    found = pairs([one if "=" in one else f"{one}=1" for one in products], int) or {}
    if len(found) < len(products):
        raise typer.BadParameter("name each product once, with its quantity")
    return found


def _show(order: Order, json: bool) -> None:
    show(order if json else _line(order), json, COLUMNS)


def _line(order: Order) -> dict[str, Any]:
    items = [f"{item.quantity} x {item.vendor}: {item.name}" for item in order.items]
    return {**plain(order), "total": str(order.total), "items": items}


def _payment(payment: Payment) -> dict[str, Any]:
    failure = payment.failure.code if payment.failure else None
    return {**plain(payment), "amount": str(payment.amount), "failure": failure}


def _statement_item(item: StatementItem) -> dict[str, Any]:
    quota = Plan(period=item.period, calls=item.quota.calls, rows=item.quota.rows)
    shown = {"product": item.name, "quota": granted(quota), "price": str(item.price), "total": str(item.total)}
    return {**plain(item), **shown}


def _sale(sale: Sale) -> dict[str, Any]:
    return {**plain(sale), "total": str(sale.total)}
