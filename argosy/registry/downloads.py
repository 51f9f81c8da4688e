"""Serving artifacts in ranges (RFC 9110, section 14)."""

import re
from enum import StrEnum

from starlette.responses import Response, StreamingResponse

from argosy.engines.storage.base import ArtifactStore
from argosy.registry.errors import RangeNotSatisfiable, VersionNotReady
from argosy.registry.models import Model, ModelVersion

_RANGE = re.compile(r"^bytes=(\d{0,19})-(\d{0,19})$")


class ArtifactKind(StrEnum):
    """Which file of a version."""

    ONNX = "onnx"
    SOURCE = "source"
    TOKENIZER = "tokenizer"


async def download(
    store: ArtifactStore, model: Model, version: ModelVersion, kind: ArtifactKind, byte_range: str | None
) -> Response:
    """Return a response that streams an artifact, or the asked range of it.

    Raises `VersionNotReady` when there is no such artifact yet, `RangeNotSatisfiable` for a range outside of it.
    """
    digest, suffix = {
        ArtifactKind.ONNX: (version.onnx_digest, "onnx"),
        ArtifactKind.SOURCE: (version.source_digest, version.source_format.value),
        ArtifactKind.TOKENIZER: (version.tokenizer_digest, "tokenizer.json"),
    }[kind]
    if digest is None:
        raise VersionNotReady(f"version {version.number} has no {kind} artifact; it is {version.status}")
    size = await store.size(digest)
    start, end = parse_range(byte_range, size) or (0, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "Content-Disposition": f'attachment; filename="{model.name}-{version.number}.{suffix}"',
        "ETag": f'"{digest}"',
    }
    partial = byte_range is not None and (start, end) != (0, size)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(
        store.read(digest, start, end),
        status_code=206 if partial else 200,
        media_type="application/octet-stream",
        headers=headers,
    )


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the half-open range of bytes that a Range header asks for, or None for the whole.

    A header that is not one plain byte range is ignored, as the RFC has it.
    """
    match = _RANGE.match(header.strip()) if header else None
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    else:
        start, end = max(size - int(last), 0), size
    if start >= end:
        raise RangeNotSatisfiable(f"the artifact has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    return start, end
