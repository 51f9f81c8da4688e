"""Decisions about members: who is one, as what, and how one becomes one."""

from datetime import timedelta
from uuid import UUID

from argosy.events.service import record
from argosy.identity import mails
from argosy.identity.errors import InvalidCode, LastOwner
from argosy.identity.models import User
from argosy.identity.service import AccountReader
from argosy.kit.clock import now
from argosy.kit.crypto import KeyRing, hash_token, new_token
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal, Role, Scope
from argosy.mail.service import Postbox
from argosy.members.errors import AlreadyMember, InvitationNotFound, MemberNotFound, OwnersOnly
from argosy.members.models import Invitation
from argosy.members.repository import InvitationRepository, MemberRepository
from argosy.members.schemas import InvitationCreate, Joined, MemberRead
from argosy.organizations.errors import PersonalOrganization
from argosy.organizations.models import Membership, Organization
from argosy.organizations.schemas import OrganizationRef
from argosy.organizations.service import OrganizationReader
from argosy.settings import SecuritySettings

CODE_PREFIX = "in_"
UNUSABLE = "the code is unknown, was used, is too old, or for another address"


class MemberReader:
    """Looks members and invitations up."""

    def __init__(self, session: ReadSession) -> None:
        self.members = MemberRepository(session)
        self.invitations = InvitationRepository(session)
        self.organizations = OrganizationReader(session)

    async def list(self, principal: Principal, org: str, query: PageQuery, sort: str) -> Listing[MemberRead]:
        """Return the members of the caller's organization; with their addresses for those who may change them."""
        await self.organizations.get(principal, org)
        page = await self.members.page(self.members.readable_by(principal), query, sort)
        people = await self.members.people([membership.user_id for membership in page.items])
        private = principal.may(Scope.MEMBERS_WRITE)
        shown = [MemberRead.of(one, people[one.user_id], private=private) for one in page.items]
        return Listing(shown, page.query, page.total, page.next_cursor)

    async def list_invitations(
        self, principal: Principal, org: str, query: PageQuery, sort: str
    ) -> Listing[Invitation]:
        """Return the invitations that can still be accepted."""
        await self.organizations.get(principal, org)
        return await self.invitations.page(self.invitations.pending(principal), query, sort)


