"""The job that takes a version from upload to service: convert if needed, verify, then publish or fail it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter

from argosy.conversion.errors import Failure
from argosy.conversion.facts import Facts
from argosy.conversion.report import ParityReport
from argosy.engines.storage.base import ArtifactStore, Stored
from argosy.events.service import record
from argosy.jobs.errors import JobCancelled
from argosy.jobs.models import JobStatus
from argosy.jobs.worker import JobHandler, JobRun
from argosy.kit.db.session import Database, WriteSession
from argosy.registry.aliases import LIVE, AliasService
from argosy.registry.models import ModelVersion, SourceFormat, VersionStatus
from argosy.registry.sandbox import Sandbox, SandboxFailure
from argosy.registry.versions import VersionService
from argosy.signature.spec import Signature

STEPS = 4
MAX_RESULT = 256 * 2**20
Provenance = TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What verification found."""

    onnx: Stored
    evidence: Stored | None
    signature: Signature
    parity: ParityReport
    facts: Facts | None
    provenance: dict[str, str]


class Registrar:
    """Runs the job `register_version`."""

    def __init__(self, database: Database, store: ArtifactStore, sandbox: Sandbox, scratch: Path) -> None:
        self._database = database
        self._store = store
        self._sandbox = sandbox
        self._scratch = scratch

    @property
    def handler(self) -> JobHandler:
        """The job's handler."""
        return JobHandler(self.run, self.failed)

    async def run(self, run: JobRun) -> None:
        """Convert, verify, and end the version as ready or failed."""
        version = await self._begin(run)
        if version is None:
            async with run.finish(JobStatus.CANCELLED, "the model was deleted"):
                return
        try:
            async with self._folder() as folder:
                outcome = await self._work(run, version, folder)
        except SandboxFailure as error:
            async with run.finish(JobStatus.FAILED, error.failure.reason) as session:
                await self._fail(session, run, error.failure)
            return
        except InterruptedError as error:
            await run.hold()
            raise JobCancelled from error
        await self._end(run, outcome)

    async def failed(self, session: WriteSession, run: JobRun, reason: str) -> None:
        """Fail the version when the job itself failed or was cancelled."""
        advice = "push it again; if it fails again, the server's log has the details"
        await self._fail(session, run, Failure(code="job-failed", reason=reason, advice=advice))

    async def _begin(self, run: JobRun) -> ModelVersion | None:
        async with self._database.write() as session:
            service = VersionService(session)
            version = await service.get_for_job(UUID(run.payload["version_id"]))
            if version is not None:
                service.advance(version, VersionStatus.CONVERTING)
            return version

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _work(self, run: JobRun, version: ModelVersion, folder: Path) -> Outcome:
        await run.progress(0, STEPS)
        await self._lay_out(version, folder)
        if "embedding" in run.payload:
            (folder / "embedding.json").write_text(run.payload["embedding"])
        await run.progress(1, STEPS)
        if version.source_format is SourceFormat.SKOPS:
            await self._sandbox.run("convert", folder, run.stopping)
        await run.progress(2, STEPS)
        await self._sandbox.run("verify", folder, run.stopping)
        await run.progress(3, STEPS)
        return await self._collect(version, folder)

    async def _lay_out(self, version: ModelVersion, folder: Path) -> None:
        source = "model.onnx" if version.source_format is SourceFormat.ONNX else "source"
        files = {
            source: version.source_digest,
            "sample": version.sample_digest,
            "evidence.json": version.evidence_digest,
            "tokenizer.json": version.tokenizer_digest,
        }
        for name, digest in files.items():
            if digest is not None:
                # A copy, never a link: the process that reads it could write through a link into the store.
                await asyncio.to_thread(shutil.copyfile, await self._store.fetch(digest), folder / name)
        if version.signature is not None:
            signature = Signature.model_validate(version.signature)
            (folder / "signature.json").write_text(signature.model_dump_json())

    async def _collect(self, version: ModelVersion, folder: Path) -> Outcome:
        signature = Signature.model_validate_json(_read(folder / "signature.json"))
        parity = ParityReport.model_validate_json(_read(folder / "report.json"))
        evidence = folder / "evidence.json"
        provenance, facts = folder / "provenance.json", folder / "facts.json"
        return Outcome(
            onnx=await self._put(folder / "model.onnx"),
            evidence=await self._put(evidence) if evidence.exists() else None,
            signature=signature,
            parity=parity,
            facts=Facts.model_validate_json(_read(facts)) if facts.exists() else None,
            provenance=Provenance.validate_json(_read(provenance)) if provenance.exists() else version.provenance,
        )

    async def _put(self, path: Path) -> Stored:
        with path.open("rb") as file:
            return await self._store.put(file)

    async def _end(self, run: JobRun, outcome: Outcome) -> None:
        parity = outcome.parity
        status = JobStatus.SUCCEEDED if parity.passed else JobStatus.FAILED
        async with run.finish(status, None if parity.passed else parity.reason) as session:
            version = await VersionService(session).get_for_job(UUID(run.payload["version_id"]))
            if version is None:
                return
            version.onnx_digest, version.onnx_size = outcome.onnx.digest, outcome.onnx.size
            version.evidence_digest = outcome.evidence.digest if outcome.evidence else None
            version.signature = outcome.signature.model_dump(mode="json")
            version.parity = parity.model_dump(mode="json")
            version.facts = outcome.facts.model_dump(mode="json") if outcome.facts else None
            version.provenance = outcome.provenance
            if parity.passed:
                await self._publish(session, run, version)
            else:
                reason = parity.reason or "the ONNX model does not answer as the original does"
                await self._fail(session, run, Failure(code="parity", reason=reason, advice=parity.advice))

    async def _publish(self, session: WriteSession, run: JobRun, version: ModelVersion) -> None:
        VersionService(session).advance(version, VersionStatus.READY)
        await session.flush()
        full_name = run.payload["full_name"]
        aliases = AliasService(session)
        wanted = version.alias
        if wanted is None and not await aliases.aliases.by_name(version.model_id, LIVE):
            wanted = LIVE
        if wanted is not None:
            await aliases.point(full_name, wanted, version, version.created_by)
        record(session, "version.ready", f"{full_name}/{version.number}", version.organization_id)

    async def _fail(self, session: WriteSession, run: JobRun, failure: Failure) -> None:
        service = VersionService(session)
        version = await service.get_for_job(UUID(run.payload["version_id"]))
        if version is None or version.status in {VersionStatus.READY, VersionStatus.FAILED}:
            return
        service.advance(version, VersionStatus.FAILED, failure)
        await session.flush()
        full_name = run.payload["full_name"]
        record(
            session, "version.failed", f"{full_name}/{version.number}", version.organization_id, reason=failure.reason
        )


def _read(path: Path) -> bytes:
    """Read what the isolated process wrote, which is as trustworthy as the upload."""
    if path.is_symlink() or path.stat().st_size > MAX_RESULT:
        raise SandboxFailure(Failure(code="limit-exceeded", reason=f"{path.name} is too large"))
    return path.read_bytes()
