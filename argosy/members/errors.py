"""What can go wrong with members."""

from argosy.kit.errors import Conflict, Forbidden, NotFound


class MemberNotFound(NotFound):
    """No such member, or not for this caller."""

    type, title = "member-not-found", "Member not found"


class InvitationNotFound(NotFound):
    """No such invitation, or not for this caller."""

    type, title = "invitation-not-found", "Invitation not found"


class AlreadyMember(Conflict):
    """The person is a member."""

    type, title = "already-member", "Already a member"


class OwnersOnly(Forbidden):
    """Only an owner may name, change or remove an owner."""

    type, title = "owners-only", "Only owners may do this"
