"""What was put aside is understood later: taught, replayed, counted right, or discarded."""

import json
from dataclasses import replace
from typing import Any

import pytest

from aftersales.machine import Refused
from desk.arrival import Arrival
from desk.mappings import drafted, mappings, unteach
from desk.quarantine import ask_replay, discard, next_parcel, preview
from desk.tickets import UnknownRecord
from desk.ward import Ward
from equipment.mapped import WrongMapping
from equipment.quarantine import Quarantined, Replay
from tests.desk.given_ward import ADMIN, known, replayed, taught, ward
from tests.desk.test_ingest import NOW_MS, TOPIC, World, birth, tele


def newest(world: World, device: str = "CHEM-001") -> dict[str, float]:
    last = world.telemetry.last([device]).get(device, {})
    return {metric: value for metric, (_, value) in last.items()}


def balanced(world: World, device: str = "CHEM-001") -> tuple[int, int, int, int]:
    tally = world.ingest.tallies[device]
    assert tally.received == tally.stored + tally.duplicate + tally.quarantined
    return tally.received, tally.stored, tally.duplicate, tally.quarantined


def test_a_message_is_kept_whole_and_once_whatever_is_wrong_with_it() -> None:
    world, _ = ward()
    strange = {f"strange_{n}": 1.0 for n in range(2000)}
    world.hear(birth(wash_vacuum="Cel"), arrival := tele(m={"wash_vacuum": 1.0, **strange}))
    (_, refused) = world.refused()
    assert refused.payload == arrival.payload
    assert len(refused.payload) > 4096
    assert refused.device == "CHEM-001"


def test_a_metric_that_was_taught_is_stored_at_once_and_from_quarantine() -> None:
    world, office = ward()
    world.hear(tele(1, m={"wash_vacuum": -70.0, "temp1": 37.0}))
    assert balanced(world) == (1, 1, 0, 0)
    taught(world, office, "metric", "temp1", "reaction_bath_temp", model="CHEM")
    done = replayed(world, office, reason="unknown_metric")
    assert (done.state, done.stored, done.total) == ("done", 1, 1)
    assert newest(world) == {"wash_vacuum": -70.0, "reaction_bath_temp": 37.0}
    assert world.refused() == []
    assert balanced(world) == (1, 1, 0, 0)
    world.hear(tele(2, t=NOW_MS + 1, m={"temp1": 37.5}), tele(3, t=NOW_MS + 2, m={"temp1": 37.6}))
    assert newest(world)["reaction_bath_temp"] == 37.6
    assert balanced(world) == (3, 3, 0, 0)


def test_a_message_of_which_nothing_was_stored_moves_from_quarantined_to_stored() -> None:
    world, office = ward()
    world.hear(tele(1, m={"temp1": 37.0}), tele(2, m={"other": 1.0}))
    assert balanced(world) == (2, 0, 0, 2)
    taught(world, office, "metric", "temp1", "reaction_bath_temp", device="CHEM-001")
    done = replayed(world, office, device="CHEM-001")
    assert (done.stored, done.refused) == (1, 1)
    assert balanced(world) == (2, 1, 0, 1)
    (left,) = world.refused()
    assert (left.reason, left.ledger) == ("unknown_metric", "numbered")
    again = replayed(world, office, ids=[done.results[0].id, left.id])
    assert (again.gone, again.refused) == (1, 1)
    assert balanced(world) == (2, 1, 0, 1)


def test_what_the_device_sent_right_meanwhile_is_a_duplicate() -> None:
    world, office = ward()
    world.hear(Arrival("CHEM-001", TOPIC, tele(1).payload.replace(b"-70.0", b"NaN")))
    world.hear(tele(1))
    with office.records.begin() as work:
        (kept,) = work.shelf(Quarantined).find()
        work.shelf(Quarantined).put(
            replace(kept, payload=tele(1).payload, size=len(tele(1).payload))
        )
    assert replayed(world, office, ids=[kept.id]).duplicate == 1
    assert world.refused() == []
    assert balanced(world) == (2, 1, 1, 0)


