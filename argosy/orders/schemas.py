"""Wire shapes of orders."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from argosy.kit.money import Money
from argosy.kit.schemas import Read, RequestSchema, Schema
from argosy.orders.models import Order, OrderItem
from argosy.orders.states import OrderStatus
from argosy.products.plans import Plan


class ItemCreate(RequestSchema):
    """Some of one product."""

    product_id: UUID
    quantity: int = Field(1, ge=1, le=100)


def _once(items: list[ItemCreate]) -> list[ItemCreate]:
    if len({item.product_id for item in items}) < len(items):
        raise ValueError("name each product once, with its quantity")
    return items


class OrderCreate(RequestSchema):
    """A new order. What it costs is not for its customer to say."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"product_id": "01a1fd5d-8127-75ff-9601-8b829c541ef6", "quantity": 2}]}]
        }
    )

    items: Annotated[list[ItemCreate], Field(min_length=1, max_length=50), AfterValidator(_once)]


class ItemRead(Schema):
    """Some of one product, as it was when it was ordered; `product_id` is null when the product is gone."""

    product_id: UUID | None
    name: str
    vendor: str
    quantity: int
    price: Money = Field(description="Of one.")
    price_number: int
    total: Money
    plan: Plan

    @classmethod
    def of(cls, row: OrderItem, currency: str) -> Self:
        """Return the wire shape of a row."""
        return cls(
            product_id=row.product_id,
            name=row.name,
            vendor=row.vendor,
            quantity=row.quantity,
            price=Money.of(row.price, currency),
            price_number=row.price_number,
            total=Money.of(row.price * row.quantity, currency),
            plan=Plan.model_validate(row.plan),
        )


class OrderRead(Read):
    """An order."""

    status: OrderStatus
    total: Money
    items: list[ItemRead]
    placed_by: UUID
    revision: int

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return the wire shape of a row."""
        return cls(
            id=order.id,
            created_at=order.created_at,
            updated_at=order.updated_at,
            status=order.status,
            total=Money.of(order.total, order.currency),
            items=[ItemRead.of(row, order.currency) for row in order.items],
            placed_by=order.placed_by,
            revision=order.revision,
        )


class SaleRead(Schema):
    """Some of one product that was sold, and to which organization; the rest of its order is its customer's."""

    order_id: UUID
    customer: str = Field(description="The slug of the organization.", examples=["ada"])
    product_id: UUID | None
    name: str
    quantity: int
    price: Money = Field(description="Of one.")
    total: Money
    status: OrderStatus
    created_at: datetime

    @classmethod
    def of(cls, row: OrderItem) -> Self:
        """Return the wire shape of a row that was loaded with its order."""
        order = row.order
        return cls(
            order_id=order.id,
            customer=order.organization.slug,
            product_id=row.product_id,
            name=row.name,
            quantity=row.quantity,
            price=Money.of(row.price, order.currency),
            total=Money.of(row.price * row.quantity, order.currency),
            status=order.status,
            created_at=row.created_at,
        )
