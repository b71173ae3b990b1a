"""Certificates of all kinds, good and bad, as files and contexts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
import trustme

from custom_components.homesync.client import TlsSettings, build_context

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM texts."""

    chain: str
    key: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        combined = trustme.Blob(f"{self.key}\n{self.chain}".encode())
        with combined.tempfile() as path:
            context.load_cert_chain(path)
        return context

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        chain, key = folder / f"{name}.crt", folder / f"{name}.key"
        chain.write_text(self.chain)
        key.write_text(self.key)
        return chain, key


def issue(
    authority: trustme.CA,
    name: str = "127.0.0.1",
    *,
    starts: timedelta = -DAY,
    ends: timedelta = DAY,
) -> Certificate:
    now = datetime.now(UTC).replace(tzinfo=None)
    issued = authority.issue_cert(name, not_before=now + starts, not_after=now + ends)
    chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
    return Certificate(chain.decode(), issued.private_key_pem.bytes().decode())


def self_signed(name: str = "127.0.0.1") -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def trusting(
    authority: trustme.CA,
    own: Certificate | None = None,
    version: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """A client's context, made as the integration makes it."""
    context = build_context(
        TlsSettings(
            ca=pem(authority),
            certificate=own.chain if own else None,
            key=own.key if own else None,
        )
    )
    if version is not None:
        context.maximum_version = version
    return context
