"""Office: what every verb of the desk needs at hand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aftersales.workdays import Workdays
from storage.interface import Records, Telemetry


@dataclass(frozen=True, slots=True)
class Office:
    """The stores, the clock and the working days. ``zone`` is where deadlines are counted.

    ``speed`` is how many seconds of the clock pass in a second.
    """

    records: Records
    telemetry: Telemetry
    now: Callable[[], datetime]
    workdays: Workdays
    zone: str = "Asia/Shanghai"
    speed: float = 1.0
