"""What a client does about orders, their payments and sales."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date
from pathlib import Path
from uuid import UUID

from argosy.client import orders
from argosy.client.requests import given
from argosy.client.running import AsyncRunner, Runner
from argosy.client.trade import Order, OrderPayment, Payment, Sale, Statement


class OrderMethods(Runner):
    """Orders of the caller's organization, their payments, and what it sold."""

    def orders(self, status: str | None = None, *, sort: str | None = None) -> Iterator[Order]:
        """List your organization's orders, newest first."""
        return self._each(self._list("/orders", Order, **given(status=status, sort=sort)))

    def order(self, order_id: object) -> Order:
        """Show an order."""
        return self.send(orders.get(order_id))

    def place_order(self, quantities: Mapping[str, int] | Mapping[UUID, int]) -> Order:
        """Order products, by their ids and how many of each; the server knows what they cost."""
        return self.send(orders.place(quantities))

    def pay_order(self, order_id: object, payment_method: str | None = None) -> OrderPayment:
        """Pay an order; it is `pending` until the provider has confirmed, which `wait_for_order` waits for."""
        return self.send(orders.pay(order_id, payment_method))

    def wait_for_order(self, order_id: object, *, timeout: float = 60.0) -> Order:
        """Wait until an order is fulfilled, or ends otherwise; raises `PaymentFailed`, or `TimeoutError`."""
        return self._run(self._wait_for_order(order_id, timeout))

    def cancel_order(self, order_id: object, *, revision: int | None = None) -> Order:
        """Cancel an order that is not paid yet."""
        return self.send(orders.cancel(order_id, revision))

    def refund_order(self, order_id: object) -> OrderPayment:
        """Give an order back; it is `refunded` once the provider has returned the money."""
        return self.send(orders.refund(order_id))

    def order_payments(self, order_id: object) -> Iterator[Payment]:
        """List the attempts to pay an order, newest first, with why they failed."""
        return self._each(self._list(orders.at(order_id, "payments"), Payment))

    def order_statement(self, order_id: object, month: str | date | None = None) -> Statement:
        """Show what was used of an order in a month, such as `2026-11`, or this one; to a vendor its items alone."""
        return self.send(orders.statement(order_id, month))

    def export_order_statement(self, path: str | Path, order_id: object, month: str | date | None = None) -> Path:
        """Save the same as CSV, whole or not at all."""
        return self.send(orders.export_statement(order_id, month, Path(path)))

    def sales(self, status: str | None = None, *, sort: str | None = None) -> Iterator[Sale]:
        """List what your organization sold, newest first: one line for each item of an order."""
        return self._each(self._list("/sales", Sale, **given(status=status, sort=sort)))


class AsyncOrderMethods(AsyncRunner):
    """Orders of the caller's organization, their payments, and what it sold."""

    def orders(self, status: str | None = None, *, sort: str | None = None) -> AsyncIterator[Order]:
        """List your organization's orders, newest first."""
        return self._each(self._list("/orders", Order, **given(status=status, sort=sort)))

    async def order(self, order_id: object) -> Order:
        """Show an order."""
        return await self.send(orders.get(order_id))

    async def place_order(self, quantities: Mapping[str, int] | Mapping[UUID, int]) -> Order:
        """Order products, by their ids and how many of each; the server knows what they cost."""
        return await self.send(orders.place(quantities))

    async def pay_order(self, order_id: object, payment_method: str | None = None) -> OrderPayment:
        """Pay an order; it is `pending` until the provider has confirmed, which `wait_for_order` waits for."""
        return await self.send(orders.pay(order_id, payment_method))

    async def wait_for_order(
        self,
        order_id: object,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - the same parameter as in the other client
    ) -> Order:
        """Wait until an order is fulfilled, or ends otherwise; raises `PaymentFailed`, or `TimeoutError`."""
        return await self._run(self._wait_for_order(order_id, timeout))

    async def cancel_order(self, order_id: object, *, revision: int | None = None) -> Order:
        """Cancel an order that is not paid yet."""
        return await self.send(orders.cancel(order_id, revision))

    async def refund_order(self, order_id: object) -> OrderPayment:
        """Give an order back; it is `refunded` once the provider has returned the money."""
        return await self.send(orders.refund(order_id))

    def order_payments(self, order_id: object) -> AsyncIterator[Payment]:
        """List the attempts to pay an order, newest first, with why they failed."""
        return self._each(self._list(orders.at(order_id, "payments"), Payment))

    async def order_statement(self, order_id: object, month: str | date | None = None) -> Statement:
        """Show what was used of an order in a month, such as `2026-11`, or this one; to a vendor its items alone."""
        return await self.send(orders.statement(order_id, month))

    async def export_order_statement(self, path: str | Path, order_id: object, month: str | date | None = None) -> Path:
        """Save the same as CSV, whole or not at all."""
        return await self.send(orders.export_statement(order_id, month, Path(path)))

    def sales(self, status: str | None = None, *, sort: str | None = None) -> AsyncIterator[Sale]:
        """List what your organization sold, newest first: one line for each item of an order."""
        return self._each(self._list("/sales", Sale, **given(status=status, sort=sort)))
