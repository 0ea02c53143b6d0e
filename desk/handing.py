"""Handing in: a program gives messages and hears what each came to, once that is durable."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from desk.arrival import Arrival, What
from equipment.words import Words


class NotAdmitted(PermissionError):
    """No device or gateway has this name and secret."""

    reason = Words("没有使用此凭据的设备或网关", "no device or gateway has this name and secret")


class Busy(RuntimeError):
    """The store is behind or refuses: nothing is promised, the same messages may come again.

    ``after_s`` says when to try that.
    """

    def __init__(self, reason: Words, after_s: float) -> None:
        super().__init__(reason.en)
        self.reason, self.after_s = reason, after_s


class Letter(NamedTuple):
    """A message as a program hands it in."""

    topic: str
    payload: bytes


class Outcome(NamedTuple):
    """What a message came to: stored, duplicate or quarantined; ``reason`` is a code of REASONS.

    A message that was stored but for some of its metrics has a reason too.
    """

    what: What = "stored"
    reason: str = ""
    why: str = ""


class Asked(Arrival):
    """An arrival whose sender waits to hear what it came to."""

    outcome = Outcome()

    def tell(self, outcome: What, reason: str = "", why: str = "") -> None:
        """Note what it came to; what was put aside as a whole stays so."""
        if self.outcome.what == "stored":
            self.outcome = Outcome(outcome, reason, why)


Who = TypeVar("Who")


class HandingIn(Protocol[Who]):
    """Where programs hand in."""

    async def admit(self, user: str, password: str) -> Who:
        """Return who that is. Raises NotAdmitted."""
        ...

    async def hand_in(self, who: Who, letters: Sequence[Letter]) -> Sequence[Outcome]:
        """Return what each of ``letters`` came to, once that is durable. Raises Busy."""
        ...
