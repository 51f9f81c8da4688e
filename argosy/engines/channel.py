"""Messages between two processes of one machine: told, or asked and answered, a JSON object a line on a socket."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

from pydantic import BaseModel, JsonValue, ValidationError

from argosy.kit.logs import get_logger

SECONDS = 3.0
LONGEST = 2**24
# A process that does not read is told no more than this; what it misses, it learns otherwise.
MOST_UNREAD = 2**22
log = get_logger(__name__)

Handler = Callable[[JsonValue], Awaitable[JsonValue]]


class Unanswered(RuntimeError):
    """The other process is gone, or too slow."""


class Message(BaseModel):
    """One line: a question has an id and a kind, its answer the id, and what is only told a kind."""

    id: int = 0
    kind: str = ""
    body: JsonValue = None


class Channel:
    """One end of a pair of connected sockets; each side may ask the other."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[JsonValue]] = {}
        self._asked = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, end: socket.socket) -> asyncio.Task[None]:
        """Begin; the task ends when the other process has closed its end, at the latest by dying."""
        reader, self._writer = await asyncio.open_unix_connection(sock=end, limit=LONGEST)
        return asyncio.create_task(self._listen(reader, self._writer))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._read(line)
        except ConnectionError:
            pass  # it was killed
        except ValueError as error:
            log.warning("message_too_long", error=repr(error))
        finally:
            writer.close()
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Unanswered("the other process is gone"))

    def tell(self, kind: str, body: JsonValue = None) -> None:
        """Say something, if there is someone to hear it."""
        self._send(Message(kind=kind, body=body))

    async def ask(self, kind: str, body: JsonValue = None, seconds: float = SECONDS) -> JsonValue:
        """Ask for something; raises `Unanswered`."""
        self._asked += 1
        number = self._asked
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if not self._send(Message(id=number, kind=kind, body=body)):
                raise Unanswered("the other process does not listen")
            async with asyncio.timeout(seconds):
                answer: JsonValue = await waiting
                return answer
        except TimeoutError as error:
            raise Unanswered(f"no answer within {seconds:g} seconds") from error
        finally:
            del self._waiting[number]

    def _send(self, message: Message) -> bool:
        if self._writer is None or self._writer.transport.get_write_buffer_size() > MOST_UNREAD:
            return False
        self._writer.write(message.model_dump_json(exclude_defaults=True).encode() + b"\n")
        return True

    def _read(self, line: bytes) -> None:
        try:
            message = Message.model_validate_json(line)
        except ValidationError:  # cut off by the death of who wrote it
            return
        if message.kind:
            task = asyncio.create_task(self._handle(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif (waiting := self._waiting.get(message.id)) is not None and not waiting.done():
            waiting.set_result(message.body)

    async def _handle(self, message: Message) -> None:
        try:
            answer = await self._handlers[message.kind](message.body)
        except Exception:
            log.exception("message_not_handled", kind=message.kind)
            return
        if message.id:
            self._send(Message(id=message.id, body=answer))
