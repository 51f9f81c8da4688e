"""Decisions about versions."""

import asyncio
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from argosy.conversion.errors import Failure
from argosy.events.service import record
from argosy.jobs.service import JobService
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import Invalid, invalid
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.kit.web.problems import tidy
from argosy.registry.errors import SignatureNotDerived, VersionNotFound, VersionNotReady
from argosy.registry.models import VERSION_TRANSITIONS, Model, ModelVersion, VersionStatus
from argosy.registry.repository import ModelRepository, VersionRepository
from argosy.registry.schemas import Comparison, FeatureUpdate, SignatureRead, VersionUpdate
from argosy.registry.uploads import Received
from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import Signature

JOB_KIND = "register_version"


class VersionReader:
    """Looks versions up."""

    def __init__(self, session: ReadSession) -> None:
        self.versions = VersionRepository(session)

    async def get(self, model: Model, number: int) -> ModelVersion:
        """Return a version of a model; raises `VersionNotFound`."""
        version = await self.versions.by_number(model.id, number)
        if version is None:
            raise VersionNotFound(f"{model.full_name} has no version {number}", version=number)
        return version

    async def get_ready(self, model: Model, number: int) -> ModelVersion:
        """Return a version that can serve; raises `VersionNotFound` or `VersionNotReady`."""
        version = await self.get(model, number)
        if version.status is not VersionStatus.READY:
            raise VersionNotReady(
                f"version {number} is {version.status}", version=number, version_status=version.status.value
            )
        return version

    async def list(
        self, model: Model, query: PageQuery, sort: str, status: VersionStatus | None
    ) -> Listing[ModelVersion]:
        """Return the versions of a model."""
        statement = self.versions.of(model.id)
        if status is not None:
            statement = statement.where(ModelVersion.status == status)
        return await self.versions.page(statement, query, sort)

    async def signature(self, model: Model, number: int) -> SignatureRead:
        """Return a version's signature with its JSON Schema; raises `SignatureNotDerived` before there is one."""
        version = await self.get(model, number)
        if version.signature is None:
            raise SignatureNotDerived(f"version {number} is {version.status}")
        signature = Signature.model_validate(version.signature)
        # Thousands of features take seconds to compile: not on the event loop.
        compiled = await asyncio.to_thread(CompiledSignature, signature)
        return SignatureRead(
            model=model.full_name, version=number, signature=signature, json_schema=compiled.json_schema()
        )

    async def compare(self, model: Model, a: int, b: int) -> Comparison:
        """Return what differs between two versions."""
        first, second = await self.get(model, a), await self.get(model, b)
        return Comparison(
            a=a,
            b=b,
            parameters=_differences(first.parameters, second.parameters),
            metrics=_differences(first.metrics, second.metrics),
            inputs=_differences(_features(first), _features(second)),
        )


class VersionService(VersionReader):
    """Makes and changes versions."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def create(self, principal: Principal, model: Model, received: Received) -> ModelVersion:
        """Make the next version from what was received, and queue the job that converts and verifies it."""
        metadata = received.metadata
        number = await ModelRepository(self._session).next_number(model.id)
        version = await self.versions.add(
            ModelVersion(
                organization_id=model.organization_id,
                model_id=model.id,
                number=number,
                source_format=received.format,
                source_digest=received.artifact.digest,
                source_size=received.artifact.size,
                sample_digest=received.sample.digest if received.sample else None,
                evidence_digest=received.evidence.digest if received.evidence else None,
                tokenizer_digest=received.tokenizer.digest if received.tokenizer else None,
                tokenizer_size=received.tokenizer.size if received.tokenizer else None,
                signature=metadata.signature.model_dump(mode="json") if metadata.signature else None,
                parameters=metadata.parameters,
                metrics=metadata.metrics,
                provenance=metadata.provenance,
                training_date=metadata.training_date,
                description=metadata.description,
                tags=metadata.tags,
                alias=metadata.alias,
                created_by=principal.id,
            )
        )
        result_url = f"/api/v1/models/{model.full_name}/versions/{number}"
        payload = {"version_id": str(version.id), "full_name": model.full_name, "result_url": result_url}
        if metadata.embedding is not None:
            payload["embedding"] = metadata.embedding.model_dump_json()
        job = await JobService(self._session).enqueue(model.organization_id, JOB_KIND, payload)
        version.job_id = job.id
        await self._session.flush()
        record(self._session, "version.created", f"{model.full_name}/{number}", model.organization_id)
        return version

    async def update(
        self, model: Model, number: int, request: VersionUpdate, precondition: Precondition
    ) -> ModelVersion:
        """Change what is said about a version."""
        version = await self.get(model, number)
        precondition.check(version.revision)
        changes = request.model_dump(exclude_unset=True, exclude={"features"})
        for field, value in changes.items():
            if value is not None or field == "description":
                setattr(version, field, value)
        if request.features:
            version.signature = _edited(version, request.features)
        await self._session.flush()
        record(self._session, "version.updated", f"{model.full_name}/{number}", model.organization_id)
        return version

    def advance(self, version: ModelVersion, status: VersionStatus, failure: Failure | None = None) -> None:
        """Move a version along its states; raises `ValueError` for a move that the table does not have."""
        if status not in VERSION_TRANSITIONS[version.status]:
            raise ValueError(f"a version cannot go from {version.status} to {status}")
        version.status = status
        version.error = failure.model_dump() if failure else None

    async def get_for_job(self, version_id: UUID) -> ModelVersion | None:
        """Return a version by id, for the job that works on it; None when it was deleted meanwhile."""
        return await self.versions.get(version_id)


def _edited(version: ModelVersion, updates: dict[str, FeatureUpdate]) -> dict[str, Any]:
    """Return the signature with an owner's constraints and descriptions."""
    if version.signature is None:
        raise SignatureNotDerived(f"version {version.number} is {version.status}")
    features = {feature["name"]: feature for feature in version.signature["inputs"]}
    for name, update in updates.items():
        if name not in features:
            raise invalid(["body", "features", name[:100]], "the signature has no such feature", "unknown_feature")
        features[name] = features[name] | update.model_dump(mode="json", exclude_unset=True)
    try:
        edited = Signature.model_validate({**version.signature, "inputs": list(features.values())})
    except ValidationError as error:
        raise Invalid(errors=tidy(error.errors())) from error
    return edited.model_dump(mode="json")


def _features(version: ModelVersion) -> dict[str, Any]:
    signature = version.signature or {"inputs": []}
    described = ("dtype", "shape", "nullable", "enum", "minimum", "maximum")
    return {feature["name"]: {key: feature[key] for key in described} for feature in signature["inputs"]}


def _differences(first: dict[str, Any], second: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted(first.keys() | second.keys())
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}
