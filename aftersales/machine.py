"""What a state machine is: {(state, event): Step(next, guard, roles)}, and what follows from it.

From one table come the allowed actions of the API, the buttons, the diagrams of
``docs/state-machines.md`` and the exhaustive tests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from aftersales.access import ROLES, Role
from aftersales.journal import Draft, Fact
from equipment.words import Words

Facts = Mapping[str, Any]
Guard = Callable[[Facts], Words | None]


class Refused(ValueError):
    """A step that is not possible now; ``reason`` says why, for the one who asked."""

    def __init__(self, reason: Words) -> None:
        super().__init__(reason.en)
        self.reason = reason


class NotPermitted(Refused):
    """A step that is possible, but not for this role."""


class Step(NamedTuple):
    """One row of a machine: the next state, what must be true (returns what is missing), who."""

    next: str
    guard: Guard | None
    roles: frozenset[Role]


class Deed(NamedTuple):
    """What an event of a machine is: its type in the journal and its title on a button.

    ``sets`` are fields of the record that take their value from the facts if these give one,
    ``clears`` those that become None; ``tells`` are further facts for the journal: ids and codes.
    """

    type: str
    title: Words
    sets: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: states in the order of a life (the first is where it begins), events, steps."""

    states: Mapping[str, Words]
    events: Mapping[str, Deed]
    steps: Mapping[tuple[str, str], Step]


def advance(machine: Machine, state: str, event: str, facts: Facts, role: Role) -> str:
    """Return the state after ``event``.

    Raises Refused when ``state`` does not know the event or the guard misses something, and
    NotPermitted when the step is another role's.
    """
    step = machine.steps.get((state, event))
    if step is None:
        raise Refused(_impossible(machine, state, event))
    if role not in step.roles:
        raise NotPermitted(_another_role(machine, event, role))
    missing = step.guard(facts) if step.guard else None
    if missing is not None:
        raise Refused(missing)
    return step.next


def allowed(machine: Machine, state: str, role: Role) -> tuple[str, ...]:
    """Return the events that ``role`` may cause in ``state``, guards left aside."""
    return tuple(
        event for (at, event), step in machine.steps.items() if at == state and role in step.roles
    )


class Record(Protocol):
    """A dataclass with a machine's state in it."""

    @property
    def state(self) -> str:
        """The state of the machine."""
        ...

    @property
    def version(self) -> int:
        """How often the record changed, from 1."""
        ...


R = TypeVar("R", bound=Record)


class By(NamedTuple):
    """Who does something, in which role, when we learn of it, and when it happened if earlier.

    ``command_id`` makes repeating the same request harmless.
    """

    actor: str
    role: Role
    now: datetime
    at: datetime | None = None
    source: str = "desk"
    command_id: str | None = None


def draft(by: By, subject: str, type: str, data: Mapping[str, Fact]) -> Draft:
    """Return the journal entry of what ``by`` did. Raises Refused for one who comes from later."""
    at = by.at or by.now
    if at > by.now:
        raise Refused(Words("发生时间不能晚于当前时间", "it cannot have happened later than now"))
    return Draft(at, by.now, by.actor, by.source, subject, type, data, by.command_id)


def apply(
    machine: Machine, record: R, event: str, facts: Facts, by: By, *, subject: str, data: Facts
) -> tuple[R, Draft]:
    """Return ``record`` one step and one version on, and the journal entry of the step.

    The entry carries ``data`` and the facts that the event sets or tells. Raises as ``advance``.
    """
    state = advance(machine, record.state, event, facts, by.role)
    deed = machine.events[event]
    changes = {name: facts[name] for name in deed.sets if name in facts}
    told = {name: facts[name] for name in deed.sets + deed.tells if name in facts}
    moved: R = replace(  # type: ignore[type-var]
        record,
        state=state,
        version=record.version + 1,
        **dict.fromkeys(deed.clears),
        **changes,
    )
    entry = {name: _fact(value) for name, value in {**data, **told}.items()}
    return moved, draft(by, subject, deed.type, entry)


def needs(fact: str, words: Words) -> Guard:
    """Return the guard that asks for ``fact`` and says ``words`` without it."""

    def guard(facts: Facts) -> Words | None:
        return None if facts.get(fact) else words

    guard.__name__ = fact
    return guard


def every(*guards: Guard) -> Guard:
    """Return the guard that asks for all of ``guards`` and says the first thing missing."""

    def guard(facts: Facts) -> Words | None:
        return next((missing for g in guards if (missing := g(facts)) is not None), None)

    guard.__name__ = ", ".join(g.__name__ for g in guards)
    return guard


def mermaid(machine: Machine) -> str:
    """Return the machine as a Mermaid state diagram, in the order of the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(machine.states))}"]
    lines += [f"    {state} : {words.zh} {words.en}" for state, words in machine.states.items()]
    for (state, event), step in machine.steps.items():
        guard = f" [{step.guard.__name__}]" if step.guard else ""
        roles = " ".join(role for role in Role if role in step.roles)
        lines.append(f"    {state} --> {step.next} : {event}{guard} / {roles}")
    left = {state for state, _ in machine.steps}
    lines += [f"    {state} --> [*]" for state in machine.states if state not in left]
    return "\n".join(lines) + "\n"


def _fact(value: Any) -> Fact:
    return value.isoformat() if isinstance(value, date) else value


def _impossible(machine: Machine, state: str, event: str) -> Words:
    deed, now = machine.events.get(event), machine.states.get(state, Words(state, state))
    what = deed.title if deed else Words(event, event)
    return Words(
        f"当前状态“{now.zh}”下不能执行“{what.zh}”",
        f"{what.en!r} is not possible while the state is {now.en!r}",
    )


def _another_role(machine: Machine, event: str, role: Role) -> Words:
    what, who = machine.events[event].title, ROLES[role]
    return Words(f"“{who.zh}”无权执行“{what.zh}”", f"{what.en!r} is not for the role {who.en!r}")
