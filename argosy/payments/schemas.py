"""Wire shapes of payments."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from argosy.kit.money import Money
from argosy.kit.schemas import Read, RequestSchema, Schema, Text
from argosy.orders.models import Order
from argosy.orders.schemas import OrderRead
from argosy.payments.models import Payment
from argosy.payments.states import PaymentStatus


class PayRequest(RequestSchema):
    """How an order is to be paid."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"payment_method": "approved"}]})

    payment_method: Annotated[Text, StringConstraints(min_length=1, max_length=255)] | None = Field(
        None, description="One that the provider knows; its usual one if there is one.", examples=["approved"]
    )


class PaymentFailure(Schema):
    """Why a payment failed, or why its refund did."""

    code: str = Field(examples=["insufficient_funds"])
    message: str | None


class PaymentRead(Read):
    """One attempt to pay an order."""

    order_id: UUID
    status: PaymentStatus
    amount: Money
    provider: str
    payment_method: str
    reference: str | None = Field(description="The provider's name for it.")
    failure: PaymentFailure | None
    action_url: str | None = Field(description="Where the payer has to go first, if the provider says so.")

    @classmethod
    def of(cls, row: Payment) -> Self:
        """Return the wire shape of a row."""
        return cls(
            id=row.id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            order_id=row.order_id,
            status=row.status,
            amount=Money.of(row.amount, row.currency),
            provider=row.provider,
            payment_method=row.method,
            reference=row.reference,
            failure=PaymentFailure(code=row.code, message=row.message) if row.code else None,
            action_url=row.action_url,
        )


class OrderPayment(OrderRead):
    """An order, and the payment that was asked for or is given back."""

    payment: PaymentRead

    @classmethod
    def about(cls, order: Order, payment: Payment) -> Self:
        """Return the wire shape of both rows."""
        return cls(**dict(OrderRead.of(order)), payment=PaymentRead.of(payment))


class NoticeRead(Schema):
    """What a webhook's message came to."""

    received: bool = True
    repeated: bool = Field(description="Whether it had come before; then it changed nothing.")
