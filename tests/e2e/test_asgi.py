"""The application on plain uvicorn, as any ASGI server runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2

READY = re.compile(r"running on (http://[\d.:]+)")
COMMAND = [sys.executable, "-m", "uvicorn", "--factory", "argosy.asgi:create_app", "--port", "0"]


def test_it_answers_on_a_plain_server(tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND, stderr=subprocess.PIPE, text=True, env={**os.environ, "ARGOSY_DATA_DIR": str(tmp_path / "data")}
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := READY.search(line):
                break
        else:
            raise AssertionError(said)
        assert httpx2.get(f"{found.group(1)}/health/ready").status_code == 200
        assert httpx2.get(f"{found.group(1)}/v2").json()["name"] == "argosy"
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode in {0, -15}
