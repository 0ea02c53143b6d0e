"""How quantities and spans of time are written in a sentence for a person."""

import math

from equipment.words import Words

_SYMBOLS = {
    "1": "", "Cel": "°C", "uL": "µL", "MOhm.cm": "MΩ·cm", "10*9/L": "×10⁹/L", "10*12/L": "×10¹²/L",
    "mV/{decade}": "mV/decade", "{RLU}": "RLU", "{step}": "steps", "{count}": "", "{test}": "tests",
}  # fmt: skip


def symbol(unit: str) -> str:
    """Return how a UCUM code is printed."""
    return _SYMBOLS.get(unit, unit)


def decimals(noise: float, value: float) -> int:
    """Return how many decimals of ``value`` mean something at this 1-sigma ``noise``."""
    least = noise / 3 if noise > 0 else max(abs(value), 1.0) / 1000
    return min(max(0, math.ceil(-math.log10(least))), 6)


def quantity(value: float, unit: str, places: int) -> str:
    """Return a number with its unit and a true minus sign."""
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    text = text.replace("-", "−")
    printed = symbol(unit)
    return f"{text}{'' if printed in ('', '%') else ' '}{printed}"


def bound(value: float, unit: str, places: int) -> str:
    """Return a limit with its unit, without trailing zeros: limits are set, not measured."""
    return quantity(
        value, unit, next((p for p in range(places) if round(value, p) == value), places)
    )


_SPANS = (  # printed from two of the unit on, with so many decimals
    (86_400_000, 1, Words("天", "days")),
    (3_600_000, 0, Words("小时", "hours")),
    (60_000, 0, Words("分钟", "minutes")),
)


def span(duration_ms: float) -> Words:
    """Return a span of time in the one unit a person would use."""
    size_ms, digits, unit = next(
        (row for row in _SPANS if duration_ms >= 2 * row[0]), (1000, 0, Words("秒", "seconds"))
    )
    number = f"{duration_ms / size_ms:.{digits}f}"
    return Words(f"{number} {unit.zh}", f"{number} {unit.en}")
