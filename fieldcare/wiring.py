"""Wiring: the only place that knows which engine is behind each port, and what runs where."""

import contextlib
import gc
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import uvicorn

from aftersales.workdays import china
from api.app import create_app
from api.context import Backstage, Demo
from collector.address import ESCAPED, Certificates
from collector.admission import Principal, device_principal, gateway_principal
from collector.committer import Committer
from collector.endpoint import Endpoint
from collector.letterbox import Letterbox
from collector.mqtt import Broker, listen
from collector.shard import shard
from collector.tls import device_context
from desk.ingest import Ingest
from desk.office import Office
from desk.tickets import act_on, clear_forgotten, open_waiting
from equipment.credential import Credential, matches
from equipment.device import Site
from equipment.sparkplug import HOST_STATE, host_state
from fieldcare.clock import wall_clock
from fieldcare.news import News, on_record
from fieldcare.ops import OpsPort
from fieldcare.planner import Planner
from fieldcare.reporting import HttpServer, Watch
from fieldcare.rounds import Rounds
from fieldcare.settings import Settings, WrongSetting
from health.bank import Bank
from health.profile import SHIPPED, Profile
from health.profile import load as load_profile
from scheduler.travel import crow_flies
from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from storage.influx_reader import InfluxReader
from storage.influx_setup import set_up
from storage.influx_takeover import take_over
from storage.interface import Records, Telemetry
from storage.mailbox import SqliteMailbox
from storage.records_sql import SqlRecords
from storage.register import RecordedDevices
from storage.sqlite import SqliteTelemetry

log = logging.getLogger(__name__)
_MANY = 1_000_000
GC_EVERY = 100_000
_SCHEMES = {"influx": "http", "influxs": "https"}

Now = Callable[[], datetime]


class Part(Protocol):
    """Something that runs until it is stopped."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End; return when it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The two stores of a process."""

    records: Records
    telemetry: Telemetry

    def close(self) -> None:
        """Let go of both."""
        self.telemetry.close()
        self.records.close()


def open_stores(settings: Settings, *, collects: bool = True) -> Stores:
    """Open, and bring up to date, the stores that ``settings`` name.

    Only one process of an installation ``collects``: it alone appends readings.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    records = SqlRecords(settings.records_url)
    return Stores(records, _telemetry(settings, records, collects=collects))


def claim(stores: Stores) -> None:
    """Become the only process that appends readings. Raises StorageError when another one is."""
    if isinstance(stores.telemetry, SqliteTelemetry):  # a spool claims itself when it is opened
        stores.telemetry.claim()


def _telemetry(settings: Settings, records: Records, *, collects: bool) -> Telemetry:
    if settings.telemetry == "sqlite":
        return SqliteTelemetry(settings.data / "telemetry.sqlite")
    server, register = influx_server(settings.telemetry), RecordedDevices(records)
    if not collects:
        return InfluxReader(server, register)
    folder = spool_folder(settings)
    take_over(settings.data / "telemetry.sqlite", folder, int(time.time() * 1000))
    return InfluxTelemetry(server, folder, register, spool_bytes=settings.spool_bytes)


def spool_folder(settings: Settings) -> Path:
    """Return where the collector keeps what InfluxDB does not have yet."""
    return settings.data / "spool"


def set_up_telemetry(settings: Settings) -> list[str]:
    """Set up the server that keeps readings, if one does; return what was done, a sentence each."""
    if settings.telemetry == "sqlite":
        return []
    server = influx_server(settings.telemetry)
    return set_up(server, settings.keep_days, settings.keep_rollups_days)


def influx_server(url: str) -> Server:
    """Return what ``influx://user:password@host:port/bucket?org=..`` names.

    The user ``token`` gives a token as password.

    ``influxs://`` speaks TLS. Raises WrongSetting without the password in its text.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 8086
    except ValueError:  # its text may name a part of the password
        raise WrongSetting(f"telemetry: its host or port cannot be read; {ESCAPED}") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or not parts.path.strip("/"):
        raise WrongSetting("telemetry is not sqlite or influx://user:password@host:port/bucket")
    secret, org = unquote(parts.password or ""), parse_qs(parts.query).get("org", ["-"])[0]
    address = f"{_SCHEMES[parts.scheme]}://{parts.hostname}:{port}"
    bucket = parts.path.strip("/")
    if parts.username == "token":
        return Server(address, bucket, org, token=secret)
    return Server(address, bucket, org, user=unquote(parts.username or ""), password=secret)


