"""Wire shapes of organizations."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from argosy.kit.schemas import Read, RequestSchema, Schema, Slug, Text

OrganizationName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class OrganizationCreate(RequestSchema):
    """A new organization."""

    slug: Slug
    name: OrganizationName


class OrganizationUpdate(RequestSchema):
    """What may change."""

    name: OrganizationName | None = None


class OrganizationRead(Read):
    """An organization."""

    slug: str
    name: str
    personal: bool
    revision: int


class OrganizationRef(Schema):
    """An organization, named by another thing."""

    id: UUID
    slug: str
