"""Shards: several collectors share the work, each for its share of the sites.

A site belongs to one shard, by a hash that never changes; its devices, their rules and their order
stay together. Each collector keeps a session of its own at the broker and subscribes to its sites
one by one. A shared subscription would spread one device over all collectors.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from collector.mqtt import CLIENT_ID, EVERYTHING


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard ``number`` of ``count``, counted from 1."""

    number: int = 1
    count: int = 1

    @property
    def whole(self) -> bool:
        """Whether there is no other one."""
        return self.count == 1

    @property
    def client_id(self) -> str:
        """The client id at the broker, and with it the name of the session there."""
        return CLIENT_ID if self.whole else f"{CLIENT_ID}-{self.number}-of-{self.count}"

    def has(self, site: str) -> bool:
        """Return whether ``site`` belongs to this shard."""
        if self.whole:
            return True
        digest = hashlib.blake2s(site.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def filters(self, sites: Iterable[str]) -> tuple[str, ...]:
        """Return what to subscribe to, where ``sites`` are all that are on record.

        The only shard hears everybody, also who is not on record; one of several only its sites.
        """
        if self.whole:
            return EVERYTHING
        mine = [site for site in sorted(sites) if self.has(site)]
        return tuple(one.replace("+", site, 1) for one in EVERYTHING for site in mine)


def shard(text: str) -> Shard:
    """Read ``"2/3"``. Raises ValueError."""
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise ValueError(f"shard {text!r} is not NUMBER/COUNT, as in 1/3")
    if not 1 <= int(number) <= int(count) <= 1000:
        raise ValueError(f"shard {text!r} is outside 1/{count}..{count}/{count}, at most 1000")
    return Shard(int(number), int(count))
