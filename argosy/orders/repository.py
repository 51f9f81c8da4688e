"""SQL of orders."""

from sqlalchemy import Select
from sqlalchemy.orm import selectinload

from argosy.kit.principal import Principal
from argosy.kit.repository import TenantRepository
from argosy.orders.models import Order
from argosy.orders.states import OrderStatus


class OrderRepository(TenantRepository[Order]):
    """Orders of the caller's organization, with their items."""

    model = Order

    def writable_by(self, principal: Principal) -> Select[Order]:
        """Select the orders of the caller's organization."""
        return super().writable_by(principal).options(selectinload(Order.items))

    def matching(self, principal: Principal, status: OrderStatus | None) -> Select[Order]:
        """Select readable orders, of one status if it is given."""
        statement = self.readable_by(principal)
        return statement if status is None else statement.where(Order.status == status)
