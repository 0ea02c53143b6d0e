"""What a device declares at birth, made ready: which metrics we take, and in which units."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from equipment.catalog import DeviceModel
from equipment.reading import Floats
from equipment.units import SAME, Conversion, WrongUnit, conversion
from equipment.wire import Declared


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """How one set of metrics, in the order sent, becomes columns of a block.

    ``metrics`` are those kept; ``picks`` their places among the sent ones, None for all of them;
    ``factor`` and ``offset`` convert, None when nothing needs it; ``refused`` is reason -> why.
    """

    metrics: tuple[str, ...]
    picks: tuple[int, ...] | None
    factor: Floats | None
    offset: Floats | None
    refused: Mapping[str, str]
    plain: bool  # all of it, unconverted: the values can be taken as they were sent


@dataclass(slots=True)
class Dialect:
    """The metrics of a model as one device sends them: name -> conversion, or why not."""

    taken: Mapping[str, Conversion]
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    _columns: dict[tuple[str, ...], Columns] = field(default_factory=dict)

    def columns(self, sent: tuple[str, ...]) -> Columns:
        """Return how to take the metrics ``sent``; the same answer is worked out only once."""
        known = self._columns.get(sent)
        if known is None:
            if len(self._columns) > 256:
                self._columns.clear()
            known = self._columns[sent] = self._work_out(sent)
        return known

    def _work_out(self, sent: tuple[str, ...]) -> Columns:
        picks = tuple(place for place, name in enumerate(sent) if name in self.taken)
        kept = [self.taken[sent[place]] for place in picks]
        converts = any(c != SAME for c in kept)
        refused: dict[str, str] = {}
        for name in sent:
            if name not in self.taken:
                reason, why = self.refused.get(
                    name, ("unknown_metric", f"metric {name[:60]!r} is not in the catalogue")
                )
                refused[reason] = f"{refused[reason]}; {why}" if reason in refused else why
        return Columns(
            metrics=tuple(sent[place] for place in picks),
            picks=None if len(picks) == len(sent) else picks,
            factor=np.array([c.factor for c in kept]) if converts else None,
            offset=np.array([c.offset for c in kept]) if converts else None,
            refused=refused,
            plain=len(picks) == len(sent) and not converts,
        )


def dialect(model: DeviceModel, declared: Iterable[Declared] = ()) -> Dialect:
    """Return how a device of ``model`` that declared these metrics is understood.

    Metrics it did not declare are taken in the catalogue's unit; of one that it declared twice the
    last declaration counts.
    """
    taken = {metric.name: SAME for metric in model.metrics}
    refused: dict[str, tuple[str, str]] = {}
    for one in {one.n: one for one in declared}.values():
        metric = model.metric(one.n)
        if metric is None:
            refused[one.n] = (
                "unknown_metric",
                f"metric {one.n[:60]!r} is not in the catalogue of {model.code}",
            )
            continue
        try:
            taken[one.n] = conversion(one.u, metric.unit)
        except WrongUnit as error:
            del taken[one.n]
            refused[one.n] = ("wrong_unit", f"metric {one.n}: {error}")
    return Dialect(taken, refused)
