"""What can go wrong with orders."""

from argosy.kit.errors import Conflict, NotFound


class OrderNotFound(NotFound):
    """No such order, or not for this caller."""

    type, title = "order-not-found", "Order not found"


class OrderStatusConflict(Conflict):
    """The order's status does not allow this."""

    type, title = "order-status-conflict", "The order's status does not allow it"


class NotOnSale(Conflict):
    """The product is not on sale."""

    type, title = "not-on-sale", "Product is not on sale"


class SoldOut(Conflict):
    """There are not so many left of the product."""

    type, title = "sold-out", "Not so many are left"
