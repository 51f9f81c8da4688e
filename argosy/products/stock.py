"""How many of a product are sold: never more than there are, however many buy at once."""

from uuid import UUID

from argosy.kit.db.session import WriteSession
from argosy.products.repository import ProductRepository
from argosy.products.sales import Sold


class Stock:
    """Counts what is sold, in the buyer's transaction.

    The count is the vendor's row, which a buyer may not write, so each call acts for the vendor for that one statement.
    The row stays locked until the transaction ends: take several products in the order of their vendors and ids, so
    that two buyers of the same ones never wait for each other at once.
    """

    def __init__(self, session: WriteSession) -> None:
        self._session = session
        self._products = ProductRepository(session)

    async def take(self, vendor_id: UUID, product_id: UUID, quantity: int) -> Sold | None:
        """Count some as sold, and return what they are; None when so many are not on sale any more."""
        async with self._session.act_in(vendor_id):
            return await self._products.take(product_id, quantity)

    async def put_back(self, vendor_id: UUID, product_id: UUID, quantity: int) -> None:
        """Count some as not sold after all."""
        async with self._session.act_in(vendor_id):
            await self._products.put_back(product_id, quantity)
