"""gRPC of a real server: the scripts that the documentation shows, TLS, a stop that was asked for, wrong settings."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
import trustme
import typer
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from argosy.cli.server import up
from argosy.serving.protocols.proto import inference_pb2 as pb
from argosy.settings import NetworkSettings
from tests.support.grpc import SERVICE
from tests.support.servers import ServerProcess

ROOT = Path(__file__).parent.parent.parent
UV = ROOT / ".tools/bin/uv"
OURS, CLIENTS = trustme.CA(), trustme.CA()


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("grpc") / "data", ARGOSY_GRPC_PORT="0")
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def environment(speaking: ServerProcess) -> dict[str, str]:
    """What a script needs to know, and a model for it."""
    client = speaking.new_client()
    data = load_breast_cancer()
    model = LogisticRegression(max_iter=10_000).fit(data.data, data.target_names[data.target])
    client.push(model, name="cancer", sample=data.data[:50].astype(np.float32))
    return {
        **os.environ,
        "ARGOSY_API_KEY": str(client._api_key),
        "HTTP_ADDRESS": urlsplit(speaking.url).netloc,
        "GRPC_ADDRESS": urlsplit(speaking.grpc).netloc,
    }


def script(title: str) -> str:
    """The script below a heading."""
    page = (ROOT / "docs/inference-protocol.md").read_text()
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_documented_script_for_tritons_client_runs(environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", script("Triton's client")]
    ran = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    over_http, over_grpc = ran.stdout.splitlines()
    assert over_http == over_grpc


@pytest.mark.slow
@pytest.mark.skipif(not UV.exists(), reason="uv makes the environment: make install")
@pytest.mark.timeout(600)
def test_the_documented_script_for_kserves_client_runs(environment: dict[str, str], tmp_path: Path) -> None:
    # It wants an older pandas than ours, among others.
    command = [str(UV), "run", "--no-project", "--python", sys.executable, "--with", "kserve==0.21.0", "python", "-c"]
    told = [*command, script("KServe's client")]
    ran = subprocess.run(told, env=environment, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    over_http, over_grpc = ran.stdout.splitlines()
    assert over_http == over_grpc.replace("b'", "'"), "text is bytes in a raw tensor"


def test_tritons_client_streams_and_is_told_of_errors(environment: dict[str, str]) -> None:
    """In a process of its own: its threads do not go with an event loop of ours."""
    ran = subprocess.run(
        [sys.executable, "-c", STREAM], env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [*map(str, range(50)), "NOT_FOUND", "True False", "UNAUTHENTICATED"]


STREAM = """
import os, queue
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

key = {"authorization": f"Bearer {os.environ['ARGOSY_API_KEY']}"}
server = triton.InferenceServerClient(os.environ["GRPC_ADDRESS"])
given = triton.InferInput("X", [1, 30], "FP32")
given.set_data_from_numpy(np.zeros((1, 30), np.float32))
answers = queue.Queue()
server.start_stream(lambda result, error: answers.put((result, error)), headers=key)
for number in range(50):
    server.async_stream_infer("cancer", [given], request_id=str(number))
for number in range(50):
    result, error = answers.get(timeout=20)
    assert error is None and result.as_numpy("label") is not None
    print(result.get_response().id)
server.stop_stream()
try:
    server.infer("nothing", [given], headers=key)
except InferenceServerException as error:
    print(error.status().removeprefix("StatusCode."))
print(server.is_model_ready("cancer", headers=key), not server.is_server_live())
try:
    server.get_model_metadata("cancer", headers={"authorization": "Bearer ak_nonsense"})
except InferenceServerException as error:
    print(error.status().removeprefix("StatusCode."))
"""


def ask(channel: Any, name: str = "ServerLive", request: bytes = b"", **options: Any) -> Any:
    return channel.unary_unary(f"/{SERVICE.full_name}/{name}")(request, timeout=5, **options)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> NetworkSettings:
    folder = tmp_path_factory.mktemp("tls")
    certificate = OURS.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    CLIENTS.cert_pem.write_to_path(folder / "clients.pem")
    return NetworkSettings(
        tls_certificate=folder / "server.pem", tls_key=folder / "server.key", tls_client_ca=folder / "clients.pem"
    )


def test_tls_is_that_of_https_and_a_stop_does_not_wait_for_idle_streams(
    network: NetworkSettings, tmp_path: Path
) -> None:
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    files = {f"ARGOSY_NETWORK_{name}".upper(): str(getattr(network, name)) for name in names}
    server = ServerProcess(tmp_path / "data", ARGOSY_GRPC_PORT="0", **files)
    server.start()
    assert server.url.startswith("https://")
    assert server.grpc.startswith("grpcs://127.0.0.1:")
    address = urlsplit(server.grpc).netloc
    ours = CLIENTS.issue_cert("service@argosy.test")
    root = OURS.cert_pem.bytes()
    certified = grpc.ssl_channel_credentials(root, ours.private_key_pem.bytes(), ours.cert_chain_pems[0].bytes())
    with grpc.secure_channel(address, certified) as channel:
        assert pb.ServerLiveResponse.FromString(ask(channel)).live
        ask_for_all: Any = channel.unary_stream("/grpc.health.v1.Health/Watch")
        watch = ask_for_all(b"")
        assert next(watch) == b"\x08\x01"
        for refused in (
            grpc.insecure_channel(address),
            grpc.secure_channel(address, grpc.ssl_channel_credentials(root)),
        ):
            with refused, pytest.raises(grpc.RpcError) as error:
                ask(refused)
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        assert list(watch) == [b"\x08\x02"]


def test_grpc_is_off_without_a_port(server: ServerProcess) -> None:
    assert server.grpc == ""
    loaded = Path(f"/proc/{server.pid}/maps")
    assert not loaded.exists() or "cygrpc" not in loaded.read_text(), "its packages are not imported either"


def test_without_the_packages_the_start_says_which_extra_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_health.v1", None)
    with pytest.raises(typer.Exit) as ended:
        up(data_dir=tmp_path / "data", port=0, grpc_port=0)
    assert ended.value.exit_code == 1
    assert "pip install 'argosy[grpc]'" in capsys.readouterr().err


def test_a_port_that_cannot_be_had_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "argosy",
            "up",
            "--port",
            "0",
            "--grpc-port",
            port,
            "--data-dir",
            str(tmp_path),
        ]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0
    assert f"gRPC cannot listen on 127.0.0.1:{port}" in ran.stderr
    assert "Argosy ready" not in ran.stdout
