"""What a client does about organizations, their members and invitations."""

from collections.abc import AsyncIterator, Iterator

from argosy.client import organizations, results
from argosy.client.running import AsyncRunner, Runner


class OrganizationMethods(Runner):
    """Organizations, members and invitations; without `organization` it is the caller's."""

    def organizations(self) -> Iterator[results.Organization]:
        """List the organizations you belong to."""
        return self._each(self._list("/organizations", results.Organization))

    def create_organization(self, slug: str, name: str) -> results.Organization:
        """Make an organization."""
        return self.send(organizations.create(slug, name))

    def get_organization(self, slug: str) -> results.Organization:
        """Show an organization."""
        return self.send(organizations.get(slug))

    def update_organization(self, slug: str, *, name: str) -> results.Organization:
        """Change an organization."""
        return self.send(organizations.update(slug, {"name": name}))

    def delete_organization(self, slug: str) -> None:
        """Delete an organization with all it has."""
        self.send(organizations.delete(slug))

    def members(self, organization: str | None = None) -> Iterator[results.Member]:
        """List the members of an organization."""
        return self._each(self._list_in(organization, results.Member, "members"))

    def change_role(self, user_id: object, role: str, *, organization: str | None = None) -> results.Member:
        """Give a member another role: `owner`, `admin`, `developer` or `viewer`."""
        return self._run(self._in(organization, organizations.change_role, user_id, role))

    def remove_member(self, user_id: object, *, organization: str | None = None) -> None:
        """Remove a member."""
        self._run(self._in(organization, organizations.remove_member, user_id))

    def leave_organization(self, slug: str) -> None:
        """Leave an organization."""
        self.send(organizations.leave(slug))

    def transfer_organization(self, slug: str, user_id: object) -> results.Member:
        """Hand an organization over to another member; you stay as an administrator."""
        return self.send(organizations.transfer(slug, user_id))

    def invitations(self, organization: str | None = None) -> Iterator[results.Invitation]:
        """List the invitations that can still be accepted."""
        return self._each(self._list_in(organization, results.Invitation, "invitations"))

    def invite(self, email: str, role: str = "viewer", *, organization: str | None = None) -> results.Invitation:
        """Invite somebody by e-mail; the mail has the code."""
        return self._run(self._in(organization, organizations.invite, email, role))

    def withdraw_invitation(self, invitation_id: object, *, organization: str | None = None) -> None:
        """Withdraw an invitation."""
        self._run(self._in(organization, organizations.withdraw_invitation, invitation_id))

    def accept_invitation(self, code: str) -> results.Member:
        """Accept an invitation that was sent to your address."""
        return self.send(organizations.accept_invitation(code))


class AsyncOrganizationMethods(AsyncRunner):
    """Organizations, members and invitations; without `organization` it is the caller's."""

    def organizations(self) -> AsyncIterator[results.Organization]:
        """List the organizations you belong to."""
        return self._each(self._list("/organizations", results.Organization))

    async def create_organization(self, slug: str, name: str) -> results.Organization:
        """Make an organization."""
        return await self.send(organizations.create(slug, name))

    async def get_organization(self, slug: str) -> results.Organization:
        """Show an organization."""
        return await self.send(organizations.get(slug))

    async def update_organization(self, slug: str, *, name: str) -> results.Organization:
        """Change an organization."""
        return await self.send(organizations.update(slug, {"name": name}))

    async def delete_organization(self, slug: str) -> None:
        """Delete an organization with all it has."""
        await self.send(organizations.delete(slug))

    def members(self, organization: str | None = None) -> AsyncIterator[results.Member]:
        """List the members of an organization."""
        return self._each(self._list_in(organization, results.Member, "members"))

    async def change_role(self, user_id: object, role: str, *, organization: str | None = None) -> results.Member:
        """Give a member another role: `owner`, `admin`, `developer` or `viewer`."""
        return await self._run(self._in(organization, organizations.change_role, user_id, role))

    async def remove_member(self, user_id: object, *, organization: str | None = None) -> None:
        """Remove a member."""
        await self._run(self._in(organization, organizations.remove_member, user_id))

    async def leave_organization(self, slug: str) -> None:
        """Leave an organization."""
        await self.send(organizations.leave(slug))

    async def transfer_organization(self, slug: str, user_id: object) -> results.Member:
        """Hand an organization over to another member; you stay as an administrator."""
        return await self.send(organizations.transfer(slug, user_id))

    def invitations(self, organization: str | None = None) -> AsyncIterator[results.Invitation]:
        """List the invitations that can still be accepted."""
        return self._each(self._list_in(organization, results.Invitation, "invitations"))

    async def invite(self, email: str, role: str = "viewer", *, organization: str | None = None) -> results.Invitation:
        """Invite somebody by e-mail; the mail has the code."""
        return await self._run(self._in(organization, organizations.invite, email, role))

    async def withdraw_invitation(self, invitation_id: object, *, organization: str | None = None) -> None:
        """Withdraw an invitation."""
        await self._run(self._in(organization, organizations.withdraw_invitation, invitation_id))

    async def accept_invitation(self, code: str) -> results.Member:
        """Accept an invitation that was sent to your address."""
        return await self.send(organizations.accept_invitation(code))