def profiles(settings: Settings) -> dict[str, Profile]:
    """Return the shipped profiles, and those in the installation's folder, which win."""
    own = sorted(settings.profiles_folder.glob("*.yaml"))
    loaded = (load_profile(file.read_text("utf-8"), file.name) for file in own)
    return {**SHIPPED, **{profile.model.code: profile for profile in loaded}}


def desk_of(settings: Settings, stores: Stores, now: Now, speed: float = 1.0) -> Office:
    """Return what the desk works with; ``speed`` is the clock's."""
    return Office(stores.records, stores.telemetry, now, china(), settings.zone, speed)


class Collecting:
    """Messages in: a listener, the committer, and what is done with every message."""

    def __init__(self, settings: Settings, office: Office) -> None:
        rules = profiles(settings)
        self._shard = shard(settings.shard)
        with office.records.read() as work:
            here, devices, _ = on_record(work, self._shard, rules)
        models = {code: profile.model for code, profile in rules.items()}
        self.ingest = Ingest(
            office.telemetry,
            office.records,
            Bank(rules, {id: device.model for id, device in devices.items()}),
            registered=devices,
            catalog=models,
            now=office.now,
            on_alarms=partial(act_on, office),
            on_live=partial(open_waiting, office),
            speed=office.speed,
            send=self._send,
        )
        self._ours = None if self._shard.whole else here.keys()
        self._office, self._settings = office, settings
        self.committer = Committer(self.ingest, SqliteMailbox(settings.data / "mailbox.sqlite"))
        self.letterbox = Letterbox(self.committer, authenticator(office.records, office.now))
        self.listener: Endpoint | Broker | None = None
        self.news = News(
            office,
            self.ingest,
            self.committer,
            self._cut,
            models=rules,
            known=devices,
            share=self._shard,
            hear=self._hear,
        )

    def _listen(self) -> Endpoint | Broker:
        settings = self._settings
        if settings.broker:
            return listen(
                settings.broker,
                self.committer,
                client_id=self._shard.client_id,
                topics=self._filters(),
                certificates=Certificates(
                    settings.broker_ca, settings.broker_certificate, settings.broker_key
                ),
            )
        endpoint = Endpoint(
            self.committer,
            authenticator(self._office.records, self._office.now),
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            tls=_tls(settings),
            clock=lambda: self._office.now().timestamp(),
        )
        endpoint.start()
        self._tell_that_we_are_there(endpoint)
        return endpoint

    def _filters(self) -> Sequence[str]:
        with self._office.records.read() as work:
            return self._shard.filters(site.id for site in work.shelf(Site).find(limit=_MANY))

    def _hear(self) -> None:
        """Subscribe to sites that are new on record."""
        if isinstance(self.listener, Broker):
            self.listener.subscribe(self._filters())

    def _tell_that_we_are_there(self, endpoint: Endpoint) -> None:
        """Publish the state that edge nodes of Sparkplug B look at: this host is online."""
        at_ms = int(self._office.now().timestamp() * 1000)
        endpoint.publish(HOST_STATE, host_state(online=True, at_ms=at_ms), retain=True)

    def _send(self, topic: str, payload: bytes) -> None:
        """Send a request to an edge node, which asks for QoS 0."""
        if self.listener is not None:
            with contextlib.suppress(RuntimeError):  # it has stopped; the next one will ask
                self.listener.publish(topic, payload, qos=0)

    @property
    def port(self) -> int:
        """Where devices connect, 0 with a broker of its own."""
        return self.listener.port if isinstance(self.listener, Endpoint) else 0

    def start(self) -> None:
        """Continue where the last process stopped, then listen."""
        replayed = self.ingest.resume()
        # Every message makes and drops thousands of small objects, none of them in a cycle.
        gc.freeze()
        gc.set_threshold(GC_EVERY, 20, 50)
        forgotten = clear_forgotten(self._office, self.ingest.active(), of=self._ours)
        log.info("rules resumed", extra={"batches_replayed": replayed, "forgotten": forgotten})
        self.committer.start()
        self.listener = self._listen()
        self.news.start()

    def _cut(self, user: str, forget: bool) -> None:
        """End what ``user`` has open: its credential holds no longer."""
        if isinstance(self.listener, Endpoint):
            self.listener.cut(user, forget=forget)
            log.info("credential changed, connections cut", extra={"user": user})
        elif self.listener is not None:
            log.warning(
                "credential changed: the broker needs its password file anew",
                extra={"user": user, "command": "fieldcare device passwords FILE"},
            )

    def stop(self) -> None:
        """Take nothing new, keep and acknowledge what was taken, keep a checkpoint."""
        self.news.stop()
        if self.listener is not None:
            self.listener.stop()
        if self.committer.stop():
            self.ingest.checkpoint()


