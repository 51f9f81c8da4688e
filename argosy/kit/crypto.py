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

from argosy.settings import SecuritySettings


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


SECRET_FILE, FORMER_FILE = "secret_key", "former_secret_keys"


def key_ring(folder: Path, settings: SecuritySettings) -> KeyRing:
    """Return the keys that the settings give, or those of a folder, made at first use."""
    former = [key.get_secret_value().encode() for key in settings.former_secret_keys]
    if settings.secret_key is not None:
        return KeyRing(settings.secret_key.get_secret_value().encode(), former)
    kept = folder / FORMER_FILE
    former += kept.read_bytes().split() if kept.exists() else []
    return KeyRing(load_or_create_secret(folder / SECRET_FILE), former)


def renew_secret(folder: Path) -> None:
    """Put a new secret key in a folder; the one before it is kept beside it, to decrypt.

    The former key is written first: whatever happens in between, both can be found.
    """
    current = load_or_create_secret(folder / SECRET_FILE)
    kept = folder / FORMER_FILE
    former = kept.read_bytes().split() if kept.exists() else []
    _replace(kept, b"\n".join([current, *(key for key in former if key != current)]) + b"\n")
    _replace(folder / SECRET_FILE, secrets.token_urlsafe(48).encode())


def forget_former_secrets(folder: Path) -> None:
    """Remove the former secret keys: what only they decrypt is lost."""
    (folder / FORMER_FILE).unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    draft = _draft(path, content)
    draft.replace(path)


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def load_or_create_secret(path: Path) -> bytes:
    """Read the secret key, making it at first use with mode 0600.

    Two processes starting together end with the same key: the file appears whole, and only once.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = _draft(path, secrets.token_urlsafe(48).encode())
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
