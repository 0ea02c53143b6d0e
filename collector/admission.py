"""Who may connect, where each may speak and listen, and how much of everything."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from collector.topics import covers, filter_is_valid, matches
from equipment.sparkplug import DEVICE_KINDS, EDGE_KINDS, NAMESPACE
from equipment.wire import KINDS, ROOT, MalformedMessage, address


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a connection has proved to be.

    ``device`` is the device id, None for a trusted operator or gateway. ``publishes`` and
    ``subscribes`` are topic filters; ``sessions`` bounds how many it may have at a time; ``name``
    is under which the desk files what a gateway may not say.
    """

    device: str | None
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]
    sessions: int = 4
    name: str = ""

    def may_publish(self, topic: str) -> bool:
        """Return whether ``topic`` is its own."""
        return any(matches(wanted, topic) for wanted in self.publishes)

    def sender(self, topic: str) -> str | None:
        """Return in whose name the desk takes a message on ``topic``: None if that was checked.

        What a gateway may not say goes in its own name, which is no device's: it is put aside.
        """
        if self.device is not None:
            return self.device
        return None if self.may_publish(topic) else self.name

    def may_subscribe(self, wanted: str) -> bool:
        """Return whether it may read everything that the filter ``wanted`` matches."""
        return any(covers(wide, wanted) for wide in self.subscribes)


Authenticate = Callable[[str, str], Principal | None]


def device_principal(device: str) -> Principal:
    """Return what a device may: speak under its own id at any site, read its own requests.

    In Sparkplug B it is the edge node of that name.
    """
    if not device or not filter_is_valid(device) or set("/+#") & set(device):
        raise ValueError(f"device id {device[:60]!r} cannot be part of a topic")
    publishes, subscribes = _edge_node("+", device)
    return Principal(
        device,
        (f"{ROOT}/+/{device}/#", *publishes),
        (f"{ROOT}/+/{device}/cmd", *subscribes),
    )


def _edge_node(site: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where an edge node of Sparkplug B publishes, and what it may subscribe to."""
    own = tuple(f"{NAMESPACE}/{site}/{kind}/{name}" for kind in EDGE_KINDS)
    devices = tuple(f"{NAMESPACE}/{site}/{kind}/{name}/+" for kind in DEVICE_KINDS)
    commands = (f"{NAMESPACE}/{site}/NCMD/{name}", f"{NAMESPACE}/{site}/DCMD/{name}/+")
    return own + devices, (*commands, f"{NAMESPACE}/STATE/+")


def gateway_principal(user: str) -> Principal:
    """Return what the gateway ``site/name`` may: speak for every device of its site.

    In Sparkplug B it is the edge node ``name`` of the group ``site``.

    Raises ValueError for another form of name.
    """
    site, _, name = user.partition("/")
    try:
        address(f"{ROOT}/{site}/{name}/tele")
    except MalformedMessage as error:
        raise ValueError(f"gateway {user[:90]!r} is not site/name: {error}") from error
    publishes, subscribes = _edge_node(site, name)
    own = tuple(f"{ROOT}/{site}/+/{kind}" for kind in KINDS)
    return Principal(None, own + publishes, (f"{ROOT}/{site}/+/cmd", *subscribes), name=user)


@lru_cache(maxsize=1)
def operator_principal() -> Principal:
    """Return what a trusted connection may: everything, for every device."""
    return Principal(None, ("#",), ("#",), sessions=10_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything; beyond it the client is told, or has to wait.

    ``waiting_messages`` and ``waiting_bytes`` bound what is not yet committed: above them nothing
    more is read from anybody. ``partial_bytes`` bounds what has come of packets that are not
    complete: who goes beyond is let go. ``keep_alive_s`` is asked of clients that want a longer
    one or none. ``session_s`` is how long a session can be kept for an absent client, ``queue`` and
    ``queue_bytes`` bound what waits for one session; ``stall_s`` is how long a client may not take
    what it is sent.
    """

    connections: int = 10_000
    connect_s: float = 10.0
    keep_alive_s: int = 600
    packet: int = 1024 * 1024
    receive_maximum: int = 1000
    aliases: int = 10
    filters: int = 100
    inflight: int = 64
    sessions: int = 20_000
    queue: int = 1000
    queue_bytes: int = 16 * 1024 * 1024
    retained: int = 200_000
    retained_bytes: int = 256 * 1024 * 1024
    retained_each: int = 32  # topics of one device
    session_s: int = 30 * 24 * 3600
    client_id: int = 256
    waiting_messages: int = 50_000
    waiting_bytes: int = 64 * 1024 * 1024
    partial_bytes: int = 64 * 1024 * 1024
    write_buffer: int = 256 * 1024
    stall_s: float = 60.0
