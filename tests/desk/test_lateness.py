"""A backlog, a wrong clock, numbers that begin again: what the desk makes of them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersales.ticket import Ticket
from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.intake import Registered
from desk.tickets import act_on, clear_forgotten, open_waiting
from equipment.reading import AHEAD, LATE, LIVE, Batch
from health.alarm import Alarm
from health.bank import Bank
from health.fault import Fault
from health.profile import SHIPPED
from tests.desk import given_desk
from tests.desk.given_desk import Clock, everything
from tests.given import NOW

DEVICE, TOPIC = "CHEM-001", "fc/v1/S001/CHEM-001/tele"
HOUR = timedelta(hours=1)
WELL, BROKEN = 24.0, 20.0  # V of the 24 V supply


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class Desk:
    """An ingest and the desk behind it, over stores that outlive it."""

    def __init__(self, before: "Desk | None" = None) -> None:
        self.clock = before.clock if before else Clock()
        self.office = before.office if before else given_desk.office(now=self.clock)
        models = {DEVICE: "CHEM"}
        self.ingest = Ingest(
            self.office.telemetry,
            self.office.records,
            Bank(SHIPPED, models),
            registered={DEVICE: Registered("CHEM", "S001")},
            now=self.clock,
            on_alarms=partial(act_on, self.office),
            on_live=partial(open_waiting, self.office),
        )
        self.seq = before.seq if before else 0
        if before:
            self.ingest.resume()
            clear_forgotten(self.office, self.ingest.active())

    def keep(self, *messages: dict[str, Any]) -> Batch:
        arrivals = [Arrival(DEVICE, TOPIC, json.dumps(m).encode()) for m in messages]
        return self.ingest.keep(arrivals)

    def hear(self, *messages: dict[str, Any]) -> Batch:
        batch = self.keep(*messages)
        self.ingest.act(batch)
        return batch

    def tele(self, at: datetime, volts: float = WELL, **fields: Any) -> dict[str, Any]:
        self.seq += 1
        return {"b": "b", "s": self.seq, "t": ms(at), "m": {"psu_24v": volts}, **fields}

    def backlog(self, since: timedelta, until: timedelta, volts: float) -> Iterator[dict[str, Any]]:
        """A message a minute, from ``since`` ago until ``until`` ago."""
        at = self.clock() - since
        while at < self.clock() - until:
            yield self.tele(at, volts)
            at += timedelta(minutes=1)

    def tickets(self) -> Sequence[Ticket]:
        return everything(self.office, Ticket, state="open")

    def alarms(self) -> Sequence[Alarm]:
        return sorted(everything(self.office, Alarm), key=lambda alarm: alarm.raised_at)

    def faults(self, component: str = "power_supply") -> Sequence[Fault]:
        return everything(self.office, Fault, component=component, closed_at=None)


def in_parts(messages: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    several = list(messages)
    for start in range(0, len(several), size):
        yield several[start : start + size]


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_what_was_wrong_in_a_backlog_and_is_over_is_on_record_and_sends_nobody(size: int) -> None:
    desk = Desk()
    wrong = [*desk.backlog(20 * HOUR, 10 * HOUR, BROKEN), *desk.backlog(10 * HOUR, HOUR, WELL)]
    for part in in_parts([*wrong, *desk.backlog(HOUR, timedelta(), WELL)], size):
        desk.hear(*part)
    assert desk.alarms()
    assert all(one.raised_at < NOW - 10 * HOUR for one in desk.alarms())
    assert all(one.cleared_at is not None and one.deferred for one in desk.alarms())
    assert everything(desk.office, Ticket) == []


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_what_is_still_wrong_after_a_backlog_gets_one_ticket_when_the_device_is_live(
    size: int,
) -> None:
    desk = Desk()
    for part in in_parts(desk.backlog(20 * HOUR, timedelta(minutes=5), BROKEN), size):
        desk.hear(*part)
        assert desk.tickets() == []
    desk.hear(desk.tele(desk.clock(), BROKEN))
    (ticket,) = desk.tickets()
    assert ticket.component == "power_supply"
    desk.hear(desk.tele(desk.clock() + timedelta(seconds=10), BROKEN))
    assert desk.tickets() == [ticket]


def test_history_of_more_than_a_day_is_judged_and_sends_nobody() -> None:
    desk = Desk()
    desk.hear(*desk.backlog(80 * HOUR, 50 * HOUR, BROKEN))
    assert [one.evidence["historical"] for one in desk.alarms()]
    assert desk.tickets() == []


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("cut", ["before the rules", "before the desk", "after all"])
def test_a_kill_at_any_point_loses_no_ticket_that_waits(cut: str, checkpoint: bool) -> None:
    desk = Desk()
    desk.hear(*desk.backlog(20 * HOUR, timedelta(minutes=5), BROKEN))
    if checkpoint:
        desk.ingest.checkpoint()
    live = desk.tele(desk.clock(), BROKEN)
    if cut == "before the rules":
        desk.keep(live)
    elif cut == "before the desk":
        desk.ingest._on_live = refuse
        with pytest.raises(OSError, match="killed"):
            desk.hear(live)
    else:
        desk.hear(live)
    after = Desk(desk)
    assert len(after.tickets()) == 1
    after.hear(after.tele(after.clock() + timedelta(seconds=10), BROKEN))
    assert len(everything(after.office, Ticket)) == 1


def refuse(_devices: object) -> None:
    raise OSError("killed")


def test_a_device_that_waits_across_a_restart_gets_its_ticket_when_it_is_live() -> None:
    desk = Desk()
    desk.hear(*desk.backlog(20 * HOUR, timedelta(hours=1), BROKEN))
    desk.ingest.checkpoint()
    after = Desk(desk)
    assert after.tickets() == []
    after.hear(after.tele(after.clock(), BROKEN))
    assert len(after.tickets()) == 1


def test_rows_older_than_what_the_rules_saw_are_stored_and_change_no_verdict() -> None:
    desk = Desk()
    desk.hear(*desk.backlog(2 * HOUR, timedelta(), WELL))
    batch = desk.hear(*desk.backlog(3 * HOUR, HOUR, BROKEN))
    assert set(batch.blocks[0].lateness.tolist()) == {LATE}
    assert desk.alarms() == []
    assert desk.ingest.heard(DEVICE).late >= 120
    series = desk.office.telemetry.raw(DEVICE, ms(NOW - 3 * HOUR), ms(NOW))["psu_24v"]
    assert series.values[0] == BROKEN


def test_a_clock_that_was_ahead_for_a_while_holds_up_no_judgement() -> None:
    desk = Desk()
    desk.hear(*desk.backlog(HOUR, timedelta(), WELL))
    for minute in range(10):
        desk.clock.at = NOW + timedelta(minutes=minute)
        batch = desk.hear(desk.tele(desk.clock() + 8 * HOUR, BROKEN))
        assert batch.blocks[0].lateness.tolist() == [AHEAD]
    (fault,) = desk.faults("clock")
    assert fault.state == "CHECK_FUNCTION"
    assert "8 hours fast" in fault.says.en
    assert [one.component for one in desk.alarms()] == ["clock"]
    assert desk.office.telemetry.last([DEVICE])[DEVICE]["psu_24v"][0] < ms(NOW)
    for minute in range(10, 60):
        desk.clock.at = NOW + timedelta(minutes=minute)
        batch = desk.hear(desk.tele(desk.clock(), BROKEN))
        assert batch.blocks[0].lateness.tolist() == [LIVE]
    assert desk.faults("clock") == []
    assert [ticket.component for ticket in desk.tickets()] == ["power_supply"]


@pytest.mark.parametrize("kind", ["tele", "event"])
def test_a_clock_that_is_ahead_by_more_than_a_day_is_spoken_of_too(kind: str) -> None:
    desk = Desk()
    for minute in range(3):
        desk.clock.at = NOW + timedelta(minutes=minute)
        message = desk.tele(desk.clock() + 1000 * 24 * HOUR)
        if kind == "event":
            message = {**{name: message[name] for name in "bst"}, "code": "1007"}
        arrival = Arrival(DEVICE, TOPIC.replace("tele", kind), json.dumps(message).encode())
        desk.ingest.act(desk.ingest.keep([arrival]))
    (fault,) = desk.faults("clock")
    assert "1000.0 days fast: messages are put aside until it is right" in fault.says.en
    assert desk.ingest.tallies[DEVICE].quarantined == 3
    for minute in range(3, 6):
        desk.clock.at = NOW + timedelta(minutes=minute)
        batch = desk.hear(desk.tele(desk.clock()))
        assert batch.blocks[0].lateness.tolist() == [LIVE]
    assert desk.faults("clock") == []


def test_the_alarms_of_a_device_whose_clock_is_slow_send_somebody() -> None:
    desk = Desk()
    for minute in range(90):
        desk.clock.at = NOW + timedelta(minutes=minute)
        desk.hear(desk.tele(desk.clock() - 8 * HOUR, WELL if minute < 30 else BROKEN))
    assert "8 hours slow" in desk.faults("clock")[0].says.en
    (ticket,) = desk.tickets()
    assert ticket.component == "power_supply"


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_wrong_clock_is_known_after_a_restart(checkpoint: bool) -> None:
    desk = Desk()
    for minute in range(15):
        desk.clock.at = NOW + timedelta(minutes=minute)
        desk.hear(desk.tele(desk.clock() - 8 * HOUR))
        if checkpoint and minute == 7:
            desk.ingest.checkpoint()
    after = Desk(desk)
    assert after.faults("clock") == desk.faults("clock") != []
    assert after.ingest.heard(DEVICE) == desk.ingest.heard(DEVICE)


def test_maintenance_by_a_clock_that_is_ahead_mutes_from_now_not_from_then() -> None:
    desk = Desk()
    note = {"b": "b", "s": 9000, "t": ms(NOW + 20 * HOUR), "task": "lamp", "component": "lamp"}
    topic = TOPIC.replace("tele", "maint")
    batch = desk.ingest.keep([Arrival(DEVICE, topic, json.dumps(note).encode())])
    assert [(n.at_ms, n.body["t"]) for n in batch.notes] == [(ms(NOW), ms(NOW + 20 * HOUR))]


def test_a_device_that_lost_its_boot_and_its_numbers_is_heard() -> None:
    desk = Desk()
    for second in range(100):
        desk.hear(desk.tele(NOW + timedelta(seconds=10 * second)))
    desk.seq = 0
    again = [desk.tele(NOW + timedelta(seconds=1000 + 10 * second)) for second in range(50)]
    desk.hear(*again[:20], *again[10:20])
    desk.hear(*again[20:])
    desk.hear(*again)
    tally = desk.ingest.tallies[DEVICE]
    assert (tally.stored, tally.duplicate, tally.resets, tally.reboots) == (150, 60, 1, 1)
    assert tally.received == tally.stored + tally.duplicate + tally.quarantined
    after = Desk(desk).ingest.tallies[DEVICE]
    assert (after.boots, after.runs) == (tally.boots, tally.runs)


def test_an_event_that_comes_again_is_no_new_run() -> None:
    desk = Desk()
    desk.hear(desk.tele(NOW - timedelta(seconds=30)))
    event = {"b": "b", "s": 2, "t": ms(NOW), "code": "1007"}
    arrival = Arrival(DEVICE, TOPIC.replace("tele", "event"), json.dumps(event).encode())
    for _ in range(2):
        desk.ingest.act(desk.ingest.keep([arrival, arrival]))
    assert desk.ingest.tallies[DEVICE].duplicate == 3
    assert Desk(desk).ingest.keep([arrival]).notes == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.booleans())
def test_a_backlog_comes_to_the_same_alarms_however_it_is_batched(
    sizes: list[int], restart: bool
) -> None:
    logs = []
    for cuts in ([1000], sizes):
        desk = Desk()
        messages = [
            *desk.backlog(5 * HOUR, 3 * HOUR, BROKEN),
            *desk.backlog(3 * HOUR, HOUR, WELL),
            *desk.backlog(HOUR, timedelta(), BROKEN),
        ]
        place = 0
        while messages:
            size = cuts[place % len(cuts)]
            desk.hear(*messages[:size])
            messages, place = messages[size:], place + 1
            if restart and place % 5 == 0:
                desk = Desk(desk)
        logs.append((desk.alarms(), [ticket.component for ticket in desk.tickets()]))
    assert logs[0] == logs[1]
