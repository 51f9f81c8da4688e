"""Whose account a person from another provider has: theirs by name there, or by an address both sides have verified."""

import re
import secrets

from argosy.events.service import record
from argosy.identity.errors import NotLinked, RegistrationClosed
from argosy.identity.models import Identity, User
from argosy.identity.oidc import IdClaims
from argosy.identity.repository import IdentityRepository
from argosy.identity.service import AccountService
from argosy.identity.sign_in import SIGNED_IN
from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession
from argosy.organizations.service import OrganizationReader
from argosy.settings import Registration

MAX_USERNAME = 40
MAX_NAME = 200


async def federate(
    session: WriteSession, accounts: AccountService, claims: IdClaims, provider: str, policy: Registration
) -> User:
    """Return the account of a person, linked or made the first time.

    An account is linked by its address only when the provider and we have both verified it: otherwise whoever opens
    an account there under another's address would take theirs here. Raises `NotLinked` or `RegistrationClosed`.
    """
    identities = IdentityRepository(session)
    user = await identities.user_of(claims.issuer, claims.subject)
    if user is None:
        user = await _link_or_make(session, accounts, claims, provider, policy)
        await identities.add(Identity(user_id=user.id, issuer=claims.issuer, subject=claims.subject))
    if not user.is_active:
        raise NotLinked("the account may not sign in")
    organization = await OrganizationReader(session).personal(user.id)
    record(session, SIGNED_IN, user.username, organization.id, user_id=str(user.id), provider=provider)
    return user


async def _link_or_make(
    session: WriteSession, accounts: AccountService, claims: IdClaims, provider: str, policy: Registration
) -> User:
    if claims.email is None or not claims.email_verified:
        raise NotLinked("the provider has not verified your address; verify it there first")
    owner = await accounts.users.by_verified_email(claims.email)
    if owner is not None:
        organization = await OrganizationReader(session).personal(owner.id)
        record(session, "user.provider_linked", owner.username, organization.id, provider=provider)
        return owner
    if policy is Registration.CLOSED:
        raise RegistrationClosed("ask an administrator for an invitation")
    name = (claims.name or "").strip()[:MAX_NAME] or None
    return await accounts.add(
        User(
            email=claims.email,
            username=await _free_username(accounts, claims),
            full_name=name,
            password_hash=None,
            email_verified_at=now(),
        )
    )


async def _free_username(accounts: AccountService, claims: IdClaims) -> str:
    wanted = claims.username or (claims.email or "").partition("@")[0]
    stem = re.sub(r"[^a-z0-9._-]+", "-", wanted[:MAX_USERNAME].lower()).strip("._-") or "user"
    if len(stem) > 1 and not await accounts.is_taken(stem):
        return stem
    return f"{stem}-{secrets.token_hex(4)}"
