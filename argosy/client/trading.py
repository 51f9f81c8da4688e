"""The flows of trade: offer models by their names, and wait until an order is paid."""

import time
from collections.abc import Sequence

from argosy.client import orders, products, trade
from argosy.client.errors import PaymentFailed
from argosy.client.explaining import ExplainingClient
from argosy.client.flows import Flow, Pause
from argosy.client.pushing import POLL_SECONDS
from argosy.client.requests import Json


class TradingClient(ExplainingClient):
    """Adds trade to the flows."""

    def _create_product(self, name: str, models: Sequence[str], fields: Json) -> Flow[trade.Product]:
        full_names = []
        for model in models:
            full_names.append((yield from self._full_name(model)))  # noqa: PERF401 - a flow has to be asked
        return (yield from self._send(products.create({"name": name, "models": full_names, **fields})))

    def _wait_for_order(self, order_id: object, timeout: float) -> Flow[trade.Order]:
        deadline = time.monotonic() + timeout
        while True:
            order = yield from self._send(orders.get(order_id))
            if order.is_settled:
                return order
            latest = yield from self._send(orders.latest_payment(order_id))
            if order.status == "pending" and latest is not None and latest.status == "failed":
                raise PaymentFailed(latest)
            if time.monotonic() >= deadline:
                raise TimeoutError(f"order {order_id} is still {order.status} after {timeout:.0f} s")
            yield Pause(POLL_SECONDS)
