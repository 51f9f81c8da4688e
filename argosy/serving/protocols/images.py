"""Images in a request: one as the body, or one or more as parts of a form, named as the model's input."""

from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from argosy.kit.errors import BadRequest
from argosy.signature.images import image_feature
from argosy.signature.refusal import cut, refuse
from argosy.signature.spec import Signature

FORM = "multipart/form-data"
RAW = frozenset({"image/png", "image/jpeg"})
MEDIA_TYPES = RAW | {FORM}
MAX_IMAGES = 256
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_PARTS = {"type": "array", "items": _BINARY, "minItems": 1, "maxItems": MAX_IMAGES}
CONTENT: dict[str, Any] = {name: {"schema": _BINARY} for name in sorted(RAW)} | {
    FORM: {"schema": {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": _PARTS}}
}


def content_of(signature: Signature) -> dict[str, Any]:
    """Return the media types, besides JSON, that a model's own route documents."""
    feature = image_feature(signature)
    if feature is None:
        return {}
    form = {"type": "object", "required": [feature.name], "properties": {feature.name: _PARTS}}
    return {**CONTENT, FORM: {"schema": form}}


async def contents(request: Request, media_type: str, signature: Signature, max_rows: int) -> list[bytes]:
    """Return the images of a request; raises `BadRequest`, or `InvalidInput` that names the part."""
    if media_type in RAW:
        return [await request.body()]
    feature = image_feature(signature)
    if feature is None:
        return []  # whoever reads them tells that the model takes none
    most = min(max_rows, MAX_IMAGES)
    try:
        # One part more than may be is read, so that the refusal can tell it apart from a broken form.
        form = await request.form(max_files=MAX_IMAGES + 1, max_fields=1)
    except MultiPartException as error:
        raise BadRequest(f"the multipart body cannot be read: {error.message}") from error
    try:
        found: list[bytes] = []
        for name, part in form.multi_items():
            if name != feature.name:
                raise refuse(
                    [cut(name)], f"Extra inputs are not permitted: the image is {feature.name}", "extra_forbidden"
                )
            if not isinstance(part, UploadFile):
                raise refuse([name, len(found)], "Input should be a file", "file_type")
            found.append(await part.read())
    finally:
        await form.close()
    if not found:
        raise refuse([feature.name], "Field required", "missing")
    if len(found) > most:
        raise refuse([feature.name], f"Input has more than {most} images", "too_many_rows", status=413)
    return found
