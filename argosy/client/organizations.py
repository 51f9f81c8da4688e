"""The calls about organizations: members, invitations, API keys, OAuth2 clients and the audit log."""

from pathlib import Path

from argosy.client import results
from argosy.client.requests import Call, Json, nothing, once, parsed, saved, under


def create(slug: str, name: str) -> Call[results.Organization]:
    """Make an organization."""
    body = {"slug": slug, "name": name}
    return Call("POST", "/organizations", parsed(results.Organization), json=body, headers=once())


def get(org: str) -> Call[results.Organization]:
    """Show an organization."""
    return Call("GET", _in(org), parsed(results.Organization))


def update(org: str, changes: Json) -> Call[results.Organization]:
    """Change an organization."""
    return Call("PATCH", _in(org), parsed(results.Organization), json=changes)


def delete(org: str) -> Call[None]:
    """Delete an organization."""
    return Call("DELETE", _in(org), nothing)


def change_role(org: str, user_id: object, role: str) -> Call[results.Member]:
    """Give a member another role."""
    return Call("PATCH", _in(org, "members", user_id), parsed(results.Member), json={"role": role})


def remove_member(org: str, user_id: object) -> Call[None]:
    """Remove a member."""
    return Call("DELETE", _in(org, "members", user_id), nothing)


def leave(org: str) -> Call[None]:
    """Leave an organization."""
    return Call("POST", _in(org, "leave"), nothing)


def transfer(org: str, user_id: object) -> Call[results.Member]:
    """Hand an organization over."""
    return Call("POST", _in(org, "transfer"), parsed(results.Member), json={"user_id": str(user_id)})


def invite(org: str, email: str, role: str) -> Call[results.Invitation]:
    """Invite somebody."""
    body = {"email": email, "role": role}
    return Call("POST", _in(org, "invitations"), parsed(results.Invitation), json=body, headers=once())


def withdraw_invitation(org: str, invitation_id: object) -> Call[None]:
    """Withdraw an invitation."""
    return Call("DELETE", _in(org, "invitations", invitation_id), nothing)


def accept_invitation(code: str) -> Call[results.Member]:
    """Accept an invitation."""
    return Call("POST", "/invitations/accept", parsed(results.Member), json={"code": code})


def create_key(org: str, body: Json) -> Call[results.ApiKey]:
    """Make an API key."""
    return Call("POST", _in(org, "api-keys"), parsed(results.ApiKey), json=body, headers=once())


def rotate_key(org: str, key_id: object, body: Json) -> Call[results.ApiKey]:
    """Give an API key a new secret."""
    return Call("POST", _in(org, "api-keys", key_id, "rotate"), parsed(results.ApiKey), json=body, headers=once())


def revoke_key(org: str, key_id: object) -> Call[None]:
    """Revoke an API key."""
    return Call("DELETE", _in(org, "api-keys", key_id), nothing)


def create_client(org: str, body: Json) -> Call[results.OAuthClient]:
    """Make an OAuth2 client."""
    return Call("POST", _in(org, "clients"), parsed(results.OAuthClient), json=body, headers=once())


def rotate_client(org: str, client_id: str, body: Json) -> Call[results.OAuthClient]:
    """Give an OAuth2 client a new secret."""
    path = _in(org, "clients", client_id, "rotate")
    return Call("POST", path, parsed(results.OAuthClient), json=body, headers=once())


def revoke_client(org: str, client_id: str) -> Call[None]:
    """Revoke an OAuth2 client."""
    return Call("DELETE", _in(org, "clients", client_id), nothing)


def verify_audit(org: str) -> Call[results.AuditVerification]:
    """Check an organization's log."""
    return Call("GET", _in(org, "audit", "verify"), parsed(results.AuditVerification))


def export_audit(org: str, target: Path) -> Call[Path]:
    """Save an organization's log."""
    return saved(_in(org, "audit", "export"), {}, target)


def verify_platform_audit() -> Call[results.AuditVerification]:
    """Check the platform's log."""
    return Call("GET", "/audit/verify", parsed(results.AuditVerification))


def _in(org: str, *rest: object) -> str:
    return under("organizations", org, *rest)
