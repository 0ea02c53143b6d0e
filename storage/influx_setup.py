"""Set InfluxDB up: a bucket of readings and notes, and one of roll-ups that stay longer.

What is right already is left alone, so it may be run at any time. A bucket of 2.x is a database of
1.x and 3.x. The token or user needs the right to do it; collecting needs less.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from storage.influx_link import Server, quoted
from storage.tail import StorageError

_SHORTEST_KEPT_BY_WEEK_DAYS: Final = 14
_DAY_S: Final = 86_400
_CONFLICT: Final = 409


class SetUpFailed(StorageError):
    """The server could not be set up; the text names the setting and what is wrong with it."""


def set_up(server: Server, keep_days: int, keep_rollups_days: int) -> list[str]:
    """Make what is missing, and return a sentence for each bucket. Raises SetUpFailed."""
    try:
        with server.http() as http:
            make = _maker(http, server)
            return [make(server.bucket, keep_days), make(server.rollups, keep_rollups_days)]
    except httpx.HTTPError as error:
        raise SetUpFailed(f"FIELDCARE_TELEMETRY: {server.url}: {error}") from error


Make = Callable[[str, int], str]


def _maker(http: httpx.Client, server: Server) -> Make:
    """Return how this server makes a bucket, by the version that it says it is."""
    answer = http.get("/ping")
    version = answer.headers.get("X-Influxdb-Version", "").removeprefix("v")
    if not version and answer.is_success and answer.content:
        version = str(_read(answer).get("version", ""))
    if version.startswith("1."):
        return lambda bucket, days: _database_1(http, bucket, days)
    if version.startswith("3."):
        return lambda bucket, days: _database_3(http, bucket, days)
    return lambda bucket, days: _bucket_2(http, server.org, bucket, days)


def _kept(days: int) -> str:
    return "for ever" if days == 0 else f"{days} days"


def _changed(bucket: str, days: int, before: int) -> str:
    if days == before:
        return f"{bucket!r} is there and keeps {_kept(days)}"
    return f"{bucket!r} keeps {_kept(days)} now, {_kept(before)} before"


def _read(answer: httpx.Response, *fine: int) -> Mapping[str, Any]:
    """Return what the server says. Raises SetUpFailed with its reason when that is an error."""
    said = " ".join(answer.text.split())[:300]
    if answer.status_code in (401, 403):
        why = "the token or user may not set the server up; use one that may for this command"
        raise SetUpFailed(f"FIELDCARE_TELEMETRY: {answer.url.host}: {why} ({said})")
    if not answer.is_success and answer.status_code not in fine:
        raise SetUpFailed(f"FIELDCARE_TELEMETRY: {answer.url}: {answer.status_code} {said}")
    try:
        found = answer.json() if answer.content else {}
    except ValueError as error:
        raise SetUpFailed(f"FIELDCARE_TELEMETRY: {answer.url}: no InfluxDB: {said}") from error
    return found if isinstance(found, Mapping) else {}


# --- 1.x: InfluxQL ---


def _database_1(http: httpx.Client, name: str, days: int) -> str:
    databases = [row[0] for row in _ask(http, "SHOW DATABASES")]
    kept = f"DURATION {days}d{_shards(days)}"
    if name not in databases:
        _ask(
            http,
            f"CREATE DATABASE {quoted(name)} WITH DURATION {days}d REPLICATION 1{_shards(days)}",
        )
        return f"database {name!r} made, it keeps {_kept(days)}"
    policies = _ask(http, f"SHOW RETENTION POLICIES ON {quoted(name)}")
    policy, before = next((row[0], _days(row[1])) for row in policies if row[-1])
    if before != days:
        _ask(http, f"ALTER RETENTION POLICY {quoted(policy)} ON {quoted(name)} {kept}")
    return f"database {_changed(name, days, before)}"


def _shards(days: int) -> str:
    """A shard of the usual week would be longer than what is kept for some days only."""
    return " SHARD DURATION 1d" if days < _SHORTEST_KEPT_BY_WEEK_DAYS else ""


def _days(duration: str) -> int:
    """Return the days of a duration like ``9600h0m0s``; 0 is for ever."""
    hours = re.match(r"(\d+)h", duration)
    return int(hours[1]) // 24 if hours else 0


def _ask(http: httpx.Client, question: str) -> list[list[Any]]:
    found = _read(http.post("/query", params={"q": question}))
    for result in found.get("results", []):
        if "error" in result:
            raise SetUpFailed(f"FIELDCARE_TELEMETRY: {question}: {result['error']}")
    series = [one for result in found.get("results", []) for one in result.get("series", [])]
    return [row for one in series for row in one.get("values", [])]


# --- 2.x: its API ---


def _bucket_2(http: httpx.Client, org: str, name: str, days: int) -> str:
    org_id = _org_id(http, org)
    query = {"orgID": org_id, "name": name}
    found = _read(http.get("/api/v2/buckets", params=query), 404).get("buckets", [])
    rules = [{"type": "expire", "everySeconds": days * _DAY_S}]
    if found:
        said, bucket_id = _bucket_kept(http, found[0], name, days, rules), found[0]["id"]
    else:
        asked = {**query, "retentionRules": rules}
        bucket_id = _read(http.post("/api/v2/buckets", json=asked))["id"]
        said = f"bucket {name!r} made, it keeps {_kept(days)}"
    return said + _mapped(http, org_id, bucket_id, name)


def _org_id(http: httpx.Client, org: str) -> str:
    orgs = _read(http.get("/api/v2/orgs", params={"org": org}), 404).get("orgs", [])
    if not orgs:
        raise SetUpFailed(f"FIELDCARE_TELEMETRY: the server has no organisation {org!r} (?org=...)")
    return str(orgs[0]["id"])


def _bucket_kept(
    http: httpx.Client, bucket: Mapping[str, Any], name: str, days: int, rules: list[Any]
) -> str:
    before = sum(rule["everySeconds"] for rule in bucket.get("retentionRules", [])) // _DAY_S
    if before != days:
        asked = {"retentionRules": rules}
        _read(http.patch(f"/api/v2/buckets/{bucket['id']}", json=asked))
    return f"bucket {_changed(name, days, before)}"


def _mapped(http: httpx.Client, org_id: str, bucket_id: str, name: str) -> str:
    """Let InfluxQL find the bucket as a database; 2.x maps most of them by itself."""
    query = {"orgID": org_id, "db": name}
    maps = _read(http.get("/api/v2/dbrps", params=query)).get("content") or []
    if any(one["bucketID"] == bucket_id and one["default"] for one in maps):
        return ""
    policy = {"retention_policy": "autogen", "default": True}
    asked = {"orgID": org_id, "bucketID": bucket_id, "database": name, **policy}
    _read(http.post("/api/v2/dbrps", json=asked))
    return "; InfluxQL finds it now"


# --- 3.x: its API, as documented ---


def _database_3(http: httpx.Client, name: str, days: int) -> str:
    asked = {"db": name, "retention_period": f"{days}d"}
    answer = http.post("/api/v3/configure/database", json=asked)
    if answer.status_code in (404, 405):
        by_hand = f"influxdb3 create database --retention-period {days}d {name}"
        raise SetUpFailed(f"this server makes no databases by HTTP; run: {by_hand}")
    _read(answer, _CONFLICT)
    if answer.status_code == _CONFLICT:
        return f"database {name!r} is there; how long it keeps cannot be seen or changed from here"
    return f"database {name!r} made, it keeps {_kept(days)}"
