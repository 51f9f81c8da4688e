"""What a caller may say of a prediction in headers."""

from typing import Annotated

from fastapi import Header

from argosy.serving.heads import MOST_TIMEOUT, SESSION_ID

Within = Annotated[
    int | None,
    Header(
        alias="X-Request-Timeout-Ms",
        ge=1,
        le=MOST_TIMEOUT,
        description="Milliseconds after which the answer is of no use any more; it is 504 then.",
    ),
]
SessionId = Annotated[
    str | None,
    Header(
        alias="X-Session-ID",
        pattern=f"^{SESSION_ID.pattern.decode()}$",
        description="Where several versions answer, calls of one session go to one of them; else those of one caller.",
    ),
]
