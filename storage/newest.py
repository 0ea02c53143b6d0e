"""Newest: the newest reading of every metric of every device, in two arrays."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from equipment.reading import AHEAD, Batch, Block, Floats, Ints
from storage.recent import Codes, Numbers

Values = Mapping[str, tuple[int, float]]
_NEVER: Final = np.iinfo(np.int64).min
_decoder = msgspec.msgpack.Decoder(dict[str, tuple[int, float]])


class Newest:
    """One row per device, one column per metric: its newest instant, and the value then."""

    def __init__(self, devices: Numbers) -> None:
        self._devices = devices
        self._metrics = Numbers()
        self._columns: dict[tuple[str, ...], Codes] = {}
        self._at_ms: Ints = np.empty((0, 0), np.int64)
        self._values: Floats = np.empty((0, 0))

    def add(self, batch: Batch, codes: Sequence[Codes]) -> None:
        """Take note of ``batch``; ``codes`` are the device numbers of each block."""
        for block, rows in zip(batch.blocks, codes, strict=True):
            if block.metrics not in self._columns:
                self._columns[block.metrics] = self._metrics.of(block.metrics)
            self._make_room()
            self._put(block, rows, self._columns[block.metrics])

    def _put(self, block: Block, rows: Codes, columns: Codes) -> None:
        order = np.argsort(block.at_ms, kind="stable")  # the last assignment of a cell stays
        order = order[block.lateness[order] != AHEAD]  # no reading hides those to come
        at_ms, values = block.at_ms[order, np.newaxis], block.values[order]
        cells = rows[order, np.newaxis], columns
        newer = at_ms >= self._at_ms[cells]
        if not newer.all():
            row, column = np.nonzero(newer)
            at_ms, values = at_ms[row, 0], values[newer]
            cells = cells[0][row, 0], columns[column]
        self._at_ms[cells] = at_ms
        self._values[cells] = values

    def _make_room(self) -> None:
        rows, columns = self._at_ms.shape
        if rows >= len(self._devices) and columns >= len(self._metrics):
            return
        shape = max(rows, 2 * len(self._devices)), max(columns, 2 * len(self._metrics))
        at_ms, values = np.full(shape, _NEVER), np.zeros(shape)
        at_ms[:rows, :columns], values[:rows, :columns] = self._at_ms, self._values
        self._at_ms, self._values = at_ms, values

    def restore(self, device: str, packed: bytes) -> None:
        """Take over what ``packed`` returned for ``device``, unless something newer is known."""
        values = _decoder.decode(packed)
        columns = self._metrics.of(list(values))
        row = self._devices.of([device])[0]
        self._make_room()
        for column, (at_ms, value) in zip(columns, values.values(), strict=True):
            if at_ms >= self._at_ms[row, column]:
                self._at_ms[row, column], self._values[row, column] = at_ms, value

    def packed(self, device: str) -> bytes:
        """Return what is known of ``device`` as bytes."""
        return msgspec.msgpack.encode(self.of([device]).get(device, {}))

    def of(self, devices: Sequence[str], floor_ms: int = _NEVER) -> Mapping[str, Values]:
        """Return what is known of ``devices`` since ``floor_ms``; a device without is left out."""
        self._make_room()
        known = [d for d in dict.fromkeys(devices) if self._devices.find(d) is not None]
        rows = self._devices.of(known)
        at_ms, values = self._at_ms[rows], self._values[rows]
        present = (at_ms > _NEVER) & (at_ms >= floor_ms)
        names = np.array(self._metrics.names, object)[np.nonzero(present)[1]].tolist()
        pairs = list(zip(at_ms[present].tolist(), values[present].tolist(), strict=True))
        ends = np.cumsum(present.sum(axis=1)).tolist()
        cuts = zip(known, [0, *ends], ends, strict=False)
        return {
            device: dict(zip(names[start:end], pairs[start:end], strict=True))
            for device, start, end in cuts
            if start < end
        }
