"""What the server does not call, whatever it is named: no target is reached, by check or by request (OWASP API7)."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import trustme

from argosy.kit.outgoing import Outgoing, RemoteFailed, TargetRefused


@dataclass
class Local:
    """A server on this machine that counts who reaches it and answers what it is told to."""

    port: int = 0
    hits: int = 0
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    then: float = 0.0
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await writer.drain()
        await asyncio.sleep(self.then)
        writer.close()


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    served = Local()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    yield served
    server.close()


HOSTILE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.",
    "127.255.255.254", "0.0.0.0", "0", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
    "[fec0::1]", "[100::1]", "[2001:db8::1]", "169.254.169.254", "[::ffff:169.254.169.254]", "2852039166",
    "169.254.170.2", "100.64.0.1", "100.100.100.200", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "user@127.0.0.1", "user:password@127.0.0.1",
    "example.com@127.0.0.1", "127.0.0.1%2f", "127.0.0.1%00.example.com", "\uff11\uff12\uff17.0.0.1",
    "①②⑦.0.0.1", "127。0。0。1", "ⓛocalhost", "127.0.0.1\\@x",
    "metadata.google.internal", "no-such-host.invalid", "",
]  # fmt: skip
URLS = [
    "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "dict://127.0.0.1:11211/stat", "//127.0.0.1/",
    "https:127.0.0.1", "https:///127.0.0.1", "javascript:alert(1)", "data:text/plain,x", "unix:///var/run/docker.sock",
    "https://127.0.0.1:99999/", "https://127.0.0.1:port/", "https://a b/", "https://\r\nHost: x/", "http://example.com/",
    "https://1.1.1.1" + "/a" * 2000, "", "https://[", "https://1.1.1.1/\x00",
]  # fmt: skip


async def test_nothing_inside_is_reached_however_it_is_spelt(local: Local) -> None:
    outgoing = Outgoing([])
    targets = [f"{scheme}://{host}:{local.port}/" for host in HOSTILE for scheme in ("https", "http")] + URLS
    assert len(HOSTILE) >= 56
    for url in targets:
        with pytest.raises(TargetRefused) as refused:
            await outgoing.check(url)
        assert "127.0.0.1" not in (refused.value.detail or ""), "what a name resolves to is not told"
        with pytest.raises(TargetRefused):
            await outgoing.request("GET", url)
    assert local.hits == 0


async def test_what_an_operator_allows_is_called(local: Local) -> None:
    for allowed in ("127.0.0.0/8", "127.0.0.1", "localhost"):
        outgoing = Outgoing([allowed])
        host = "localhost" if allowed == "localhost" else "127.0.0.1"
        answer = await outgoing.request("GET", f"http://{host}:{local.port}/path?query")
        assert (answer.status, answer.content) == (200, b"ok")
    assert local.hits == 3
    assert local.heads[0].startswith(b"GET /path?query HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{local.port}\r\n".encode() in local.heads[0]
    with pytest.raises(TargetRefused):
        await Outgoing(["10.0.0.0/8"]).request("GET", f"http://127.0.0.1:{local.port}/")


async def test_a_name_that_changes_its_answer_gains_nothing(local: Local) -> None:
    """DNS rebinding: public when it is checked, this machine when it is called."""
    answers = [["1.1.1.1"], ["127.0.0.1"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    with pytest.raises(TargetRefused):
        await Outgoing([], resolver=rebinding).request("GET", f"https://rebinding.example:{local.port}/")
    assert local.hits == 0


async def test_one_bad_address_among_several_is_enough(local: Local) -> None:
    async def mixed(_host: str, _port: int) -> list[str]:
        return ["1.1.1.1", "127.0.0.1"]

    with pytest.raises(TargetRefused):
        await Outgoing([], resolver=mixed).check(f"https://mixed.example:{local.port}/")


async def test_the_connection_goes_to_the_checked_address_under_the_name(local: Local) -> None:
    asked = []

    async def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    authority, other = trustme.CA(), trustme.CA()
    for signer, name, accepted in ((authority, "idp.internal", True), (authority, "x", False), (other, "x", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        signer.issue_cert(name).configure_cert(context)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        server = await asyncio.start_server(local.serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        outgoing = Outgoing(["idp.internal"], resolver=resolver, tls=trusting)
        if accepted:
            assert (await outgoing.request("GET", f"https://idp.internal:{port}/")).status == 200
        else:
            with pytest.raises(RemoteFailed):
                await outgoing.request("GET", f"https://idp.internal:{port}/")
        server.close()
    assert set(asked) == {"idp.internal"}
    assert local.hits == 1


async def test_a_redirect_is_not_followed(local: Local) -> None:
    elsewhere = Local()
    server = await asyncio.start_server(elsewhere.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    local.answer = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode()
    answer = await Outgoing(["127.0.0.1"]).request("GET", f"http://127.0.0.1:{local.port}/")
    assert answer.status == 302
    assert elsewhere.hits == 0
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" + b"x" * 2**20 + b"\r\n1\r\nx\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nConnection: close\r\n\r\n" + zlib.compress(b"x" * 10**8),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["large", "large chunked", "bomb", "cut off", "nonsense", "nothing"],
)
async def test_an_answer_out_of_bounds_is_a_failure(local: Local, answer: bytes) -> None:
    local.answer = answer
    with pytest.raises(RemoteFailed):
        await Outgoing(["127.0.0.1"]).request("GET", f"http://127.0.0.1:{local.port}/")


async def test_a_slow_answer_is_given_up(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argosy.kit.outgoing.TOTAL_SECONDS", 0.3)
    local.answer, local.then = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", 5
    with pytest.raises(RemoteFailed):
        await Outgoing(["127.0.0.1"]).request("GET", f"http://127.0.0.1:{local.port}/")


async def test_the_environments_proxy_is_not_used(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await Outgoing(["127.0.0.1"]).request("GET", f"http://127.0.0.1:{local.port}/")).status == 200
