"""What a device declares, and we were taught, made ready: which metrics we take, in which units."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from equipment.catalog import DeviceModel
from equipment.mapped import OF_METRICS, Mapped
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

    def values(self, sent: Mapping[str, float]) -> list[float]:
        """Return the values that are kept of ``sent``, in the catalogue's units."""
        numbers = list(sent.values())
        if self.picks is not None:
            numbers = [numbers[place] for place in self.picks]
        if self.factor is not None and self.offset is not None:
            numbers = (np.array(numbers) * self.factor + self.offset).tolist()
        return numbers


class Taken(NamedTuple):
    """The metric of the catalogue that something sent is, and how its values are converted."""

    metric: str
    conversion: Conversion


_IGNORED = Taken("", SAME)


@dataclass(slots=True)
class Dialect:
    """What one device sends, by the name it sends it under: which metric it is, or why not.

    ``period_s`` is how often it sends what it sends most often.
    """

    taken: Mapping[str, Taken]
    period_s: float
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
        refused: dict[str, str] = {}
        picked: dict[str, int] = {}  # metric -> its place among the sent ones
        for place in range(len(sent)):
            wrong = self._pick(picked, sent, place)
            if wrong is not None:
                reason, why = wrong
                refused[reason] = f"{refused[reason]}; {why}" if reason in refused else why
        picks = tuple(sorted(picked.values()))
        kept = [self.taken[sent[place]] for place in picks]
        converts = any(one.conversion != SAME for one in kept)
        return Columns(
            metrics=tuple(one.metric for one in kept),
            picks=None if len(picks) == len(sent) else picks,
            factor=np.array([one.conversion.factor for one in kept]) if converts else None,
            offset=np.array([one.conversion.offset for one in kept]) if converts else None,
            refused=refused,
            plain=len(picks) == len(sent) and not converts,
        )

    def _pick(
        self, picked: dict[str, int], sent: tuple[str, ...], place: int
    ) -> tuple[str, str] | None:
        """Pick what is sent at ``place``, or return the reason and why not.

        Of two that are the same metric the one with the catalogue's own name is picked.
        """
        name = sent[place]
        taken = self.taken.get(name)
        if taken is None:
            unknown = ("unknown_metric", f"metric {name[:60]!r} is not in the catalogue")
            return self.refused.get(name, unknown)
        if taken is _IGNORED:
            return None
        rival = picked.get(taken.metric)
        if rival is None or name == taken.metric:
            picked[taken.metric] = place
        if rival is None:
            return None
        lost = sent[rival] if name == taken.metric else name
        return (
            "ambiguous_metric",
            f"metric {lost[:60]!r} is {taken.metric}, which is sent as well",
        )


def dialect(
    model: DeviceModel, declared: Sequence[Declared] = (), mapped: Iterable[Mapped] = ()
) -> Dialect:
    """Return how a device of ``model`` that declared these metrics is understood.

    Metrics it did not declare are taken in the catalogue's unit; of one that it declared twice the
    last declaration counts. What is ``mapped`` beats both.
    """
    said: dict[str, dict[str, str]] = {kind: {} for kind in OF_METRICS}
    for row in mapped:
        said[row.kind][row.sent] = row.means
    units = {one.n: said["unit"].get(one.u, one.u) for one in declared} | said["values"]
    taken: dict[str, Taken] = {}
    refused: dict[str, tuple[str, str]] = {}
    for sent in dict.fromkeys((*(m.name for m in model.metrics), *units, *said["metric"])):
        name = said["metric"].get(sent, sent)
        metric = model.metric(name)
        if not name:
            taken[sent] = _IGNORED
        elif metric is None:
            why = f"metric {sent[:60]!r} is not in the catalogue of {model.code}"
            refused[sent] = ("unknown_metric", why)
        else:
            try:
                way = conversion(units.get(sent, metric.unit), metric.unit)
                taken[sent] = Taken(name, way)
            except WrongUnit as error:
                refused[sent] = ("wrong_unit", f"metric {sent}: {error}")
    return Dialect(taken, _period_s(model, declared, taken), refused)


def _period_s(model: DeviceModel, declared: Iterable[Declared], taken: Iterable[str]) -> float:
    known = set(taken)
    periods = [one.p for one in declared if one.n in known and one.p > 0]
    return min(periods or [metric.every_s for metric in model.metrics], default=60.0)
