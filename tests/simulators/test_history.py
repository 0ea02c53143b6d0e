from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from equipment.wire import Birth, Maint, Qc, Tele, address, decode, encode
from simulators import hospital
from simulators.history import history
from simulators.instants import ms_of
from simulators.sayings import Speaker
from simulators.script import Script

START = datetime(2026, 3, 3, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICES = hospital.region(1, devices=10).devices


def test_history_is_batches_that_the_collector_can_read():
    said = list(history(1, DEVICES, Script(DEVICES), START, START + DAY))
    for topic, message, _ in said:
        kind = address(topic).kind
        assert decode(kind, encode(message)) == message
    readings = [one.message for one in said if isinstance(one.message, Tele)]
    assert all(tele.h == 1 and tele.m is None for tele in readings)
    assert sum(one.values for one in said) > 200_000
    assert sum(isinstance(one.message, Birth) for one in said) == len(DEVICES)


def test_every_message_of_a_device_has_a_number_of_its_own():
    said = history(1, DEVICES, Script(DEVICES), START, START + DAY)
    numbers = Counter(
        (one.topic.split("/")[3], one.message.b, one.message.s)
        for one in said
        if not isinstance(one.message, Birth)
    )
    assert max(numbers.values()) == 1


def test_history_and_the_live_fleet_say_the_same_at_the_same_instant():
    script = Script(DEVICES)
    script.inject("CHEM-001", "C3", START - DAY, lead=2 * DAY)
    speaker = Speaker(1, DEVICES[0], "live")
    begin = ms_of(START)
    live = speaker.readings(begin, begin + 3_600_000, script.episodes("CHEM-001"))
    past = history(1, DEVICES[:1], script, START, START + timedelta(hours=1))
    assert [r for one in live for r in one.message.r] == [
        row for one in past if isinstance(one.message, Tele) for row in one.message.r
    ]


def test_controls_are_run_twice_a_day_and_betray_a_worn_syringe():
    script = Script(DEVICES)
    script.inject("CHEM-001", "C5", START - 60 * DAY, lead=DAY)
    z = {}
    for name, told in (("healthy", Script(DEVICES)), ("worn", script)):
        said = history(1, DEVICES[:1], told, START, START + 10 * DAY, thin_s=3600)
        z[name] = [
            (m.value - m.mean) / m.sd for _, m, _ in said if isinstance(m, Qc) and m.level == 1
        ]
    assert len(z["healthy"]) == 20
    shifts = [worn - healthy for worn, healthy in zip(z["worn"], z["healthy"], strict=True)]
    assert shifts == pytest.approx([-1.5] * 20, abs=0.02)


def test_a_repair_is_told_once_even_if_it_becomes_known_late():
    script = Script(DEVICES)
    script.inject("CHEM-001", "C1", START, lead=DAY)
    speaker = Speaker(1, DEVICES[0], "live")
    begin, hour = ms_of(START + DAY), 3_600_000
    told = []
    for step in range(4):
        if step == 2:
            script.repair("CHEM-001", "lamp", START + DAY + timedelta(minutes=5))
        from_ms = begin + step * hour
        told += speaker.remarks(from_ms, from_ms + hour, script.episodes("CHEM-001"))
    (maint,) = [one.message for one in told if isinstance(one.message, Maint)]
    assert (maint.task, maint.component, maint.resets) == ("repair", "lamp", ["lamp_on_time"])
    assert maint.t == begin + 300_000
