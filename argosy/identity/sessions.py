"""Sign-ins: refresh tokens of programs and cookies of browsers, both kept on the server and ended there."""

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from argosy.events.service import record
from argosy.identity.errors import InvalidGrant, SessionNotFound
from argosy.identity.models import Session, SessionKind, User
from argosy.identity.repository import SessionRepository
from argosy.kit import context
from argosy.kit.clock import now
from argosy.kit.crypto import hash_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.ids import new_id
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.settings import SecuritySettings

REFRESH_PREFIX = "rt_"
COOKIE_PREFIX = "bs_"
MAX_AGENT = 300
_ID_LENGTH = 32


class SessionReader:
    """Looks sign-ins up."""

    def __init__(self, session: ReadSession, settings: SecuritySettings) -> None:
        self.sessions = SessionRepository(session)
        self.idle = timedelta(minutes=settings.session_idle_minutes)

    async def by_cookie(self, cookie: str) -> Session | None:
        """Return the sign-in that a browser's cookie names, if it holds."""
        parts = split_secret(cookie, COOKIE_PREFIX)
        row = await self.sessions.live(parts[0], self.idle) if parts else None
        if row is None or parts is None or row.kind is not SessionKind.BROWSER:
            return None
        return row if hmac.compare_digest(row.refresh_hash, hash_token(parts[1])) else None

    async def list(self, principal: Principal, query: PageQuery, sort: str) -> Listing[Session]:
        """Return the caller's sign-ins that hold."""
        return await self.sessions.page(self.sessions.live_of(principal.user_id, self.idle), query, sort)


class SessionService(SessionReader):
    """Opens, renews and ends sign-ins."""

    def __init__(self, session: WriteSession, settings: SecuritySettings) -> None:
        super().__init__(session, settings)
        self._session = session
        self._settings = settings

    async def open_for_program(
        self, user: User, scopes: list[str] | None, client_id: str | None
    ) -> tuple[Session, str]:
        """Open a sign-in; return it with its first refresh token."""
        lifetime = timedelta(days=self._settings.refresh_token_days)
        row, secret = await self._open(user, SessionKind.TOKEN, lifetime, scopes, client_id)
        return row, f"{REFRESH_PREFIX}{row.id.hex}{secret}"

    async def open_for_browser(self, user: User, former: str | None) -> tuple[Session, str]:
        """Open a sign-in under a new id, ending the one the browser came with; return it with its cookie's value."""
        before = await self.by_cookie(former) if former else None
        if before is not None:
            await self.sessions.revoke(before.id)
        lifetime = timedelta(hours=self._settings.session_hours)
        row, secret = await self._open(user, SessionKind.BROWSER, lifetime, None, None)
        return row, f"{COOKIE_PREFIX}{row.id.hex}{secret}"

    async def _open(
        self, user: User, kind: SessionKind, lifetime: timedelta, scopes: list[str] | None, client_id: str | None
    ) -> tuple[Session, str]:
        request = context.current()
        secret = secrets.token_urlsafe(32)
        moment = now()
        row = await self.sessions.add(
            Session(
                id=new_id(),
                user_id=user.id,
                kind=kind,
                refresh_hash=hash_token(secret),
                scopes=scopes,
                client_id=client_id,
                address=request.address if request else None,
                user_agent=(request.user_agent or "")[:MAX_AGENT] or None if request else None,
                last_seen_at=moment,
                expires_at=moment + lifetime,
            )
        )
        return row, secret

    async def renew(self, token: str, client_id: str | None) -> tuple[Session, str]:
        """Use a refresh token up; return its sign-in and the next one.

        Raises `InvalidGrant`. A token that was used before ends the sign-in: one of its two holders stole it.
        """
        parts = split_secret(token, REFRESH_PREFIX)
        row = await self.sessions.live(parts[0], self.idle, lock=True) if parts else None
        if row is None or parts is None or row.kind is not SessionKind.TOKEN or row.client_id != client_id:
            raise InvalidGrant("the refresh token is unknown or has ended")
        if not hmac.compare_digest(row.refresh_hash, hash_token(parts[1])):
            await self.sessions.revoke(row.id)
            record(self._session, "session.reuse_detected", str(row.id), None, user_id=str(row.user_id))
            raise InvalidGrant("the refresh token was used before; sign in again")
        renewed = secrets.token_urlsafe(32)
        row.refresh_hash = hash_token(renewed)
        row.last_seen_at = now()
        await self.sessions.flush()
        return row, f"{REFRESH_PREFIX}{row.id.hex}{renewed}"

    async def end(self, principal: Principal, session_id: UUID) -> None:
        """End one of the caller's sign-ins, at once; raises `SessionNotFound`."""
        mine = self.sessions.live_of(principal.user_id, self.idle).where(Session.id == session_id)
        if await self.sessions.one_or_none(mine) is None:
            raise SessionNotFound
        await self.sessions.revoke(session_id)
        record(self._session, "session.ended", str(session_id), principal.organization_id)


def split_secret(token: str, prefix: str) -> tuple[UUID, str] | None:
    """Return the id and the secret of a sign-in's token, or None when it has another shape."""
    if not token.startswith(prefix) or not token.isascii():
        return None
    body = token.removeprefix(prefix)
    try:
        return UUID(hex=body[:_ID_LENGTH]), body[_ID_LENGTH:]
    except ValueError:
        return None
