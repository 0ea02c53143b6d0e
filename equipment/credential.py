"""Credential: what a device proves its identity with."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

_ROUNDS = 101  # mosquitto's own; secrets are random, so more would only cost


@dataclass(frozen=True, slots=True)
class Former:
    """The secret before this one, which still holds ``until`` then."""

    salt: str
    digest: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Credential:
    """The secret of one device, as a salted SHA-256: secrets are random, so no slow hash.

    ``broker`` is the same secret as mosquitto keeps it in its password file.
    """

    id: str
    salt: str
    digest: str
    issued_at: datetime | None = None
    former: Former | None = None
    broker: str = ""


def credential(
    device: str, secret: str, salt: str, *, issued_at: datetime | None = None, broker: str = ""
) -> Credential:
    """Return what to keep for ``device`` so that ``matches`` later knows its secret."""
    return Credential(device, salt, _digest(secret, salt), issued_at, None, broker)


def matches(kept: Credential, secret: str, now: datetime) -> bool:
    """Return whether ``secret`` is the one of ``kept``, or the one before it while that holds."""
    if hmac.compare_digest(kept.digest, _digest(secret, kept.salt)):
        return True
    former = kept.former
    if former is None or former.until <= now:
        return False
    return hmac.compare_digest(former.digest, _digest(secret, former.salt))


def mosquitto_hash(secret: str, salt: bytes) -> str:
    """Return ``secret`` as mosquitto's password file has it: ``$7$rounds$salt$hash``.

    PBKDF2 with SHA-512. Source: mosquitto 2.0, ``mosquitto_passwd(1)``.
    """
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _ROUNDS)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ROUNDS}${'$'.join(parts)}"


def _digest(secret: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
