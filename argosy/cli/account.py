"""`argosy account`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, ask_secret, done, session, show

account = typer.Typer(help="Your account: address, password, sign-ins.", no_args_is_help=True)
sessions = typer.Typer(help="Your sign-ins.", invoke_without_command=True)
account.add_typer(sessions, name="sessions")
COLUMNS = ("username", "email", "email_verified_at", "kind", "organization", "scopes")
SESSION_COLUMNS = ("id", "kind", "client_id", "address", "user_agent", "last_seen_at", "expires_at", "current")


@account.command("show")
def show_account(json: JsonOption = False) -> None:
    """Show who you are, the organization you act in, and what you may do there."""
    with session() as client:
        me = client.me()
        show(me if json else {**me.model_dump(mode="json"), "organization": me.organization.slug}, json, COLUMNS)


@account.command("register")
def register(
    email: Annotated[str, typer.Argument(help="A code to confirm it is mailed there.")],
    username: Annotated[str, typer.Argument()],
    full_name: Annotated[str | None, typer.Option()] = None,
    invitation: Annotated[str | None, typer.Option(help="The code of an invitation sent to the address.")] = None,
    json: JsonOption = False,
) -> None:
    """Make an account; the password is asked."""
    password = ask_secret("Password", twice=True)
    with session() as client:
        made = client.register(email, username, password, full_name, invitation=invitation)
        show(made, json, ("username", "email", "email_verified_at"))


@account.command("verify")
def verify(code: Annotated[str, typer.Argument(help="As it was mailed.")], json: JsonOption = False) -> None:
    """Confirm your address with the code that was mailed to it."""
    with session() as client:
        client.verify_email(code)
        done(json, "The address is confirmed.", verified=True)


@account.command("reset-password")
def reset_password(json: JsonOption = False) -> None:
    """Choose a new password for a forgotten one: a code is mailed to your address."""
    email = str(typer.prompt("E-mail", err=True)).strip()
    with session() as client:
        client.request_password_reset(email)
    code = str(typer.prompt("Code from the mail", err=True)).strip()
    password = ask_secret("New password", twice=True)
    with session() as client:
        client.reset_password(code, password)
        done(json, "The password is changed, and every sign-in has ended.", reset=email)


@account.command("password")
def change_password(json: JsonOption = False) -> None:
    """Change your password; your other sign-ins end."""
    current = ask_secret("Current password")
    new = ask_secret("New password", twice=True)
    with session() as client:
        client.change_password(current, new)
        done(json, "The password is changed, and your other sign-ins have ended.", changed=True)


@account.command("email")
def change_email(email: Annotated[str, typer.Argument(help="The new address.")], json: JsonOption = False) -> None:
    """Have a code mailed to your new address; `argosy account verify` with it makes the change and ends sign-ins."""
    password = ask_secret("Password")
    with session() as client:
        client.change_email(email, password)
        done(json, f"A code is on its way to {email}.", proposed=email)


@sessions.callback()
def sessions_or_list(context: typer.Context, json: JsonOption = False) -> None:
    """List your sign-ins, or end one."""
    if context.invoked_subcommand is None:
        list_sessions(json)


@sessions.command("list")
def list_sessions(json: JsonOption = False) -> None:
    """List your sign-ins."""
    with session() as client:
        show(list(client.sessions()), json, SESSION_COLUMNS)


@sessions.command("end")
def end_session(session_id: Annotated[str, typer.Argument()], json: JsonOption = False) -> None:
    """End one of your sign-ins, at once."""
    with session() as client:
        client.end_session(session_id)
        done(json, f"Ended {session_id}.", ended=session_id)
