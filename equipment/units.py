"""Units are UCUM codes; a value is converted by one factor and one offset."""

import re
from functools import lru_cache
from typing import NamedTuple

from lark.exceptions import LarkError
from pint import PintError
from ucumvert import PintUcumRegistry

_LONGEST_CODE = 40
_LONG_NUMBER = re.compile(r"\d{4}")  # 10*9999999 would be worked out digit by digit
_WIDEST_FACTOR = 1e15
_ANNOTATION = re.compile(r"\{[^{}]*\}")


class WrongUnit(ValueError):
    """A unit that is unknown, or of another dimension; the text names both units."""


class Conversion(NamedTuple):
    """``value * factor + offset`` turns a value of one unit into another."""

    factor: float
    offset: float


SAME = Conversion(1.0, 0.0)


@lru_cache(maxsize=1)
def _registry() -> PintUcumRegistry:
    return PintUcumRegistry()


def _without_annotation(code: str) -> str:
    """UCUM: what stands in braces has no dimension, so ``{SD}`` alone is ``1``."""
    return _ANNOTATION.sub("", code).rstrip("/.") or "1"


def check_unit(code: str) -> None:
    """Raise WrongUnit unless ``code`` is a UCUM code."""
    _check_size(code)
    try:
        _registry().from_ucum(_without_annotation(code))
    except (LarkError, PintError, ArithmeticError) as error:
        raise WrongUnit(f"unit {code!r} is not a UCUM code") from error


def _check_size(code: str) -> None:
    if len(code) > _LONGEST_CODE:
        raise WrongUnit(f"unit {code[:_LONGEST_CODE]!r}... is longer than any UCUM code")
    if _LONG_NUMBER.search(code):
        raise WrongUnit(f"unit {code!r} has a number of more than three digits")


@lru_cache(maxsize=1024)
def conversion(sent: str, wanted: str) -> Conversion:
    """Return how to turn values in ``sent`` into ``wanted``, both UCUM codes.

    Raises WrongUnit for an unknown code, a different dimension or a scale beyond all sense.
    """
    if sent == wanted:
        return SAME
    _check_size(sent)
    try:
        source, target = (
            _registry().from_ucum(_without_annotation(code)).units for code in (sent, wanted)
        )
        zero, one = (_registry().Quantity(v, source).to(target).magnitude for v in (0.0, 1.0))
    except (LarkError, PintError, ArithmeticError) as error:
        raise WrongUnit(f"unit {sent!r} cannot be read as {wanted!r}") from error
    factor, offset = float(one - zero), float(zero)
    if not 1 / _WIDEST_FACTOR <= abs(factor) <= _WIDEST_FACTOR:
        raise WrongUnit(f"unit {sent!r} is {factor:g} of {wanted!r}: out of all proportion")
    return Conversion(factor, offset)
