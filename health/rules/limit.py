"""Limit: raise beyond one bound, clear behind another, each after a covered span of time."""

import math
from collections.abc import Mapping
from typing import Any

from equipment.catalog import Metric
from equipment.words import Words
from health.parameter import Parameter, value
from health.rules.rule import Fed, Rule, Verdict
from health.saying import bound, decimals, quantity, span
from health.table import Picks


class Limit(Rule):
    """``raise`` above ``clear`` guards the high side, below it the low side."""

    kind = "limit"
    feeds_on = "readings"
    segmented = False
    parameters = (Parameter("raise", value), Parameter("clear", value))
    memory = (("unused", "?"),)

    @classmethod
    def objection(cls, parameters: Mapping[str, float], step_ms: float) -> str | None:
        """Equal bounds would say neither which side is bad nor when it is over."""
        return "clear equals raise" if parameters["raise"] == parameters["clear"] else None

    @classmethod
    def loud(cls, parameters: Mapping[str, float]) -> tuple[float, float]:
        """Values on the healthy side of ``raise`` need no look."""
        bound = parameters["raise"]
        return (-math.inf, bound) if bound > parameters["clear"] else (bound, math.inf)

    def judge(self, seats: Picks, fed: Fed) -> Verdict:
        """Compare with the pair; between the two nothing changes."""
        given = self.given.rows.take(seats)
        high = given["raise"] > given["clear"]
        up = (high & (fed.value >= given["raise"])) | (~high & (fed.value <= given["raise"]))
        down = (high & (fed.value <= given["clear"])) | (~high & (fed.value >= given["clear"]))
        return Verdict(up, down)

    def statistics(self, seat: int) -> dict[str, Any]:
        """A limit needs no statistics."""
        return {}

    def says(self, seat: int, metric: Metric, value: float) -> Words:
        """Say the value, the bound and for how long."""
        given = self.given.rows[seat]
        places = decimals(metric.noise, given["raise"])
        now, limit = (
            quantity(value, metric.unit, places),
            bound(given["raise"], metric.unit, places),
        )
        zh, en = ("高于", "above") if given["raise"] > given["clear"] else ("低于", "below")
        held = span(given["for"])
        since = Words(f"，已持续 {held.zh}", f" for {held.en}") if given["for"] else Words("", "")
        return Words(
            f"{metric.title.zh} {now}，{zh} {limit}{since.zh}",
            f"{metric.title.en} {now}, {en} {limit}{since.en}",
        )
