"""Decisions about deployments."""

import json
from collections.abc import Sequence

from argosy.deployments.models import Deployment, ShadowComparison
from argosy.deployments.repository import DeploymentRepository, ShadowRepository
from argosy.deployments.schemas import BackendRead, BackendSet, DeploymentRead, DeploymentSet, Pointer
from argosy.events.service import record
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import invalid
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.registry.aliases import AliasReader
from argosy.registry.errors import AliasNotFound, VersionNotFound, VersionNotReady
from argosy.registry.models import Model
from argosy.registry.versions import VersionReader

CHANGED = "deployment.changed"
PURPOSE = "deployment backends"


class DeploymentReader:
    """Tells how models are served."""

    def __init__(self, session: ReadSession) -> None:
        self.deployments = DeploymentRepository(session)
        self._shadows = ShadowRepository(session)

    async def get(self, model: Model) -> Deployment | None:
        """Return what is said of a model that the caller may see."""
        return await self.deployments.of(model.id)

    async def shadows(self, principal: Principal, model: Model) -> Sequence[ShadowComparison]:
        """Return what a model's shadows answered, newest day first."""
        return await self._shadows.of(principal, model.id)


class DeploymentService(DeploymentReader):
    """Changes how models are served."""

    def __init__(self, session: WriteSession, keys: KeyRing) -> None:
        super().__init__(session)
        self._session = session
        self._cipher = keys.cipher(PURPOSE)

    async def set(self, model: Model, request: DeploymentSet, precondition: Precondition) -> Deployment:
        """Say how a model is served; raises `Invalid` for a version that cannot serve, and `PreconditionFailed`.

        The address of a backend was checked before.
        """
        row = await self.deployments.of(model.id)
        precondition.check(row.revision if row else 0)
        for index, share in enumerate(request.traffic):
            await self._require(model, share, ["body", "traffic", index])
        if request.shadow is not None:
            await self._require(model, request.shadow, ["body", "shadow"])
        for number in request.batching.versions:
            await self._require(model, Pointer(version=number), ["body", "batching", "versions", number])
        if row is None:
            row = Deployment(organization_id=model.organization_id, model_id=model.id)
            self._fill(row, request)
            await self.deployments.add(row)
        else:
            self._fill(row, request)
            await self._session.flush()
        self._note(model)
        return row

    async def remove(self, model: Model, precondition: Precondition) -> None:
        """Serve a model as if nothing had ever been said of it; raises `PreconditionFailed`."""
        row = await self.deployments.of(model.id)
        precondition.check(row.revision if row else 0)
        if row is not None:
            await self.deployments.delete(row)
            self._note(model)

    def _fill(self, row: Deployment, request: DeploymentSet) -> None:
        row.traffic = [share.model_dump(exclude_none=True) for share in request.traffic]
        row.shadow = request.shadow.model_dump(exclude_none=True) if request.shadow else None
        row.batching = request.batching.model_dump(mode="json", exclude_none=True)
        row.credentials = self._kept(row, request.backend)
        row.backend = request.backend.model_dump(exclude={"headers"}) if request.backend else None

    def _kept(self, row: Deployment, backend: BackendSet | None) -> str | None:
        if backend is None:
            return None
        if backend.headers is None:
            # Credentials are for the server they were given for, and for no other.
            return row.credentials if row.backend is not None and row.backend["url"] == backend.url else None
        headers = {name: value.get_secret_value() for name, value in backend.headers.items()}
        return self._cipher.encrypt(json.dumps(headers).encode()).decode()

    async def _require(self, model: Model, pointer: Pointer, loc: list[str | int]) -> None:
        try:
            if pointer.version is not None:
                await VersionReader(self._session).get_ready(model, pointer.version)
            elif pointer.alias is not None:
                await AliasReader(self._session).get(model, pointer.alias)
        except (VersionNotFound, VersionNotReady, AliasNotFound) as error:
            raise invalid([*loc, "alias" if pointer.version is None else "version"], str(error)) from error

    def _note(self, model: Model) -> None:
        record(self._session, CHANGED, model.full_name, model.organization_id, model_id=str(model.id))


def shown(row: Deployment | None, keys: KeyRing) -> DeploymentRead:
    """Return the wire shape of a row, or of none; of secrets, the names."""
    if row is None:
        return DeploymentRead()
    read = DeploymentRead.model_validate(row)
    if row.backend is not None:
        names = sorted(headers_of(row, keys))
        read.backend = BackendRead.model_validate({**row.backend, "header_names": names})
    return read


def headers_of(row: Deployment, keys: KeyRing) -> dict[str, str]:
    """Return the headers that a backend wants."""
    if row.credentials is None:
        return {}
    headers: dict[str, str] = json.loads(keys.cipher(PURPOSE).decrypt(row.credentials.encode()))
    return headers
