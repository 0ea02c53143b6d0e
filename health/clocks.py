"""Clocks: whether the clock of each device is right, seen from when its rows come in.

An instant ahead of our clock can only be a fast clock. One behind it may be a slow clock or a
backlog; they are told apart by their pace: a backlog is sent faster than it was measured, a slow
clock stays behind by the same span for as long as one looks.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.lateness import DAY_MS, Known, Tolerance, lateness
from equipment.reading import AHEAD, HISTORICAL, LATE, LIVE, OLD, Codes, Ints
from equipment.words import Words
from health.alarm import STATE_OF, Alarm, Severity, instant
from health.evidence import cleared
from health.saying import span
from health.table import Flags, Picks, Table

COMPONENT: Final = "clock"
RULE: Final = "clock.skew"
STEADY_MS: Final = 600_000
_RIGHT, _FAST, _SLOW = 0, 1, 2
_OFTEN: Final = 3
_NEVER: Final = -(2**62)


class Heard(NamedTuple):
    """What one device's rows were in time. ``skew_s`` is by how much its clock is fast, 0 when it
    is right; ``since_ms`` is when that was found out."""

    late: int = 0
    historical: int = 0
    ahead: int = 0
    skew_s: float = 0.0
    since_ms: int = 0


class Clocks:
    """The clocks of many devices, known by their numbers."""

    def __init__(self, speed: float = 1.0) -> None:
        """``speed`` is that of our own clock, 1 for a real one."""
        self._steady_ms = round(STEADY_MS * speed)
        self._numbers: dict[str, int] = {}
        self._devices: list[str] = []
        self.live = 0
        self._state = Table(
            [
                ("watermark_ms", "i8"), ("early_ms", "i8"), ("odd", "?"), ("rows", "i8", 5),
                ("kind", "i8"), ("times", "i8"), ("began_ms", "i8"), ("lag_ms", "i8"),
                ("skew_ms", "i8"), ("since_ms", "i8"),
            ]
        )  # fmt: skip
        self._limits = Table([("window_ms", "i8"), ("jitter_ms", "i8")])

    def add(self, device: str, limits: Tolerance) -> int:
        """Return the number of ``device``, whose rows have these limits from now on."""
        number = self._numbers.get(device)
        if number is None:
            number = self._numbers[device] = self._state.add()
            self._limits.add()
            self._devices.append(device)
            for field in ("watermark_ms", "early_ms"):
                self._state.rows[field][number] = _NEVER
        self._limits.rows[number] = tuple(limits)
        return number

    def number(self, device: str) -> int:
        """Return the number of ``device``, -1 for one that is not known."""
        return self._numbers.get(device, -1)

    def judge(self, devices: Picks, at_ms: Ints, marked: Flags, now_ms: int) -> Codes:
        """Return how each row came in time; ``devices`` are numbers."""
        rows = self._state.rows
        window_ms = self._limits.rows["window_ms"].take(devices)
        watermark_ms = rows["watermark_ms"].take(devices)
        oldest_ms = np.maximum(watermark_ms, now_ms) - window_ms
        if not (marked | (at_ms < oldest_ms) | (at_ms > now_ms + window_ms)).any():
            return np.zeros(len(at_ms), np.int8)  # nearly always
        behind_ms = np.maximum(-rows["skew_ms"].take(devices), 0)
        return lateness(at_ms, marked, now_ms, Known(window_ms, watermark_ms, behind_ms))

    def newest_ms(self, device: int) -> int:
        """Return the newest instant the device ever named, right or wrong."""
        row = self._state.rows[device]
        return int(max(row["watermark_ms"], row["early_ms"]))

    def named(self, device: int, at_ms: int) -> None:
        """Note an instant that the device named in something else than a reading."""
        early = self._state.rows["early_ms"]
        early[device] = max(early[device], at_ms)

    def believed(self, device: int, at_ms: int, now_ms: int) -> int:
        """Return ``at_ms``, or now where that is an instant nobody could have been at yet."""
        ahead = at_ms - now_ms > self._limits.rows["window_ms"][device]
        return now_ms if ahead else at_ms

    def hear(self, devices: Picks, at_ms: Ints, codes: Codes, received_ms: int) -> list[Alarm]:
        """Take note of the rows of one batch; return what there is to say about clocks then.

        That is nothing where it is not known when the batch came in, 0 as ``received_ms``.
        """
        rows = self._state.rows
        late = codes != LIVE
        asked = late | rows["odd"].take(devices)
        if not received_ms or not asked.any():  # nearly always
            np.maximum.at(rows["watermark_ms"], devices, at_ms)
            self.live += len(codes)
            return []
        self.live += int(len(codes) - late.sum())
        np.add.at(rows["rows"], (devices[late], codes[late]), 1)
        early = codes == AHEAD
        np.maximum.at(rows["early_ms"], devices[early], at_ms[early])
        np.maximum.at(rows["watermark_ms"], devices[~early], at_ms[~early])
        last = np.full(len(rows), _NEVER)
        unmarked = codes != HISTORICAL
        np.maximum.at(last, devices[unmarked], at_ms[unmarked])
        wanted = np.zeros(len(rows), np.bool_)
        wanted[devices[asked]] = True
        heard = np.flatnonzero(wanted & (last > _NEVER))
        return list(self._watch(heard, received_ms - last[heard], received_ms))

    def far(self, named: Mapping[int, int], now_ms: int) -> list[Alarm]:
        """Take note of instants that were too far ahead to be taken: device -> ms UTC.

        Returns what there is to say about clocks then.
        """
        if not named:
            return []
        devices, at_ms = np.array(list(named)), np.array(list(named.values()), np.int64)
        return list(self._watch(devices, now_ms - at_ms, now_ms))

    def _watch(self, heard: Picks, lag_ms: Ints, now_ms: int) -> Iterator[Alarm]:
        """Compare the newest instants just heard with those of before."""
        rows, limits = self._state.rows[heard], self._limits.rows[heard]
        kind = np.select(
            [lag_ms > limits["window_ms"], lag_ms < -limits["window_ms"]], [_SLOW, _FAST]
        )
        steady = np.abs(lag_ms - rows["lag_ms"]) <= limits["jitter_ms"]
        same = (kind == rows["kind"]) & (steady | (kind != _SLOW)) & (rows["times"] > 0)
        rows["times"] = np.where(same, rows["times"] + 1, 1)
        rows["began_ms"] = np.where(same, rows["began_ms"], now_ms)
        rows["lag_ms"] = np.where(same & (kind == _SLOW), rows["lag_ms"], lag_ms)
        rows["kind"] = kind
        long = (kind != _SLOW) | (now_ms - rows["began_ms"] >= self._steady_ms)
        sure = long & (rows["times"] >= _OFTEN)
        skew = np.where(kind == _RIGHT, 0, -rows["lag_ms"])
        # A clock that gains all the time is another alarm only when it is a tenth faster again.
        tenth = np.where(kind == _FAST, np.abs(rows["skew_ms"]) // 10, 0)
        other = np.abs(skew - rows["skew_ms"]) > np.maximum(limits["jitter_ms"], tenth)
        turned = np.flatnonzero(sure & (other | ((skew == 0) != (rows["skew_ms"] == 0))))
        before = rows[turned]
        rows["skew_ms"][turned], rows["since_ms"][turned] = skew[turned], now_ms
        rows["odd"] = (kind != _RIGHT) | (rows["skew_ms"] != 0)
        self._state.rows[heard] = rows
        yield from self._turned(heard[turned], before, now_ms)

    def _turned(self, devices: Picks, before: NDArray[np.void], now_ms: int) -> Iterator[Alarm]:
        """Say which clocks are wrong now, or right again, or wrong by another span."""
        for number, old in zip(devices.tolist(), before, strict=True):
            if old["skew_ms"]:
                yield cleared(self._alarm(number, old), now_ms)
            if self._state.rows["skew_ms"][number]:
                yield self._alarm(number, self._state.rows[number])

    def _alarm(self, number: int, row: np.void) -> Alarm:
        return skewed(self._devices[number], int(row["skew_ms"]), int(row["since_ms"]))

    def active(self) -> list[Alarm]:
        """Return the alarms of the clocks that are wrong."""
        wrong = np.flatnonzero(self._state.rows["skew_ms"])
        return [self._alarm(number, self._state.rows[number]) for number in wrong.tolist()]

    def heard(self, device: str) -> Heard | None:
        """Return what the rows of ``device`` were in time, None for one that is not known."""
        number = self.number(device)
        if number < 0:
            return None
        row = self._state.rows[number]
        rows = row["rows"].tolist()
        return Heard(
            rows[LATE], rows[HISTORICAL] + rows[OLD], rows[AHEAD],
            int(row["skew_ms"]) / 1000, int(row["since_ms"]),
        )  # fmt: skip

    def rows(self) -> list[int]:
        """Return how many rows there were of each lateness."""
        counted: list[int] = self._state.rows["rows"].sum(axis=0).tolist()
        return [self.live, *counted[1:]]

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` needs."""
        layout, rows = self._state.layout, bytes(self._state.dump())
        return {"devices": self._devices, "layout": layout, "rows": rows, "live": self.live}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``; without one of this layout every clock is watched afresh."""
        if state.get("layout") != self._state.layout:
            return
        self.live = state["live"]
        for device, row in zip(state["devices"], self._state.read(state["rows"]), strict=True):
            if device in self._numbers:
                self._state.rows[self._numbers[device]] = row


def skewed(device: str, skew_ms: int, since_ms: int) -> Alarm:
    """Return the alarm of a clock that is fast by ``skew_ms``, or slow where that is negative."""
    by = span(abs(skew_ms))
    says = (
        Words(
            f"时钟快约 {by.zh}：报文全部隔离，直到时钟校正",
            f"the clock is {by.en} fast: messages are put aside until it is right",
        )
        if skew_ms > DAY_MS
        else Words(
            f"时钟快约 {by.zh}：读数照常保存，时钟校正前不参与判断",
            f"the clock is {by.en} fast: readings are stored, but not judged until it is right",
        )
        if skew_ms > 0
        else Words(
            f"时钟慢约 {by.zh}：读数按设备自己的时间保存，请校正时钟",
            f"the clock is {by.en} slow: readings carry its time until it is put right",
        )
    )
    severity = Severity.info
    evidence = {"rule": "clock/1", "clock_skew_s": skew_ms / 1000}
    return Alarm(
        f"{device}:{RULE}:{since_ms}", device, COMPONENT, COMPONENT, RULE, severity,
        STATE_OF[severity], instant(since_ms), None, says, evidence,
    )  # fmt: skip