def test_an_ignored_metric_is_left_out_without_a_word() -> None:
    world, office = ward()
    world.hear(tele(1, m={"debug": 1.0}))
    taught(world, office, "metric", "debug", "", model="CHEM")
    assert replayed(world, office, reason="unknown_metric").stored == 1
    world.hear(tele(2, m={"debug": 1.0, "psu_24v": 24.0}))
    assert newest(world) == {"psu_24v": 24.0}
    assert world.refused() == []
    assert balanced(world) == (2, 2, 0, 0)


@pytest.mark.parametrize(
    ("kind", "sent", "means", "unit", "value"),
    [("unit", "C", "Cel", "C", 26.0), ("values", "cabinet_temp", "K", "Cel", 299.15)],
)
def test_a_unit_is_understood_as_it_was_taught(
    kind: str, sent: str, means: str, unit: str, value: float
) -> None:
    world, office = ward()
    world.hear(birth(cabinet_temp=unit))
    id = taught(world, office, kind, sent, means, device="CHEM-001")
    world.hear(tele(1, m={"cabinet_temp": value}))
    assert newest(world)["cabinet_temp"] == pytest.approx(26.0)
    unteach(office, ADMIN, id)
    known(world, office)
    world.hear(tele(2, t=NOW_MS + 1, m={"cabinet_temp": value}))
    assert (newest(world)["cabinet_temp"] == pytest.approx(26.0)) == (unit == "C")
    assert len(world.refused()) == (2 if unit == "C" else 0)


def test_a_birth_out_of_quarantine_does_not_undo_a_newer_one() -> None:
    world, office = ward()
    world.hear(birth(cabinet_temp="C"))
    message = {"v": 1, "b": "later", "serial": "x", "model": "CHEM",
               "metrics": [{"n": "cabinet_temp", "u": "K"}]}  # fmt: skip
    world.hear(Arrival("CHEM-001", TOPIC.replace("tele", "birth"), json.dumps(message).encode()))
    taught(world, office, "unit", "C", "Cel", device="CHEM-001")
    assert replayed(world, office, reason="wrong_unit").stored == 1
    world.hear(tele(1, m={"cabinet_temp": 300.0}))
    assert newest(world)["cabinet_temp"] == pytest.approx(26.85)


def test_the_ids_that_a_gateway_uses_are_understood() -> None:
    world, office = ward()
    topic = "fc/v1/old-site/dev-7/tele"
    world.hear(tele(1, sender=None, topic=topic))
    assert world.refused()[0].device == "dev-7"
    taught(world, office, "device", "dev-7", "CHEM-002")
    assert replayed(world, office, device="dev-7").refused == 1
    taught(world, office, "site", "old-site", "S001")
    assert replayed(world, office, device="CHEM-002").refused == 0
    assert newest(world, "CHEM-002") == {"wash_vacuum": -70.0}
    assert balanced(world, "CHEM-002") == (1, 1, 0, 0)
    world.hear(tele(2, sender="CHEM-001", topic=topic))
    assert world.refused()[0].reason == "foreign_topic"


def test_two_that_are_the_same_metric_are_not_both_stored() -> None:
    world, office = ward()
    taught(world, office, "metric", "temp1", "cabinet_temp", model="CHEM")
    world.hear(tele(1, m={"temp1": 1.0, "cabinet_temp": 26.0, "psu_24v": 24.0}))
    assert newest(world) == {"cabinet_temp": 26.0, "psu_24v": 24.0}
    (refused,) = world.refused()
    assert refused.reason == "ambiguous_metric"
    assert "'temp1' is cabinet_temp" in refused.why


