"""An invented region: hospitals, their devices and the technicians who look after them.

Nothing here exists: the names are made up, the people are "Engineer A". Only the plain that the
coordinates lie on is real, so that maps and drive times look like a Chinese metropolitan area.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from aftersales.customer import Organization
from aftersales.team import Certificate, Duty, Technician
from equipment.catalog import MODELS
from equipment.device import Device, Site
from equipment.words import Words
from simulators import noise

CENTRE = (30.66, 104.07)
NEAREST_KM, FARTHEST_KM = 2.0, 45.0
_KM_PER_DEGREE = 111.2

MIX: dict[str, float] = {"CHEM": 0.30, "IMMU": 0.25, "HEMA": 0.20, "POCT": 0.15, "ULTF": 0.10}
EARLY, LATE, NIGHT = (8, 17, 12), (11, 20, 14), (20, 32, 24)  # start, end, break
CERTIFIED = (date(2024, 1, 1), date(2032, 12, 31))
ZONE = timezone(timedelta(hours=8))

_PLACES = (
    Words("澄溪", "Chengxi"), Words("望岚", "Wanglan"), Words("青霁", "Qingji"),
    Words("枫坞", "Fengwu"), Words("月泉", "Yuequan"), Words("松陂", "Songbei"),
    Words("锦禾", "Jinhe"), Words("白鹭湾", "Bailu Bay"), Words("石盏", "Shizhan"),
    Words("桐湖", "Tonghu"), Words("柳汀", "Liuting"), Words("禾坡", "Hepo"),
    Words("云坪", "Yunping"), Words("苇塘", "Weitang"), Words("竹岭", "Zhuling"),
    Words("沙棠", "Shatang"), Words("朝露", "Zhaolu"), Words("银杏里", "Ginkgo Lane"),
    Words("梨园沟", "Liyuan Vale"), Words("双鹭", "Shuanglu"),
)  # fmt: skip
_KINDS = (
    Words("人民医院", "People's Hospital"), Words("中医医院", "Hospital of Chinese Medicine"),
    Words("妇幼保健院", "Maternity and Child Hospital"), Words("中心医院", "Central Hospital"),
    Words("社区卫生服务中心", "Community Health Centre"),
)  # fmt: skip
_DEPARTMENTS: dict[str, Words] = {
    "CHEM": Words("检验科", "laboratory"),
    "IMMU": Words("检验科", "laboratory"),
    "HEMA": Words("检验科", "laboratory"),
    "POCT": Words("急诊科", "emergency department"),
    "ULTF": Words("标本库", "specimen store"),
}
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True, slots=True)
class Region:
    """Everything the service plan covers."""

    customers: tuple[Organization, ...]
    sites: tuple[Site, ...]
    devices: tuple[Device, ...]
    technicians: tuple[Technician, ...]


def region(
    seed: int, devices: int = 40, sites: int = 12, technicians: int = 8, days: Sequence[date] = ()
) -> Region:
    """Return an invented region; the same seed gives the same one.

    The technicians are on duty on ``days``, local days of the region.
    """
    places = tuple(_site(seed, number) for number in range(sites))
    return Region(
        tuple(Organization(site.customer, site.title) for site in places),
        places,
        tuple(_devices(seed, devices, places)),
        tuple(_technician(seed, number, days) for number in range(technicians)),
    )


def shifts(number: int, days: Sequence[date]) -> tuple[Duty, ...]:
    """Return the duty of technician ``number``: early, late or every night.

    Early and late ones work on every second weekend.
    """
    if _by_night(number):
        return tuple(_duty(day, NIGHT) for day in days)
    return tuple(
        _duty(day, LATE if number % 4 == 2 else EARLY)
        for day in days
        if day.weekday() < 5 or (day.isocalendar().week + number // 2) % 2 == 0
    )


def _by_night(number: int) -> bool:
    return number % 4 == 3


def _duty(day: date, hours: tuple[int, int, int]) -> Duty:
    """Return the duty of a day from its hours: start, end and an hour's break, past 24 tomorrow."""
    midnight = datetime.combine(day, time(), tzinfo=ZONE)
    start, end, rest = ((midnight + timedelta(hours=h)).astimezone(UTC) for h in hours)
    return Duty(start, end, rest, rest + timedelta(hours=1))


