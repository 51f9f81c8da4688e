"""From what a caller names to the version that answers: by number, by alias, or as the model is deployed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from argosy.deployments.models import Deployment
from argosy.deployments.schemas import Backend as BackendFields
from argosy.deployments.schemas import Batching, Pointer, Policy, Share
from argosy.deployments.schemas import Shadow as ShadowRule
from argosy.deployments.service import DeploymentReader, headers_of
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import Database, ReadSession
from argosy.kit.db.tenancy import Actor
from argosy.kit.errors import invalid
from argosy.kit.principal import Principal
from argosy.registry.aliases import LIVE, AliasReader
from argosy.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound, VersionNotReady
from argosy.registry.models import Model, ModelVersion
from argosy.registry.service import ModelReader
from argosy.registry.versions import VersionReader
from argosy.serving.errors import NoLiveVersion
from argosy.serving.grants import Grants
from argosy.serving.target import Backend, BatchingPolicy, Shadow, Target

LIVE_ONLY = (Share(alias=LIVE),)


@dataclass(frozen=True, slots=True)
class Offered:
    """A model that a caller is granted: what answers, by which alias, and what its owner says of it."""

    target: Target
    alias: str
    description: str | None


class Routes:
    """Finds targets."""

    def __init__(self, database: Database, keys: KeyRing, grants: Grants) -> None:
        self._database = database
        self._keys = keys
        self._grants = grants

    async def resolve(
        self,
        principal: Principal,
        org: str,
        name: str,
        version: int | None,
        alias: str | None,
        session_id: str | None = None,
    ) -> Target:
        """Return the version that answers: by number, by alias, or the one that a caller, or a session, stays with.

        Raises `ModelNotFound`, `VersionNotFound`, `VersionNotReady`, `AliasNotFound` or `NoLiveVersion`.
        """
        if version is not None and alias is not None:
            raise invalid(["query", "alias"], "give a version or an alias, not both")
        who = session_id or str(principal.id)
        try:
            async with self._database.read(Actor.of(principal)) as session:
                model = await ModelReader(session).get(principal, org, name)
                return await self._answering(session, model, version, alias, who)
        except ModelNotFound:
            if version is not None:
                raise
        return await self._granted(principal, org, name, alias, who)

    async def _granted(self, principal: Principal, org: str, name: str, alias: str | None, who: str) -> Target:
        """Return what answers a caller who may not see the model, and was granted this alias of it."""
        async with self._database.read() as session:
            grant = await self._grants.find(session, principal, org, name, alias or LIVE)
            model = await ModelReader(session).find(f"{org}/{name}") if grant is not None else None
            if model is None:
                raise ModelNotFound
            return replace(await self._answering(session, model, None, alias, who), grant=grant)

    async def granted(self, principal: Principal) -> Sequence[Offered]:
        """Return what answers a caller of the models that it may not see, and was granted."""
        offered = []
        async with self._database.read() as session:
            for covered in await self._grants.covered(session, principal):
                model = await ModelReader(session).by_id(covered.model_id)
                try:
                    found = await _find(session, model, Pointer(alias=covered.alias)) if model else None
                except (AliasNotFound, VersionNotReady):
                    continue
                if model is not None and found is not None:
                    offered.append(Offered(Target.of(model.full_name, found), covered.alias, model.description))
        return offered

    async def _answering(
        self, session: ReadSession, model: Model, version: int | None, alias: str | None, who: str
    ) -> Target:
        deployment = await DeploymentReader(session).get(model)
        if version is not None or alias is not None:
            found = await _find(session, model, Pointer(version=version, alias=alias))
            return self._target(model, found, deployment)
        shares = [Share.model_validate(share) for share in deployment.traffic] if deployment else LIVE_ONLY
        share = chosen(shares, model.id, who)
        try:
            found = await _find(session, model, share)
        except AliasNotFound as error:
            raise NoLiveVersion(f"{model.full_name} has no version with the alias {share.alias!r}") from error
        return self._target(model, found, deployment, await self._shadow(session, model, found, deployment))

    async def deployed(self, session: ReadSession, full_name: str) -> Sequence[Target]:
        """Return every version that a model's traffic goes to, and the shadow; for the system."""
        model = await ModelReader(session).find(full_name)
        if model is None:
            return []
        deployment = await DeploymentReader(session).get(model)
        pointers: list[Pointer] = [Share.model_validate(share) for share in deployment.traffic] if deployment else []
        if deployment and deployment.shadow:
            pointers.append(ShadowRule.model_validate(deployment.shadow))
        targets = []
        for pointer in pointers or LIVE_ONLY:
            try:
                targets.append(self._target(model, await _find(session, model, pointer), deployment))
            except (AliasNotFound, VersionNotFound, VersionNotReady):
                continue
        return targets

    async def _shadow(
        self, session: ReadSession, model: Model, answers: ModelVersion, deployment: Deployment | None
    ) -> Shadow | None:
        if deployment is None or deployment.shadow is None:
            return None
        rule = ShadowRule.model_validate(deployment.shadow)
        try:
            found = await _find(session, model, rule)
        except (AliasNotFound, VersionNotFound, VersionNotReady):
            return None  # what is only tried must not fail a call
        # A shadow runs here, whatever answers: trying a version must not need another server.
        target = Target.of(model.full_name, found, policy=_policy(deployment, found.number))
        return Shadow(target, rule.sample_rate) if found.id != answers.id else None

    def _target(
        self, model: Model, found: ModelVersion, deployment: Deployment | None, shadow: Shadow | None = None
    ) -> Target:
        if deployment is None:
            return Target.of(model.full_name, found)
        backend, policy = self._backend(deployment), _policy(deployment, found.number)
        return Target.of(model.full_name, found, backend=backend, policy=policy, shadow=shadow)

    def _backend(self, deployment: Deployment) -> Backend | None:
        if deployment.backend is None:
            return None
        fields = BackendFields.model_validate(deployment.backend)
        return Backend(
            url=fields.url.rstrip("/"),
            model=fields.model,
            version=fields.version,
            headers=tuple(sorted(headers_of(deployment, self._keys).items())),
            binary=fields.binary,
            timeout=fields.timeout_ms / 1000,
            retries=fields.retries,
            connections=fields.connections,
        )


def chosen(shares: Sequence[Share], model_id: UUID, who: str) -> Share:
    """Return the share of a caller or a session: always the same, unless the shares change, and then of few.

    Each stands at a point of its own between 0 and 1, and shares take what lies before their end, in their order.
    """
    digest = hashlib.blake2b(model_id.bytes + who.encode(), digest_size=8).digest()
    left = int.from_bytes(digest, "big") / 2**64 * sum(share.weight for share in shares)
    for share in shares:
        left -= share.weight
        if left < 0:
            return share
    return next(share for share in reversed(shares) if share.weight)  # rounding


async def _find(session: ReadSession, model: Model, pointer: Pointer) -> ModelVersion:
    if pointer.version is not None:
        return await VersionReader(session).get_ready(model, pointer.version)
    return (await AliasReader(session).get(model, pointer.alias or LIVE)).version


def _policy(deployment: Deployment, number: int) -> BatchingPolicy:
    batching = Batching.model_validate(deployment.batching)
    own = batching.versions.get(number, Policy())
    rows = batching.max_rows if own.max_rows is None else own.max_rows
    wait = batching.max_wait_ms if own.max_wait_ms is None else own.max_wait_ms
    return BatchingPolicy(rows, None if wait is None else wait / 1000)