def test_the_mapping_of_a_device_beats_that_of_its_model() -> None:
    world, office = ward()
    taught(world, office, "metric", "temp1", "cabinet_temp", model="CHEM")
    taught(world, office, "metric", "temp1", "reaction_bath_temp", device="CHEM-002")
    topic = TOPIC.replace("CHEM-001", "CHEM-002")
    world.hear(tele(1, m={"temp1": 1.0}), tele(1, "CHEM-002", topic, m={"temp1": 2.0}))
    assert (newest(world), newest(world, "CHEM-002")) == (
        {"cabinet_temp": 1.0},
        {"reaction_bath_temp": 2.0},
    )


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({"kind": "colour"}, "kind", "'colour'"),
        ({"sent": ""}, "sent", "empty"),
        ({"sent": "x" * 61}, "sent", "longer than 60"),
        ({"sent": "a\nb"}, "sent", "cannot be seen"),
        ({"sent": "\ud800"}, "sent", "cannot be seen"),
        ({"means": "nonsense"}, "means", "'nonsense' is not in the catalogue of CHEM"),
        ({"means": "temp1"}, "means", "sent already"),
        ({"model": ""}, "device", "exactly one"),
        ({"device": "CHEM-001"}, "device", "exactly one"),
        ({"model": "", "device": "X-9"}, "device", "'X-9' is not registered"),
        ({"model": "CAR"}, "model", "'CAR' is not in the catalogue"),
        ({"kind": "unit", "means": "furlongs"}, "means", "'furlongs' is not a UCUM code"),
        ({"kind": "unit", "means": ""}, "means", "empty"),
        ({"kind": "values", "means": "K"}, "sent", "'temp1' is no metric"),
        ({"kind": "values", "sent": "psu_24v", "means": "Cel"}, "means", "cannot be read as 'V'"),
        ({"kind": "device", "means": "CHEM-001"}, "model", "means one everywhere"),
        ({"kind": "device", "model": "", "means": "X-9"}, "means", "'X-9' is not registered"),
        ({"kind": "device", "model": "", "sent": "CHEM-002", "means": "CHEM-001"}, "sent",
         "registered itself"),
        ({"kind": "site", "model": "", "sent": "a/b", "means": "S001"}, "sent", "not 1-40"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_meant_names_field_and_value(
    row: dict[str, Any], field: str, says: str
) -> None:
    world, office = ward()
    good = {"kind": "metric", "sent": "temp1", "means": "cabinet_temp", "model": "CHEM"}
    with pytest.raises(WrongMapping) as raised:
        taught(world, office, **{**good, **row})
    assert raised.value.field == field
    assert says in raised.value.reason.en
    with office.records.read() as work:
        assert mappings(work) == []


def test_who_taught_what_and_took_it_back_is_in_the_journal() -> None:
    world, office = ward()
    id = taught(world, office, "metric", "temp1", "cabinet_temp", model="CHEM")
    assert taught(world, office, "metric", "temp1", "reaction_bath_temp", model="CHEM") == id
    taught(world, office, "metric", "temp1", "reaction_bath_temp", model="CHEM")
    unteach(office, ADMIN, id)
    with pytest.raises(UnknownRecord, match="does not exist"):
        unteach(office, ADMIN, id)
    with office.records.read() as work:
        events = work.journal.of(id)
    assert [(e.type, e.actor, e.data["before"], e.data["version"]) for e in events] == [
        ("mapping.taught", "admin", None, 1),
        ("mapping.taught", "admin", "cabinet_temp", 2),
        ("mapping.removed", "admin", "reaction_bath_temp", 2),
    ]


def test_a_preview_changes_nothing() -> None:
    world, office = ward()
    world.hear(birth(wash_vacuum="mm[Hg]"), tele(1, m={"wash_vacuum": -525.0, "temp1": 37.0}))
    (one,) = world.refused()
    row = drafted(ADMIN, kind="metric", sent="temp1", means="reaction_bath_temp", model="CHEM")
    seen = preview(office, one.id, [row])
    assert seen.device == "CHEM-001"
    assert seen.refused is None
    values = {reading.metric: reading.value for reading in seen.readings}
    assert values == {"wash_vacuum": pytest.approx(-69.994, abs=0.001), "reaction_bath_temp": 37.0}
    still = preview(office, one.id, []).refused
    assert still is not None
    assert "temp1" in still.why
    assert len(world.refused()) == 1
    with pytest.raises(UnknownRecord):
        preview(office, "none", [])


def test_the_oldest_go_first_when_the_quarantine_is_full() -> None:
    world, office = ward()
    strange = [tele(n, m={"strange": float(n)}) for n in range(40)]
    world.hear(*strange)
    some = list(world.refused())
    bounded = Ward(office.records, most=30, most_bytes=10**6)
    bounded.admit(some[-1:])
    left = world.refused()
    assert len(left) <= 30
    assert left[-1] == some[-1]
    assert bounded.evicted == 40 - len(left)
    tight = Ward(office.records, most=10**6, most_bytes=5 * some[0].size)
    tight.admit(some[-1:])
    assert len(world.refused()) <= 5
    for one in some:
        tight.admit([one])
    assert len(world.refused()) <= 5


def test_a_discarded_message_is_gone_and_stays_counted() -> None:
    world, office = ward()
    world.hear(tele(1, m={"strange": 1.0}))
    (one,) = world.refused()
    with pytest.raises(Refused, match="reason"):
        discard(office, ADMIN, [one.id], "because")
    assert discard(office, ADMIN, [one.id, "none"], "test") == 1
    assert balanced(world) == (1, 0, 0, 1)
    with office.records.read() as work:
        (event,) = work.journal.of(one.id)
    assert (event.type, event.data["reason"]) == ("quarantine.discarded", "test")


def test_what_was_not_kept_whole_is_not_replayed_as_if_it_were() -> None:
    world, office = ward()
    world.hear(Arrival("CHEM-001", TOPIC, b" " * 70_000), tele(1, m={"strange": 1.0}))
    done = replayed(world, office)
    assert done.refused == 2
    assert "65536 of its 70000 bytes" in done.results[0].why


def test_replays_are_bounded() -> None:
    _, office = ward()
    for _ in range(20):
        ask_replay(office, ADMIN, reason="malformed")
    with pytest.raises(Refused, match="too many"):
        ask_replay(office, ADMIN, reason="malformed")
    with pytest.raises(Refused, match="at most"):
        ask_replay(office, ADMIN, ids=[str(n) for n in range(1001)])


def test_a_replay_that_a_crash_interrupted_goes_on_where_it_was() -> None:
    world, office = ward()
    for n in range(500):
        world.hear(tele(n, t=NOW_MS + n, m={"temp1": float(n)}))
    taught(world, office, "metric", "temp1", "cabinet_temp", model="CHEM")
    done = replayed(world, office, reason="unknown_metric")
    assert (done.stored, done.done) == (500, 500)
    after = World(world.telemetry, world.records)
    after.ingest.resume()
    assert balanced(after) == (500, 500, 0, 0)
    with office.records.read() as work:
        assert work.shelf(Replay).find(state=["waiting", "running"]) == []


def test_what_another_collector_hears_is_left_as_it_is() -> None:
    world, office = ward()
    world.hear(tele(1, m={"temp1": 1.0}))
    (before,) = world.refused()
    asked = ask_replay(office, ADMIN, reason="unknown_metric")
    assert next_parcel(office, asked.id, {"CHEM-001"}) == []
    assert next_parcel(office, asked.id, {"CHEM-001"}) is None
    with office.records.read() as work:
        done = work.shelf(Replay).get(asked.id)
    assert done is not None
    assert (done.refused, "another collector hears CHEM-001" in done.results[0].why) == (1, True)
    assert world.refused() == [before]
