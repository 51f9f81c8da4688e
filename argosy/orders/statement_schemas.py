"""The wire shape of statements, as JSON and as CSV."""

import csv
import io
from datetime import date
from typing import Self
from uuid import UUID

from pydantic import Field

from argosy.kit.money import Money
from argosy.kit.schemas import Schema
from argosy.orders.models import OrderItem
from argosy.orders.statements import Statement
from argosy.orders.states import OrderStatus
from argosy.products.plans import Period, Plan
from argosy.usage.service import Used

COLUMNS = (
    "month", "product_id", "product", "vendor", "quantity", "period", "quota_calls", "quota_rows", "calls", "rows",
    "price", "total", "currency",
)  # fmt: skip
# How a program that opens CSV knows a formula; a product's name is its vendor's to choose.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class QuotaRead(Schema):
    """How much may be used in a period; null: no bound."""

    calls: int | None
    rows: int | None


class StatementItem(Schema):
    """Some of one product, and what was used of it in the month."""

    product_id: UUID | None
    name: str
    vendor: str
    quantity: int
    period: Period = Field(description="After which time the quota begins anew.")
    quota: QuotaRead = Field(description="For each period, of all that was bought of it.")
    calls: int = Field(description="Answered calls that took of the quota of this item, and of no other order.")
    rows: int = Field(description="Rows of these.")
    price: Money = Field(description="Of one.")
    total: Money

    @classmethod
    def of(cls, row: OrderItem, used: Used, currency: str) -> Self:
        """Return the wire shape of a row and what was used of it."""
        plan = Plan.model_validate(row.plan)
        quota = QuotaRead(calls=plan.calls and plan.calls * row.quantity, rows=plan.rows and plan.rows * row.quantity)
        return cls(
            product_id=row.product_id,
            name=row.name,
            vendor=row.vendor,
            quantity=row.quantity,
            period=plan.period,
            quota=quota,
            calls=used.calls,
            rows=used.rows,
            price=Money.of(row.price, currency),
            total=Money.of(row.price * row.quantity, currency),
        )


class StatementRead(Schema):
    """A month of an order. To a vendor it has the vendor's items only, and their sum."""

    order_id: UUID
    status: OrderStatus
    month: str = Field(examples=["2026-11"])
    since: date
    until: date = Field(description="The last day, UTC; it is in the statement.")
    items: list[StatementItem]
    calls: int
    rows: int
    total: Money

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Return the wire shape of a statement."""
        order, month = statement.order, statement.month
        items = [StatementItem.of(row, used, order.currency) for row, used in statement.items]
        return cls(
            order_id=order.id,
            status=order.status,
            month=f"{month.first:%Y-%m}",
            since=month.first,
            until=month.last,
            items=items,
            calls=sum(item.calls for item in items),
            rows=sum(item.rows for item in items),
            total=Money.of(sum(item.total.amount for item in items), order.currency),
        )

    def csv(self) -> bytes:
        """Return the items as CSV; amounts are in minor units, as in JSON."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for item in self.items:
            writer.writerow(
                [
                    self.month, item.product_id, _plain(item.name), item.vendor, item.quantity, item.period,
                    item.quota.calls, item.quota.rows, item.calls, item.rows,
                    item.price.amount, item.total.amount, item.total.currency,
                ]
            )  # fmt: skip
        return text.getvalue().encode()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
