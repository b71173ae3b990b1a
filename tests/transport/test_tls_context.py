"""TLS contexts from pasted certificates."""

import ssl

from cryptography.hazmat.primitives import serialization
import pytest
import trustme

from custom_components.homesync.client import InvalidSettingError, TlsSettings, build_context


class Pasted:
    """A client certificate as people paste it."""

    def __init__(self, authority: trustme.CA) -> None:
        own = authority.issue_cert("client@example.org")
        self.ca = authority.cert_pem.bytes().decode()
        self.certificate = own.cert_chain_pems[0].bytes().decode()
        self.key = own.private_key_pem.bytes().decode()
        loaded = serialization.load_pem_private_key(self.key.encode(), None)
        self.encrypted_key = loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        ).decode()


@pytest.fixture(scope="module")
def pasted(authority: trustme.CA) -> Pasted:
    return Pasted(authority)


def test_s13_a_context_verifies_and_knows_no_tls_before_12(pasted: Pasted) -> None:
    context = build_context(TlsSettings(ca=pasted.ca))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_comments_of_any_script_may_surround_a_certificate(pasted: Pasted) -> None:
    ca = f"# Főtanúsítvány\n{pasted.ca}"
    assert len(build_context(TlsSettings(ca=ca)).get_ca_certs()) == 1
    certificate = f"# größer\n{pasted.certificate}"
    build_context(TlsSettings(certificate=certificate, key=pasted.key))


def test_a_context_without_an_authority_trusts_the_system() -> None:
    context = build_context(TlsSettings())
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_verification_ends_only_when_asked_to() -> None:
    context = build_context(TlsSettings(verify=False))
    assert context.verify_mode is ssl.CERT_NONE


def test_a_client_certificate_is_taken_with_a_plain_or_an_encrypted_key(pasted: Pasted) -> None:
    build_context(TlsSettings(certificate=pasted.certificate, key=pasted.key))
    build_context(
        TlsSettings(certificate=pasted.certificate, key=pasted.encrypted_key, passphrase="sesame")
    )


def test_a_needless_passphrase_does_no_harm(pasted: Pasted) -> None:
    build_context(TlsSettings(certificate=pasted.certificate, key=pasted.key, passphrase="x"))


@pytest.mark.parametrize("text", ["", "nonsense", "schön", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_bad_authority_is_named(text: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        build_context(TlsSettings(ca=text))
    assert caught.value.field == "ca"


@pytest.mark.parametrize("text", ["", "nonsense", "schön", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
@pytest.mark.parametrize("passphrase", [None, "sesame"])
def test_a_bad_certificate_is_named_whatever_its_key(
    pasted: Pasted, text: str, passphrase: str | None
) -> None:
    key = pasted.encrypted_key if passphrase else pasted.key
    with pytest.raises(InvalidSettingError) as caught:
        build_context(TlsSettings(certificate=text, key=key, passphrase=passphrase))
    assert caught.value.field == "client_certificate"


def test_a_missing_foreign_or_damaged_key_is_named(pasted: Pasted, authority: trustme.CA) -> None:
    foreign = Pasted(authority)
    for key in (None, foreign.key, "nonsense", "", pasted.certificate, pasted.key[:100]):
        with pytest.raises(InvalidSettingError) as caught:
            build_context(TlsSettings(certificate=pasted.certificate, key=key))
        assert caught.value.field == "client_key"
    with pytest.raises(InvalidSettingError) as caught:
        build_context(
            TlsSettings(
                certificate=pasted.certificate, key=foreign.encrypted_key, passphrase="sesame"
            )
        )
    assert caught.value.field == "client_key"


@pytest.mark.parametrize("passphrase", [None, "", "wrong", "x" * 2000])
def test_a_wrong_or_missing_passphrase_is_named(pasted: Pasted, passphrase: str | None) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        build_context(
            TlsSettings(
                certificate=pasted.certificate, key=pasted.encrypted_key, passphrase=passphrase
            )
        )
    assert caught.value.field == "client_key_passphrase"
    assert "sesame" not in str(caught.value)


def test_s06_no_secret_shows(pasted: Pasted) -> None:
    shown = repr(TlsSettings(key=pasted.key, passphrase="sesame"))
    assert "sesame" not in shown
    assert "PRIVATE KEY" not in shown
