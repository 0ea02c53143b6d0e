from collections import Counter
from datetime import UTC, date, datetime
from math import asin, cos, radians, sin, sqrt

from aftersales.team import certified, on_duty
from equipment.catalog import MODELS
from simulators import hospital

DAY = date(2026, 3, 3)
ROAD, KM_PER_H = 1.4, 40


def drive_h(a, b):
    (lat1, lon1), (lat2, lon2) = ([radians(x) for x in point] for point in (a, b))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371 * asin(sqrt(half)) * ROAD / KM_PER_H


def test_the_same_seed_gives_the_same_region():
    assert hospital.region(1) == hospital.region(1)
    assert hospital.region(1) != hospital.region(2)


def test_models_are_mixed_as_in_the_field():
    region = hospital.region(1, devices=40)
    assert Counter(d.model for d in region.devices) == {
        "CHEM": 12, "IMMU": 10, "HEMA": 8, "POCT": 6, "ULTF": 4,
    }  # fmt: skip
    assert region.devices[0].id == "CHEM-001"


def test_a_thousand_devices_at_three_hundred_sites_have_names_of_their_own():
    region = hospital.region(1, devices=1000, sites=300, technicians=25)
    for names in (
        [device.id for device in region.devices],
        [device.serial for device in region.devices],
        [site.title.zh for site in region.sites],
        [site.title.en for site in region.sites],
        [technician.title.en for technician in region.technicians],
    ):
        assert len(set(names)) == len(names)
    assert {device.site for device in region.devices} == {site.id for site in region.sites}


def test_every_site_can_be_reached_in_two_hours_by_someone_and_not_by_everyone():
    region = hospital.region(1, sites=40)
    drives = [
        [
            drive_h((t.home_latitude, t.home_longitude), (site.latitude, site.longitude))
            for t in region.technicians
        ]
        for site in region.sites
    ]
    assert max(min(row) for row in drives) < 1.7
    assert max(max(row) for row in drives) > 2


def test_two_technicians_at_least_are_certified_for_every_family():
    region = hospital.region(1)
    for model in MODELS.values():
        assert sum(certified(t, model.family, DAY) for t in region.technicians) >= 2


def test_somebody_is_on_duty_during_every_day_of_the_week():
    week = [date(2026, 3, day) for day in range(2, 9)]
    region = hospital.region(1, days=week)
    for day in week:
        start = datetime(day.year, day.month, day.day, 1, tzinfo=UTC)
        assert any(on_duty(t, start, start.replace(hour=8)) for t in region.technicians)
