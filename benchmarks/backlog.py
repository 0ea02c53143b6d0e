"""A backlog: 500 devices come back after a day and send all they have measured meanwhile.

Endpoint, decode, SQLite commit with fsync, PUBACK, rules, desk. Every tenth device had a fault that
is over, every tenth, another, has one that is not; at the end of its backlog every device is live.
The alarms must be dated when the values went wrong, and a ticket opens only for what is still so.

python -m benchmarks.backlog [rows in a message ...]
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from aftersales.ticket import Ticket
from benchmarks.ingest import record, serve
from benchmarks.load import Plan, run
from collector.packets import V5, Publish, encode
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Collecting, desk_of, open_stores
from health.alarm import Alarm
from storage.records_sql import SqlRecords

DEVICES, HOURS, EVERY_MS = 500, 24, 10_000
ROWS = HOURS * 3_600_000 // EVERY_MS
SHAPES = (360, 1)
LIMIT_S = 300
OVER, STILL = (10, 6), (2, 0)  # h before the end: from when until when the supply was weak
PROMPT = timedelta(minutes=30)
WINDOW_ROWS = 400


class Story(NamedTuple):
    """One device: when its 24 V supply was weak, in rows of its day."""

    weak_from: int = ROWS
    weak_until: int = ROWS

    def row(self, start_ms: int, place: int) -> str:
        """Return row ``place`` of the day: the five signals that are measured every 10 s."""
        return f"[{start_ms + place * EVERY_MS},{self.values(place)}]"

    def values(self, place: int) -> str:
        """Return the signals at ``place``."""
        volts = 20.0 if self.weak_from <= place < self.weak_until else 24.01
        shift = place % 7 * 0.01
        return (
            f'{{"reaction_bath_temp":{37.02 + shift:.2f},"wash_vacuum":{-70.3 + shift:.2f},'
            f'"water_pressure":{221.5 + shift:.2f},"carousel_motor_current":{1.21 + shift:.2f},'
            f'"psu_24v":{volts}}}'
        )


def story(number: int) -> Story:
    """Return what happened to device ``number``."""
    span = {0: OVER, 1: STILL}.get(number % 10)
    if span is None:
        return Story()
    begin, end = (ROWS - hours * 3_600_000 // EVERY_MS for hours in span)
    return Story(begin, end + (span is STILL))


class Day(Sequence[bytes]):
    """The packets of one device, made when they are sent: its day, then one reading of now."""

    def __init__(self, plan: Plan, number: int, rows: int, bodies: dict[Any, str]) -> None:
        self._topic = f"fc/v1/{plan.site}/{plan.prefix}{number:04d}/tele"
        self._story, self._rows, self._bodies = story(number), rows, bodies
        self._start_ms = plan.start_ms

    def __len__(self) -> int:
        return ROWS // self._rows + 1

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        payload = f'{{"b":"b1","s":{place},{self._body(place)}}}'.encode()
        return encode(Publish(self._topic, payload, 1, place % 65535 + 1), V5)

    def _body(self, place: int) -> str:
        if place == len(self) - 1:
            now_ms = int(wall_clock().timestamp() * 1000)
            return f'"t":{now_ms},"m":{self._story.values(ROWS)}'
        key = self._story, place
        if key not in self._bodies:
            self._bodies[key] = self._made(place)
        return self._bodies[key]

    def _made(self, place: int) -> str:
        if self._rows == 1:
            at_ms = self._start_ms + place * EVERY_MS
            return f'"t":{at_ms},"m":{self._story.values(place)}'
        first = place * self._rows
        rows = (self._story.row(self._start_ms, first + n) for n in range(self._rows))
        return f'"r":[{",".join(rows)}]'


def collect(folder: str) -> None:
    """Collect until the input ends; answer each line of it with what was stored so far."""
    conf = load(data=Path(folder), mqtt_port=0)
    stores = open_stores(conf)
    record(stores.records, DEVICES)
    collecting = Collecting(conf, desk_of(conf, stores, wall_clock))
    collecting.start()
    serve(collecting.port, lambda: sum(t.stored for t in collecting.ingest.tallies.values()))
    collecting.stop()
    stores.close()


def push(port: str, rows: str, start_ms: str) -> None:
    """Send the day of every device in messages of ``rows``; print the outcome as JSON."""
    each = ROWS // int(rows) + 1
    window = max(1, WINDOW_ROWS // int(rows))
    plan = Plan(int(port), DEVICES * each, DEVICES, window, start_ms=int(start_ms))
    bodies: dict[Any, str] = {}
    outcome = run(plan, lambda plan, number, _: Day(plan, number, int(rows), bodies))
    print(json.dumps(outcome._asdict()), flush=True)


class Came(NamedTuple):
    """What a backlog came to. ``seconds`` is until all of it was stored, judged and acted on."""

    seconds: float
    cpu_s: float
    alarms: int
    misdated: int
    needless: int
    tickets: int


def measure(folder: Path, rows: int) -> Came:
    """Let all devices come back at once, and look at what is on record afterwards."""
    command = [sys.executable, "-m", "benchmarks.backlog"]
    server = subprocess.Popen(
        [*command, "collect", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    start_ms = int(wall_clock().timestamp() * 1000) - ROWS * EVERY_MS
    began = time.perf_counter()
    pushed = subprocess.run(
        [*command, "push", port, str(rows), str(start_ms)], check=True, stdout=subprocess.PIPE
    )
    outcome = json.loads(pushed.stdout)
    server.stdin.write("\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    assert outcome["acked"] == answer["messages"] == outcome["sent"], (outcome, answer)
    server.stdin.close()
    assert server.wait(LIMIT_S) == 0
    seconds = time.perf_counter() - began
    return _looked_at(folder, start_ms, seconds, answer["cpu_s"])


def _looked_at(folder: Path, start_ms: int, seconds: float, cpu_s: float) -> Came:
    records = SqlRecords(load(data=folder).records_url)
    with records.read() as work:
        alarms = list(work.shelf(Alarm).find(limit=100_000))
        tickets = list(work.shelf(Ticket).find(limit=100_000))
    records.close()
    needed = {f"load-{number:04d}" for number in range(DEVICES) if number % 10 == 1}
    return Came(
        seconds,
        cpu_s,
        len(alarms),
        sum(not _dated(alarm, start_ms) for alarm in alarms),
        sum(ticket.device not in needed for ticket in tickets),
        sum(ticket.device in needed for ticket in tickets),
    )


def _dated(alarm: Alarm, start_ms: int) -> bool:
    """Return whether the alarm was raised soon after the supply went weak."""
    weak = story(int(alarm.device[-4:])).weak_from
    after_ms = alarm.raised_at.timestamp() * 1000 - (start_ms + weak * EVERY_MS)
    return 0 <= after_ms <= PROMPT / timedelta(milliseconds=1)


def main() -> None:
    shapes = [int(text) for text in sys.argv[1:]] or SHAPES
    print(
        f"{DEVICES} devices, {HOURS} h of {EVERY_MS // 1000} s readings of 5 metrics, all at once"
    )
    print("rows/message  messages       rows      s   rows/s  alarms  misdated  needless  tickets")
    for rows in shapes:
        with tempfile.TemporaryDirectory() as folder:
            came = measure(Path(folder), rows)
        print(
            f"{rows:>12} {DEVICES * (ROWS // rows + 1):>9,} {DEVICES * ROWS:>10,}"
            f" {came.seconds:>6.1f} {DEVICES * ROWS / came.seconds:>8,.0f} {came.alarms:>7}"
            f" {came.misdated:>9} {came.needless:>9} {came.tickets:>4} of {DEVICES // 10}"
        )
        good = came.needless == came.misdated == 0 and came.tickets == DEVICES // 10
        if came.seconds > LIMIT_S or not good:
            sys.exit(f"a backlog must be in within {LIMIT_S} s, dated right, one ticket a fault")


if __name__ == "__main__":
    roles = {"collect": collect, "push": push}
    if len(sys.argv) > 1 and sys.argv[1] in roles:
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        main()
