"""What can go wrong with identity."""

from argosy.kit.errors import ArgosyError, Conflict, Forbidden, NotFound, Unauthenticated


class RegistrationClosed(Forbidden):
    """Accounts are made by an administrator here."""

    type, title = "registration-closed", "Registration is closed"


class AccountExists(Conflict):
    """The e-mail or username is in use."""

    type, title = "account-exists", "Account exists"


class InvalidGrant(Unauthenticated):
    """Wrong username, password or refresh token (RFC 6749, section 5.2)."""

    type, title = "invalid-grant", "Wrong credentials"

    # A refresh token that is used twice ends its family, and that must outlast the refusal.
    keeps_work = True


class UnsupportedGrant(ArgosyError):
    """The token endpoint does not know this grant (RFC 6749, section 5.2)."""

    status, type, title = 400, "unsupported-grant-type", "Unsupported grant type"


class ApiKeyNotFound(NotFound):
    """No such API key, or not for this caller."""

    type, title = "api-key-not-found", "API key not found"


class ScopeNotHeld(Forbidden):
    """A key cannot be given more than its maker holds."""

    type, title = "scope-not-held", "Scope not held"
