from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersales.journal import Event, first_break
from tests.aftersales.given_care import NOW, draft, journal

TYPES = ("ticket.opened", "visit.planned", "visit.arrived", "device.restored", "visit.filed")


@pytest.fixture
def chain() -> list[Event]:
    return journal(*(draft(t, NOW + timedelta(hours=i), n=i) for i, t in enumerate(TYPES)))


def test_an_untouched_journal_holds(chain: list[Event]) -> None:
    assert first_break(chain) is None
    assert first_break([]) is None
    assert first_break(chain[2:], id=2, prev_hash=chain[1].hash) is None


@pytest.mark.parametrize(
    "change",
    [
        {"at": NOW - timedelta(minutes=1)},
        {"recorded_at": NOW},
        {"actor": "another"},
        {"source": "elsewhere"},
        {"subject": "T-000002"},
        {"type": "ticket.closed"},
        {"data": {"n": 9}},
        {"command_id": "again"},
        {"prev_hash": "f" * 64},
        {"hash": "f" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changing_any_field_is_found(chain: list[Event], change: dict[str, object]) -> None:
    tampered = [*chain[:2], replace(chain[2], **change), *chain[3:]]  # type: ignore[arg-type]
    assert first_break(tampered) == (
        "event 3 was changed: its hash does not follow from its content"
    )


def test_a_missing_event_is_found(chain: list[Event]) -> None:
    assert first_break([*chain[:2], *chain[3:]]) == "event 3 is missing: event 4 follows 2"


def test_rewriting_one_event_with_a_fresh_hash_breaks_the_next(chain: list[Event]) -> None:
    forged = journal(*(draft(t, NOW, n=0) for t in TYPES[:3]))[2]
    broken = first_break([*chain[:2], forged, *chain[3:]])
    assert broken is not None
    assert broken.startswith("event 3")


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text())
    )
)
def test_whatever_the_facts_the_chain_holds_and_swapping_two_breaks_it(facts: list[dict]) -> None:
    chain = journal(*(draft("x.happened", NOW, **{"facts": str(f)}) for f in facts))
    assert first_break(chain) is None
    if len(chain) > 1:
        swapped = [replace(chain[1], id=1), replace(chain[0], id=2), *chain[2:]]
        assert first_break(swapped) is not None
