"""Parameter: one typed, unit-carrying setting of a rule, as a profile writes it."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from equipment.units import WrongUnit, conversion

_DURATIONS = {"ms": 1.0, "s": 1e3, "min": 60e3, "h": 3600e3, "d": 86400e3}
_QUANTITY = re.compile(r"([-+−]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\S*)\Z")


class WrongParameter(ValueError):
    """A setting that cannot be read; the text says what was expected."""


Reader = Callable[[Any, str], float]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting called ``name``; ``read(written, unit of the metric)`` gives its number.

    Durations become ms, values and spreads the metric's unit. No default means: must be given.
    """

    name: str
    read: Reader
    default: float | None = None


def _split(written: Any) -> tuple[float, str]:
    match = _QUANTITY.match(str(written).strip())
    if match is None or isinstance(written, bool):
        raise WrongParameter(f"{written!r} is not a number with a unit")
    number = float(match[1].replace("−", "-"))
    if not math.isfinite(number):
        raise WrongParameter(f"{written!r} is not finite")
    return number, match[2]


def duration(written: Any, unit: str = "") -> float:
    """Read ``10 min`` as ms; the units are ms, s, min, h and d."""
    number, code = _split(written)
    if code not in _DURATIONS:
        raise WrongParameter(f"{written!r} is not a duration such as 10 min (ms, s, min, h, d)")
    if number < 0:
        raise WrongParameter(f"{written!r} is negative")
    return number * _DURATIONS[code]


def value(written: Any, unit: str) -> float:
    """Read ``-62 kPa`` in ``unit``. The unit must be written, unless the metric's is ``1``."""
    number, factor, offset = _converted(written, unit)
    return number * factor + offset


def spread(written: Any, unit: str) -> float:
    """Read a difference of two values, such as 0.5 Cel: scaled, never shifted, at least 0."""
    number, factor, _ = _converted(written, unit)
    if number < 0:
        raise WrongParameter(f"{written!r} is negative")
    return number * factor


def _converted(written: Any, unit: str) -> tuple[float, float, float]:
    number, code = _split(written)
    if not code and unit != "1":
        raise WrongParameter(f"{written!r} has no unit, expected one like {unit}")
    try:
        return number, *conversion(code or "1", unit)
    except WrongUnit as error:
        raise WrongParameter(str(error)) from error


def number(written: Any, unit: str = "") -> float:
    """Read a plain positive number."""
    plain, code = _split(written)
    if code or plain <= 0:
        raise WrongParameter(f"{written!r} is not a plain positive number")
    return plain


SIDES = {"low": -1.0, "both": 0.0, "high": 1.0}


def side(written: Any, unit: str = "") -> float:
    """Read low, both or high."""
    if written not in SIDES:
        raise WrongParameter(f"{written!r} is none of {', '.join(SIDES)}")
    return SIDES[written]
