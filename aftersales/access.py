"""Who may see and do what: one table, read by every door of the product."""

from enum import StrEnum

from equipment.words import Words


class Role(StrEnum):
    """What a user is here. DV is a device, and what the software concludes without a person."""

    HA = "HA"
    TE = "TE"
    DI = "DI"
    AM = "AM"
    TC = "TC"
    BD = "BD"
    OF = "OF"
    CU = "CU"
    DV = "DV"
    AD = "AD"
    AU = "AU"


ROLES: dict[Role, Words] = {
    Role.HA: Words("热线坐席", "hotline agent"),
    Role.TE: Words("服务工程师", "service engineer"),
    Role.DI: Words("调度员", "dispatcher"),
    Role.AM: Words("售后经理", "after-sales manager"),
    Role.TC: Words("技术部门", "technical department"),
    Role.BD: Words("业务部", "business department"),
    Role.OF: Words("办事处", "branch office"),
    Role.CU: Words("客户用户", "customer user"),
    Role.DV: Words("设备（系统自动）", "device (automatic)"),
    Role.AD: Words("系统管理员", "administrator"),
    Role.AU: Words("审计员", "auditor"),
}


class Action(StrEnum):
    """What one may do with an object."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    APPROVE = "approve"


_COLUMNS = ("HA", "TE", "DI", "AM", "TC", "BD", "OF", "CU", "DV", "AD", "AU")
_LETTERS = {Action.CREATE: "C", Action.READ: "R", Action.UPDATE: "U", Action.APPROVE: "A"}

# C create, R read, U update through events, A approve; a small letter: only one's own.
# fmt: off
_TABLE: dict[str, tuple[str, ...]] = {
    #              HA     TE     DI     AM      TC     BD    OF    CU     DV    AD     AU
    "customer":   ("CRU", "r",   "R",   "CRU",  "R",   "Ru", "ru", "r",   "",   "R",   "R"),
    "device":     ("R",   "R",   "R",   "CRU",  "R",   "r",  "r",  "r",   "c",  "CRU", "R"),
    "alarm":      ("R",   "R",   "R",   "RU",   "R",   "r",  "r",  "r",   "c",  "R",   "R"),
    "rule":       ("",    "R",   "R",   "RU",   "CRU", "",   "",   "",    "",   "CRU", "R"),
    "ticket":     ("CRU", "ru",  "CRU", "CRUA", "R",   "r",  "cr", "cru", "CU", "",    "R"),
    "visit":      ("R",   "ru",  "CRU", "CRUA", "R",   "r",  "r",  "r",   "CU", "",    "R"),
    "plan":       ("R",   "r",   "CRU", "CRUA", "R",   "r",  "r",  "r",   "",   "",    "R"),
    "technician": ("R",   "r",   "CRU", "CRUA", "CR",  "",   "",   "",    "",   "",    "R"),
    "promise":    ("R",   "r",   "R",   "CRU",  "R",   "Ru", "r",  "r",   "",   "R",   "R"),
    "quarantine": ("",    "R",   "R",   "R",    "CRU", "",   "",   "",    "",   "CRU", "R"),
    "user":       ("",    "",    "",    "R",    "",    "",   "",   "",    "",   "CRU", "R"),
    "journal":    ("",    "",    "r",   "R",    "r",   "",   "",   "",    "",   "R",   "R"),
}
# fmt: on

OBJECTS = tuple(_TABLE)


def may(role: Role, action: Action, object: str, *, own: bool = False) -> bool:
    """Return whether ``role`` may do ``action`` to ``object``; ``own`` when it is the user's own.

    Own means the customer's own devices and tickets, the technician's own visits, the
    department's own cases. Raises LookupError for an object that is not in the table.
    """
    letters = _TABLE[object][_COLUMNS.index(role)]
    letter = _LETTERS[Action(action)]
    return letter in letters or (own and letter.lower() in letters)


def only_own(role: Role, action: Action, object: str) -> bool:
    """Return whether the ``action`` is open to ``role`` for its own objects but not for all."""
    return may(role, action, object, own=True) and not may(role, action, object)
