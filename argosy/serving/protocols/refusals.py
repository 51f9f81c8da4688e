"""An input that does not fit, as the error that its sender is told; and errors as the meter counts them."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect

from argosy.kit.errors import ArgosyError, BadRequest, ContentTooLarge, Invalid
from argosy.kit.principal import Principal
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.errors import InvalidInput

KINDS: dict[int, type[ArgosyError]] = {400: BadRequest, 413: ContentTooLarge}


@contextmanager
def refusals() -> Iterator[None]:
    """Turn `InvalidInput` into `Invalid`, `BadRequest` or `ContentTooLarge`."""
    try:
        yield
    except InvalidInput as error:
        raise KINDS.get(error.status, Invalid)(errors=error.errors) from error


@contextmanager
def counted(serving: ServingService, principal: Principal, target: Target) -> Iterator[None]:
    """Meter a call of a version that ends in an error, which its sender is then told; who has gone is told nothing."""
    try:
        yield
    except ClientDisconnect:
        raise
    except Exception as error:
        serving.failed(principal, target, error)
        raise
