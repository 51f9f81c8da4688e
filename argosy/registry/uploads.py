"""Receiving the multipart upload of a version: bounded, typed, and kept before anything is registered.

The parts go to disk while they arrive, then into the artifact store; no database session is open meanwhile.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException

from argosy.conversion.formats import HEAD_BYTES, Format, detect, refusal
from argosy.engines.storage.base import ArtifactStore, Stored
from argosy.kit.errors import BadRequest, Invalid, UnsupportedMediaType, invalid
from argosy.kit.web.problems import tidy
from argosy.kit.web.routing import parse_json
from argosy.registry.errors import DigestMismatch, FormatRefused
from argosy.registry.models import SourceFormat
from argosy.registry.schemas import VersionMetadata

MAX_PARTS = 8
MAX_FIELD = 2**20
MAX_SAMPLE = 64 * 2**20
MAX_TOKENIZER = 32 * 2**20
ACCEPTED = {Format.ONNX: SourceFormat.ONNX, Format.SKOPS: SourceFormat.SKOPS}


@dataclass(frozen=True, slots=True)
class Received:
    """An upload whose files are in the store."""

    format: SourceFormat
    artifact: Stored
    sample: Stored | None
    evidence: Stored | None
    tokenizer: Stored | None
    metadata: VersionMetadata

    @property
    def fingerprint(self) -> bytes:
        """What makes two uploads the same one."""
        parts = (self.artifact, self.sample, self.evidence, self.tokenizer)
        digests = [part.digest if part else "-" for part in parts]
        return "\n".join([*digests, self.metadata.model_dump_json()]).encode()


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise UnsupportedMediaType("send the version as multipart/form-data with the part 'artifact'")
    try:
        form = await request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=MAX_FIELD)
    except MultiPartException as error:
        raise BadRequest(f"the multipart body cannot be read: {error.message}") from error
    try:
        yield form
    finally:
        await form.close()


async def receive(request: Request, store: ArtifactStore) -> Received:
    """Read an upload into the store.

    Raises `FormatRefused` for a file the server does not take (pickle above all), `DigestMismatch`, or `Invalid` that
    names the part.
    """
    async with _form(request) as form:
        unknown = sorted(set(form) - {"artifact", "sample", "evidence", "tokenizer", "metadata"})
        if unknown:
            raise invalid(["body", unknown[0][:100]], "the upload has no such part", "extra_forbidden")
        metadata = await _metadata(form)
        artifact = form.get("artifact")
        if not isinstance(artifact, UploadFile):
            raise invalid(["body", "artifact"], "send the model as a file in the part 'artifact'", "missing")
        source_format = await _format(artifact)
        stored = await store.put(artifact.file)
        if metadata.sha256 is not None and metadata.sha256 != stored.digest:
            raise DigestMismatch("the artifact's SHA-256 is not the one announced", sha256=stored.digest)
        return Received(
            format=source_format,
            artifact=stored,
            sample=await _store_part(form, "sample", store),
            evidence=await _store_part(form, "evidence", store),
            tokenizer=await _store_part(form, "tokenizer", store, MAX_TOKENIZER),
            metadata=metadata,
        )


async def _format(artifact: UploadFile) -> SourceFormat:
    head = await artifact.read(HEAD_BYTES)
    await artifact.seek(0)
    if not head:
        raise invalid(["body", "artifact"], "the file is empty", "empty_file")
    found = detect(artifact.file)
    if found not in ACCEPTED:
        reason, advice = refusal(found)
        raise FormatRefused(reason, format=found.value, advice=advice)
    return ACCEPTED[found]


async def _metadata(form: FormData) -> VersionMetadata:
    raw = form.get("metadata", "{}")
    content = await raw.read(MAX_FIELD + 1) if isinstance(raw, UploadFile) else raw.encode()
    if len(content) > MAX_FIELD:
        raise invalid(["body", "metadata"], f"may have at most {MAX_FIELD} bytes", "too_long")
    try:
        return VersionMetadata.model_validate(parse_json(content))
    except ValidationError as error:
        items = tidy(error.errors())
        for item in items:
            item["loc"] = ["body", "metadata", *item["loc"]]
        raise Invalid(errors=items) from error


async def _store_part(form: FormData, name: str, store: ArtifactStore, limit: int = MAX_SAMPLE) -> Stored | None:
    part = form.get(name)
    if part is None:
        return None
    file: BinaryIO = part.file if isinstance(part, UploadFile) else BytesIO(part.encode())
    size = file.seek(0, 2)
    if size > limit:
        raise invalid(["body", name], f"may have at most {limit} bytes", "too_long")
    return await store.put(file)
