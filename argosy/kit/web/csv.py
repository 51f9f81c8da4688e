"""Whether an answer is to be CSV (RFC 4180), and the words with which it is one."""

from typing import Annotated, Literal

from fastapi import Depends, Header, Query

from argosy.kit.web.negotiation import Offer, preferred
from argosy.kit.web.openapi import Responses

CSV = "text/csv"
UTF_8 = {"charset": "utf-8"}
OFFERS = (Offer("application/json", UTF_8), Offer(CSV, UTF_8 | {"header": "present"}))


def wants_csv(
    accept: Annotated[list[str], Header(include_in_schema=False)] = [],  # noqa: B006 - FastAPI copies it
    form: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="Or ask for `text/csv` in `Accept`. CSV has all pages in one."),
    ] = None,
) -> bool:
    """Tell whether the answer is to be CSV; where neither fits, it is JSON, as all answers are."""
    return form == "csv" or (form is None and preferred(",".join(accept), OFFERS).type == CSV)


AsCsv = Annotated[bool, Depends(wants_csv)]


def also_csv(description: str) -> Responses:
    """Return what the document says of an answer that is JSON or CSV."""
    return {200: {"description": description, "content": {CSV: {"schema": {"type": "string"}}}}}


def attached(filename: str) -> dict[str, str]:
    """Return the headers of an answer that is saved as a file."""
    return {"Content-Disposition": f'attachment; filename="{filename}"'}
