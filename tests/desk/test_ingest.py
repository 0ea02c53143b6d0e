"""What becomes of a message: kept, known already, or put aside with a reason."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.intake import Intake, Registered
from equipment.catalog import MODELS, DeviceModel
from equipment.quarantine import Quarantined
from equipment.reading import HISTORICAL, Batch
from health.alarm import Alarm
from health.bank import Bank
from health.profile import SHIPPED
from storage.interface import Checkpoint
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords
from tests.given import NOW

NOW_MS = int(NOW.timestamp() * 1000)
TOPIC = "fc/v1/S001/CHEM-001/tele"


class World:
    """An ingest over memory stores, as after a restart when it is given old stores."""

    def __init__(self, telemetry: Any = None, records: Any = None) -> None:
        self.telemetry = telemetry or MemoryTelemetry()
        self.records = records or MemoryRecords()
        self.alarms: list[Alarm] = []
        models = {"CHEM-001": "CHEM", "CHEM-002": "CHEM"}
        registered = {device: Registered(model, "S001") for device, model in models.items()}
        self.ingest = Ingest(
            self.telemetry,
            self.records,
            Bank(SHIPPED, models),
            registered=registered,
            now=lambda: NOW,
            on_alarms=self.alarms.extend,
        )

    def hear(self, *arrivals: Arrival) -> Batch:
        batch = self.ingest.keep(list(arrivals))
        self.ingest.act(batch)
        return batch

    def refused(self) -> Sequence[Quarantined]:
        with self.records.read() as work:
            return work.shelf(Quarantined).find()


def tele(s: int = 1, sender: str | None = "CHEM-001", topic: str = TOPIC, **fields: Any) -> Arrival:
    message = {"b": "boot", "s": s, "t": NOW_MS, "m": {"wash_vacuum": -70.0}, **fields}
    return Arrival(sender, topic, json.dumps(message).encode())


def birth(**units: str) -> Arrival:
    metrics = [{"n": name, "u": unit} for name, unit in units.items()]
    message = {"v": 1, "b": "boot", "serial": "x", "model": "CHEM", "metrics": metrics}
    return Arrival("CHEM-001", TOPIC.replace("tele", "birth"), json.dumps(message).encode())


def test_a_reading_is_stored_as_it_was_sent() -> None:
    world = World()
    world.hear(tele())
    assert world.telemetry.last(["CHEM-001"]) == {"CHEM-001": {"wash_vacuum": (NOW_MS, -70.0)}}


def test_a_batch_message_stores_every_row() -> None:
    world = World()
    rows = [[NOW_MS + n, {"wash_vacuum": -70.0 - n}] for n in range(3)]
    world.hear(tele(t=None, m=None, r=rows, h=1))
    series = world.telemetry.raw("CHEM-001", 0, NOW_MS + 10)["wash_vacuum"]
    assert series.values.tolist() == [-70.0, -71.0, -72.0]


def test_a_redelivered_message_is_invisible() -> None:
    world = World()
    world.hear(tele(1), tele(1))
    world.hear(tele(1))
    tally = world.ingest.tallies["CHEM-001"]
    assert (tally.received, tally.stored, tally.duplicate) == (3, 1, 2)


def test_units_declared_at_birth_are_converted() -> None:
    world = World()
    world.hear(birth(wash_vacuum="mm[Hg]", cabinet_temp="K"))
    world.hear(tele(m={"wash_vacuum": -525.0, "cabinet_temp": 299.15, "psu_24v": 24.0}))
    last = world.telemetry.last(["CHEM-001"])["CHEM-001"]
    assert last["wash_vacuum"][1] == pytest.approx(-69.994, abs=0.001)
    assert last["cabinet_temp"][1] == pytest.approx(26.0)
    assert last["psu_24v"][1] == 24.0


@pytest.mark.parametrize(
    ("arrival", "reason", "says"),
    [
        (Arrival("CHEM-001", TOPIC, b"{"), "malformed", "truncated"),
        (Arrival("CHEM-001", TOPIC, b"\xff\xfe"), "malformed", "tele"),
        (tele(m={"wash_vacuum": "x"}), "malformed", "$.m.wash_vacuum"),
        (tele(m={"wash_vacuum": float("nan")}), "not_a_number", "$.m.wash_vacuum"),
        (tele(m={"wash_vacuum": float("inf")}), "not_a_number", "$.m.wash_vacuum"),
        (tele(m={"wash_vacuum": 1e300}), "malformed", "beyond 1e+15 - at `$.m.wash_vacuum`"),
        (tele(m={"wash_vacuum": 10**400}), "malformed", "beyond 1e+15 - at `$.m.wash_vacuum`"),
        (tele(m={"wash_vacuums": 1.0}), "unknown_metric", "wash_vacuums"),
        (birth(psu_24v="Cel"), "wrong_unit", "'Cel' cannot be read as 'V'"),
        (tele(t=NOW_MS + 25 * 3_600_000), "future_time", "25.0 h ahead"),
        (tele(t=-1), "malformed", "$.t"),
        (tele(s=2**63), "malformed", "$.s"),
        (tele(s=-1), "malformed", "$.s"),
        (tele(t=2**70), "malformed", "$.t"),
        (tele(topic="fc/v1/S001/CHEM-002/tele"), "foreign_topic", "CHEM-001 may not publish"),
        (tele(topic="fc/v1/S002/CHEM-001/tele"), "foreign_topic", "stands at site 'S001'"),
        (tele(topic="other/topic"), "foreign_topic", "other/topic"),
        (tele(topic="fc/v1/S 1/CHEM-001/tele"), "foreign_topic", "site 'S 1'"),
        (Arrival("CHEM-001", TOPIC, b" " * 70_000), "oversize", "70000 bytes"),
        (tele(topic="fc/v1/S001/X-9/tele", sender=None), "unknown_device", "'X-9'"),
        (tele(t=None), "malformed", "$.t"),
        # What no store takes as text: half a character, and NUL, which PostgreSQL refuses.
        (tele(m={"\ud800": float("nan")}), "not_a_number", r"$.m.\ud800"),
        (tele(m={"\0": float("nan")}), "not_a_number", r"$.m.\x00"),
        (tele(topic="fc/\ud800\0"), "foreign_topic", "fc/"),
        (
            Arrival("CHEM-001", TOPIC.replace("tele", "qc"), b'{"patient":"x"}'),
            "malformed",
            "patient",
        ),
    ],
)
def test_what_cannot_be_used_is_put_aside_with_a_reason(
    arrival: Arrival, reason: str, says: str
) -> None:
    world = World()
    world.hear(tele(7), arrival, tele(8))
    (refused,) = world.refused()
    for text in (refused.why, refused.topic):
        assert "\0" not in text.encode().decode()
    assert refused.reason == reason
    assert says in refused.why
    assert world.ingest.quarantined == {reason: 1}
    assert world.ingest.tallies["CHEM-001"].boots["boot"].high == 8


def test_a_birth_of_a_thousand_strange_metrics_is_put_aside_once_for_all_reasons() -> None:
    world = World()
    metrics = [{"n": f"strange_{n}", "u": "1"} for n in range(1000)]
    metrics += [{"n": "wash_vacuum", "u": unit} for unit in ("Cel", "10*9999999", "V")]
    message = {"v": 1, "b": "boot", "serial": "x", "model": "CHEM", "metrics": metrics}
    world.hear(Arrival("CHEM-001", TOPIC.replace("tele", "birth"), json.dumps(message).encode()))
    (refused,) = world.refused()
    assert len(refused.why) <= 1002
    assert "'V' cannot be read as 'kPa'" in refused.why
    assert "strange_0" in refused.why
    assert world.ingest.quarantined == {"wrong_unit": 1, "unknown_metric": 1}
    world.hear(tele(m={"psu_24v": 24.0}))
    assert world.telemetry.last(["CHEM-001"])["CHEM-001"] == {"psu_24v": (NOW_MS, 24.0)}


def test_the_known_metrics_of_a_message_with_an_unknown_one_are_stored() -> None:
    world = World()
    world.hear(tele(m={"wash_vacuum": -70.0, "nonsense": 1.0, "psu_24v": 24.0}))
    assert set(world.telemetry.last(["CHEM-001"])["CHEM-001"]) == {"wash_vacuum", "psu_24v"}
    assert [one.reason for one in world.refused()] == ["unknown_metric"]


def test_a_metric_in_a_wrong_unit_is_refused_while_the_others_go_on() -> None:
    world = World()
    world.hear(birth(wash_vacuum="Cel", psu_24v="mV"))
    world.hear(tele(m={"wash_vacuum": -70.0, "psu_24v": 24_000.0}))
    assert world.telemetry.last(["CHEM-001"])["CHEM-001"] == {"psu_24v": (NOW_MS, 24.0)}
    assert [one.reason for one in world.refused()] == ["wrong_unit", "wrong_unit"]


def test_received_is_stored_and_duplicate_and_quarantined() -> None:
    world = World()
    world.hear(tele(1), tele(1), tele(2, t=NOW_MS + 10**9), tele(5), birth(psu_24v="V"))
    world.hear(tele(6, m={"nonsense": 1.0}))
    tally = world.ingest.tallies["CHEM-001"]
    assert tally.received == tally.stored + tally.duplicate + tally.quarantined == 6
    assert (tally.stored, tally.duplicate, tally.quarantined) == (3, 1, 2)
    assert tally.gaps() == [("boot", 2, 4)]


class FullOnce(MemoryTelemetry):
    """A store whose disk is full at the first append."""

    full = True

    def append(self, batch: Batch) -> int:
        if self.full:
            self.full = False
            raise OSError("disk is full")
        return super().append(batch)


def test_a_store_that_refuses_is_asked_again_and_nothing_is_lost() -> None:
    world = World(FullOnce())
    arrivals = [tele(1), tele(2, m={"x": 1.0}), Arrival("CHEM-001", TOPIC, b"{")]
    with pytest.raises(OSError, match="full"):
        world.ingest.keep(arrivals)
    world.ingest.keep(arrivals)
    assert len(world.telemetry.raw("CHEM-001", 0, NOW_MS + 1)["wash_vacuum"].values) == 1
    assert world.ingest.tallies["CHEM-001"].duplicate == 0
    assert len(world.refused()) == 2


@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_a_restart_knows_what_was_seen_and_how_units_are_read(with_checkpoint: bool) -> None:
    before = World()
    before.hear(birth(psu_24v="mV"))
    before.hear(tele(1, m={"psu_24v": 24_000.0}))
    if with_checkpoint:
        before.ingest.checkpoint()
    before.hear(tele(2, m={"psu_24v": 24_100.0}))

    after = World(before.telemetry, before.records)
    assert after.ingest.resume() == (1 if with_checkpoint else 3)
    after.hear(tele(2, m={"psu_24v": 0.0}), tele(3, m={"psu_24v": 24_200.0}))
    assert after.telemetry.last(["CHEM-001"])["CHEM-001"]["psu_24v"][1] == 24.2
    assert after.ingest.tallies["CHEM-001"].duplicate == 1


def test_a_device_that_is_registered_later_is_heard() -> None:
    world = World()
    world.ingest.register("HEMA-001", Registered("HEMA", "S001"))
    topic = "fc/v1/S001/HEMA-001/tele"
    world.hear(tele(topic=topic, sender="HEMA-001", m={"vacuum": -45.0}))
    assert "vacuum" in world.telemetry.last(["HEMA-001"])["HEMA-001"]


def test_a_device_that_was_gone_over_a_restart_is_judged_when_it_comes_back() -> None:
    before = World()
    before.ingest.register("CHEM-003", Registered("CHEM", "S001"))
    topic = TOPIC.replace("CHEM-001", "CHEM-003")
    before.hear(tele(1, sender=None, topic=topic, t=NOW_MS - 3_600_000))
    before.ingest.checkpoint()
    after = World(before.telemetry, before.records)
    after.ingest.resume()
    after.ingest.register("CHEM-003", Registered("CHEM", "S001"))
    for n in range(30):
        weak = {"t": NOW_MS - (30 - n) * 60_000, "m": {"wash_vacuum": -50.0}}
        after.hear(tele(2 + n, sender=None, topic=topic, **weak))
    assert ("CHEM-003", "wash_vacuum.warn") in {(a.device, a.rule) for a in after.alarms}


def test_a_device_whose_model_is_corrected_is_judged_as_what_it_is() -> None:
    world = World()
    world.ingest.register("CHEM-003", Registered("HEMA", "S001"))
    topic = TOPIC.replace("CHEM-001", "CHEM-003")
    world.hear(tele(1, sender=None, topic=topic, t=NOW_MS - 3_600_000))
    assert len(world.refused()) == 1
    world.ingest.register("CHEM-003", Registered("CHEM", "S001"))
    for n in range(30):
        weak = {"t": NOW_MS - (30 - n) * 60_000, "m": {"wash_vacuum": -50.0}}
        world.hear(tele(2 + n, sender=None, topic=topic, **weak))
    assert ("CHEM-003", "wash_vacuum.warn") in {(a.device, a.rule) for a in world.alarms}
    world.ingest.checkpoint()
    after = World(world.telemetry, world.records)
    assert (after.ingest.resume(), after.ingest.active()) == (0, [])


def test_alarms_that_could_not_be_told_are_told_with_the_next_batch() -> None:
    world = World()
    told: list[Alarm] = []

    def tell(alarms: Sequence[Alarm]) -> None:
        if not told:
            told.append(alarms[0])
            raise OSError("records are locked")
        told.extend(alarms)

    world.ingest = Ingest(
        world.telemetry,
        world.records,
        Bank(SHIPPED, {"CHEM-001": "CHEM"}),
        registered={"CHEM-001": Registered("CHEM", "S001")},
        now=lambda: NOW,
        on_alarms=tell,
    )
    hours = 6 * 60
    start_ms = NOW_MS - hours * 60_000
    first = [tele(n, t=start_ms + n * 60_000, m={"psu_24v": 20.0}) for n in range(hours)]
    with pytest.raises(OSError, match="locked"):
        world.hear(*first)
    world.hear(tele(hours, m={"psu_24v": 20.0}))
    assert told[0] == told[1]


def test_a_snapshot_of_another_version_starts_the_rules_afresh_and_loses_no_ledger() -> None:
    before = World()
    before.hear(tele(1))
    before.ingest.checkpoint()
    kept = before.telemetry.checkpoint()
    state = msgspec.msgpack.decode(kept.state)
    state["bank"] = b"of long ago"
    before.telemetry.keep_checkpoint(Checkpoint(kept.upto, msgspec.msgpack.encode(state)))

    after = World(before.telemetry, before.records)
    after.ingest.resume()
    after.hear(tele(1))
    assert after.ingest.tallies["CHEM-001"].duplicate == 1


def test_historical_rows_are_marked() -> None:
    world = World()
    at_ms = int((NOW - timedelta(days=2)).timestamp() * 1000)
    batch = world.hear(tele(t=at_ms, h=1))
    assert (batch.blocks[0].lateness == HISTORICAL).all()


class Stumbling(Bank):
    """Rules that cannot judge their first batch."""

    stumbled = False

    def step(self, batch: Batch) -> list[Alarm]:
        if not self.stumbled:
            self.stumbled = True
            raise IndexError("no such seat")
        return super().step(batch)


def test_a_batch_the_rules_cannot_judge_does_not_forbid_the_next_start() -> None:
    before = World()
    before.hear(tele(1))
    before.hear(tele(2))
    ingest = Ingest(
        before.telemetry,
        before.records,
        Stumbling(SHIPPED, {"CHEM-001": "CHEM"}),
        registered={"CHEM-001": Registered("CHEM", "S001")},
        now=lambda: NOW,
        on_alarms=lambda _alarms: None,
    )
    assert ingest.resume() == 2
    ingest.keep([tele(2), tele(3)])
    assert ingest.tallies["CHEM-001"].duplicate == 1


def test_units_told_for_a_file_do_not_outlast_it() -> None:
    world = World()
    world.hear(birth(wash_vacuum="bar"))
    before = world.ingest.births()
    other = TOPIC.replace("001/tele", "002/tele")
    world.hear(birth(wash_vacuum="mbar"), tele(s=1))
    elsewhere = birth(wash_vacuum="bar")._replace(
        sender="CHEM-002", topic=other.replace("tele", "birth")
    )
    world.hear(elsewhere)
    world.ingest.set_births(before)
    world.hear(tele(s=2, m={"wash_vacuum": -0.7}), tele(s=2, sender="CHEM-002", topic=other))
    last = world.telemetry.last(["CHEM-001", "CHEM-002"])
    assert {device: one["wash_vacuum"][1] for device, one in last.items()} == {
        "CHEM-001": pytest.approx(-70.0),
        "CHEM-002": -70.0,
    }


class Forgetful(dict[str, DeviceModel]):
    """A catalogue with a fault in it: a model is found once."""

    def __getitem__(self, code: str) -> DeviceModel:
        return self.pop(code)


def test_a_message_that_the_program_fails_on_stops_no_other() -> None:
    intake = Intake({"CHEM-001": Registered("CHEM", "S001")}, Forgetful(MODELS))
    birth = {"v": 1, "b": "boot", "serial": "x", "model": "CHEM", "metrics": []}
    declared = {**birth, "metrics": [{"n": "psu_24v", "u": "V"}]}
    faulty = Arrival("CHEM-001", TOPIC.replace("tele", "birth"), json.dumps(declared).encode())
    sorted_ = intake.sort([tele(1), faulty, tele(2)], NOW)
    assert [int(seq) for block in sorted_.blocks for seq in block.seqs] == [1, 2]
    assert [(one.reason, one.why) for one in sorted_.refused] == [
        ("unforeseen", "KeyError: 'CHEM'")
    ]
    tally = intake.tallies["CHEM-001"]
    assert (tally.received, tally.stored, tally.quarantined) == (3, 2, 1)
