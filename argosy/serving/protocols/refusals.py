"""An input that does not fit, as the error that its sender is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from argosy.kit.errors import ArgosyError, BadRequest, ContentTooLarge, Invalid
from argosy.signature.errors import InvalidInput

KINDS: dict[int, type[ArgosyError]] = {400: BadRequest, 413: ContentTooLarge}


@contextmanager
def refusals() -> Iterator[None]:
    """Turn `InvalidInput` into `Invalid`, `BadRequest` or `ContentTooLarge`."""
    try:
        yield
    except InvalidInput as error:
        raise KINDS.get(error.status, Invalid)(errors=error.errors) from error
