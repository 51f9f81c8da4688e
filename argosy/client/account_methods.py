"""What a client does about accounts: one's own, and for administrators everybody's."""

from collections.abc import AsyncIterator, Iterator

from argosy.client import accounts, results
from argosy.client.requests import given
from argosy.client.running import AsyncRunner, Runner


class AccountMethods(Runner):
    """Registration, sign-ins, mailed codes, and the accounts of the platform."""

    def register(
        self, email: str, username: str, password: str, full_name: str | None = None, *, invitation: str | None = None
    ) -> results.User:
        """Make an account; with the code of an invitation it is a member at once."""
        return self.send(accounts.register(email, username, password, full_name, invitation))

    def sign_in(self) -> None:
        """Get a token now; raises `ArgosyAPIError` for wrong credentials."""
        self._run(self._sign_in())

    def sign_out(self) -> None:
        """End a person's sign-in on the server; an API key and a client have none."""
        self._run(self._sign_out())

    def me(self) -> results.Me:
        """Show who you are: the account, the organization you act in, and what you may do there."""
        return self.send(accounts.me())

    def update_me(self, full_name: str | None) -> results.User:
        """Change your account."""
        return self.send(accounts.update_me(full_name))

    def verify_email(self, code: str) -> None:
        """Confirm an address with the code that was mailed to it."""
        self.send(accounts.verify_email(code))

    def request_password_reset(self, email: str) -> None:
        """Have a code mailed for a forgotten password; the answer is the same for every address."""
        self.send(accounts.request_password_reset(email))

    def reset_password(self, code: str, password: str) -> None:
        """Choose a new password with the mailed code; every sign-in ends."""
        self.send(accounts.reset_password(code, password))

    def change_password(self, current: str, new: str) -> None:
        """Change your password; your other sign-ins end."""
        self._run(self._change_password(current, new))

    def change_email(self, email: str, password: str) -> None:
        """Have a code mailed to your new address; `verify_email` with it makes the change and ends sign-ins."""
        self.send(accounts.change_email(email, password))

    def sessions(self) -> Iterator[results.SignIn]:
        """List your sign-ins."""
        return self._each(self._list("/auth/sessions", results.SignIn))

    def end_session(self, session_id: object) -> None:
        """End one of your sign-ins, at once."""
        self.send(accounts.end_session(session_id))

    def users(self, search: str | None = None, *, active: bool | None = None) -> Iterator[results.Account]:
        """List the accounts of the platform; for administrators."""
        return self._each(self._list("/users", results.Account, **given(q=search, active=active)))

    def user(self, user_id: object) -> results.Account:
        """Show an account; for administrators."""
        return self.send(accounts.get_user(user_id))

    def update_user(
        self, user_id: object, *, is_active: bool | None = None, is_admin: bool | None = None
    ) -> results.Account:
        """Disable, enable, promote or demote an account; for administrators."""
        return self.send(accounts.update_user(user_id, given(is_active=is_active, is_admin=is_admin)))

    def delete_user(self, user_id: object) -> None:
        """Delete an account with its personal organization; for administrators."""
        self.send(accounts.delete_user(user_id))


class AsyncAccountMethods(AsyncRunner):
    """Registration, sign-ins, mailed codes, and the accounts of the platform."""

    async def register(
        self, email: str, username: str, password: str, full_name: str | None = None, *, invitation: str | None = None
    ) -> results.User:
        """Make an account; with the code of an invitation it is a member at once."""
        return await self.send(accounts.register(email, username, password, full_name, invitation))

    async def sign_in(self) -> None:
        """Get a token now; raises `ArgosyAPIError` for wrong credentials."""
        await self._run(self._sign_in())

    async def sign_out(self) -> None:
        """End a person's sign-in on the server; an API key and a client have none."""
        await self._run(self._sign_out())

    async def me(self) -> results.Me:
        """Show who you are: the account, the organization you act in, and what you may do there."""
        return await self.send(accounts.me())

    async def update_me(self, full_name: str | None) -> results.User:
        """Change your account."""
        return await self.send(accounts.update_me(full_name))

    async def verify_email(self, code: str) -> None:
        """Confirm an address with the code that was mailed to it."""
        await self.send(accounts.verify_email(code))

    async def request_password_reset(self, email: str) -> None:
        """Have a code mailed for a forgotten password; the answer is the same for every address."""
        await self.send(accounts.request_password_reset(email))

    async def reset_password(self, code: str, password: str) -> None:
        """Choose a new password with the mailed code; every sign-in ends."""
        await self.send(accounts.reset_password(code, password))

    async def change_password(self, current: str, new: str) -> None:
        """Change your password; your other sign-ins end."""
        await self._run(self._change_password(current, new))

    async def change_email(self, email: str, password: str) -> None:
        """Have a code mailed to your new address; `verify_email` with it makes the change and ends sign-ins."""
        await self.send(accounts.change_email(email, password))

    def sessions(self) -> AsyncIterator[results.SignIn]:
        """List your sign-ins."""
        return self._each(self._list("/auth/sessions", results.SignIn))

    async def end_session(self, session_id: object) -> None:
        """End one of your sign-ins, at once."""
        await self.send(accounts.end_session(session_id))

    def users(self, search: str | None = None, *, active: bool | None = None) -> AsyncIterator[results.Account]:
        """List the accounts of the platform; for administrators."""
        return self._each(self._list("/users", results.Account, **given(q=search, active=active)))

    async def user(self, user_id: object) -> results.Account:
        """Show an account; for administrators."""
        return await self.send(accounts.get_user(user_id))

    async def update_user(
        self, user_id: object, *, is_active: bool | None = None, is_admin: bool | None = None
    ) -> results.Account:
        """Disable, enable, promote or demote an account; for administrators."""
        return await self.send(accounts.update_user(user_id, given(is_active=is_active, is_admin=is_admin)))

    async def delete_user(self, user_id: object) -> None:
        """Delete an account with its personal organization; for administrators."""
        await self.send(accounts.delete_user(user_id))
