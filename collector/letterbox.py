"""The letterbox: what programs hand in goes the way of what devices publish, and they wait for it.

Devices are admitted by the same credentials as at the MQTT endpoint, and may say the same.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from collector.admission import Authenticate, Principal
from collector.committer import Committer, Parcel
from collector.waiting import Waiting
from desk.handing import Asked, Busy, Letter, NotAdmitted, Outcome
from equipment.words import Words

WAITING_MESSAGES: Final = 20_000
WAITING_BYTES: Final = 64 * 1024 * 1024
PATIENCE_S: Final = 10.0
AGAIN_AFTER_S: Final = 5.0
_SLOW: Final = Words(
    "未能及时存储；之后仍可能存储，可放心重发",
    "not stored in time; it may still be, and sending it again is safe",
)
_REFUSES: Final = Words("存储暂时拒绝写入", "the store refuses; nothing is taken meanwhile")
_BEHIND: Final = Words("待存储的消息过多", "too many messages wait to be stored")


class _Receipt(NamedTuple):
    loop: asyncio.AbstractEventLoop
    durable: "asyncio.Future[None]"
    messages: int
    size: int


class Letterbox:
    """Hands in to the committer; what waits there is bounded, and so is the wait."""

    def __init__(
        self,
        committer: Committer,
        authenticate: Authenticate,
        *,
        patience_s: float = PATIENCE_S,
        waiting_messages: int = WAITING_MESSAGES,
    ) -> None:
        self._committer, self._authenticate = committer, authenticate
        self._patience_s = patience_s
        self._waiting = Waiting(waiting_messages, WAITING_BYTES)
        self._counting = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many messages are handed in and not stored yet."""
        return self._waiting.messages

    async def admit(self, user: str, password: str) -> Principal:
        """Return who that is. Raises NotAdmitted."""
        principal = await asyncio.to_thread(self._authenticate, user, password)
        if principal is None:
            raise NotAdmitted(user[:100])
        return principal

    async def hand_in(self, who: Principal, letters: Sequence[Letter]) -> Sequence[Outcome]:
        """Return what each of ``letters`` came to, once that is durable. Raises Busy."""
        asked = [Asked(who.sender(topic), topic, payload) for topic, payload in letters]
        if not asked:
            return []
        receipt = self._receipt(asked)
        self._committer.put(Parcel(self, asked, receipt.size, receipt))
        try:
            await asyncio.wait_for(asyncio.shield(receipt.durable), self._patience_s)
        except TimeoutError:
            raise Busy(_SLOW, AGAIN_AFTER_S) from None
        return [one.outcome for one in asked]

    def _receipt(self, asked: Sequence[Asked]) -> _Receipt:
        """Count what is handed in. Raises Busy when that is too much."""
        size = sum(len(one.payload) + 100 for one in asked)
        loop = asyncio.get_running_loop()
        with self._counting:
            if self._committer.failing and self._waiting.messages:
                raise Busy(_REFUSES, AGAIN_AFTER_S)
            if not self._waiting.takes(len(asked), size):
                raise Busy(_BEHIND, AGAIN_AFTER_S)
            self._waiting.add(len(asked), size)
        return _Receipt(loop, loop.create_future(), len(asked), size)

    def kept(self, receipts: Sequence[Any]) -> None:
        """Let those go on who wait for these; called by the committer."""
        with self._counting:
            for receipt in receipts:
                self._waiting.add(-receipt.messages, -receipt.size)
        for receipt in receipts:
            with contextlib.suppress(RuntimeError):  # the loop is gone after stop
                receipt.loop.call_soon_threadsafe(_is_durable, receipt.durable)


def _is_durable(durable: "asyncio.Future[None]") -> None:
    if not durable.done():
        durable.set_result(None)
