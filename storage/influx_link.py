"""The link to an InfluxDB server: line protocol in, InfluxQL answers out.

Lines go through influxdb-client, one request after the other: its background batching drops what it
cannot write. Servers before 1.8 have no such endpoint; there ``/write`` takes the same lines.
InfluxQL on ``/query`` is what 1.x, 2.x and 3.x share.
"""

from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from urllib3.exceptions import HTTPError

from storage.tail import StorageError

_MS: Final[Any] = WritePrecision.MS
_UNKNOWN: Final = 404
_NEVER: Final = (400, 422)


class Refused(Exception):
    """The server will never take these lines; the text is its answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and who we are there: a token (2.x, 3.x) or a user (1.x)."""

    url: str
    bucket: str
    org: str = "-"
    token: str = ""
    user: str = ""
    password: str = ""
    timeout_s: float = 10.0


class Answer(msgspec.Struct):
    """One series: a name per column, a list of values per row, its tags. Numbers are floats."""

    columns: list[str]
    values: list[list[float | str | bool | None]]
    tags: dict[str, str] = {}


class _Statement(msgspec.Struct):
    series: list[Answer] = []
    error: str = ""


class _Statements(msgspec.Struct):
    results: list[_Statement] = []
    error: str = ""


_statements = msgspec.json.Decoder(_Statements)


class Link:
    """Writes lines and asks InfluxQL questions. Raises StorageError when the server cannot."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._has_v2 = True
        headers = {"Authorization": f"Token {server.token}"} if server.token else {}
        auth = (server.user, server.password) if server.user else None
        self._http = httpx.Client(
            base_url=server.url, headers=headers, auth=auth, timeout=server.timeout_s
        )
        token = server.token or f"{server.user}:{server.password}"
        self._client = InfluxDBClient(
            server.url, token, org=server.org, timeout=int(server.timeout_s * 1000), retries=False
        )
        self._v2 = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: bytes) -> None:
        """Write lines with times in ms. Raises Refused for what is not worth a second try."""
        if not self._has_v2 or not self._write_v2(lines):
            self._write_v1(lines)
            self._has_v2 = False

    def _write_v2(self, lines: bytes) -> bool:
        """Return False when the server does not know this way of writing (InfluxDB before 1.8)."""
        try:
            self._v2.write(self._server.bucket, self._server.org, lines, _MS)
        except (InfluxDBError, HTTPError) as error:
            status = getattr(error, "status", None)
            if status == _UNKNOWN:
                return False
            if status in _NEVER:
                raise Refused(str(getattr(error, "body", error))) from error
            raise StorageError(f"{self._server.url}: {error}") from error
        return True

    def _write_v1(self, lines: bytes) -> None:
        parameters = {"db": self._server.bucket, "precision": "ms"}
        answer = self._sent("POST", "/write", params=parameters, content=lines)
        if answer.status_code in _NEVER:
            raise Refused(answer.text)
        if not answer.is_success:
            raise StorageError(f"{self._server.url}: {answer.status_code} {answer.text}")

    def ask(self, question: str) -> list[Answer]:
        """Return the series that answer an InfluxQL question."""
        parameters = {"db": self._server.bucket, "epoch": "ms", "q": question}
        answer = self._sent("GET", "/query", params=parameters)
        try:
            found = _statements.decode(answer.content)
        except msgspec.DecodeError as error:
            why = f"{self._server.url}: {answer.status_code}, not an answer: {error}"
            raise StorageError(why) from error
        problems = [found.error, *(one.error for one in found.results)]
        if not answer.is_success or any(problems):
            raise StorageError(f"{self._server.url}: {answer.status_code} {' '.join(problems)}")
        return [series for one in found.results for series in one.series]

    def _sent(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise StorageError(f"{self._server.url}: {error!r}") from error

    def close(self) -> None:
        """Let go of the connections."""
        self._v2.close()  # type: ignore[no-untyped-call]
        self._client.close()  # type: ignore[no-untyped-call]
        self._http.close()
