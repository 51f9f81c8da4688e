"""The job that explains a model: on a thread and a session of its own, so that predictions do not wait for it."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from pydantic_core import to_json

from argosy.engines.storage.base import ArtifactStore
from argosy.explanations import importance, results, shapley
from argosy.explanations.plan import Limits, Plan, make_plan
from argosy.explanations.results import Result
from argosy.explanations.schemas import ExplanationCreate, Method
from argosy.explanations.subject import Features, Subject, Watch
from argosy.jobs.errors import JobCancelled, JobFailed
from argosy.jobs.models import ContentRole, JobContent
from argosy.jobs.worker import JobHandler, JobRun
from argosy.kit.clock import today
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.errors import Invalid
from argosy.kit.principal import PrincipalKind
from argosy.registry.models import VersionStatus
from argosy.registry.service import ModelReader
from argosy.registry.versions import VersionReader
from argosy.serving.runtime import Runtime
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.compiled import CompiledSignature
from argosy.signature.spec import Task
from argosy.usage.journal import Entry
from argosy.usage.service import Meter

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one explanation may take: its limits, and seconds that the model may take for one piece."""

    limits: Limits
    timeout: float


class Explainer:
    """Runs the job `explanation`."""

    def __init__(
        self, database: Database, store: ArtifactStore, serving: ServingService, meter: Meter, bounds: Bounds
    ) -> None:
        self._database = database
        self._store = store
        self._serving = serving
        self._meter = meter
        self._bounds = bounds

    @property
    def handler(self) -> JobHandler:
        """The job's handler."""
        return JobHandler(self.run, self.failed, apart=True)

    async def run(self, run: JobRun) -> None:
        """Explain, and keep the result; the model's runs are metered as one call of as many rows."""
        target = await self._target(run)
        signature = await self._serving.signature(target)
        request = ExplanationCreate.model_validate_json(await run.content())
        watch = Watch()
        runtime = await self._serving.open(target)

        def work() -> bytes:
            plan = _planned(signature, request, self._bounds.limits)
            return to_json(_explained(runtime, signature, target, plan, watch), inf_nan_mode="null")

        try:
            content = await self._watched(run, watch, asyncio.create_task(asyncio.to_thread(work)))
        finally:
            await asyncio.to_thread(runtime.close)
        async with run.finish() as session:
            session.add(
                JobContent(organization_id=run.organization_id, job_id=run.id, role=ContentRole.RESULT, content=content)
            )
        self._meter.record(_entry(run, target, watch.rows))

    async def failed(self, session: WriteSession, run: JobRun, reason: str) -> None:
        """Do nothing: the job itself tells what went wrong."""

    async def _target(self, run: JobRun) -> Target:
        """Return the version, if the caller's organization may still see it."""
        async with self._database.read() as session:
            version = await VersionReader(session).versions.get(UUID(run.payload["version_id"]))
            if version is None or version.status is not VersionStatus.READY:
                raise JobFailed("the version is gone")
            if not await ModelReader(session).models.is_visible(version.model_id, run.organization_id):
                raise JobFailed("the model is not for this organization any more")
            return Target.of(run.payload["full_name"], version)

    async def _watched(self, run: JobRun, watch: Watch, working: asyncio.Task[bytes]) -> bytes:
        """Note how far the thread is, twice a second, and stop it when the job is to stop or the model hangs."""
        try:
            while not working.done():
                await asyncio.wait({working}, timeout=LOOK_SECONDS)
                await run.progress(watch.rows, watch.total)
                if time.monotonic() - watch.began > self._bounds.timeout:
                    raise JobFailed(f"the model took longer than {self._bounds.timeout:g} s for one piece")
            return working.result()
        except InterruptedError as error:
            raise JobCancelled from error
        finally:
            watch.stop()


def _planned(signature: CompiledSignature, request: ExplanationCreate, limits: Limits) -> Plan:
    try:
        return make_plan(signature, request, limits)
    except Invalid as error:
        # It was valid when it was asked for: an owner has changed the constraints of the version since.
        raise JobFailed(f"the rows do not fit the model any more: {error.errors[0]['msg']}") from error


def _explained(runtime: Runtime, signature: CompiledSignature, target: Target, plan: Plan, watch: Watch) -> Result:
    subject, features, request = Subject(runtime, signature, watch), Features(signature), plan.request
    watch.total = plan.runs
    if request.method is Method.SHAP:
        found = shapley.explain(subject, features, plan.batch, plan.background, request.repeats, request.seed)
        return results.shap(target, plan, features.names, found)
    if request.labels is None:
        name, score = "change", importance.change(subject, plan.batch)
    elif signature.signature.task is Task.CLASSIFICATION:
        name, score = "accuracy", importance.accuracy(subject, request.labels)
    else:
        name, score = "r2", importance.r2(subject, request.labels)
    measured = importance.measure(score, features, plan.batch, request.repeats, request.seed)
    return results.permutation(target, plan, features.names, name, measured)


def _entry(run: JobRun, target: Target, rows: int) -> bytes:
    return Entry(
        day=today(),
        organization_id=run.organization_id,
        principal_kind=PrincipalKind(run.payload["principal_kind"]),
        principal_id=UUID(run.payload["principal_id"]),
        model_id=target.model_id,
        model=target.model,
        version=target.number,
        rows=rows,
    ).line()
