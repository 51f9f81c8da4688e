"""Decisions about OAuth2 clients: the identities of services."""

import hmac
import re
import secrets
from datetime import timedelta

from argosy.events.service import record
from argosy.identity.credential_repository import ClientRepository
from argosy.identity.errors import ClientNotFound, InvalidClient
from argosy.identity.keys import require_delegable
from argosy.identity.models import Client
from argosy.identity.repository import SessionRepository
from argosy.identity.schemas import ClientCreate, ClientCreated, ClientRead, Rotation
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token, new_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.organizations.service import OrganizationReader

CLIENT_PREFIX, SECRET_PREFIX = "cl_", "cs_"
_CLIENT_ID = re.compile(rf"{CLIENT_PREFIX}[0-9a-f]{{32}}")


def is_client_id(login: str) -> bool:
    """Tell a client's public id from a username."""
    return _CLIENT_ID.fullmatch(login) is not None


class ClientReader:
    """Looks clients up."""

    def __init__(self, session: ReadSession) -> None:
        self.clients = ClientRepository(session)
        self._organizations = OrganizationReader(session)

    async def list(self, principal: Principal, org: str, query: PageQuery, sort: str) -> Listing[Client]:
        """Return the clients of the caller's organization."""
        await self._organizations.get(principal, org)
        return await self.clients.page(self.clients.readable_by(principal), query, sort)

    async def authenticate(self, client_id: str, secret: str) -> tuple[Client, str]:
        """Return a client and its organization's slug; raises `InvalidClient`.

        The comparison is made for an unknown client too.
        """
        found = await self.clients.live(client_id)
        given = hash_token(secret)
        row = found[0] if found else None
        newest = hmac.compare_digest(row.secret_hash if row else "", given)
        former = hmac.compare_digest((row.former_hash if row else None) or "", given)
        overlapping = row is not None and row.former_until is not None and row.former_until > now()
        if found is None or not (newest or (former and overlapping)):
            raise InvalidClient("unknown client or wrong secret")
        return found


class ClientService(ClientReader):
    """Makes, rotates and revokes clients."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def create(self, principal: Principal, org: str, request: ClientCreate) -> ClientCreated:
        """Make a client; raises `ScopeNotHeld` when it would hold more than its maker."""
        await self._organizations.get(principal, org)
        require_delegable(principal, request.scopes)
        secret = new_token(SECRET_PREFIX)
        row = await self.clients.add(
            Client(
                organization_id=principal.organization_id,
                client_id=f"{CLIENT_PREFIX}{secrets.token_hex(16)}",
                name=request.name,
                secret_hash=hash_token(secret),
                scopes=sorted(set(request.scopes)),
                redirect_uris=[str(uri) for uri in request.redirect_uris],
                created_by=principal.user_id,
            )
        )
        record(self._session, "client.created", row.client_id, row.organization_id, name=row.name, scopes=[*row.scopes])
        return _shown(row, secret)

    async def rotate(self, principal: Principal, org: str, client_id: str, request: Rotation) -> ClientCreated:
        """Give a client a new secret; the former one is good for as long as asked. Raises `ClientNotFound`."""
        row = await self._mine(principal, org, client_id)
        secret = new_token(SECRET_PREFIX)
        row.former_hash, row.former_until = row.secret_hash, now() + timedelta(seconds=request.overlap_seconds)
        row.secret_hash = hash_token(secret)
        await self.clients.flush()
        record(self._session, "client.rotated", row.client_id, row.organization_id)
        return _shown(row, secret)

    async def revoke(self, principal: Principal, org: str, client_id: str) -> None:
        """End a client and all it was given, at once; raises `ClientNotFound`."""
        row = await self._mine(principal, org, client_id)
        row.revoked_at = row.revoked_at or now()
        await self.clients.flush()
        await SessionRepository(self._session).revoke_of_client(row.client_id)
        record(self._session, "client.revoked", row.client_id, row.organization_id)

    async def _mine(self, principal: Principal, org: str, client_id: str) -> Client:
        await self._organizations.get(principal, org)
        mine = self.clients.writable_by(principal).where(Client.client_id == client_id)
        row = await self.clients.one_or_none(mine.where(Client.revoked_at.is_(None)))
        if row is None:
            raise ClientNotFound
        return row


def _shown(row: Client, secret: str) -> ClientCreated:
    return ClientCreated(**ClientRead.model_validate(row).model_dump(), client_secret=secret)
