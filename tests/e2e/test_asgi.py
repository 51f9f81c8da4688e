"""The application on plain uvicorn, as any ASGI server runs it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

COMMAND = [sys.executable, "-m", "uvicorn", "--factory", "argosy.asgi:create_app", "--port"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_it_answers_on_a_plain_server(tmp_path: Path) -> None:
    port, environment = free_port(), {**os.environ, "ARGOSY_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen([*COMMAND, str(port)], stderr=subprocess.DEVNULL, env=environment)
    try:
        while not is_ready(f"http://127.0.0.1:{port}"):
            assert process.poll() is None
            time.sleep(0.1)
        assert httpx2.get(f"http://127.0.0.1:{port}/v2").json()["name"] == "argosy"
    finally:
        process.terminate()
        process.wait(30)
