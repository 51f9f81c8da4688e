"""Routes of registration, mailed codes and one's own account."""

from fastapi import APIRouter, Depends, Request, Response

from argosy.identity.dependencies import Accounts, NewPassword, Recovery
from argosy.identity.errors import AccountExists, InvalidCode, InvalidGrant, RegistrationClosed
from argosy.identity.recovery import request_reset
from argosy.identity.schemas import (
    CodeUse,
    EmailChange,
    Me,
    PasswordChange,
    PasswordReset,
    Register,
    Registered,
    ResetRequest,
    UserRead,
    UserUpdate,
)
from argosy.identity.service import AccountReader
from argosy.kit.errors import PreconditionFailed
from argosy.kit.principal import Scope
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.openapi import GUARDED, PUBLIC, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import Caller, Counted, Person
from argosy.kit.web.sessions import Read, Write
from argosy.organizations.schemas import OrganizationRef

auth = APIRouter(
    prefix="/auth", tags=["auth"], route_class=TransactionalRoute, responses=PUBLIC, dependencies=[Counted]
)
account = APIRouter(prefix="/auth", tags=["auth"], route_class=TransactionalRoute, responses=GUARDED)
users = APIRouter(prefix="/users", tags=["users"], route_class=TransactionalRoute, responses=GUARDED)


async def admitted(request: Request) -> None:
    """Count an attempt that could be a guess."""
    await request.app.state.sign_in.admit()


Admitted = Depends(admitted)


@auth.post("/register", status_code=201, responses=problems(RegistrationClosed, AccountExists, InvalidCode))
async def register(body: Register, password_hash: NewPassword, accounts: Accounts, request: Request) -> Registered:
    """Make an account; a code to confirm the address is mailed, unless an invitation has proved it."""
    return await accounts.register(body, password_hash, request.app.state.settings.registration)


@auth.post("/email/verify", status_code=204, responses=problems(InvalidCode), dependencies=[Admitted])
async def verify_email(body: CodeUse, recovery: Recovery) -> None:
    """Confirm an address with the code that was mailed to it."""
    await recovery.verify_email(body.code.get_secret_value())


@auth.post(
    "/password/reset",
    status_code=202,
    responses=problems(InvalidCode) | {202: {"description": "Asked for, or done"}},
    dependencies=[Admitted],
)
async def reset_password(
    body: ResetRequest | PasswordReset, session: Write, recovery: Recovery, accounts: Accounts
) -> None:
    """Have a code mailed for a forgotten password, then send it back with a new one, which ends every sign-in.

    The answer to the first is the same for every address.
    """
    if isinstance(body, ResetRequest):
        request_reset(session, body.email)
        return
    user = await recovery.take_reset(body.code.get_secret_value())
    await accounts.set_password(user, body.password.get_secret_value(), "password")


@account.post("/password", status_code=204, responses=problems(InvalidGrant))
async def change_password(body: PasswordChange, principal: Person, accounts: Accounts) -> None:
    """Change your password; your other sign-ins end."""
    await accounts.change_password(principal, body)


@account.post("/email", status_code=202, responses=problems(InvalidGrant))
async def change_email(body: EmailChange, principal: Person, accounts: Accounts, recovery: Recovery) -> None:
    """Have a code mailed to your new address, or again to the current one; it changes when the code comes back."""
    user = await accounts.confirm_password(principal, body.password.get_secret_value())
    recovery.propose_email(principal, user, body.email)


@users.get("/me")
async def get_me(principal: Caller, session: Read, response: Response) -> Me:
    """Show who you are: your account, the organization you act in, and what you may do there."""
    user = await AccountReader(session).get(principal.user_id)
    shown = UserRead.model_validate(user).model_dump()
    if not principal.may(Scope.ACCOUNT):
        shown |= {"email": None, "full_name": None}
    found = Me(
        **shown,
        kind=principal.kind,
        organization=OrganizationRef(id=principal.organization_id, slug=principal.organization_slug),
        scopes=sorted(principal.scopes, key=list(Scope).index),
    )
    return tagged(response, found)


@users.patch("/me", responses=problems(PreconditionFailed))
async def update_me(
    body: UserUpdate, principal: Person, accounts: Accounts, if_match: IfMatch, response: Response
) -> UserRead:
    """Change your account."""
    user = await accounts.update(principal, body, if_match)
    return tagged(response, UserRead.model_validate(user))
