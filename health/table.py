"""Table: one row per thing in a numpy record array that grows; its bytes are its snapshot."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

Picks = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Table:
    """Rows of one record type. ``rows`` is a view of the rows in use; fetch it anew after add."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._room = np.zeros(0, dtype)
        self.rows = self._room

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, count: int = 1) -> int:
        """Append ``count`` zeroed rows and return the number of the first."""
        first, wanted = len(self.rows), len(self.rows) + count
        if wanted > len(self._room):
            room = np.zeros(max(wanted, 2 * len(self._room), 64), self._room.dtype)
            room[:first] = self.rows
            self._room = room
        self.rows = self._room[:wanted]
        return first

    @property
    def layout(self) -> str:
        """What the bytes of ``dump`` mean: the names and types of the columns."""
        return repr(self._room.dtype.descr)

    def dump(self) -> memoryview:
        """Return the exact content of the rows in use, without a copy, until the next change."""
        return self.rows.view(np.uint8).data

    def read(self, content: bytes) -> NDArray[np.void]:
        """Return what ``dump`` of a table of the same type wrote."""
        return np.frombuffer(content, self._room.dtype)
