"""Readings for storage tests, written the short way."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipment.reading import LIVE, Batch, Block, Note

EVER = (-(2**62), 2**62)
T0 = 1_790_000_000_000


def block(
    rows: Sequence[tuple[str, int, Sequence[float]]], *metrics: str, lateness: int = LIVE
) -> Block:
    """Rows of (device, ms after T0, values of ``metrics``)."""
    return Block(
        metrics=metrics,
        devices=[device for device, _, _ in rows],
        at_ms=np.array([T0 + at for _, at, _ in rows], np.int64),
        values=np.array([values for _, _, values in rows], np.float64).reshape(-1, len(metrics)),
        boots=["b1"] * len(rows),
        seqs=np.arange(len(rows), dtype=np.int64),
        lateness=np.full(len(rows), lateness, np.int8),
    )


def readings(*rows: tuple[str, int, float], metric: str = "temp") -> Batch:
    """One metric: rows of (device, ms after T0, value)."""
    return Batch([block([(device, at, [value]) for device, at, value in rows], metric)])


def note(device: str, at: int, kind: str = "event", seq: int = 1, **body: Any) -> Note:
    return Note(device, kind, T0 + at, "b1", seq, body)


def plain(found: Mapping[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """Series as lists of (ms after T0, value)."""
    return {
        metric: [(at - T0, value) for at, value in zip(*map(np.ndarray.tolist, one), strict=True)]
        for metric, one in found.items()
    }


def fleet(n: int, at: int, rng: np.random.Generator) -> Batch:
    """One reading of three metrics of each of ``n`` devices, as sensors give them."""
    values = np.round(37 + rng.standard_normal((n, 3)), 2)
    rows = [(f"D{i}", at, values[i].tolist()) for i in range(n)]
    return Batch([block(rows, "temp", "vacuum", "pressure")])
