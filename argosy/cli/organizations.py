"""`argosy orgs`."""

from typing import Annotated
from uuid import UUID

import typer

from argosy.cli.console import JsonOption, YesOption, delete, done, refused, session, show, sure
from argosy.client import Argosy

orgs = typer.Typer(help="Organizations, their members and invitations.", no_args_is_help=True)
COLUMNS = ("slug", "name", "personal")
MEMBER_COLUMNS = ("username", "full_name", "email", "role", "user_id")
INVITATION_COLUMNS = ("id", "email", "role", "expires_at")
Slug = Annotated[str, typer.Argument(help="The organization's slug.")]
Who = Annotated[str, typer.Argument(metavar="MEMBER", help="A member's username or id.")]
RoleName = Annotated[str, typer.Argument(help="owner, admin, developer or viewer")]


@orgs.command("list")
def list_organizations(json: JsonOption = False) -> None:
    """List the organizations you belong to."""
    with session() as client:
        show(list(client.organizations()), json, COLUMNS)


@orgs.command("create")
def create_organization(slug: Slug, name: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Make an organization."""
    with session() as client:
        show(client.create_organization(slug, name), json, COLUMNS)


@orgs.command("show")
def show_organization(slug: Slug, json: JsonOption = False) -> None:
    """Show an organization."""
    with session() as client:
        show(client.get_organization(slug), json, COLUMNS)


@orgs.command("delete")
def delete_organization(slug: Slug, yes: YesOption = False, json: JsonOption = False) -> None:
    """Delete an organization with all it has."""
    question = f"Delete {slug} with all its models, keys and usage?"
    delete(slug, Argosy.delete_organization, question, yes=yes, as_json=json)


@orgs.command("members")
def list_members(slug: Slug, json: JsonOption = False) -> None:
    """List the members of an organization."""
    with session() as client:
        show(list(client.members(slug)), json, MEMBER_COLUMNS)


@orgs.command("role")
def change_role(slug: Slug, member: Who, role: RoleName, json: JsonOption = False) -> None:
    """Give a member another role."""
    with session() as client:
        changed = client.change_role(_member(client, slug, member), role, organization=slug)
        show(changed, json, MEMBER_COLUMNS)


@orgs.command("remove")
def remove_member(slug: Slug, member: Who, json: JsonOption = False) -> None:
    """Remove a member."""
    with session() as client:
        client.remove_member(_member(client, slug, member), organization=slug)
        done(json, f"Removed {member} from {slug}.", removed=member)


@orgs.command("leave")
def leave_organization(slug: Slug, json: JsonOption = False) -> None:
    """Leave an organization."""
    with session() as client:
        client.leave_organization(slug)
        done(json, f"Left {slug}.", left=slug)


@orgs.command("transfer")
def transfer_organization(slug: Slug, member: Who, yes: YesOption = False, json: JsonOption = False) -> None:
    """Hand an organization over to another member; you stay as an administrator."""
    sure(f"Hand {slug} over to {member}?", yes)
    with session() as client:
        heir = client.transfer_organization(slug, _member(client, slug, member))
        show(heir, json, MEMBER_COLUMNS)


@orgs.command("invite")
def invite(
    slug: Slug,
    email: Annotated[str, typer.Argument(help="The code is mailed there.")],
    role: Annotated[str, typer.Option(help="owner, admin, developer or viewer")] = "viewer",
    json: JsonOption = False,
) -> None:
    """Invite somebody by e-mail; an earlier invitation of the address is void."""
    with session() as client:
        show(client.invite(email, role, organization=slug), json, INVITATION_COLUMNS)


@orgs.command("invitations")
def list_invitations(slug: Slug, json: JsonOption = False) -> None:
    """List the invitations that can still be accepted."""
    with session() as client:
        show(list(client.invitations(slug)), json, INVITATION_COLUMNS)


@orgs.command("withdraw")
def withdraw_invitation(slug: Slug, invitation_id: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """Withdraw an invitation."""
    with session() as client:
        client.withdraw_invitation(invitation_id, organization=slug)
        done(json, f"Withdrew {invitation_id}.", withdrawn=invitation_id)


@orgs.command("accept")
def accept_invitation(code: Annotated[str, typer.Argument(help="As it was mailed.")], json: JsonOption = False) -> None:
    """Accept an invitation that was sent to your address."""
    with session() as client:
        show(client.accept_invitation(code), json, MEMBER_COLUMNS)


def _member(client: Argosy, slug: str, who: str) -> UUID:
    for member in client.members(slug):
        if who in {member.username, str(member.user_id)}:
            return member.user_id
    raise refused(f"{slug} has no member {who!r}")