def authenticator(
    records: Records, now: Now = wall_clock
) -> Callable[[str, str], Principal | None]:
    """Return how doors learn who a username and password are: a device, a gateway, or nobody."""

    def authenticate(username: str, password: str) -> Principal | None:
        with records.read() as work:
            kept = work.shelf(Credential).get(username)
        if kept is None or not matches(kept, password, now()):
            return None
        return gateway_principal(username) if "/" in username else device_principal(username)

    return authenticate


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return device_context(settings.tls_certificate, settings.tls_key, settings.mqtt_devices_ca)


def planner(settings: Settings, office: Office) -> Planner:
    """Return the part that plans."""
    return Planner(office, crow_flies(), settings.plan_limit_s)


def rounds(settings: Settings, office: Office) -> Rounds:
    """Return the part that does what falls due by the clock."""
    return Rounds(office, timedelta(days=settings.keep_days))


def backstage(
    settings: Settings,
    office: Office,
    *,
    speed: float = 1.0,
    collecting: Collecting | None = None,
    planning: Planner | None = None,
    demo: Demo | None = None,
) -> Backstage:
    """Return what the API needs of the parts that run in this process."""
    watch = Watch(
        office,
        ingest=collecting.ingest if collecting else None,
        committer=collecting.committer if collecting else None,
        listener=(lambda: collecting.listener) if collecting else lambda: None,
        planner=planning,
        others={"news": collecting.news} if collecting else {},
    )
    return Backstage(
        office=office,
        speed=speed,
        demo=demo,
        models={code: profile.model for code, profile in profiles(settings).items()},
        tally=collecting.ingest.tallies.get if collecting else lambda _device: None,
        heard=collecting.ingest.heard if collecting else lambda _device: None,
        letterbox=collecting.letterbox if collecting else None,
        planning=(lambda: planning.busy) if planning else lambda: False,
        parts=watch.dead,
        unready=watch.unready,
        traffic=watch.traffic,
    )


def operations(settings: Settings, stage: Backstage) -> list[Part]:
    """Return the part that tells supervisor and scraper, if a port is set for it."""
    if settings.ops_port is None:
        return []
    return [OpsPort(stage, settings.ops_host, settings.ops_port)]


def server(settings: Settings, stage: Backstage) -> uvicorn.Server:
    """Return the HTTP server; ``run`` serves until ``should_exit`` is set."""
    config = uvicorn.Config(
        create_app(stage),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=1000,
        timeout_graceful_shutdown=3,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    return HttpServer(config)


@contextlib.contextmanager
def announced(http: uvicorn.Server, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell the address as soon as ``http``, which runs in the block, listens."""

    def wait() -> None:
        while not http.started and not http.should_exit:
            time.sleep(0.05)
        for one in (socket for server in http.servers for socket in server.sockets):
            host, port = one.getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            tell(f"http{'s' if http.config.is_ssl else ''}://{host}:{port}")
            return

    threading.Thread(target=wait, name="announcer", daemon=True).start()
    yield
