"""The base of every schema, and field types that several domains share."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def no_nul(value: str) -> str:
    """Refuse what PostgreSQL cannot store."""
    if "\x00" in value:
        raise ValueError("must not hold the NUL character")
    return value


Text = Annotated[str, AfterValidator(no_nul)]
Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$", min_length=1, max_length=63),
    Field(description="Lower-case letters, digits, `.`, `_` and `-`.", examples=["iris"]),
]
Description = Annotated[Text, StringConstraints(max_length=10_000)]
Tags = Annotated[
    list[Annotated[Text, StringConstraints(min_length=1, max_length=50)]],
    Field(max_length=50, description="Labels for search.", examples=[["demo"]]),
]


class Schema(BaseModel):
    """What crosses the API: built from rows by attribute, strict JSON on the way out."""

    model_config = ConfigDict(
        from_attributes=True, str_strip_whitespace=True, ser_json_inf_nan="null", hide_input_in_errors=True
    )


class RequestSchema(Schema):
    """A request body: a field it does not know is an error, so that a typo or an attack is not passed over."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Read(Schema):
    """What every stored thing shows of itself."""

    id: UUID
    created_at: datetime
    updated_at: datetime