def _spot(seed: int, what: str, number: int, farthest_km: float) -> tuple[float, float]:
    """Return latitude and longitude: golden-angle directions, closer together in the centre."""
    far = noise.key(seed, what, number, "far") / 2**64
    turn = noise.key(seed, what, "turn") / 2**64 + number * 0.6180339887
    distance = NEAREST_KM + (farthest_km - NEAREST_KM) * far
    north, east = math.cos(turn * math.tau) * distance, math.sin(turn * math.tau) * distance
    latitude = CENTRE[0] + north / _KM_PER_DEGREE
    longitude = CENTRE[1] + east / (_KM_PER_DEGREE * math.cos(math.radians(CENTRE[0])))
    return round(latitude, 5), round(longitude, 5)


def _hospital(number: int) -> Words:
    """Return a name of its own for every number: places first, then kinds, then branches."""
    place = _PLACES[number % len(_PLACES)]
    turn = number // len(_PLACES)
    kind = _KINDS[(number + turn) % len(_KINDS)]
    branch = turn // len(_KINDS)
    zh, en = f"{place.zh}{kind.zh}", f"{place.en} {kind.en}"
    return Words(f"{zh}{branch}分院", f"{en}, branch {branch}") if branch else Words(zh, en)


def _site(seed: int, number: int) -> Site:
    latitude, longitude = _spot(seed, "site", number, FARTHEST_KM)
    name = f"S{number + 1:03}"
    return Site(name, f"C{number + 1:03}", _hospital(number), latitude, longitude)


def _counts(devices: int) -> dict[str, int]:
    """Share ``devices`` among the models by MIX, largest remainders first."""
    exact = {model: devices * share for model, share in MIX.items()}
    counts = {model: int(share) for model, share in exact.items()}
    by_remainder = sorted(MIX, key=lambda model: counts[model] - exact[model])
    for model in by_remainder[: devices - sum(counts.values())]:
        counts[model] += 1
    return counts


def _devices(seed: int, count: int, sites: Sequence[Site]) -> list[Device]:
    """Spread the devices over the sites, so that no site of a big fleet is without one."""
    made = [
        (model, number) for model, share in _counts(count).items() for number in range(1, share + 1)
    ]
    order = sorted(made, key=lambda one: noise.key(seed, *one))
    home = {one: sites[place % len(sites)].id for place, one in enumerate(order)}
    return [
        Device(
            id=f"{model}-{number:03}",
            site=home[model, number],
            model=model,
            serial=f"{model[0]}{noise.key(seed, model, number, 'serial') % 10**7:07}",
            department=_DEPARTMENTS[model],
        )
        for model, number in made
    ]


def _technician(seed: int, number: int, days: Sequence[date]) -> Technician:
    """Every second technician and the night know three families, the others two."""
    families = [model.family for model in MODELS.values()]
    known = 3 if number % 2 == 0 or _by_night(number) else 2
    latitude, longitude = _spot(seed, "technician", number, FARTHEST_KM / 2)
    turn, place = divmod(number, len(_STEMS))
    suffix = str(turn + 1) if turn else ""
    certificates = (
        Certificate(families[(number * 2 + step) % len(families)], *CERTIFIED)
        for step in range(known)
    )
    return Technician(
        id=f"E{number + 1:02}",
        title=Words(f"工程师{_STEMS[place]}{suffix}", f"Engineer {_LETTERS[place]}{suffix}"),
        home_latitude=latitude,
        home_longitude=longitude,
        certificates=tuple(certificates),
        shifts=shifts(number, days),
    )
