"""The calls about accounts, sign-ins and jobs."""

from collections.abc import Mapping

from argosy.client import results
from argosy.client.requests import Call, Json, given, nothing, once, parsed, under


def register(
    email: str, username: str, password: str, full_name: str | None, invitation: str | None = None
) -> Call[results.User]:
    """Make an account."""
    body = given(email=email, username=username, password=password, full_name=full_name, invitation=invitation)
    return Call("POST", "/auth/register", parsed(results.User), json=body, signed=False)


def token(form: Mapping[str, str]) -> Call[Json]:
    """Get tokens."""
    return Call("POST", "/auth/token", parsed(Json), form=form, signed=False)


def sign_out() -> Call[None]:
    """End the sign-in the call is made with."""
    return Call("POST", "/auth/logout", nothing)


def verify_email(code: str) -> Call[None]:
    """Confirm an address."""
    return Call("POST", "/auth/email/verify", nothing, json={"code": code}, signed=False)


def request_password_reset(email: str) -> Call[None]:
    """Have a code mailed for a forgotten password."""
    return Call("POST", "/auth/password/reset", nothing, json={"email": email}, signed=False)


def reset_password(code: str, password: str) -> Call[None]:
    """Choose a new password with a mailed code."""
    return Call("POST", "/auth/password/reset", nothing, json={"code": code, "password": password}, signed=False)


def change_password(current: str, new: str) -> Call[None]:
    """Change the password."""
    return Call("POST", "/auth/password", nothing, json={"current_password": current, "new_password": new})


def change_email(email: str, password: str) -> Call[None]:
    """Have a code mailed to a new address."""
    return Call("POST", "/auth/email", nothing, json={"email": email, "password": password})


def end_session(session_id: object) -> Call[None]:
    """End a sign-in."""
    return Call("DELETE", under("auth", "sessions", session_id), nothing)


def me() -> Call[results.Me]:
    """Show who is calling."""
    return Call("GET", "/users/me", parsed(results.Me))


def update_me(full_name: str | None) -> Call[results.User]:
    """Change the caller's account."""
    return Call("PATCH", "/users/me", parsed(results.User), json={"full_name": full_name})


def get_user(user_id: object) -> Call[results.Account]:
    """Show an account."""
    return Call("GET", under("users", user_id), parsed(results.Account))


def update_user(user_id: object, changes: Json) -> Call[results.Account]:
    """Change an account."""
    return Call("PATCH", under("users", user_id), parsed(results.Account), json=changes)


def delete_user(user_id: object) -> Call[None]:
    """Delete an account."""
    return Call("DELETE", under("users", user_id), nothing)


def get_job(job_id: object) -> Call[results.Job]:
    """Show a job."""
    return Call("GET", under("jobs", job_id), parsed(results.Job))


def cancel_job(job_id: object) -> Call[results.Job]:
    """Cancel a job."""
    return Call("POST", under("jobs", job_id, "cancel"), parsed(results.Job))


def job_result(job_id: object) -> Call[Json]:
    """Show what came of a job."""
    return Call("GET", under("jobs", job_id, "result"), parsed(Json))


def explain(body: Json) -> Call[results.Job]:
    """Queue an explanation."""
    return Call("POST", "/jobs", parsed(results.Job), json=body, headers=once())
