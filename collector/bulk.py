"""The fast way in: a run of plain QoS 1 messages read in one tight loop.

Everything unusual is left to ``collector.packets``, which also says what is malformed.
"""

from collections.abc import Mapping

from collector.packets import V5
from desk.arrival import Arrival

_ACKED = b"\x40\x02"


def acknowledged(pids: list[bytes]) -> bytes:
    """Return the PUBACK packets of ``pids``, joined."""
    return _ACKED + _ACKED.join(pids)


def publishes(
    data: bytes,
    pos: int,
    known: Mapping[bytes, str],
    *,
    version: int,
    sender: str | None,
    arrivals: list[Arrival],
    pids: list[bytes],
) -> int:
    """Append the run of plain QoS 1 messages at ``pos`` and return where it ends.

    Plain is a message below 16 KiB on a topic in ``known``, sent for the first time, not to be
    retained, without properties. The first other or incomplete packet ends the run.
    """
    size = len(data)
    five = version == V5
    arrived, acked, topic_of, new = arrivals.append, pids.append, known.get, tuple.__new__
    try:
        while data[pos] == 0x32:
            count = data[pos + 1]
            start = pos + 2
            if count > 0x7F:
                high = data[start]
                if high > 0x7F:
                    break
                count += (high << 7) - 0x80
                start += 1
            end = start + count
            if end > size:
                break
            stop = start + 2 + (data[start] << 8) + data[start + 1]
            topic = topic_of(data[start + 2 : stop])
            body = stop + 2
            pid = data[stop:body]
            if five:
                if data[body]:
                    break
                body += 1
            if topic is None or body > end or pid == b"\0\0":
                break
            arrived(new(Arrival, (sender, topic, data[body:end], False, None)))
            acked(pid)
            pos = end
    except IndexError:  # the last packet is not all there yet
        pass
    return pos
