"""The application on plain uvicorn, as any ASGI server runs it."""

from pathlib import Path

import httpx2

from tests.support.servers import plain_uvicorn


def test_it_answers_on_a_plain_server(tmp_path: Path) -> None:
    with plain_uvicorn(tmp_path / "data") as url:
        assert httpx2.get(f"{url}/v2").json()["name"] == "argosy"
