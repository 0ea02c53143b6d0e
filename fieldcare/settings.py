"""Settings: environment FIELDCARE_*, then one TOML file, then safe defaults."""

import ipaddress
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from collector.shard import shard


class WrongSetting(ValueError):
    """A setting that cannot be used; the text names it and the value."""


class Settings(BaseSettings):
    """Everything that can be set. ``FIELDCARE_HTTP_PORT=8081`` sets ``http_port``."""

    model_config = SettingsConfigDict(
        env_prefix="FIELDCARE_", toml_file="fieldcare.toml", extra="ignore"
    )

    data: Path = Path("var/fieldcare")
    telemetry: str = Field("sqlite", description="sqlite, or influx://user:password@host:port/db")
    records: str = Field("", description="a database URL; empty: SQLite in the data folder")
    broker: str = Field("", description="mqtt://user:password@host:port; empty: own endpoint")
    broker_ca: Path | None = Field(None, description="who signed the broker's certificate")
    broker_certificate: Path | None = Field(None, description="shown to a broker that asks for it")
    broker_key: Path | None = None
    shard: str = Field("1/1", description="which share of the sites to collect, as in 2/3")
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = Field(1883, ge=0, le=65535)
    http_host: str = "127.0.0.1"
    http_port: int = Field(8080, ge=0, le=65535)
    ops_host: str = "127.0.0.1"
    ops_port: int | None = Field(
        None, ge=0, le=65535, description="health and metrics of collect and plan, without login"
    )
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    mqtt_devices_ca: Path | None = Field(
        None, description="an authority: devices must show a certificate that it signed"
    )
    zone: str = "Asia/Shanghai"
    keep_days: int = Field(400, ge=1, description="how long raw readings are kept")
    keep_rollups_days: int = Field(
        3650, ge=1, description="how long InfluxDB keeps minutes and hours of readings"
    )
    spool_bytes: int = Field(
        2**33, ge=2**26, description="how large the spool before InfluxDB may grow"
    )
    plan_limit_s: float = Field(2.0, gt=0, le=600)

    @model_validator(mode="after")
    def _wide_needs_tls(self) -> "Settings":
        if not _is_loopback(self.ops_host):
            raise ValueError(f"ops_host={self.ops_host} listens beyond this machine without login")
        for name in ("http_host", "mqtt_host"):
            if not _is_loopback(getattr(self, name)) and not (
                self.tls_certificate and self.tls_key
            ):
                raise ValueError(
                    f"{name}={getattr(self, name)} listens beyond this machine: "
                    "set tls_certificate and tls_key first"
                )
        return self

    @model_validator(mode="after")
    def _shards_share(self) -> "Settings":
        if not shard(self.shard).whole:
            for name, needed in (("broker", "the broker they share"), ("records", "a database")):
                if not getattr(self, name):
                    raise ValueError(f"shard={self.shard}: set {name}, {needed}")
            if self.telemetry == "sqlite":
                raise ValueError(f"shard={self.shard}: set telemetry, an InfluxDB for all shards")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments beat the environment, which beats the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def profiles_folder(self) -> Path:
        """Where rule profiles of the installation are, beside the shipped ones."""
        return self.data / "profiles"

    @property
    def records_url(self) -> str:
        """The database that records are kept in."""
        return self.records or f"sqlite:///{self.data / 'records.sqlite'}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(**given: Any) -> Settings:
    """Return the settings. Raises WrongSetting that names each wrong one and its value."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise WrongSetting("; ".join(_sentence(row) for row in error.errors())) from None


def _sentence(row: Any) -> str:
    name = ".".join(str(part) for part in row["loc"])
    message = row["msg"].removeprefix("Value error, ")
    return f"FIELDCARE_{name.upper()}={row['input']!r}: {message}" if name else message
