"""Certificates for brokers and clients, made on the spot."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
import trustme

PASSPHRASE = "open sesame"


def pem_of(authority: trustme.CA) -> str:
    """What a user pastes as authority."""
    return authority.cert_pem.bytes().decode()


def certificate_of(identity: trustme.LeafCert) -> str:
    """What a user pastes as client certificate."""
    return "".join(each.bytes().decode() for each in identity.cert_chain_pems)


def key_of(identity: trustme.LeafCert) -> str:
    """What a user pastes as its key."""
    return identity.private_key_pem.bytes().decode()


def encrypted_key_of(identity: trustme.LeafCert) -> str:
    """The key, opened by `PASSPHRASE`."""
    key = load_pem_private_key(identity.private_key_pem.bytes(), None)
    lock = BestAvailableEncryption(PASSPHRASE.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


def listener(
    folder: Path,
    authority: trustme.CA,
    *,
    clients: trustme.CA | None = None,
    days: float = 100,
) -> tuple[str, ...]:
    """Settings of a mosquitto with TLS; `clients` signs the certificates that it wants."""
    ends = datetime.now(UTC) + timedelta(days=days)
    identity = authority.issue_cert("127.0.0.1", not_after=ends)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_text(certificate_of(identity))
    key.write_text(key_of(identity))
    settings = [f"certfile {chain}", f"keyfile {key}"]
    if clients is not None:
        trusted = folder / "clients.pem"
        trusted.write_text(pem_of(clients))
        settings += [f"cafile {trusted}", "require_certificate true"]
    return tuple(settings)
