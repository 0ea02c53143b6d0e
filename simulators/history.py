"""What the devices said before anybody listened, as batch messages marked historical."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from equipment.device import Device
from simulators.instants import ms_of
from simulators.sayings import Said, Speaker
from simulators.script import Script

_SPAN_MS = 6 * 3_600_000


def history(
    seed: int,
    devices: Iterable[Device],
    script: Script,
    start: datetime,
    end: datetime,
    *,
    thin_s: float = 0.0,
) -> Iterator[Said]:
    """Yield all that ``devices`` said in [start, end), births first, one device after the other.

    The live fleet goes on from ``end`` as if there had been no seam.
    """
    from_ms, to_ms = ms_of(start), ms_of(end)
    boot = f"h{from_ms // 1000:x}"
    for device in devices:
        speaker = Speaker(seed, device, boot, thin_s=thin_s)
        yield speaker.birth(from_ms)
        episodes = script.episodes(device.id)
        for begin in range(from_ms, to_ms, _SPAN_MS):
            until = min(begin + _SPAN_MS, to_ms)
            yield from speaker.readings(begin, until, episodes, historical=True)
            yield from speaker.remarks(begin, until, episodes)
