"""Names of products, and how two of them are told apart."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from argosy.kit.schemas import Text

MAX_KEY = 1000  # bytes: an index entry has room for no more than some thousands


def key_of(name: str) -> str:
    """Return a name without case, compatibility forms and spare spaces: equal for names that read alike."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _short_enough(name: str) -> str:
    if len(key_of(name).encode()) > MAX_KEY:
        raise ValueError("must be shorter: its letters stand for many others")
    return name


ProductName = Annotated[
    Text, StringConstraints(min_length=1, max_length=200), AfterValidator(_short_enough), Field(examples=["Iris Pro"])
]
