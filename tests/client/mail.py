"""Reading the codes that a server process mails: in embedded mode into files."""

import time
from email import message_from_bytes, policy

from tests.support.mail import code_in
from tests.support.servers import ServerProcess


def mailed_code(server: ServerProcess, address: str, prefix: str) -> str:
    """Wait for the newest code of a kind (`ev_`, `pr_`, `in_`) that was mailed to an address."""
    for _ in range(200):
        found = [code for code in _codes(server, address) if code.startswith(prefix)]
        if found:
            return found[-1]
        time.sleep(0.05)
    raise AssertionError(f"no code {prefix}… for {address}")


def _codes(server: ServerProcess, address: str) -> list[str]:
    paths = sorted((server.data_dir / "mail").glob("*.eml"))
    messages = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
    return [code_in(message) for message in messages if message["To"] == address]
