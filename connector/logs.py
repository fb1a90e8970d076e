"""How log lines look: one JSON object a line, or text for people, on stdout. Set once by each door's process."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from connector.settings import LogSettings
from providers.secret import Secret

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
MAX_TEXT = 2_000


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Set up logging for this process. Lines of libraries below `warning` are left out."""
    renderer: Any = structlog.processors.JSONRenderer(default=_shown, sort_keys=True)
    if settings.format == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tame,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stdout),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=stream or sys.stdout, format="%(levelname)s %(name)s: %(message)s"
    )


def _tame(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No control characters (a line must stay a line), nothing endless, no secret by mistake."""
    for name, value in event.items():
        if isinstance(value, Secret):
            event[name] = repr(value)
        elif isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
            event[name] = "".join(letter if letter.isprintable() else "�" for letter in value[:MAX_TEXT])
    return event


def _shown(value: object) -> str:
    """What is neither text nor number is named by its type alone: its repr may hold anything."""
    return repr(value) if isinstance(value, Secret) else f"<{type(value).__name__}>"
