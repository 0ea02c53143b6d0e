"""Doorman: how many may try to sign in, and how long a login waits after wrong passwords.

Checking a password is slow on purpose. So the checks that wait are few, fewer from one address,
and after five wrong passwords the same login waits from that address, 1 s, 2 s, 4 s, ... at most a
minute. Others are let in meanwhile, and the same person from another address.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import TooMany
from equipment.words import Words

WAITING, WAITING_EACH = 32, 8
FREE, LONGEST_S, FORGOTTEN_S = 5, 60.0, 900.0
_KEPT = 10_000


class Doorman:
    """Used from the event loop only; ``now_s`` is any clock that only grows."""

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._tries: dict[tuple[str, str], tuple[int, float]] = {}

    @contextmanager
    def admitted(self, login: str, address: str, now_s: float) -> Iterator[None]:
        """Hold a place for one check, which counts as wrong until ``welcome``. Raises TooMany."""
        wait_s = self.wait_s(login, address, now_s)
        if wait_s > 0:
            raise TooMany(
                Words(
                    f"密码错误次数过多，请 {wait_s:.0f} 秒后再试",
                    f"too many wrong passwords; try again in {wait_s:.0f} s",
                ),
                wait_s,
            )
        if self._waiting.total() >= WAITING or self._waiting[address] >= WAITING_EACH:
            busy = Words(
                "登录人数过多，请稍后再试", "too many people sign in at once; try again soon"
            )
            raise TooMany(busy, 2)
        self._count(login, address, now_s)
        self._waiting[address] += 1
        try:
            yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def welcome(self, login: str, address: str) -> None:
        """Forget the wrong tries: the password was right."""
        self._tries.pop((login, address), None)

    def wait_s(self, login: str, address: str, now_s: float) -> float:
        """Return how long ``login`` has to wait at ``address``, 0 for not at all."""
        count, last_s = self._tries.get((login, address), (0, now_s))
        if count < FREE or now_s - last_s > FORGOTTEN_S:
            return 0.0
        return max(0.0, last_s + min(LONGEST_S, 2.0 ** (count - FREE)) - now_s)

    def _count(self, login: str, address: str, now_s: float) -> None:
        count, last_s = self._tries.pop((login, address), (0, now_s))
        self._tries[login, address] = (1 if now_s - last_s > FORGOTTEN_S else count + 1, now_s)
        if len(self._tries) > _KEPT:
            del self._tries[next(iter(self._tries))]
