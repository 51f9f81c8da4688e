"""What can go wrong with organizations."""

from argosy.kit.errors import Conflict, NotFound


class OrganizationNotFound(NotFound):
    """No such organization, or not for this caller."""

    type, title = "organization-not-found", "Organization not found"


class SlugTaken(Conflict):
    """Another organization has this slug."""

    type, title = "slug-taken", "Slug is taken"


class PersonalOrganization(Conflict):
    """A personal organization stays with its person."""

    type, title = "personal-organization", "A personal organization stays"
