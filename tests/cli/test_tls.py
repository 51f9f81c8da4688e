"""HTTPS and mutual TLS of `argosy up`: who may connect, how, and what a wrong setting says."""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
import typer
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from argosy.cli.server import load_settings, up
from argosy.cli.tls import TlsUnusable, tls_context
from argosy.settings import NetworkSettings
from tests.support.servers import ServerProcess

OURS, CLIENTS, OTHERS = trustme.CA(), trustme.CA(), trustme.CA()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> NetworkSettings:
    """Files of a server that asks its clients for a certificate."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = OURS.issue_cert("127.0.0.1", "localhost")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "server.pem", append=number > 0)
    certificate.private_key_pem.write_to_path(folder / "server.key")
    CLIENTS.cert_pem.write_to_path(folder / "clients.pem")
    return NetworkSettings(
        tls_certificate=folder / "server.pem", tls_key=folder / "server.key", tls_client_ca=folder / "clients.pem"
    )


@pytest.fixture(scope="module")
def url(network: NetworkSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`argosy up` with mutual TLS."""
    process = ServerProcess(
        tmp_path_factory.mktemp("mutual") / "data",
        ARGOSY_NETWORK_TLS_CERTIFICATE=str(network.tls_certificate),
        ARGOSY_NETWORK_TLS_KEY=str(network.tls_key),
        ARGOSY_NETWORK_TLS_CLIENT_CA=str(network.tls_client_ca),
        ARGOSY_NETWORK_HEAD_TIMEOUT="0.5",
    )
    process.start()
    yield process.url
    assert process.stop() == 0


def client(authority: trustme.CA | None = CLIENTS) -> ssl.SSLContext:
    """A client that trusts us, with a certificate of an authority."""
    context = ssl.create_default_context()
    OURS.configure_trust(context)
    if authority is not None:
        authority.issue_cert("service@argosy.test").configure_cert(context)
    return context


def ask(url: str, context: ssl.SSLContext) -> http.client.HTTPResponse:
    address = urlsplit(url)
    connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=5, context=context)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response


def handshake(server: ssl.SSLContext, context: ssl.SSLContext) -> str | None:
    """Shake hands in memory; return the version agreed on."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return there.version()


def test_a_service_with_a_certificate_is_let_in(url: str) -> None:
    assert url.startswith("https://127.0.0.1:")
    response = ask(url, client())
    assert response.status == 200
    assert response.getheader("strict-transport-security") == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("authority", [None, OTHERS, OURS], ids=["no certificate", "another authority", "the server's"])
def test_a_service_without_a_certificate_of_the_authority_is_refused(url: str, authority: trustme.CA | None) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(url, client(authority))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(url: str, network: NetworkSettings) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client()
        context.minimum_version = context.maximum_version = version
        assert ask(url, context).status == 200
    old, server = client(), tls_context(network)
    assert server is not None
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")  # so that this side would speak it
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(url, old)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        handshake(server, old)
    server.minimum_version = ssl.TLSVersion.TLSv1  # the minimum is what refuses, and nothing else
    assert handshake(server, old) == "TLSv1.1"


def test_plain_http_is_refused_and_a_client_that_never_says_hello_is_dropped(url: str) -> None:
    address = urlsplit(url)
    for said in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b""):
        with socket.create_connection((address.hostname, address.port), 3) as opened:
            began = time.monotonic()
            opened.sendall(said)
            with suppress(ConnectionError):
                assert b"HTTP" not in opened.recv(1000)
            assert time.monotonic() - began < 2


def test_without_authorities_everyone_is_let_in(network: NetworkSettings) -> None:
    server = tls_context(network.model_copy(update={"tls_client_ca": None}))
    assert server is not None
    assert handshake(server, client(None)) == "TLSv1.3"
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(NetworkSettings()) is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["CERTIFICATE"], "tls_certificate and tls_key are given together"),
        (["KEY"], "tls_certificate and tls_key are given together"),
        (["CLIENT_CA"], "tls_client_ca needs tls_certificate and tls_key"),
    ],
)
def test_half_a_setting_stops_the_start(
    names: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in names:
        monkeypatch.setenv(f"ARGOSY_NETWORK_TLS_{name}", "file.pem")
    with pytest.raises(typer.Exit) as ended:
        load_settings()
    assert ended.value.exit_code == 2
    assert "ARGOSY_NETWORK" in (shown := capsys.readouterr().err)
    assert said in shown


def test_files_that_do_not_serve_stop_the_start(
    network: NetworkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert network.tls_key is not None
    (tmp_path / "nonsense").write_text("nonsense")
    OURS.issue_cert("a").private_key_pem.write_to_path(tmp_path / "other.key")
    encrypted = load_key(network.tls_key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"swordfish")
    )
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    for name in ("nonsense", "other.key", "encrypted.key", "absent"):
        with pytest.raises(TlsUnusable, match="TLS cannot be served"):
            tls_context(network.model_copy(update={"tls_key": tmp_path / name}))
    with pytest.raises(TlsUnusable):
        tls_context(network.model_copy(update={"tls_client_ca": tmp_path / "nonsense"}))
    monkeypatch.setenv("ARGOSY_NETWORK_TLS_CERTIFICATE", str(network.tls_certificate))
    monkeypatch.setenv("ARGOSY_NETWORK_TLS_KEY", str(tmp_path / "absent"))
    with pytest.raises(typer.Exit) as ended:
        up(data_dir=tmp_path / "data")
    assert ended.value.exit_code == 1
    assert "No such file" in capsys.readouterr().err
