"""What a client does about the credentials of organizations, and the audit log of what was done with them."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

from argosy.client import organizations, results
from argosy.client.requests import given, text
from argosy.client.running import AsyncRunner, Runner

HOUR = 3600


class CredentialMethods(Runner):
    """API keys, OAuth2 clients and the audit log; without `organization` it is the caller's."""

    def api_keys(self, *, organization: str | None = None) -> Iterator[results.ApiKey]:
        """List the organization's API keys."""
        return self._each(self._list_in(organization, results.ApiKey, "api-keys"))

    def create_api_key(
        self,
        name: str,
        scopes: list[str],
        expires_at: str | None = None,
        *,
        models: list[str] | None = None,
        networks: list[str] | None = None,
        organization: str | None = None,
    ) -> results.ApiKey:
        """Make an API key; its secret is `key` of the result, and nowhere else.

        `models` are the full names it may be used for, `networks` the addresses it may be used from; all if left out.
        """
        body = given(name=name, scopes=scopes, expires_at=expires_at, models=models, networks=networks)
        return self._run(self._in(organization, organizations.create_key, body))

    def rotate_api_key(
        self, key_id: object, *, overlap_seconds: int = HOUR, organization: str | None = None
    ) -> results.ApiKey:
        """Give an API key a new secret; the former one is good for `overlap_seconds` still."""
        body = {"overlap_seconds": overlap_seconds}
        return self._run(self._in(organization, organizations.rotate_key, key_id, body))

    def revoke_api_key(self, key_id: object, *, organization: str | None = None) -> None:
        """Revoke an API key, at once."""
        self._run(self._in(organization, organizations.revoke_key, key_id))

    def clients(self, *, organization: str | None = None) -> Iterator[results.OAuthClient]:
        """List the organization's OAuth2 clients."""
        return self._each(self._list_in(organization, results.OAuthClient, "clients"))

    def create_client(
        self,
        name: str,
        scopes: list[str],
        redirect_uris: list[str] | None = None,
        *,
        organization: str | None = None,
    ) -> results.OAuthClient:
        """Make an OAuth2 client; its secret is `client_secret` of the result, and nowhere else."""
        body = given(name=name, scopes=scopes, redirect_uris=redirect_uris)
        return self._run(self._in(organization, organizations.create_client, body))

    def rotate_client(
        self, client_id: str, *, overlap_seconds: int = HOUR, organization: str | None = None
    ) -> results.OAuthClient:
        """Give an OAuth2 client a new secret; the former one is good for `overlap_seconds` still."""
        body = {"overlap_seconds": overlap_seconds}
        return self._run(self._in(organization, organizations.rotate_client, client_id, body))

    def revoke_client(self, client_id: str, *, organization: str | None = None) -> None:
        """Revoke an OAuth2 client with all it was given, at once."""
        self._run(self._in(organization, organizations.revoke_client, client_id))

    def audit(
        self,
        *,
        action: str | None = None,
        actor_id: object = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        organization: str | None = None,
    ) -> Iterator[results.AuditEntry]:
        """Show what happened in the organization, newest first; `until` is exclusive."""
        only = given(action=action, actor_id=text(actor_id), since=text(since), until=text(until))
        return self._each(self._list_in(organization, results.AuditEntry, "audit", **only))

    def verify_audit(self, *, organization: str | None = None) -> results.AuditVerification:
        """Check that no entry of the organization's log was changed, removed or moved."""
        return self._run(self._in(organization, organizations.verify_audit))

    def export_audit(self, path: str | Path, *, organization: str | None = None) -> Path:
        """Save the organization's log as JSON lines, whole or not at all."""
        return self._run(self._in(organization, organizations.export_audit, Path(path)))

    def platform_audit(
        self,
        *,
        action: str | None = None,
        actor_id: object = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> Iterator[results.AuditEntry]:
        """Show what happened outside of organizations, newest first; for administrators."""
        only = given(action=action, actor_id=text(actor_id), since=text(since), until=text(until))
        return self._each(self._list("/audit", results.AuditEntry, **only))

    def verify_platform_audit(self) -> results.AuditVerification:
        """Check the platform's log; for administrators."""
        return self.send(organizations.verify_platform_audit())


class AsyncCredentialMethods(AsyncRunner):
    """API keys, OAuth2 clients and the audit log; without `organization` it is the caller's."""

    def api_keys(self, *, organization: str | None = None) -> AsyncIterator[results.ApiKey]:
        """List the organization's API keys."""
        return self._each(self._list_in(organization, results.ApiKey, "api-keys"))

    async def create_api_key(
        self,
        name: str,
        scopes: list[str],
        expires_at: str | None = None,
        *,
        models: list[str] | None = None,
        networks: list[str] | None = None,
        organization: str | None = None,
    ) -> results.ApiKey:
        """Make an API key; its secret is `key` of the result, and nowhere else.

        `models` are the full names it may be used for, `networks` the addresses it may be used from; all if left out.
        """
        body = given(name=name, scopes=scopes, expires_at=expires_at, models=models, networks=networks)
        return await self._run(self._in(organization, organizations.create_key, body))

    async def rotate_api_key(
        self, key_id: object, *, overlap_seconds: int = HOUR, organization: str | None = None
    ) -> results.ApiKey:
        """Give an API key a new secret; the former one is good for `overlap_seconds` still."""
        body = {"overlap_seconds": overlap_seconds}
        return await self._run(self._in(organization, organizations.rotate_key, key_id, body))

    async def revoke_api_key(self, key_id: object, *, organization: str | None = None) -> None:
        """Revoke an API key, at once."""
        await self._run(self._in(organization, organizations.revoke_key, key_id))

    def clients(self, *, organization: str | None = None) -> AsyncIterator[results.OAuthClient]:
        """List the organization's OAuth2 clients."""
        return self._each(self._list_in(organization, results.OAuthClient, "clients"))

    async def create_client(
        self,
        name: str,
        scopes: list[str],
        redirect_uris: list[str] | None = None,
        *,
        organization: str | None = None,
    ) -> results.OAuthClient:
        """Make an OAuth2 client; its secret is `client_secret` of the result, and nowhere else."""
        body = given(name=name, scopes=scopes, redirect_uris=redirect_uris)
        return await self._run(self._in(organization, organizations.create_client, body))

    async def rotate_client(
        self, client_id: str, *, overlap_seconds: int = HOUR, organization: str | None = None
    ) -> results.OAuthClient:
        """Give an OAuth2 client a new secret; the former one is good for `overlap_seconds` still."""
        body = {"overlap_seconds": overlap_seconds}
        return await self._run(self._in(organization, organizations.rotate_client, client_id, body))

    async def revoke_client(self, client_id: str, *, organization: str | None = None) -> None:
        """Revoke an OAuth2 client with all it was given, at once."""
        await self._run(self._in(organization, organizations.revoke_client, client_id))

    def audit(
        self,
        *,
        action: str | None = None,
        actor_id: object = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        organization: str | None = None,
    ) -> AsyncIterator[results.AuditEntry]:
        """Show what happened in the organization, newest first; `until` is exclusive."""
        only = given(action=action, actor_id=text(actor_id), since=text(since), until=text(until))
        return self._each(self._list_in(organization, results.AuditEntry, "audit", **only))

    async def verify_audit(self, *, organization: str | None = None) -> results.AuditVerification:
        """Check that no entry of the organization's log was changed, removed or moved."""
        return await self._run(self._in(organization, organizations.verify_audit))

    async def export_audit(self, path: str | Path, *, organization: str | None = None) -> Path:
        """Save the organization's log as JSON lines, whole or not at all."""
        return await self._run(self._in(organization, organizations.export_audit, Path(path)))

    def platform_audit(
        self,
        *,
        action: str | None = None,
        actor_id: object = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> AsyncIterator[results.AuditEntry]:
        """Show what happened outside of organizations, newest first; for administrators."""
        only = given(action=action, actor_id=text(actor_id), since=text(since), until=text(until))
        return self._each(self._list("/audit", results.AuditEntry, **only))

    async def verify_platform_audit(self) -> results.AuditVerification:
        """Check the platform's log; for administrators."""
        return await self.send(organizations.verify_platform_audit())
