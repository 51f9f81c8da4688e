"""Keys and hashes. One secret key per installation; keys for each purpose are derived from it (HKDF, RFC 5869)."""

import base64
import hashlib
import hmac
import os
import secrets
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class KeyRing:
    """Derives one 32-byte key per purpose from the installation's secret key.

    Former secret keys still decrypt, so that the key can be changed without losing what it protects.
    """

    def __init__(self, secret_key: bytes, former: Sequence[bytes] = ()) -> None:
        self._secret_keys = (secret_key, *former)

    def key(self, purpose: str) -> bytes:
        """Return the key for a purpose; two purposes never share one."""
        return _derive(self._secret_keys[0], purpose)

    def cipher(self, purpose: str) -> MultiFernet:
        """Return an authenticated cipher (Fernet: AES-128-CBC with HMAC-SHA256) for a purpose.

        It encrypts with the newest key and decrypts with any; its `rotate` turns old ciphertext into new.
        """
        keys = (_derive(secret, purpose) for secret in self._secret_keys)
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret)


def load_or_create_secret(path: Path) -> bytes:
    """Read the secret key, making it at first use with mode 0600.

    Two processes starting together end with the same key: the file appears whole, and only once.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text().strip().encode()


def new_token(prefix: str) -> str:
    """Return `prefix` + 192 random bits + a checksum, so that a mistyped token is told from an unknown one."""
    body = secrets.token_urlsafe(24)
    return f"{prefix}{body}{_checksum(prefix + body)}"


def is_well_formed(token: str, prefix: str) -> bool:
    """Tell whether a token carries this prefix and a right checksum."""
    return token.startswith(prefix) and token.isascii() and hmac.compare_digest(_checksum(token[:-6]), token[-6:])


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token, in hex: enough for a random token, which no dictionary holds."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(text: str) -> str:
    return base64.urlsafe_b64encode(zlib.crc32(text.encode()).to_bytes(4, "big")).decode().rstrip("=")
