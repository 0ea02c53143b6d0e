"""What is logged is one line an event, whatever devices send, and never a flood."""

import json
import logging
from typing import Any

import pytest

from fieldcare.logs import AT_ONCE, EVERY_S, Sparing, _Json, _Plain


def record(what: str = "client refused", **facts: Any) -> logging.LogRecord:
    made = logging.LogRecord("collector", logging.WARNING, __file__, 1, what, None, None)
    vars(made).update(facts)
    return made


FORGED = "x\n2026-01-01 error all is lost\r\u2028\x1b[2J\x00\ud800"


@pytest.mark.parametrize("formatter", [_Json(), _Plain()], ids=["json", "plain"])
def test_nothing_a_device_sends_begins_another_line(formatter: logging.Formatter) -> None:
    for made in (record(client=FORGED), record(FORGED)):
        line = formatter.format(made)
        line.encode()  # no half characters
        assert "\n" not in line
        assert "\x1b" not in line


def test_a_line_for_machines_is_json_with_its_facts() -> None:
    line = json.loads(_Json().format(record(client="CHEM-001", tries=3)))
    assert (line["what"], line["client"], line["tries"]) == ("client refused", "CHEM-001", 3)
    assert line["level"] == "WARNING"


def test_a_fact_is_cut_that_would_fill_the_disk() -> None:
    assert len(_Json().format(record(why="x" * 10**6))) < 3000


def test_what_repeats_is_held_and_told_once_a_minute_with_how_often() -> None:
    now = [0.0]
    sparing = Sparing(lambda: now[0])
    passed = [sparing.filter(record(client=f"C{n}")) for n in range(1000)]
    assert sum(passed) == AT_ONCE
    assert sparing.filter(record("another event"))
    now[0] = EVERY_S
    told = record()
    assert sparing.filter(told)
    assert vars(told)["repeated"] == 1000 - AT_ONCE
    assert not sparing.filter(record())
    now[0] = 3 * EVERY_S
    assert sparing.filter(again := record())
    assert vars(again)["repeated"] == 1


def test_the_memory_of_sayings_is_bounded() -> None:
    sparing = Sparing(lambda: 0.0)
    for n in range(5000):
        sparing.filter(record(f"saying {n}"))
    assert len(sparing._seen) <= 1000
