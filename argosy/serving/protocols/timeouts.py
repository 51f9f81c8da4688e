"""How long a caller wants to wait for an answer."""

from typing import Annotated

from fastapi import Header

from argosy.serving.heads import MOST_TIMEOUT

Within = Annotated[
    int | None,
    Header(
        alias="X-Request-Timeout-Ms",
        ge=1,
        le=MOST_TIMEOUT,
        description="Milliseconds after which the answer is of no use any more; it is 504 then.",
    ),
]
