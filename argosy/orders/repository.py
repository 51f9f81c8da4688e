"""SQL of orders."""

from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from argosy.kit.principal import Principal
from argosy.kit.repository import Repository, TenantRepository
from argosy.orders.models import Order, OrderItem
from argosy.orders.states import OrderStatus


class OrderRepository(TenantRepository[Order]):
    """Orders of the caller's organization, with their items."""

    model = Order

    def writable_by(self, principal: Principal) -> Select[Order]:
        """Select the orders of the caller's organization."""
        return super().writable_by(principal).options(selectinload(Order.items))

    async def by_id(self, order_id: UUID) -> Order | None:
        """Return an order, whoever's it is; who asks decides what of it is shown."""
        return await self.one_or_none(select(Order).where(Order.id == order_id).options(selectinload(Order.items)))

    def matching(self, principal: Principal, status: OrderStatus | None) -> Select[Order]:
        """Select readable orders, of one status if it is given."""
        statement = self.readable_by(principal)
        return statement if status is None else statement.where(Order.status == status)

    async def hold(self, order_id: UUID, organization_id: UUID | None = None) -> Order | None:
        """Return an order as it is now, locked until the transaction ends; whoever's it is, unless that is said."""
        statement = select(Order).where(Order.id == order_id).options(selectinload(Order.items)).with_for_update()
        if organization_id is not None:
            statement = statement.where(Order.organization_id == organization_id)
        return await self.one_or_none(statement.execution_options(populate_existing=True))


class SaleRepository(Repository[OrderItem]):
    """What the caller's organization sold, to whomever."""

    model = OrderItem

    def of(self, principal: Principal, status: OrderStatus | None) -> Select[OrderItem]:
        """Select the items that the caller's organization sold, with their orders, of one status if it is given."""
        sold = select(OrderItem).where(OrderItem.vendor_id == principal.organization_id)
        if status is not None:
            sold = sold.where(OrderItem.status == status.value)
        # Not joined: a late page would look at the orders of all the pages before it.
        return sold.options(selectinload(OrderItem.order).joinedload(Order.organization, innerjoin=True))
