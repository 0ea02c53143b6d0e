"""What a collector retains about itself at a broker, and how two with one client id notice it.

``fc/v1/_collector/{client id}`` holds ``{"state": "online", "by": "5f0c2a91-3"}``: by whom, and the
how many-th of its connections. The will says ``lost``, a goodbye ``stopped``. A broker ends the
connection of a client when another comes with the same id, often without a word. Who comes back and
reads there that somebody else was connected meanwhile, and did not stop, leaves without a trace:
else the two would push each other out for ever.
"""

import secrets
from typing import Final

import msgspec

from equipment.wire import ROOT

PAUSES_S: Final = (60.0, 600.0, 3600.0)
_FORGOTTEN_AFTER_S: Final = 4 * 3600.0


class Said(msgspec.Struct, frozen=True):
    """The retained message."""

    state: str
    by: str


def status_topic(client_id: str) -> str:
    """Return where it is retained whether a collector is ``online``, ``lost`` or ``stopped``."""
    return f"{ROOT}/_collector/{client_id}"


class Status:
    """The state of one collector over all its connections."""

    def __init__(self, client_id: str) -> None:
        self.topic = status_topic(client_id)
        self._me = secrets.token_hex(4)
        self._connections = 0
        self._other = ""
        self._suspected = False
        self._pushed_out = 0
        self._pushed_out_at = 0.0

    def next(self) -> None:
        """Take note that another connection begins."""
        self._connections += 1

    def say(self, state: str) -> bytes:
        """Return the message that says ``state`` of this connection."""
        return msgspec.json.encode(Said(state, f"{self._me}-{self._connections}"))

    def another(self, payload: bytes | bytearray, *, told: bool) -> bool:
        """Return whether ``payload``, retained, shows that another came between our connections.

        Where a broker tells who is pushed out (``told``), the first time means nothing: the other
        has just been told to leave, and if both did nobody would be there.
        """
        try:
            said = msgspec.json.decode(payload, type=Said)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if said.by.startswith(self._me) or said.by == self._other or self._connections < 2:
            return False
        self._other = said.by  # seen twice, it is somebody who is no more
        if said.state == "stopped":
            return False
        before, self._suspected = self._suspected, True
        return before or not told

    def pause_s(self, now: float) -> float | None:
        """Return how long to stay away, pushed out at ``now`` (s, any clock): None for good."""
        again = self._pushed_out and now - self._pushed_out_at < _FORGOTTEN_AFTER_S
        self._pushed_out = self._pushed_out + 1 if again else 1
        self._pushed_out_at = now
        return PAUSES_S[self._pushed_out - 1] if self._pushed_out <= len(PAUSES_S) else None
