"""Rule: what every rule is made of: parameters, state, a judgement, and its words."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.catalog import Metric
from equipment.reading import Floats, Ints
from equipment.words import Words
from health.parameter import Parameter
from health.recent import Recent
from health.rules.for_ import HOLDING, Hold
from health.table import Flags, Picks, Table


class Fed(NamedTuple):
    """What a rule is fed, one element per seat: a reading, or the mean of a closed bucket.

    ``at_ms`` is the instant the value stands for, ``covered_ms`` the time with readings since the
    one before, ``step_ms`` the usual time between two.
    """

    series: Picks
    at_ms: Ints
    value: Floats
    covered_ms: Floats
    step_ms: Floats
    recent: Recent

    def only(self, picks: Picks) -> "Fed":
        """Return some of what is fed."""
        return Fed(
            self.series[picks], self.at_ms[picks], self.value[picks], self.covered_ms[picks],
            self.step_ms[picks], self.recent,
        )  # fmt: skip


class Verdict(NamedTuple):
    """Per seat: is the condition on, is it surely off; neither while between or unknown."""

    up: Flags
    down: Flags


class Rule(ABC):
    """A kind of rule with all its seats: a seat is one row of a profile on one series."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    feeds_on: ClassVar[Literal["readings", "buckets"]] = "buckets"
    segmented: ClassVar[bool] = True  # starts anew after maintenance
    parameters: ClassVar[tuple[Parameter, ...]]
    memory: ClassVar[tuple[tuple[Any, ...], ...]]

    def __init__(self) -> None:
        asked = (*HOLDING, *self.parameters)
        self.given = Table([(parameter.name, "f8") for parameter in asked])
        self.state = Table(list(self.memory))
        self.hold = Hold()

    @classmethod
    def asked(cls) -> tuple[Parameter, ...]:
        """Return the parameters a profile may write, the holding times included."""
        return (*HOLDING, *cls.parameters)

    @classmethod
    def objection(cls, parameters: Mapping[str, float], step_ms: float) -> str | None:
        """Return why these parameters do not fit together, or None."""
        return None

    @classmethod
    def loud(cls, parameters: Mapping[str, float]) -> tuple[float, float]:
        """Return up to and from which value a reading must be shown to this rule.

        Asked of rules that feed on readings; while one of their seats counts or alarms, it is
        shown every reading of the series.
        """
        return -np.inf, np.inf

    def seat(self, parameters: Mapping[str, float]) -> int:
        """Add a seat and return its number."""
        self.state.add()
        self.hold.state.add()
        number = self.given.add()
        self.given.rows[number] = tuple(
            parameters[name] for name in self.given.rows.dtype.names or ()
        )
        return number

    @abstractmethod
    def judge(self, seats: Picks, fed: Fed) -> Verdict:
        """Take in one value per seat, no seat twice, and judge it."""

    def forget(self, seats: Picks) -> Flags:
        """Start a new baseline segment; return which seats were alarming."""
        self.state.rows.put(seats, np.zeros(1, self.state.rows.dtype))
        return self.hold.release(seats)

    @abstractmethod
    def statistics(self, seat: int) -> dict[str, Any]:
        """Return the figures the verdict rests on, JSON-able."""

    @abstractmethod
    def says(self, seat: int, metric: Metric, value: float) -> Words:
        """Return the verdict as a sentence."""

    def window(self, seat: int) -> tuple[Ints, NDArray[Any]] | None:
        """Return the points the verdict rests on, None for the recent ones of the series."""
        return None
