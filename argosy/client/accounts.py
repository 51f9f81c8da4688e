"""The calls about accounts, organizations, keys, jobs and usage."""

from collections.abc import Mapping

from argosy.client import results
from argosy.client.requests import Call, Json, given, nothing, once, parsed, under


def register(email: str, username: str, password: str, full_name: str | None) -> Call[results.User]:
    """Make an account."""
    body = given(email=email, username=username, password=password, full_name=full_name)
    return Call("POST", "/auth/register", parsed(results.User), json=body, signed=False)


def token(form: Mapping[str, str]) -> Call[Json]:
    """Get tokens."""
    return Call("POST", "/auth/token", parsed(Json), form=form, signed=False)


def me(organization: str | None = None) -> Call[results.User]:
    """Show the caller's account; fails where the caller cannot act in the organization."""
    headers = {"X-Organization": organization} if organization else {}
    return Call("GET", "/users/me", parsed(results.User), headers=headers)


def create_organization(slug: str, name: str) -> Call[results.Organization]:
    """Make an organization."""
    body = {"slug": slug, "name": name}
    return Call("POST", "/organizations", parsed(results.Organization), json=body, headers=once())


def get_organization(slug: str) -> Call[results.Organization]:
    """Show an organization."""
    return Call("GET", under("organizations", slug), parsed(results.Organization))


def create_key(org: str, name: str, scopes: list[str], expires_at: str | None) -> Call[results.ApiKey]:
    """Make an API key."""
    body = given(name=name, scopes=scopes, expires_at=expires_at)
    return Call("POST", under("organizations", org, "api-keys"), parsed(results.ApiKey), json=body, headers=once())


def revoke_key(org: str, key_id: object) -> Call[None]:
    """Revoke an API key."""
    return Call("DELETE", under("organizations", org, "api-keys", key_id), nothing)


def get_job(job_id: object) -> Call[results.Job]:
    """Show a job."""
    return Call("GET", under("jobs", job_id), parsed(results.Job))


def cancel_job(job_id: object) -> Call[results.Job]:
    """Cancel a job."""
    return Call("POST", under("jobs", job_id, "cancel"), parsed(results.Job))


def usage(params: Json) -> Call[results.Usage]:
    """Show usage."""
    return Call("GET", "/usage", parsed(results.Usage), params=params)
