"""Technicians: where they start from, what they are certified for, when they are on duty."""

from dataclasses import dataclass
from datetime import date, datetime

from equipment.device import BadRecord
from equipment.words import Words


@dataclass(frozen=True, slots=True)
class Certificate:
    """The right to work on a family of device models, first and last day included."""

    family: str
    valid_from: date
    valid_to: date

    def __post_init__(self) -> None:
        if self.valid_to < self.valid_from:
            raise BadRecord(
                f"certificate {self.family}: valid_to {self.valid_to} is before "
                f"valid_from {self.valid_from}"
            )


@dataclass(frozen=True, slots=True)
class Duty:
    """One shift, aware UTC; the break, if there is one, lies inside it."""

    start: datetime
    end: datetime
    break_from: datetime | None = None
    break_to: datetime | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise BadRecord(f"shift: start {self.start} and end {self.end} need a time zone")
        if self.end <= self.start:
            raise BadRecord(f"shift: end {self.end} is not after start {self.start}")
        if (self.break_from is None) != (self.break_to is None):
            raise BadRecord("shift: break_from and break_to go together, one is missing")
        if self.break_from is not None and self.break_to is not None:
            if self.break_to <= self.break_from:
                raise BadRecord(f"shift: break_to {self.break_to} is not after break_from")
            if self.break_from < self.start or self.end < self.break_to:
                raise BadRecord(f"shift: break_from {self.break_from} is outside the shift")


@dataclass(frozen=True, slots=True)
class Technician:
    """A service engineer; home is WGS-84 degrees, ``user`` the login if there is one."""

    id: str
    title: Words
    home_latitude: float
    home_longitude: float
    certificates: tuple[Certificate, ...] = ()
    shifts: tuple[Duty, ...] = ()
    user: str | None = None

    def __post_init__(self) -> None:
        if not -90 <= self.home_latitude <= 90:
            raise BadRecord(
                f"technician {self.id}: home_latitude {self.home_latitude} is outside -90..90"
            )
        if not -180 <= self.home_longitude <= 180:
            raise BadRecord(
                f"technician {self.id}: home_longitude {self.home_longitude} is outside -180..180"
            )


def certified(technician: Technician, family: str | None, day: date) -> bool:
    """Return whether the technician may work on ``family`` on ``day``; None asks for nothing."""
    return family is None or any(
        c.family == family and c.valid_from <= day <= c.valid_to for c in technician.certificates
    )


def on_duty(technician: Technician, start: datetime, end: datetime) -> bool:
    """Return whether one shift of the technician covers ``start`` to ``end``; breaks count."""
    return any(duty.start <= start and end <= duty.end for duty in technician.shifts)
