"""Routes of payments."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.etag import tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, PUBLIC, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import Counted, requires
from argosy.kit.web.sessions import Read
from argosy.orders.errors import OrderNotFound, OrderStatusConflict
from argosy.payments.dependencies import Chosen, Paying, Told
from argosy.payments.errors import PaymentProviderNotFound, WebhookRefused
from argosy.payments.schemas import NoticeRead, OrderPayment, PaymentRead, PayRequest
from argosy.payments.service import PaymentReader

router = APIRouter(prefix="/orders", tags=["payments"], route_class=TransactionalRoute, responses=GUARDED)
webhooks = APIRouter(prefix="/payments/webhooks", tags=["payments"], route_class=TransactionalRoute, responses=PUBLIC)
Reader = Annotated[Principal, requires(Scope.ORDERS_READ)]
Buyer = Annotated[Principal, requires(Scope.ORDERS_WRITE)]
Paging = Annotated[PageQuery, Depends(page_query)]
_SIGNED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class PaymentSort(StrEnum):
    """Sort orders of payments."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


@router.post(
    "/{order_id}/pay",
    status_code=202,
    responses=problems(OrderNotFound, OrderStatusConflict),
    dependencies=[Idempotent],
)
async def pay_order(
    order_id: UUID,
    principal: Buyer,
    paying: Paying,
    provider: Chosen,
    response: Response,
    body: PayRequest | None = None,
) -> OrderPayment:
    """Pay an order. It is `pending` until that is confirmed; while a payment is under way, asking again starts none."""
    order, payment = await paying.pay(principal, order_id, provider, body.payment_method if body else None)
    return tagged(response, OrderPayment.about(order, payment))


@router.post(
    "/{order_id}/refund",
    status_code=202,
    responses=problems(OrderNotFound, OrderStatusConflict),
    dependencies=[Idempotent],
)
async def refund_order(order_id: UUID, principal: Buyer, paying: Paying, response: Response) -> OrderPayment:
    """Give an order back: it is `refunded`, and grants nothing any more, once the provider has returned the money."""
    order, payment = await paying.refund(principal, order_id)
    return tagged(response, OrderPayment.about(order, payment))


@router.get("/{order_id}/payments", responses=problems(OrderNotFound))
async def list_payments(
    order_id: UUID,
    principal: Reader,
    session: Read,
    query: Paging,
    sort: Annotated[PaymentSort, Query()] = PaymentSort.NEWEST,
) -> Page[PaymentRead] | CursorPage[PaymentRead]:
    """List the attempts to pay an order, with why they failed."""
    return to_page(await PaymentReader(session).list(principal, order_id, query, sort), PaymentRead.of)


@webhooks.post(
    "/{provider}",
    responses=problems(PaymentProviderNotFound, WebhookRefused),
    dependencies=[Counted],
    openapi_extra=_SIGNED,
)
async def payment_webhook(provider: str, told: Told, paying: Paying) -> NoticeRead:
    """Hear from a payment provider. The message is believed for its signature, and acted on once."""
    return NoticeRead(repeated=not await paying.notice(provider, told))
