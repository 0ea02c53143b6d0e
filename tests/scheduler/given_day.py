"""Builders for planning problems, with defaults: a Tuesday in Henan, 08:00 local time."""

import random
from datetime import UTC, date, datetime, timedelta

from scheduler.plan import Break, Place, Shift, Technician, VisitRequest

NOW = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
CITY = Place(34.75, 113.62)
FAMILIES = ("chemistry", "immunoassay", "haematology", "point-of-care")


def at(clock: str, day: int = 0) -> datetime:
    """Return the instant of a local time, ``day`` days after the day of planning."""
    hour, minute = map(int, clock.split(":"))
    return NOW + timedelta(days=day, hours=hour - 8, minutes=minute)


def near(north_km: float = 0.0, east_km: float = 0.0) -> Place:
    return Place(CITY.latitude + north_km / 111.2, CITY.longitude + east_km / 91.4)


def lunch(start: str = "11:30", end: str = "13:30", duration_s: int = 3600, day: int = 0) -> Break:
    return Break(at(start, day), at(end, day), duration_s)


def shift(start: str = "08:00", end: str = "17:30", *breaks: Break, day: int = 0) -> Shift:
    return Shift(at(start, day), at(end, day), breaks)


def technician(id: str = "A", *families: str, **other) -> Technician:
    held = {family: date(2030, 1, 1) for family in families or FAMILIES}
    return Technician(id, **{"home": CITY, "shifts": (shift(),), "certificates": held, **other})


def request(id: str = "V1", **other) -> VisitRequest:
    return VisitRequest(
        id, **{"place": near(10), "duration_s": 3600, "family": "chemistry", **other}
    )


def service_day(visits: int, technicians: int, seed: int):
    """Return the requests and technicians of one seeded day in a region 200 km across."""
    draw = random.Random(seed)

    def spot() -> Place:
        return near(draw.gauss(0, 50), draw.gauss(0, 50))

    team = [
        technician(
            f"T{i}",
            *draw.sample(FAMILIES, k=draw.randint(1, 3)),
            home=spot(),
            shifts=(shift("08:00", "17:30", lunch()),),
        )
        for i in range(technicians)
    ]
    asked = []
    for i in range(visits):
        emergency = draw.random() < 0.15
        reported = NOW + timedelta(minutes=draw.randint(-60, 60))
        asked.append(
            request(
                f"V{i}",
                place=spot(),
                duration_s=draw.randint(2, 8) * 900,
                family=draw.choice(FAMILIES),
                priority=1 if emergency else draw.randint(2, 3),
                earliest_at=reported if emergency else None,
                promised_by=reported + timedelta(hours=2) if emergency else at("17:30"),
                contractual=emergency,
            )
        )
    return asked, team
