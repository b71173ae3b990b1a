"""TLS contexts from pasted certificates. Blocking: loads files; call in an executor."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import os
from pathlib import Path
import ssl
import tempfile

from ..errors import InvalidSettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How to verify the broker and who we are; PEM texts, secrets hidden in `repr`.

    Without `ca` the system's authorities count. `verify` False is for tests of one's own
    broker only. `alpn` is needed where a broker shares port 443.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    verify: bool = True
    alpn: str | None = None


def build_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer, or raise InvalidSettingError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authorities(context, settings.ca)
    if settings.certificate is not None:
        _load_own(context, settings.certificate, settings.key, settings.passphrase)
    if settings.alpn is not None:
        context.set_alpn_protocols([settings.alpn])
    return context


def _load_authorities(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(cadata=_ascii(ca))
    except (ssl.SSLError, ValueError) as err:
        raise InvalidSettingError("ca", "no certificate in PEM form") from err


def _load_own(
    context: ssl.SSLContext, certificate: str, key: str | None, passphrase: str | None
) -> None:
    if key is None:
        raise InvalidSettingError("client_key", "a client certificate needs its key")
    _check_certificate(certificate)
    # An empty passphrase keeps OpenSSL from asking on the terminal.
    secret = passphrase or ""
    with _as_file(certificate) as certificate_file, _as_file(key) as key_file:
        try:
            context.load_cert_chain(certificate_file, key_file, lambda: secret)
        except ssl.SSLError as err:
            raise InvalidSettingError(_wrong_part(err, key), "not usable") from err
        except ValueError as err:
            raise InvalidSettingError("client_key_passphrase", "too long") from err


def _check_certificate(certificate: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=_ascii(certificate))
    except (ssl.SSLError, ValueError) as err:
        raise InvalidSettingError("client_certificate", "no certificate in PEM form") from err


def _ascii(text: str) -> str:
    """Bundles name authorities in comments, in any script; Python takes ASCII only."""
    return text.encode("ascii", "ignore").decode()


def _wrong_part(err: ssl.SSLError, key: str) -> str:
    mismatch = "MISMATCH" in (err.reason or "")
    return "client_key_passphrase" if "ENCRYPTED" in key and not mismatch else "client_key"


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """Lay a text down in a file only we can read: OpenSSL takes certificates no other way."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        Path(path).unlink()
