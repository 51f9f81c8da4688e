"""What was used in a month of what an order bought."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from argosy.kit.db.session import ReadSession
from argosy.kit.principal import Principal, Scope
from argosy.orders.errors import OrderNotFound
from argosy.orders.models import Order, OrderItem
from argosy.orders.repository import OrderRepository
from argosy.usage.service import UsageReader, Used

NOTHING = Used(0, 0)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar, as UTC has it."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read `2026-11`."""
        first = date.fromisoformat(f"{text}-01")
        return cls(first, first.replace(day=monthrange(first.year, first.month)[1]))


@dataclass(frozen=True, slots=True)
class Statement:
    """Items of an order, each with what its customer used of it in a month."""

    order: Order
    month: Month
    items: list[tuple[OrderItem, Used]]


class StatementReader:
    """Makes statements, for customers and for vendors: in three statements of SQL, however many items there are."""

    def __init__(self, session: ReadSession) -> None:
        self._orders = OrderRepository(session)
        self._usage = UsageReader(session)

    async def make(self, principal: Principal, order_id: UUID, month: Month) -> Statement:
        """Return the statement of an order: to its customer of all items, to a vendor of its own.

        Raises `OrderNotFound`.
        """
        order = await self._orders.by_id(order_id)
        items = _shown(principal, order) if order is not None else []
        if order is None or not items:
            raise OrderNotFound
        used = await self._usage.of_order_items([item.id for item in items], month.first, month.last)
        return Statement(order, month, [(item, used.get(item.id, NOTHING)) for item in items])


def _shown(principal: Principal, order: Order) -> list[OrderItem]:
    if order.organization_id == principal.organization_id:
        return order.items
    if not principal.may(Scope.SALES_READ):
        return []
    return [item for item in order.items if item.vendor_id == principal.organization_id]
