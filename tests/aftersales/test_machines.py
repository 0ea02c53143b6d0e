"""Every (state, event, role) of every machine, judged by plain lists written beside the tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aftersales.access import Role
from aftersales.machine import Machine, NotPermitted, Refused, advance, allowed, mermaid
from aftersales.ticket import TICKET
from aftersales.timeline import EVENT_TITLES, types
from aftersales.visit import ENDED, VISIT

MACHINES = {"Ticket": TICKET, "Visit": VISIT}
DOCS = Path(__file__).parents[2] / "docs" / "state-machines.md"

# (state, event) -> next state, roles, the facts that are enough
TICKET_SAYS: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("open", "resolve"): ("resolved", "TE HA DI AM", {"outcome": "repaired"}),
    ("open", "cancel"): ("cancelled", "HA DI AM", {"reason": "mistake"}),
    ("open", "merge"): ("cancelled", "HA DI AM", {"into": "T-000002"}),
    ("open", "withdraw"): (
        "cancelled",
        "DV",
        {"kind": "preventive", "well": True, "underway": False},
    ),
    ("resolved", "confirm"): ("closed", "CU HA AM", {}),
    ("resolved", "lapse"): ("closed", "DV", {"lapsed": True}),
    ("resolved", "reopen"): ("open", "CU HA DI AM", {"reason": "again"}),
    ("closed", "reopen"): ("open", "CU HA DI AM", {"reason": "again"}),
}
FIT = {"technician": "E1", "certified": True, "on_duty": True}
WHY = {"reason": "because"}
VISIT_SAYS: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("planned", "plan"): ("planned", "DI AM DV", {}),
    ("planned", "offer"): ("offered", "DI AM DV", FIT),
    ("planned", "cancel"): ("cancelled", "DI AM DV", WHY),
    ("offered", "accept"): ("accepted", "TE DI AM", FIT),
    ("offered", "refuse"): ("planned", "TE DI AM", WHY),
    ("offered", "recall"): ("planned", "DI AM DV", WHY),
    ("offered", "cancel"): ("cancelled", "DI AM DV", WHY),
    ("accepted", "travel"): ("travelling", "TE DI AM", {}),
    ("accepted", "recall"): ("planned", "DI AM", WHY),
    ("accepted", "cancel"): ("cancelled", "DI AM DV", WHY),
    ("travelling", "arrive"): ("on_site", "TE DI AM", {"scanned": True}),
    ("travelling", "abort"): ("aborted", "TE DI AM", WHY),
    ("travelling", "cancel"): ("cancelled", "DI AM", WHY),
    ("on_site", "leave"): ("left", "TE DI AM", {"outcome": "done"}),
    ("on_site", "abort"): ("aborted", "TE DI AM", WHY),
    ("left", "sign"): ("signed", "TE CU", {"checklist": True, "tests": True, "opinion": "good"}),
    ("signed", "file"): ("filed", "TE AM", {}),
}
SAYS = {"Ticket": TICKET_SAYS, "Visit": VISIT_SAYS}
EVERY = [
    (noun, state, event, role)
    for noun, machine in MACHINES.items()
    for state in machine.states
    for event in machine.events
    for role in Role
]


@pytest.mark.parametrize(("noun", "state", "event", "role"), EVERY)
def test_every_step_is_taken_by_its_roles_and_refused_to_all_others(noun, state, event, role):
    machine = MACHINES[noun]
    says = SAYS[noun].get((state, event))
    if says is None:
        with pytest.raises(Refused, match="is not possible while"):
            advance(machine, state, event, {}, role)
        assert event not in allowed(machine, state, role)
    elif role not in says[1].split():
        with pytest.raises(NotPermitted, match="is not for the role"):
            advance(machine, state, event, says[2], role)
        assert event not in allowed(machine, state, role)
    else:
        assert advance(machine, state, event, says[2], role) == says[0]
        assert event in allowed(machine, state, role)


GUARDED = [
    (noun, *key, fact)
    for noun, rows in SAYS.items()
    for key, (_, _, facts) in rows.items()
    for fact in facts
]


@pytest.mark.parametrize(("noun", "state", "event", "fact"), GUARDED)
def test_a_step_without_one_of_its_facts_is_refused_in_both_languages(noun, state, event, fact):
    _, roles, facts = SAYS[noun][state, event]
    without = {name: value for name, value in facts.items() if name != fact}
    with pytest.raises(Refused) as caught:
        advance(MACHINES[noun], state, event, without, Role(roles.split()[0]))
    assert not isinstance(caught.value, NotPermitted)
    assert all(caught.value.reason)


@pytest.mark.parametrize("noun", MACHINES)
def test_the_tables_know_no_step_beyond_the_lists(noun: str) -> None:
    assert set(MACHINES[noun].steps) == set(SAYS[noun])


def reached(machine: Machine, without: set[str]) -> set[str]:
    """Return the states that can be reached without any of the events ``without``."""
    seen, todo = set(), [next(iter(machine.states))]
    while todo:
        state = todo.pop()
        seen.add(state)
        steps = machine.steps.items()
        todo += [s.next for (at, e), s in steps if at == state and e not in without]
        todo = [state for state in todo if state not in seen]
    return seen


@pytest.mark.parametrize("noun", MACHINES)
def test_every_state_can_be_reached_and_every_event_used(noun: str) -> None:
    machine = MACHINES[noun]
    assert reached(machine, set()) == set(machine.states)
    assert {event for _, event in machine.steps} == set(machine.events)


def test_no_ticket_is_closed_without_an_outcome_and_the_customers_part() -> None:
    assert "closed" not in reached(TICKET, {"resolve"})
    assert "closed" not in reached(TICKET, {"confirm", "lapse"})


def test_no_record_is_filed_without_arrival_outcome_and_signature() -> None:
    for event in ("offer", "accept", "travel", "arrive", "leave", "sign"):
        assert "filed" not in reached(VISIT, {event})


def test_a_visit_ends_exactly_where_no_step_leads_on() -> None:
    assert {s for s in VISIT.states if not any(at == s for at, _ in VISIT.steps)} == ENDED


def test_the_documented_diagrams_are_what_the_tables_give() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for noun, machine in MACHINES.items():
        assert f"## {noun}\n\n```mermaid\n{mermaid(machine)}```\n" in text


def test_every_event_of_the_journal_has_a_title() -> None:
    assert types() == set(EVENT_TITLES)


def texts(machine: Machine) -> Mapping[str, tuple[str, str]]:
    return {**machine.states, **{name: deed.title for name, deed in machine.events.items()}}


@pytest.mark.parametrize("noun", MACHINES)
def test_every_state_and_event_is_named_in_both_languages(noun: str) -> None:
    assert all(zh and en for zh, en in texts(MACHINES[noun]).values())
