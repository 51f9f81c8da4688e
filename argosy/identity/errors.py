"""What can go wrong with identity."""

from argosy.kit.errors import ArgosyError, BadRequest, Conflict, Forbidden, NotFound, Unauthenticated


class RegistrationClosed(Forbidden):
    """Accounts are made by an administrator here."""

    type, title = "registration-closed", "Registration is closed"


class AccountExists(Conflict):
    """The username is in use."""

    type, title = "account-exists", "Account exists"


class InvalidGrant(Unauthenticated):
    """Wrong username, password, code or refresh token (RFC 6749, section 5.2)."""

    type, title = "invalid-grant", "Wrong credentials"

    # A failure is counted, and a refresh token that is used twice ends its family: that must outlast the refusal.
    keeps_work = True


class InvalidClient(Unauthenticated):
    """The OAuth2 client is unknown, or its secret is wrong (RFC 6749, section 5.2)."""

    type, title = "invalid-client", "Client authentication failed"
    keeps_work = True


class UnsupportedGrant(ArgosyError):
    """The token endpoint does not know this grant (RFC 6749, section 5.2)."""

    status, type, title = 400, "unsupported-grant-type", "Unsupported grant type"


class InvalidScope(BadRequest):
    """The scope asked for is unknown, or more than may be had (RFC 6749, section 5.2)."""

    type, title = "invalid-scope", "Invalid scope"


class InvalidCode(ArgosyError):
    """The code is unknown, was used, or is too old."""

    status, type, title = 422, "invalid-code", "Invalid code"


class ApiKeyNotFound(NotFound):
    """No such API key, or not for this caller."""

    type, title = "api-key-not-found", "API key not found"


class ClientNotFound(NotFound):
    """No such OAuth2 client, or not for this caller."""

    type, title = "client-not-found", "Client not found"


class SessionNotFound(NotFound):
    """No such sign-in, or not of this caller."""

    type, title = "session-not-found", "Sign-in not found"


class UserNotFound(NotFound):
    """No such user."""

    type, title = "user-not-found", "User not found"


class ScopeNotHeld(Forbidden):
    """A credential cannot be given more than its maker holds, nor what only a person may do."""

    type, title = "scope-not-held", "Scope not held"


class LastOwner(Conflict):
    """An organization needs an owner, and the platform an administrator."""

    type, title = "last-owner", "The last one cannot go"


class ProviderNotFound(NotFound):
    """Nobody signs in with this provider here."""

    type, title = "provider-not-found", "Provider not found"


class ProviderFailed(ArgosyError):
    """The provider did not answer as it should, or did not let the person in."""

    status, type, title = 502, "provider-failed", "The provider failed"


class SignInExpired(BadRequest):
    """The answer of a provider is not for a sign-in that this browser began."""

    type, title = "sign-in-expired", "Begin the sign-in again"


class NotLinked(Forbidden):
    """The person at the provider has no account here, and may not be given one."""

    type, title = "not-linked", "No account for this sign-in"
