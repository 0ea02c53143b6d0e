"""TLS for devices: we prove who we are, and they too where an authority of their own is named."""

import ssl
from pathlib import Path


def device_context(certificate: Path, key: Path, devices_ca: Path | None) -> ssl.SSLContext:
    """Return the server's side of TLS.

    With ``devices_ca`` nobody gets as far as a password without a certificate that it signed.
    Raises OSError or ssl.SSLError for files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if devices_ca is not None:
        context.load_verify_locations(devices_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
