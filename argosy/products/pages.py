"""What is told of a product to whoever may buy or has bought it: its own OpenAPI document, and its page."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from argosy.articles.models import Article
from argosy.articles.service import html_of
from argosy.kit.web.openapi import add_problem_schema
from argosy.kit.web.security import security_schemes
from argosy.products.models import Product
from argosy.products.repository import Offer
from argosy.products.schemas import ExampleRequest, FieldSummary, OfferedModel, ProductPage, ProductRead
from argosy.registry.aliases import LIVE
from argosy.serving.openapi import Document, describe
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.spec import Feature, Output, Signature


async def document_of(product: Product, offers: Sequence[Offer], serving: ServingService) -> Document:
    """Return the OpenAPI document of a product: the routes of its models that answer now, and nothing else."""
    described: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": product.name,
            "version": str(product.revision),
            "description": product.description or f"A product of {product.organization.slug}.",
        },
        "paths": {},
        "components": {"schemas": {}, "securitySchemes": security_schemes("Bearer", "ApiKey")},
    }
    for offer in offers:
        if offer.version is not None:
            target = Target.of(offer.model.full_name, offer.version)
            signature = await serving.signature(target)
            describe(described, target, signature, offer.model.description, offer.alias)
    add_problem_schema(described)
    return described


async def page_of(
    product: Product, offers: Sequence[Offer], cards: Mapping[UUID, Article], serving: ServingService
) -> ProductPage:
    """Return all that a page about a product shows; `cards` are those of its models."""
    return ProductPage(
        product=ProductRead.of(product),
        models=[await _offered(offer, cards.get(offer.model.id)) for offer in offers],
        example=await _example(offers, serving),
    )


async def _example(offers: Sequence[Offer], serving: ServingService) -> ExampleRequest | None:
    for offer in offers:
        if offer.version is not None:
            signature = await serving.signature(Target.of(offer.model.full_name, offer.version))
            query = "" if offer.alias == LIVE else f"?alias={offer.alias}"
            path = f"/api/v1/models/{offer.model.full_name}/predict{query}"
            return ExampleRequest(method="POST", path=path, body=signature.example_request())
    return None


async def _offered(offer: Offer, card: Article | None) -> OfferedModel:
    version = offer.version
    signature = Signature.model_validate(version.signature) if version else None
    return OfferedModel(
        name=offer.model.full_name,
        alias=offer.alias,
        version=version.number if version else None,
        task=signature.task if signature else offer.model.task,
        description=offer.model.description,
        card=await html_of(card) if card else None,
        inputs=[_summary(feature) for feature in signature.inputs] if signature else [],
        outputs=[_summary(output) for output in signature.outputs] if signature else [],
    )


def _summary(field: Feature | Output) -> FieldSummary:
    return FieldSummary(name=field.name, dtype=field.dtype, shape=field.shape, description=field.description)
