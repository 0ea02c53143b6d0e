"""Edge nodes of Sparkplug B: heard like any device, and asked again where something is missing."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.arrival import Again, Arrival
from desk.edges import EDGES_KEPT, NAMES_KEPT
from equipment.sparkplug_payload import REBIRTH, decode
from tests.desk.given_edge import BORN_MS, DOOR, LAMP, NOW_MS, VACUUM, Edge, World
from tests.equipment import given_sparkplug as sp
from tests.given import NOW

NCMD = "spBv1.0/S001/NCMD/GW-1"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def edge() -> Edge:
    return Edge()


def born(world: World, edge: Edge) -> None:
    world.hear(edge.birth(), edge.device_birth())


def test_a_birth_declares_and_its_values_are_readings(world: World, edge: Edge) -> None:
    born(world, edge)
    assert world.values() == {0: -70.0}
    assert world.values(metric="lamp_on_time") == {0: 10.0}
    (birth,) = world.telemetry.notes("CHEM-001", 0, NOW_MS, ("birth",))
    assert birth.body["serial"] == "C7"
    assert birth.body["metrics"] == [{"n": "wash_vacuum", "u": "kPa"}]
    assert world.states() == ["online"]
    assert (world.refused(), world.sent) == ([], [])


def test_data_by_alias_is_stored_at_the_time_of_its_metrics(world: World, edge: Edge) -> None:
    born(world, edge)
    world.hear(
        edge.data(1000, sp.metric(alias=VACUUM, value=-71.0, at_ms=BORN_MS + 900, typed=False)),
        edge.data(2000, sp.metric(alias=LAMP, value=-3, type_=sp.INT32, typed=False)),
        edge.data(3000, sp.metric(alias=VACUUM, null=True)),
        edge.data(4000, sp.metric("wash_vacuum", -72.0)),
    )
    assert world.values() == {0: -70.0, 900: -71.0, 4000: -72.0}
    assert world.values(metric="lamp_on_time") == {0: 10.0, 2000: -3.0}
    assert world.sent == []


def test_units_of_the_birth_are_converted(world: World, edge: Edge) -> None:
    metrics = [sp.metric("cabinet_temp", 80.6, alias=1, unit="°F"), sp.metric("psu_24v", 24.0)]
    world.hear(edge.birth(), edge.device_birth(metrics=metrics))
    world.hear(edge.data(1000, sp.metric(alias=1, value=89.6, typed=False)))
    assert world.values(metric="cabinet_temp") == {0: pytest.approx(27), 1000: pytest.approx(32)}
    wrong = [sp.metric("cabinet_temp", 1.0, alias=1, unit="kg")]
    world.hear(edge.device_birth(metrics=wrong))
    assert "wrong_unit" in [reason for reason, _ in world.refused()]


def test_history_is_marked(world: World, edge: Edge) -> None:
    born(world, edge)
    old = sp.metric(alias=VACUUM, value=-60.0, at_ms=BORN_MS - 10**6, historical=True, typed=False)
    new = sp.metric(alias=VACUUM, value=-61.0, typed=False)
    batch = world.ingest.keep([edge.data(1000, old, new)])
    lateness = [code for block in batch.blocks for code in block.lateness.tolist()]
    assert lateness[0] != lateness[1]
    assert world.values() == {0: -70.0, -(10**6): -60.0, 1000: -61.0}


def test_an_error_code_is_an_event(world: World, edge: Edge) -> None:
    metrics = [sp.metric("Error Code", "0", sp.STRING, alias=5)]
    world.hear(edge.birth(), edge.device_birth(metrics=metrics))
    world.hear(edge.data(1000, sp.metric(alias=5, value="1007", type_=sp.STRING)))
    (event,) = world.telemetry.notes("CHEM-001", 0, NOW_MS, ("event",))
    assert (event.at_ms, event.body["code"]) == (BORN_MS + 1000, "1007")


def test_a_redelivery_is_invisible(world: World, edge: Edge) -> None:
    everything = [edge.birth(), edge.device_birth(), *edge.run(10, 300)]
    world.hear(*everything)
    stored = world.values()
    kept = world.tally()[1]
    world.hear(*everything[250:])
    world.hear(*everything)
    assert world.values() == stored
    assert len(stored) == 301
    received, again, duplicate, quarantined = world.tally()
    assert again == kept + 2  # birth and state, which have no number
    assert received == again + duplicate + quarantined
    assert world.sent == []
    assert world.ingest.tallies["CHEM-001"].gaps() == []


def test_devices_of_one_edge_node_share_its_numbers_and_miss_nothing(
    world: World, edge: Edge
) -> None:
    world.hear(edge.birth(), edge.device_birth(), edge.device_birth("CHEM-002"))
    draw = random.Random(3)
    for n in range(2000):
        world.hear(edge.data(10 + n, device=draw.choice(["CHEM-001", "CHEM-002"])))
    assert len(world.values()) + len(world.values("CHEM-002")) == 2002
    for device in ("CHEM-001", "CHEM-002"):
        assert world.ingest.tallies[device].gaps() == []
    assert world.sent == []


@pytest.mark.parametrize("lost", [1, 100, 200, 255])
def test_a_missing_number_asks_for_a_rebirth_and_loses_nothing_else(
    world: World, edge: Edge, lost: int
) -> None:
    born(world, edge)
    edge.lose(lost)
    world.hear(*edge.run(1000, 5))
    assert len(world.values()) == 6
    ((topic, payload),) = world.sent
    assert topic == NCMD
    (asked,) = decode(payload).metrics
    assert (asked.name, asked.value) == (REBIRTH, True)
    world.hear(edge.birth(born_ms=BORN_MS + 2000), edge.device_birth(), *edge.run(1000, 3))
    assert len(world.values()) == 10
    assert len(world.sent) == 1


def test_an_edge_node_is_not_asked_over_and_over(world: World, edge: Edge) -> None:
    world.hear(*edge.run(0, 50))
    assert [topic for topic, _ in world.sent] == [NCMD]
    assert {reason for reason, _ in world.refused()} == {"unborn"}


def test_data_before_the_birth_is_put_aside_and_can_be_read_later(world: World, edge: Edge) -> None:
    early = edge.data(500)
    world.hear(early)
    assert world.refused() == [("unborn", "edge node GW-1 has sent no birth")]
    born(world, edge)
    again = Again("0001", NOW - timedelta(minutes=1), "", "R1")
    world.hear(early._replace(again=again))
    assert world.values() == {0: -70.0, 500: -0.5}


def test_an_unknown_alias_is_put_aside_while_the_rest_is_stored(world: World, edge: Edge) -> None:
    born(world, edge)
    world.hear(
        edge.data(
            100,
            sp.metric(alias=VACUUM, value=-1.0, typed=False),
            sp.metric(alias=DOOR, value=1.0, typed=False),
        )
    )
    assert world.values() == {0: -70.0, 100: -1.0}
    assert world.refused() == [("unborn", "alias 3 was not declared at birth")]
    assert [topic for topic, _ in world.sent] == [NCMD]


def test_a_death_makes_its_devices_offline_if_it_is_of_this_connection(
    world: World, edge: Edge
) -> None:
    born(world, edge)
    world.hear(edge.death(bd=7))
    assert world.states() == ["online"]
    world.hear(edge.death())
    assert world.states() == ["online", "offline"]
    world.hear(edge.data(100))
    assert [reason for reason, _ in world.refused()] == ["unborn"]
    edge.bd = 1
    world.hear(edge.birth(born_ms=BORN_MS + 500), edge.device_birth(), edge.data(100))
    assert world.states()[-1] != "unborn"
    assert world.values() == {0: -70.0, 500: -70.0, 600: -0.1}


def test_a_device_that_died_has_to_be_born_again(world: World, edge: Edge) -> None:
    born(world, edge)
    world.hear(edge.device_death(after_ms=10), edge.data(100))
    assert world.states() == ["online", "offline"]
    assert world.refused() == [("unborn", "CHEM-001 has sent no birth before its data")]


def test_an_edge_node_that_is_a_device_speaks_for_itself(world: World) -> None:
    edge = Edge("EDGE-1")
    world.hear(edge.birth(sp.metric("psu_24v", 24.0, alias=1)))
    world.hear(edge.data(10, sp.metric(alias=1, value=23.5, typed=False), device=""))
    assert world.values("EDGE-1", "psu_24v") == {0: 24.0, 10: 23.5}
    world.hear(edge.death())
    assert world.states("EDGE-1") == ["online", "offline"]


def test_a_gateway_that_is_no_device_is_not_listened_to_about_itself(
    world: World, edge: Edge
) -> None:
    world.hear(edge.birth(sp.metric("cpu", 1.0, alias=1)))
    world.hear(edge.data(10, sp.metric(alias=1, value=2.0, typed=False), device=""))
    assert (world.refused(), world.sent) == ([], [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"device": "CHEM-009"}, "unknown_device"),
        ({"group": "S002"}, "foreign_topic"),
        ({"group": "S 1"}, "foreign_topic"),
    ],
)
def test_devices_are_registered_and_stand_at_their_site(
    world: World, change: dict[str, str], reason: str
) -> None:
    edge = Edge(group=change.get("group", "S001"))
    device = change.get("device", "CHEM-001")
    world.hear(edge.birth(), edge.device_birth(device), edge.data(10, device=device))
    assert {refused for refused, _ in world.refused()} == {reason}
    assert world.values() == {}


def test_a_device_with_a_credential_of_its_own_speaks_for_no_other(world: World) -> None:
    edge = Edge("EDGE-1")
    metric = sp.metric("psu_24v", 24.0, alias=1)
    sent = [edge.birth(metric), edge.device_birth()]
    world.hear(*(one._replace(sender="EDGE-1") for one in sent))
    assert world.values("EDGE-1", "psu_24v") == {0: 24.0}
    assert world.values() == {}
    assert {reason for reason, _ in world.refused()} == {"foreign_topic"}
    world.hear(*(one._replace(sender="CHEM-001") for one in sent))
    assert "CHEM-001 may not publish on spBv1.0/S001/NBIRTH/EDGE-1" in [
        w for _, w in world.refused()
    ]


def test_a_device_cannot_be_an_edge_node_of_many_sites(world: World, edge: Edge) -> None:
    born(world, edge)
    strange = [Edge("EDGE-1", group=f"S{n}").birth() for n in range(EDGES_KEPT + 1)]
    world.hear(*strange, *(one._replace(sender="EDGE-1") for one in strange))
    world.hear(Edge("GW-2").birth()._replace(sender="GW-2"))
    assert {reason for reason, _ in world.refused()} == {"foreign_topic", "unknown_device"}
    world.hear(edge.data(10))
    assert world.values() == {0: -70.0, 10: -0.01}


def test_a_device_declares_nothing_for_another(world: World) -> None:
    edge = Edge("EDGE-1")
    world.hear(*(one._replace(sender="EDGE-1") for one in (edge.birth(), edge.device_birth())))
    kinds = {note.kind for note in world.telemetry.notes("CHEM-001", 0, NOW_MS)}
    assert kinds == set()


def test_what_an_edge_node_declares_is_bounded(world: World, edge: Edge) -> None:
    def names(device: int) -> list[bytes]:
        return [sp.metric(f"{device:x}{n:x}", alias=n) for n in range(3000)]

    world.hear(edge.birth(), *(edge.device_birth(f"D{n}", names(n)) for n in range(34)))
    why = [w for reason, w in world.refused() if reason == "oversize"]
    assert why == [f"GW-1 declares more than {NAMES_KEPT} names and aliases of metrics"]


def test_a_birth_that_cannot_be_understood_ends_the_one_before(world: World, edge: Edge) -> None:
    born(world, edge)
    two = [sp.metric("wash_vacuum", -70.0, alias=1), sp.metric("psu_24v", 24.0, alias=1)]
    world.hear(edge.device_birth(metrics=two), edge.data(10, sp.metric(alias=1, value=24.1)))
    assert {reason for reason, _ in world.refused()} == {"malformed", "unborn"}
    assert world.values() == {0: -70.0}
    assert [topic for topic, _ in world.sent] == [NCMD]


def test_what_is_a_day_ahead_is_put_aside(world: World, edge: Edge) -> None:
    born(world, edge)
    world.hear(edge.data(90_000_000))
    assert [reason for reason, _ in world.refused()] == ["future_time"]


@pytest.mark.parametrize("with_checkpoint", [False, True])
def test_a_restart_knows_the_births_and_the_numbers(
    world: World, edge: Edge, with_checkpoint: bool
) -> None:
    everything = [edge.birth(), edge.device_birth(), *edge.run(10, 300)]
    world.hear(*everything[:200])
    if with_checkpoint:
        world.ingest.checkpoint()
    world.hear(*everything[200:])
    stored = world.values()
    again = world.restarted()
    again.hear(*everything[-20:])
    assert again.values() == stored
    again.hear(*edge.run(5000, 300))
    assert len(again.values()) == len(stored) + 300
    assert (again.sent, again.refused()) == ([], [])
    edge.lose(1)
    again.hear(edge.data(9000))
    assert [topic for topic, _ in again.sent] == [NCMD]


names = st.sampled_from(["GW-1", "GW-2", "EDGE-1", "", "+", "\ud800"])
topics = st.builds(
    lambda kind, edge, device: f"spBv1.0/S001/{kind}/{edge}" + f"/{device}" * bool(device),
    st.sampled_from(["NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA", "NCMD", "STATE"]),
    names,
    st.sampled_from(["", "CHEM-001", "CHEM-002", "X", "\0"]),
)
metrics = st.builds(
    sp.metric,
    st.none() | st.sampled_from(["wash_vacuum", "bdSeq", "x", "Node Control/Rebirth", ""]),
    st.floats(),
    alias=st.none() | st.integers(0, 3) | st.just(2**64 - 1),
    at_ms=st.none() | st.sampled_from([0, NOW_MS, NOW_MS * 2, 2**63, 2**64 - 1]),
    unit=st.none() | st.sampled_from(["kPa", "kg", "", "\0", "x" * 300]),
    historical=st.booleans(),
    null=st.booleans(),
)
payloads = st.binary(max_size=40) | st.builds(
    lambda some, at_ms, seq: sp.payload(*some, at_ms=at_ms, seq=seq),
    st.lists(metrics, max_size=3),
    st.none() | st.sampled_from([0, NOW_MS, NOW_MS + 1, 2**63, 2**64 - 1]),
    st.none() | st.integers(0, 256) | st.just(2**64 - 1),
)
arrivals = st.builds(Arrival, st.none() | st.just("EDGE-1"), topics, payloads)


@settings(max_examples=300, deadline=None)
@given(st.lists(arrivals, max_size=12))
def test_whatever_is_said_is_stored_or_put_aside(some: list[Arrival]) -> None:
    world = World()
    world.hear(*some)
    for tally in world.ingest.tallies.values():
        assert tally.received == tally.stored + tally.duplicate + tally.quarantined
    world.ingest.checkpoint()
    world.restarted().hear(*some)
