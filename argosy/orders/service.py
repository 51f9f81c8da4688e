"""Decisions about orders."""

from collections.abc import Sequence
from uuid import UUID

from argosy.events.service import record
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import invalid
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.orders.errors import NotOnSale, OrderNotFound, OrderStatusConflict, SoldOut
from argosy.orders.models import Order, OrderItem
from argosy.orders.repository import OrderRepository, SaleRepository
from argosy.orders.schemas import ItemCreate, OrderCreate
from argosy.orders.states import ORDER_TRANSITIONS, UNSOLD, OrderStatus
from argosy.products.errors import ProductNotFound
from argosy.products.models import Product, ProductStatus
from argosy.products.sales import Sold
from argosy.products.service import ProductReader
from argosy.products.stock import Stock


class OrderReader:
    """Looks orders up."""

    def __init__(self, session: ReadSession) -> None:
        self.orders = OrderRepository(session)

    async def get(self, principal: Principal, order_id: UUID) -> Order:
        """Return an order of the caller's organization; raises `OrderNotFound`."""
        order = await self.orders.one_or_none(self.orders.readable_by(principal).where(Order.id == order_id))
        if order is None:
            raise OrderNotFound
        return order

    async def find(self, order_id: UUID) -> Order | None:
        """Return an order, whoever's it is: for the system."""
        return await self.orders.by_id(order_id)

    async def list(
        self, principal: Principal, status: OrderStatus | None, query: PageQuery, sort: str
    ) -> Listing[Order]:
        """Return the orders of the caller's organization."""
        return await self.orders.page(self.orders.matching(principal, status), query, sort)


class SaleReader:
    """Looks up what was sold."""

    def __init__(self, session: ReadSession) -> None:
        self._sales = SaleRepository(session)

    async def list(
        self, principal: Principal, status: OrderStatus | None, query: PageQuery, sort: str
    ) -> Listing[OrderItem]:
        """Return what the caller's organization sold."""
        return await self._sales.page(self._sales.of(principal, status), query, sort)


class OrderService(OrderReader):
    """Places orders and moves them on."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session
        self._stock = Stock(session)

    async def place(self, principal: Principal, request: OrderCreate) -> Order:
        """Order products at the prices of now; raises `ProductNotFound`, `NotOnSale`, `SoldOut`, or `Invalid`."""
        products = await self._on_sale(principal, request.items)
        taken = await self._take(products, request.items)
        currency = _one_currency([taken[item.product_id] for item in request.items])
        items = [_item(principal, item, products[item.product_id], taken[item.product_id]) for item in request.items]
        order = Order(
            organization_id=principal.organization_id,
            total=sum(item.price * item.quantity for item in items),
            currency=currency,
            placed_by=principal.user_id,
            items=items,
        )
        await self.orders.add(order)
        self._record("placed", order)
        return order

    async def cancel(self, principal: Principal, order_id: UUID, precondition: Precondition) -> Order:
        """Cancel an order that is not paid yet; raises `OrderNotFound`, `OrderStatusConflict`."""
        order = await self.get(principal, order_id)
        precondition.check(order.revision)
        await self.move(order, OrderStatus.CANCELLED)
        return order

    async def hold(self, order_id: UUID, principal: Principal | None = None) -> Order | None:
        """Return an order that nobody else changes until the transaction ends; the caller's, if there is one.

        Without a caller it is for what the server does by itself, in a transaction of the system.
        """
        return await self.orders.hold(order_id, principal.organization_id if principal else None)

    async def move(self, order: Order, status: OrderStatus) -> None:
        """Bring an order into another state, the one way there is; raises `OrderStatusConflict`."""
        if status not in ORDER_TRANSITIONS[order.status]:
            raise OrderStatusConflict(f"it is {order.status}, and cannot be {status}", order_status=order.status)
        order.status = status
        await self.orders.flush()  # of two who move it at once, one goes no further
        if status in UNSOLD:
            await self._put_back(order)
        self._record(status.value, order)

    async def _on_sale(self, principal: Principal, items: Sequence[ItemCreate]) -> dict[UUID, Product]:
        reader = ProductReader(self._session)
        found = await reader.some(principal, [item.product_id for item in items])
        for item in items:
            product = found.get(item.product_id)
            if product is None:
                raise ProductNotFound(f"there is no product {item.product_id}")
            if product.status is not ProductStatus.PUBLISHED:
                raise NotOnSale(f"{product.name!r} is not on sale", product_id=str(product.id))
        return found

    async def _take(self, products: dict[UUID, Product], items: Sequence[ItemCreate]) -> dict[UUID, Sold]:
        taken: dict[UUID, Sold] = {}
        for item in sorted(items, key=lambda item: (products[item.product_id].organization_id, item.product_id)):
            product = products[item.product_id]
            sold = await self._stock.take(product.organization_id, product.id, item.quantity)
            if sold is None:
                raise SoldOut(f"of {product.name!r} not so many are left", product_id=str(product.id))
            taken[product.id] = sold
        return taken

    async def _put_back(self, order: Order) -> None:
        kept = [(item.vendor_id, item.product_id, item.quantity) for item in order.items if item.product_id]
        for vendor_id, product_id, quantity in sorted(kept):
            await self._stock.put_back(vendor_id, product_id, quantity)

    def _record(self, happened: str, order: Order) -> None:
        record(
            self._session,
            f"order.{happened}",
            str(order.id),
            order.organization_id,
            total=order.total,
            currency=order.currency,
        )


def _one_currency(sold: Sequence[Sold]) -> str:
    for index, one in enumerate(sold):
        if one.currency != sold[0].currency:
            raise invalid(["body", "items", index], f"an order has one currency, and the first is {sold[0].currency}")
    return sold[0].currency


def _item(principal: Principal, item: ItemCreate, product: Product, sold: Sold) -> OrderItem:
    return OrderItem(
        organization_id=principal.organization_id,
        product_id=product.id,
        vendor_id=product.organization_id,
        vendor=product.organization.slug,
        name=sold.name,
        quantity=item.quantity,
        price=sold.price,
        price_number=sold.price_number,
        plan=sold.plan,
    )
