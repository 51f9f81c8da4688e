"""What can go wrong with products."""

from argosy.kit.errors import Conflict, NotFound


class ProductNotFound(NotFound):
    """No such product, or not for this caller."""

    type, title = "product-not-found", "Product not found"


class ProductExists(Conflict):
    """The vendor has a product of this name."""

    type, title = "product-exists", "Product exists"


class ProductStatusConflict(Conflict):
    """The product's status does not allow this."""

    type, title = "product-status-conflict", "The product's status does not allow it"


class CardMissing(Conflict):
    """A model of the product has no published card: what is on sale says what it does."""

    type, title = "card-missing", "A model has no card"


class NothingServes(Conflict):
    """A model of the product has no version where its alias points."""

    type, title = "nothing-serves", "A model has no version to serve"


class StockBelowSold(Conflict):
    """More were sold already than there would be."""

    type, title = "stock-below-sold", "More are sold already"
