"""Merge: parts of a device's history, written one after the other, become one in time order."""

from collections.abc import Mapping, Sequence

import numpy as np

from equipment.reading import Ints
from storage.interface import Series

Part = Mapping[str, Series]


def merged(parts: Sequence[Part]) -> dict[str, Series]:
    """Return every metric in time order; of one instant the last written reading stays.

    ``parts`` are in the order of writing, and so are the readings within a part. Metrics whose
    parts share their ``at_ms`` arrays share one in the result.
    """
    found: dict[str, Series] = {}
    orders: dict[tuple[int, ...], tuple[Ints, Ints | None]] = {}
    for metric in dict.fromkeys(metric for part in parts for metric in part):
        pieces = [part[metric] for part in parts if metric in part]
        key = tuple(id(piece.at_ms) for piece in pieces)
        if key not in orders:
            orders[key] = _newest(np.concatenate([piece.at_ms for piece in pieces]))
        at_ms, picked = orders[key]
        values = np.concatenate([piece.values for piece in pieces])
        found[metric] = Series(at_ms, values if picked is None else values[picked])
    return found


def _newest(at_ms: Ints) -> tuple[Ints, Ints | None]:
    """Return the instants in order, once each, and which entries they are (None: all, as is)."""
    if bool((at_ms[1:] > at_ms[:-1]).all()):
        return at_ms, None
    order = np.argsort(at_ms, kind="stable")
    ordered = at_ms[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return ordered[last], order[last]


def clipped(series: Part, start_ms: int, end_ms: int) -> dict[str, Series]:
    """Return what lies within start <= t < end; a metric without readings there is left out."""
    found: dict[str, Series] = {}
    cuts: dict[int, tuple[Ints, slice]] = {}
    for metric, (at_ms, values) in series.items():
        if id(at_ms) not in cuts:
            first, past = np.searchsorted(at_ms, (start_ms, end_ms)).tolist()
            cuts[id(at_ms)] = at_ms[first:past], slice(first, past)
        part, cut = cuts[id(at_ms)]
        if len(part):
            found[metric] = Series(part, values[cut])
    return found
