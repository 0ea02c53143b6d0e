"""Arrival: a message as it came in, and what takes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

What = Literal["stored", "duplicate", "quarantined"]


class Again(NamedTuple):
    """That a message comes out of quarantine: its id there, when it had come in, for which replay.

    ``ledger`` says how the ledger of its device has it, as ``Quarantined.ledger`` does.
    """

    id: str
    at: datetime
    ledger: str
    replay: str


class Arrival(NamedTuple):
    """One message as it came in.

    ``sender`` is the device its connection authenticated as, None for a connection that may speak
    for every device (a broker that checked the topic, a replayed file). ``again`` is None for
    all but the messages that come out of quarantine.
    """

    sender: str | None
    topic: str
    payload: bytes
    retained: bool = False
    again: Again | None = None

    def tell(self, outcome: What, reason: str = "", why: str = "") -> None:
        """Say that it was not simply stored; of most arrivals nobody wants to know."""


class Sink(Protocol):
    """Where arrivals go. Both methods are called from one thread only."""

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        """Return when every arrival is durable; raise when none may be acknowledged yet."""
        ...

    def act(self, kept: Any) -> None:
        """Do what follows from what ``keep`` returned, after the acknowledgements went out."""
        ...
