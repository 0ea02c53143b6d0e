"""One file per rule; RULES lists them in the order asked."""

from health.rules.ewma import Ewma
from health.rules.limit import Limit
from health.rules.rule import Rule
from health.rules.trend import Trend

RULES: tuple[type[Rule], ...] = (Limit, Trend, Ewma)
