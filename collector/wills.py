"""Wills: what is to be said for clients that vanished, now or once they have stayed away."""

from collections.abc import Iterator
from typing import NamedTuple

from collector.admission import Principal
from collector.fields import Property
from collector.packets import Publish, Will
from collector.session import Session


class LastWord(NamedTuple):
    """A will as the message it becomes, due at an instant of the monotonic clock, s."""

    due_at: float
    message: Publish
    principal: Principal


class Wills:
    """The wills that wait whether their client comes back."""

    def __init__(self) -> None:
        self._waiting: dict[Session, LastWord] = {}

    def put_off(self, will: Will, session: Session, principal: Principal, now: float) -> None:
        """Keep the will until it is due: after its delay, or with the end of the session."""
        delay_s = min(will.properties.get(Property.WILL_DELAY, 0), session.expiry_s)
        topic, payload, qos, retain, values = will
        message = Publish(topic, payload, qos, 0, retain, False, values)
        self._waiting[session] = LastWord(now + delay_s, message, principal)

    def call_off(self, session: Session) -> None:
        """Forget the will of a client that is back."""
        self._waiting.pop(session, None)

    def take(self, session: Session) -> Iterator[tuple[Session, LastWord]]:
        """Yield the session's will, if one waits, and keep it no longer."""
        word = self._waiting.pop(session, None)
        if word is not None:
            yield session, word

    def due(self, now: float) -> Iterator[tuple[Session, LastWord]]:
        """Yield the wills that are due at ``now``, and keep them no longer."""
        for session in [s for s, word in self._waiting.items() if word.due_at <= now]:
            yield from self.take(session)
