"""User: who may sign in, and in which role."""

from dataclasses import dataclass
from datetime import datetime

from equipment.words import Words


@dataclass(frozen=True, slots=True)
class User:
    """A person's login; ``id`` is the login name, ``password`` an argon2 hash."""

    id: str
    title: Words
    role: str
    password: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """One open session of a user's browser; ``id`` is the SHA-256 of its cookie."""

    id: str
    user: str
    expires_at: datetime
