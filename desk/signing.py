"""Signing in: a password becomes a session, checked slowly on purpose and never without a limit."""

import hashlib
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from aftersales.user import SignIn, User
from storage.interface import Records, Work

SESSION_LASTS = timedelta(hours=12)
SESSIONS_EACH = 20
PASSWORD_LIMIT = 256
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash("nobody")  # verified for unknown logins too, so both take as long
HASHING = ThreadPoolExecutor(2, thread_name_prefix="argon2")


def hashed(password: str) -> str:
    """Return what to keep of a password."""
    return _HASHER.hash(password)


def is_password(kept: str, password: str) -> bool:
    """Return whether ``password`` is the one ``kept`` was made from."""
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def sign_in(
    records: Records, login: str, password: str, *, now: datetime, lasts: timedelta = SESSION_LASTS
) -> tuple[User, str] | None:
    """Return the user and a new session's secret, or None when login and password do not match.

    A user has at most SESSIONS_EACH sessions: the ones that end first give way.
    """
    with records.read() as work:
        user = work.shelf(User).get(login)
    if not is_password(user.password if user else _NOBODY, password[:PASSWORD_LIMIT]):
        return None
    if user is None:
        return None
    secret = secrets.token_urlsafe(32)
    with records.begin() as work:
        _make_room(work, user.id, now)
        work.shelf(SignIn).put(SignIn(_id(secret), user.id, now + lasts))
    return user, secret


def _make_room(work: Work, user: str, now: datetime) -> None:
    shelf = work.shelf(SignIn)
    kept = sorted(shelf.find(user=user), key=lambda session: session.expires_at, reverse=True)
    for place, session in enumerate(kept):
        if session.expires_at <= now or place >= SESSIONS_EACH - 1:
            shelf.remove(session.id)


def signed_in(records: Records, secret: str, *, now: datetime) -> User | None:
    """Return whose session ``secret`` is, or None when it is unknown, ended or expired."""
    with records.read() as work:
        return _user_of(work, secret, now)


def still_signed_in(work: Work, secrets: Iterable[str], now: datetime) -> dict[str, User]:
    """Return secret -> user of those ``secrets`` whose session has not ended."""
    found = {secret: _user_of(work, secret, now) for secret in set(secrets)}
    return {secret: user for secret, user in found.items() if user is not None}


def _user_of(work: Work, secret: str, now: datetime) -> User | None:
    session = work.shelf(SignIn).get(_id(secret))
    if session is None or session.expires_at <= now:
        return None
    return work.shelf(User).get(session.user)


def sign_out(records: Records, secret: str) -> None:
    """End the session at once."""
    with records.begin() as work:
        work.shelf(SignIn).remove(_id(secret))


def _id(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
