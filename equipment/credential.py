"""Credential: what a device proves its identity with."""

import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """The secret of one device, as a salted SHA-256: secrets are random, so no slow hash."""

    id: str
    salt: str
    digest: str


def credential(device: str, secret: str, salt: str) -> Credential:
    """Return what to keep for ``device`` so that ``matches`` later knows its secret."""
    return Credential(device, salt, _digest(secret, salt))


def matches(kept: Credential, secret: str) -> bool:
    """Return whether ``secret`` is the one of ``kept``, in constant time."""
    return hmac.compare_digest(kept.digest, _digest(secret, kept.salt))


def _digest(secret: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
