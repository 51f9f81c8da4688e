"""Structured logs: one JSON object a line, or human on a terminal. Secrets are redacted by name and by shape."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from argosy.kit import context
from argosy.settings import LogSettings

_SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|api_?key$|^key$", re.IGNORECASE)
_SECRET_VALUES = re.compile(r"\bak_[\w-]{8,}|\brt_[\w-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+|://[^/\s:@]*:[^/\s@]+@")
_REDACTED = "[redacted]"


def _add_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    current = context.current()
    if current:
        event.setdefault("request_id", current.request_id)
        if current.principal:
            event.setdefault("organization", current.principal.organization_slug)
            event.setdefault("principal", f"{current.principal.kind}:{current.principal.id}")
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = _REDACTED
        elif isinstance(value, str):
            event[name] = _SECRET_VALUES.sub(_REDACTED, value)
    return event


class StandardError(logging.Handler):
    """Writes to what standard error is now: it may have been replaced since logging was set up."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - what cannot be logged must not end the work
            self.handleError(record)


def configure_logs(settings: LogSettings) -> None:
    """Send everything, the libraries' logs too, through one chain of processors to standard error."""
    human = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context,
    ]
    render: list[Processor] = (
        [_redact, structlog.dev.ConsoleRenderer()]
        if human
        else [structlog.processors.format_exc_info, _redact, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(max(logging.WARNING, root.level))
    # It would never be heard, and uvicorn words a line for each request as long as anybody might listen.
    logging.getLogger("uvicorn.access").propagate = False


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose calls take an event name and key-value pairs."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
