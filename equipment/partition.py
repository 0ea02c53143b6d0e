"""Partitions: every device belongs to one of 64, by a hash that is the same everywhere."""

import zlib
from collections.abc import Mapping
from typing import Final

PARTITIONS: Final = 64


def partition(device: str) -> int:
    """Return the partition of ``device``, 0..63."""
    return zlib.crc32(device.encode()) % PARTITIONS


def newest_by_partition(
    last: Mapping[str, Mapping[str, tuple[int, float]]],
) -> dict[int, int]:
    """Return the newest event time (ms UTC) of each partition of which anything is known.

    ``last`` has device -> metric -> (ms UTC, value).
    """
    newest: dict[int, int] = {}
    for device, metrics in last.items():
        if metrics:
            number = partition(device)
            at_ms = max(at_ms for at_ms, _ in metrics.values())
            newest[number] = max(at_ms, newest.get(number, at_ms))
    return newest