class MemberService(MemberReader):
    """Changes members."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def change_role(self, principal: Principal, org: str, user_id: UUID, role: Role) -> MemberRead:
        """Give a member another role; takes effect with the member's next request.

        Raises `MemberNotFound`, `OwnersOnly`, `LastOwner` or `PersonalOrganization`.
        """
        organization = await self.organizations.get(principal, org)
        await self.members.lock(principal)
        membership = await self._get(principal, user_id)
        _require_owner(principal, membership.role, role)
        if role is Role.OWNER and membership.role is not Role.OWNER and organization.personal:
            raise PersonalOrganization("a personal organization has one owner")
        if membership.role is Role.OWNER and role is not Role.OWNER:
            await self._require_other_owner(organization)
        former, membership.role = membership.role, role
        await self.members.flush()
        record(
            self._session,
            "member.role_changed",
            organization.slug,
            organization.id,
            user_id=str(user_id),
            former=former,
            role=role,
        )
        user = (await self.members.people([user_id]))[user_id]
        return MemberRead.of(membership, user, private=True)

    async def remove(self, principal: Principal, org: str, user_id: UUID) -> None:
        """Remove a member, or leave; raises `MemberNotFound`, `OwnersOnly` or `LastOwner`."""
        organization = await self.organizations.get(principal, org)
        await self.members.lock(principal)
        membership = await self._get(principal, user_id)
        if user_id != principal.user_id:
            _require_owner(principal, membership.role)
        if membership.role is Role.OWNER:
            await self._require_other_owner(organization)
        await self.members.delete(membership)
        record(self._session, "member.removed", organization.slug, organization.id, user_id=str(user_id))

    async def transfer(self, principal: Principal, org: str, user_id: UUID) -> MemberRead:
        """Make another member the owner in the caller's place, who stays as an administrator.

        Raises `MemberNotFound` or `PersonalOrganization`.
        """
        organization = await self.organizations.get(principal, org)
        if organization.personal:
            raise PersonalOrganization("a personal organization goes with its account")
        await self.members.lock(principal)
        heir, mine = await self._get(principal, user_id), await self._get(principal, principal.user_id)
        heir.role = Role.OWNER
        if heir.id != mine.id:
            mine.role = Role.ADMIN
        await self.members.flush()
        record(self._session, "organization.transferred", organization.slug, organization.id, user_id=str(user_id))
        return MemberRead.of(heir, (await self.members.people([user_id]))[user_id], private=True)

    async def _get(self, principal: Principal, user_id: UUID) -> Membership:
        membership = await self.members.get(principal, user_id)
        if membership is None:
            raise MemberNotFound
        return membership

    async def _require_other_owner(self, organization: Organization) -> None:
        if await self.organizations.memberships.owners(organization.id) < 2:  # noqa: PLR2004 - the one who goes, and one
            raise LastOwner("the organization needs an owner: hand it over first")


class InvitationService(MemberReader):
    """Makes, withdraws and takes invitations."""

    def __init__(self, session: WriteSession, keys: KeyRing, settings: SecuritySettings) -> None:
        super().__init__(session)
        self._session = session
        self._postbox = Postbox(session, keys)
        self._lifetime = timedelta(days=settings.invitation_days)

    async def invite(self, principal: Principal, org: str, request: InvitationCreate) -> Invitation:
        """Invite an address; an earlier invitation of it is void. Raises `AlreadyMember` or `OwnersOnly`."""
        organization = await self.organizations.get(principal, org)
        _require_owner(principal, request.role)
        if request.role is Role.OWNER and organization.personal:
            raise PersonalOrganization("a personal organization has one owner")
        if await self.members.has_address(principal, request.email):
            raise AlreadyMember("a member has this address")
        await self.invitations.withdraw(principal, request.email)
        code = new_token(CODE_PREFIX)
        invitation = await self.invitations.add(
            Invitation(
                organization_id=organization.id,
                email=request.email,
                role=request.role,
                code_hash=hash_token(code),
                expires_at=now() + self._lifetime,
                invited_by=principal.user_id,
            )
        )
        self._postbox.post(request.email, *mails.invitation(organization.name, request.role, code))
        record(self._session, "member.invited", organization.slug, organization.id, role=request.role)
        return invitation

    async def withdraw(self, principal: Principal, org: str, invitation_id: UUID) -> None:
        """Withdraw an invitation; raises `InvitationNotFound`."""
        await self.organizations.get(principal, org)
        pending = self.invitations.pending(principal).where(Invitation.id == invitation_id)
        invitation = await self.invitations.one_or_none(pending)
        if invitation is None:
            raise InvitationNotFound
        invitation.revoked_at = now()
        await self.invitations.flush()
        record(self._session, "member.invitation_withdrawn", org, principal.organization_id)

    async def accept(self, principal: Principal, code: str) -> Joined:
        """Join the organization of an invitation that was sent to the caller's address.

        Raises `InvalidCode`, also for an invitation of another address, or `AlreadyMember`.
        """
        user = await AccountReader(self._session).users.get(principal.user_id)
        invitation = await self.invitations.by_code(hash_token(code))
        if user is None or invitation is None or invitation.email != user.email:
            raise InvalidCode(UNUSABLE)
        if user.email_verified_at is None and await AccountReader(self._session).users.by_verified_email(user.email):
            raise InvalidCode(UNUSABLE)
        # Whoever has the code reads the mailbox.
        user.email_verified_at = user.email_verified_at or now()
        member = await join(self._session, user, invitation)
        organization = await self.organizations.by_id(invitation.organization_id)
        return Joined(**member.model_dump(), organization=OrganizationRef.model_validate(organization))


class InvitedGuests:
    """Tells identity who is invited, and seats them."""

    async def expected(self, session: ReadSession, code: str, email: str) -> None:
        """Raise `InvalidCode` unless the code is an invitation of this address, which no account has proved yet."""
        invitation = await InvitationRepository(session).by_code(hash_token(code))
        owner = await AccountReader(session).users.by_verified_email(email)
        if invitation is None or invitation.email != email or owner is not None:
            raise InvalidCode(UNUSABLE)

    async def arrive(self, session: WriteSession, user: User, code: str) -> None:
        """Let a new user join where the code invites to."""
        invitation = await InvitationRepository(session).by_code(hash_token(code))
        if invitation is None:
            raise InvalidCode(UNUSABLE)
        await join(session, user, invitation)


async def join(session: WriteSession, user: User, invitation: Invitation) -> MemberRead:
    """Use an invitation up; raises `AlreadyMember`."""
    members = MemberReader(session)
    if invitation.organization_id in await members.organizations.memberships.joined(user.id):
        raise AlreadyMember("you are a member")
    membership = await members.members.add(
        Membership(organization_id=invitation.organization_id, user_id=user.id, role=invitation.role)
    )
    invitation.accepted_at = now()
    await members.invitations.flush()
    record(
        session,
        "member.joined",
        str(invitation.organization_id),
        invitation.organization_id,
        user_id=str(user.id),
        role=invitation.role,
    )
    return MemberRead.of(membership, user, private=True)


def _require_owner(principal: Principal, *roles: Role) -> None:
    if Role.OWNER in roles and not principal.may(Scope.ORGANIZATION_OWN):
        raise OwnersOnly("only an owner may name, change or remove an owner")
