"""Asking for explanations."""

from argosy.explanations.plan import Plan
from argosy.jobs.models import Job
from argosy.jobs.service import JobService
from argosy.kit.db.session import WriteSession
from argosy.kit.principal import Principal
from argosy.serving.target import Target

JOB_KIND = "explanation"


class ExplanationService:
    """Queues explanations."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session
        self._jobs = JobService(session)

    async def ask(self, principal: Principal, target: Target, plan: Plan) -> Job:
        """Queue the job of a plan, in the caller's organization."""
        payload = {
            "version_id": str(target.version_id),
            "full_name": target.model,
            "principal_kind": principal.kind.value,
            "principal_id": str(principal.id),
        }
        content = plan.request.model_dump_json().encode()
        job = await self._jobs.enqueue(principal.organization_id, JOB_KIND, payload, content)
        job.total = plan.runs
        job.payload = {**payload, "result_url": f"/api/v1/jobs/{job.id}/result"}
        await self._session.flush()
        return job
