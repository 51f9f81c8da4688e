"""The floor: an ASGI application that reads a request and answers a constant, without any framework."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

Message = dict[str, Any]


class Constant:
    """Answers every request with the same JSON."""

    def __init__(self, body: bytes) -> None:
        self._head: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        }
        self._body: Message = {"type": "http.response.body", "body": body}

    async def __call__(
        self,
        _scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        while (await receive()).get("more_body"):
            pass
        await send(self._head)
        await send(self._body)


if __name__ == "__main__":
    application = Constant(Path(sys.argv[1]).read_bytes())
    uvicorn.run(application, port=int(sys.argv[2]), log_level="error", access_log=False, lifespan="off")
