"""The flow of a push: prepare, make the model, upload, wait for the verdict."""

import time

from argosy.client import registry, results
from argosy.client.base import CONFLICT, NOT_FOUND, BaseClient
from argosy.client.errors import ArgosyAPIError, PushFailed
from argosy.client.flows import Flow, Pause, Progress, Push, PushProgress, Work

POLL_SECONDS = 0.2


class PushingClient(BaseClient):
    """Adds pushing to the flows."""

    def _push(self, push: Push) -> Flow[results.Version]:
        push.progress(PushProgress("preparing"))
        upload = yield Work(push.prepare)
        full_name = yield from self._ensure_model(push.name, push.visibility)
        total = upload.size
        push.progress(PushProgress("uploading", 0, total))
        call = registry.create_version(
            full_name, upload, lambda done: push.progress(PushProgress("uploading", done, total))
        )
        version = yield from self._send(call)
        if not push.wait:
            return version
        return (yield from self._wait(full_name, version.version, 600.0, push.progress))

    def _ensure_model(self, name: str, visibility: str | None) -> Flow[str]:
        full_name = yield from self._full_name(name)
        try:
            model = yield from self._send(registry.get_model(full_name))
        except ArgosyAPIError as error:
            if error.status != NOT_FOUND:
                raise
            model = yield from self._make_model(full_name, visibility)
        if visibility is not None and model.visibility != visibility:
            model = yield from self._send(registry.update_model(full_name, {"visibility": visibility}))
        return full_name

    def _make_model(self, full_name: str, visibility: str | None) -> Flow[results.Model]:
        # In the organization that the name says, or not at all: never quietly in the caller's own.
        organization, _, short = full_name.partition("/")
        body = {"name": short, "visibility": visibility or "private"}
        try:
            return (yield from self._send(registry.create_model(body, organization)))
        except ArgosyAPIError as error:
            if error.status != CONFLICT:
                raise
        return (yield from self._send(registry.get_model(full_name)))

    def _wait(self, name: str, number: int, timeout: float, progress: Progress) -> Flow[results.Version]:
        full_name = yield from self._full_name(name)
        deadline = time.monotonic() + timeout
        while True:
            version = yield from self._send(registry.get_version(full_name, number))
            progress(PushProgress(version.status, version=version))
            if version.status == "failed":
                raise PushFailed(version)
            if version.is_settled:
                return version
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{full_name} version {number} is not settled after {timeout:.0f} s")
            yield Pause(POLL_SECONDS)
