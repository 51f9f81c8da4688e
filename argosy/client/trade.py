"""What the API says of products, orders, their payments and statements, sales and entitlements."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from argosy.client.results import Result


class Money(Result):
    """An amount in minor units, such as cents; `str()` is for people to read."""

    amount: int
    currency: str
    minor_units: int

    def __str__(self) -> str:
        """Return it as `19.99 EUR`."""
        whole, part = divmod(self.amount, 10**self.minor_units)
        return (
            f"{whole}.{part:0{self.minor_units}d} {self.currency}" if self.minor_units else f"{whole} {self.currency}"
        )


class Plan(Result):
    """What is granted each period."""

    period: str
    calls: int | None = None
    rows: int | None = None
    rate_per_second: int | None = None


class ProductPlan(Plan):
    """What a product grants, what else it has, and how many may be sold."""

    features: list[str] = Field(default_factory=list)
    stock: int | None = None


class Product(Result):
    """A product."""

    id: UUID
    name: str
    description: str | None = None
    vendor: str
    status: str
    price: Money
    price_number: int
    tags: list[str] = Field(default_factory=list)
    models: list[str]
    plan: ProductPlan
    left: int | None = None
    revision: int


class ProductPrice(Result):
    """A price that a product has or had."""

    number: int
    price: Money
    created_at: datetime


class OrderItem(Result):
    """Some of one product, as it was when it was ordered."""

    product_id: UUID | None = None
    name: str
    vendor: str
    quantity: int
    price: Money
    total: Money
    plan: ProductPlan


class Order(Result):
    """An order."""

    id: UUID
    status: str
    total: Money
    items: list[OrderItem]
    placed_by: UUID
    revision: int
    created_at: datetime

    @property
    def is_settled(self) -> bool:
        """Whether nothing happens to the order by itself any more: what is paid is about to be fulfilled."""
        return self.status not in {"pending", "paid"}


class Failure(Result):
    """Why a payment failed, or its refund."""

    code: str
    message: str | None = None


class Payment(Result):
    """One attempt to pay an order; `action_url` is where its payer has to go first."""

    id: UUID
    order_id: UUID
    status: str
    amount: Money
    provider: str
    payment_method: str
    failure: Failure | None = None
    action_url: str | None = None
    created_at: datetime


class OrderPayment(Order):
    """An order, and the payment that was asked for or is given back."""

    payment: Payment


class Sale(Result):
    """Some of one product that was sold."""

    order_id: UUID
    customer: str
    product_id: UUID | None = None
    name: str
    quantity: int
    price: Money
    total: Money
    status: str
    created_at: datetime


class StatementQuota(Result):
    """How much an order bought for each period; None where there is no bound."""

    calls: int | None = None
    rows: int | None = None


class StatementItem(Result):
    """Some of one product, and what was used of it in the month, by the quota of this order alone."""

    product_id: UUID | None = None
    name: str
    vendor: str
    quantity: int
    period: str
    quota: StatementQuota
    calls: int
    rows: int
    price: Money
    total: Money


class Statement(Result):
    """A month of an order; a vendor sees its own items, and their sum."""

    order_id: UUID
    status: str
    month: str
    since: date
    until: date
    items: list[StatementItem]
    calls: int
    rows: int
    total: Money


class CoveredModel(Result):
    """A model that may be called, and the alias that answers."""

    name: str
    alias: str


class Used(Result):
    """How much of a bound was used; `limit` and `left` are None where there is no bound."""

    limit: int | None = None
    used: int
    left: int | None = None


class Period(Result):
    """The present period, with what servers hold for the calls of the next moment."""

    start: datetime
    end: datetime
    calls: Used
    rows: Used


class Entitlement(Result):
    """An entitlement; `current` is there where one is shown and not in a list, `api_keys` for its customer only."""

    id: UUID
    status: str
    organization: str
    vendor: str
    product_id: UUID | None = None
    product: str
    order_id: UUID | None = None
    models: list[CoveredModel]
    plan: Plan
    starts_at: datetime
    ends_at: datetime | None = None
    api_keys: list[UUID] | None = None
    current: Period | None = None
    revision: int
