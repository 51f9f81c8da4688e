"""Decisions about cards: the one article that says what a model is for."""

from collections.abc import Collection
from uuid import UUID

from argosy.articles.errors import CardNotFound
from argosy.articles.markdown import Rendered
from argosy.articles.models import Article
from argosy.articles.schemas import ArticleCreate, CardSet
from argosy.articles.service import ArticleReader, ArticleService, require_author
from argosy.kit.errors import Forbidden
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.registry.models import Model


class CardReader(ArticleReader):
    """Looks cards up."""

    async def card(self, principal: Principal, model: Model) -> Article:
        """Return the card of a model that the caller may see; raises `CardNotFound`."""
        card = await self.articles.card(self.articles.readable_by(principal), model.id)
        if card is None:
            raise CardNotFound(f"{model.full_name} has no card")
        return card

    async def published(self, model_ids: Collection[UUID]) -> dict[UUID, Article]:
        """Return the published cards of some models, by model; whoever asks answers for who sees them."""
        return {card.card_of: card for card in await self.articles.published_cards(model_ids) if card.card_of}


class CardService(ArticleService):
    """Writes cards."""

    async def set(
        self, principal: Principal, model: Model, request: CardSet, precondition: Precondition, text: Rendered
    ) -> Article:
        """Write the card of a model of the caller's organization, or change it; its content is rendered.

        Raises `AuthorsOnly` for another's card, `Forbidden` for one that the caller does not see, `PreconditionFailed`.
        """
        card = await self.articles.card(self.articles.readable_by(principal), model.id)
        precondition.check(card.revision if card else 0)
        if card is not None:
            require_author(principal, card)
            return await self.change(principal, card, request.model_dump(exclude_none=True), text)
        if await self.articles.has_card(model.id):
            raise Forbidden("the model has a card that you do not see")
        values = {"title": model.full_name, **request.model_dump(exclude_none=True)}
        return await self.write(principal, ArticleCreate.model_validate(values), text, model.id, card_of=model.id)
