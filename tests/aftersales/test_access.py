import pytest

from aftersales.access import OBJECTS, ROLES, Action, Role, may, only_own
from aftersales.ticket import HAPPENINGS, TICKET
from aftersales.visit import VISIT


def test_every_role_has_a_name_in_both_languages() -> None:
    assert set(ROLES) == set(Role)
    assert all(zh and en for zh, en in ROLES.values())


@pytest.mark.parametrize(
    ("role", "action", "object", "all", "own"),
    [
        ("HA", "create", "ticket", True, True),
        ("TE", "read", "ticket", False, True),
        ("TE", "create", "visit", False, False),
        ("DI", "create", "plan", True, True),
        ("DI", "approve", "plan", False, False),
        ("AM", "approve", "plan", True, True),
        ("CU", "read", "device", False, True),
        ("CU", "create", "ticket", False, True),
        ("CU", "read", "quarantine", False, False),
        ("DV", "create", "ticket", True, True),
        ("DV", "read", "device", False, False),
        ("AD", "create", "user", True, True),
        ("AD", "read", "ticket", False, False),
        ("AU", "read", "journal", True, True),
    ],
)
def test_who_may_do_what(role: str, action: str, object: str, all: bool, own: bool) -> None:
    who, what = Role(role), Action(action)
    assert may(who, what, object) == all
    assert may(who, what, object, own=True) == own
    assert only_own(who, what, object) == (own and not all)


def test_the_auditor_changes_nothing_and_a_device_reads_nothing() -> None:
    for object in OBJECTS:
        for action in (Action.CREATE, Action.UPDATE, Action.APPROVE):
            assert not may(Role.AU, action, object, own=True)
        assert not may(Role.DV, Action.READ, object, own=True)


@pytest.mark.parametrize(("object", "machine"), [("ticket", TICKET), ("visit", VISIT)])
def test_whoever_has_a_step_may_update_the_object(object: str, machine) -> None:
    signing = {("left", "sign")}  # the customer signs on the technician's device
    for key, step in machine.steps.items():
        for role in step.roles - ({Role.CU} if key in signing else set()):
            assert may(role, Action.UPDATE, object, own=True), (key, role)


def test_nobody_without_access_to_tickets_tells_what_happened() -> None:
    for happening in HAPPENINGS.values():
        for role in happening.roles:
            assert may(role, Action.UPDATE, "ticket", own=True) or role is Role.OF


def test_an_object_nobody_listed_is_an_error_not_a_permission() -> None:
    with pytest.raises(LookupError):
        may(Role.AM, Action.READ, "secrets")
