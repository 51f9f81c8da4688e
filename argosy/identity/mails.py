"""The mails of accounts: subject and text. A mail never holds a password, and its code is good for minutes."""

Text = tuple[str, str]
_IGNORE = "If this was not you, you need not do anything."


def verify(username: str, code: str) -> Text:
    """Ask to confirm an address."""
    return (
        "Confirm your e-mail address",
        (
            f"Hello {username},\n\nconfirm this address with the code\n\n    {code}\n\n"
            f"It is good once, for a few minutes:\n\n    argosy account verify {code}\n\n{_IGNORE}\n"
        ),
    )


def already_registered(username: str) -> Text:
    """Tell the owner of an address that somebody gave it again."""
    return (
        "You already have an account",
        (
            f"Hello {username},\n\nsomebody gave this address to open another account. It belongs to yours, "
            f"{username!r}, and stays with it. If you have forgotten the password, ask for a new one.\n\n{_IGNORE}\n"
        ),
    )


def reset(username: str, code: str) -> Text:
    """Let choose a new password."""
    return (
        "Choose a new password",
        (
            f"Hello {username},\n\nchoose a new password with the code\n\n    {code}\n\n"
            f"It is good once, for a few minutes:\n\n    argosy account reset-password\n\n{_IGNORE}\n"
        ),
    )


def password_changed(username: str) -> Text:
    """Tell that the password was changed."""
    return (
        "Your password was changed",
        (
            f"Hello {username},\n\nyour password was changed through this mailbox, and every sign-in has ended. If "
            "this was not you, secure the mailbox and choose another password.\n"
        ),
    )


def email_change_requested(username: str) -> Text:
    """Tell the old address that another is about to take its place."""
    return (
        "Your e-mail address is about to change",
        (
            f"Hello {username},\n\nsomebody signed in to your account asked to use another address. It changes when "
            "the code sent there comes back. If this was not you, change your password now.\n"
        ),
    )


def email_changed(username: str) -> Text:
    """Tell the old address that it is no longer in use."""
    return (
        "Your e-mail address was changed",
        f"Hello {username},\n\nyour account now uses another address, and your other sign-ins have ended.\n",
    )


def invitation(organization: str, role: str, code: str) -> Text:
    """Invite somebody to an organization."""
    return (
        f"You are invited to {organization}",
        (
            f"Hello,\n\nyou are invited to join {organization} as {role}. Accept with the code\n\n    {code}\n\n"
            f"    argosy orgs accept {code}\n\nIf you do not know {organization}, you need not do anything.\n"
        ),
    )
