"""Where a broker is and how to be let in: its address, and the certificates of a TLS connection."""

import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

ESCAPED: Final = "in a password / ? # [ ] are written %2F %3F %23 %5B %5D"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class BadAddress(ValueError):
    """An address or certificate that cannot be used; the text says which, never the password."""


class Certificates(NamedTuple):
    """Who signed the broker's certificate (else: whom the system trusts), and who we are."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


NO_CERTIFICATES: Final = Certificates()


class Address(NamedTuple):
    """A broker, as ``address`` read it."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: ssl.SSLContext | None


def address(url: str, certificates: Certificates = NO_CERTIFICATES) -> Address:
    """Read mqtt://user:password@host:port, or mqtts:// for TLS. Raises BadAddress."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may name a part of the password
        raise BadAddress(f"the broker's host or port cannot be read; {ESCAPED}") from None
    if parts.scheme not in _PORTS:
        raise BadAddress(f"scheme {parts.scheme!r} of the broker is none of mqtt, mqtts")
    if not parts.hostname:
        raise BadAddress("the broker's address names no host")
    if parts.scheme == "mqtt" and any(certificates):
        raise BadAddress("certificates are of use with mqtts:// only, the broker's is mqtt://")
    tls = _context(certificates) if parts.scheme == "mqtts" else None
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Address(parts.hostname, port or _PORTS[parts.scheme], user, password, tls)


def _context(certificates: Certificates) -> ssl.SSLContext:
    ca, certificate, key = certificates
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise BadAddress(f"the broker's certificate authority {ca}: {error}") from None
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise BadAddress(f"our certificate {certificate}, key {key}: {error}") from None
    return context
