"""Whether an answer is to be CSV (RFC 4180), and the words with which it is one."""

from typing import Annotated, Literal

from fastapi import Depends, Header, Query

from argosy.kit.web.openapi import Responses

CSV = "text/csv"


def wants_csv(
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    form: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="Or ask for `text/csv` in `Accept`. CSV has all pages in one."),
    ] = None,
) -> bool:
    """Tell whether the answer is to be CSV."""
    return form == "csv" or (form is None and accept.partition(";")[0].strip().lower() == CSV)


AsCsv = Annotated[bool, Depends(wants_csv)]


def also_csv(description: str) -> Responses:
    """Return what the document says of an answer that is JSON or CSV."""
    return {200: {"description": description, "content": {CSV: {"schema": {"type": "string"}}}}}


def attached(filename: str) -> dict[str, str]:
    """Return the headers of an answer that is saved as a file."""
    return {"Content-Disposition": f'attachment; filename="{filename}"'}
