"""Logs: structlog and stdlib through one chain, as JSON or for a console, without personal data.

Events carry ids, numbers and reasons. What still looks like an address or a phone number is cut out
of every value on the way, also out of messages and tracebacks of libraries.
"""

import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_ADDRESS = re.compile(r"[^\s@<>\"'(),;:=]+@[^\s@<>\"'(),;:]+")
_PHONE = re.compile(r"(?<![\w.:/-])\+\d[\d ()-]{6,}\d")
# Tokens of public pages (/p/..., /u/..., /c/..., /o/...) open what they name: not for logs.
_TOKEN = re.compile(r"/(p|u|c|o)/[A-Za-z0-9_-]{20,}")
_SECRET_KEYS = frozenset({"password", "secret", "secrets", "authorization", "token", "api_key"})
_AS_JSON = "avtale-json"  # the name of our handler that writes JSON
_QUIET = {"uvicorn.access": logging.CRITICAL, "httpx": logging.WARNING, "arq": logging.WARNING}


def scrub(value: str) -> str:
    """`value` without addresses, phone numbers and page tokens."""
    value = _ADDRESS.sub("[address]", value)
    value = _PHONE.sub("[phone]", value)
    return _TOKEN.sub(r"/\1/[token]", value)


def _clean(value: Any) -> Any:
    match value:
        case str():
            return scrub(value)
        case bytes():
            return f"[{len(value)} bytes]"
        case Mapping():
            return {key: _clean_member(str(key), item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(item) for item in value]
        case int() | float() | None:
            return value
        case _:
            return scrub(str(value))


def _clean_member(key: str, value: Any) -> Any:
    return "[secret]" if key.lower() in _SECRET_KEYS else _clean(value)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor that keeps people out of the logs. Runs after tracebacks became text."""
    return {
        key: value if key.startswith("_") else _clean_member(key, value)
        for key, value in event.items()
    }


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _renderers(as_json: bool) -> list[Processor]:
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
        last,
    ]


_ACCESS = logging.getLogger("avtale.access")


def access_line(method: str, route: str, status: int, ms: float, request_id: str) -> bool:
    """The line of an answered request, as the chain makes it and ten times as fast: none of its
    values is a stranger's word. False where the chain has to do it: another form or handler."""
    if not _ACCESS.isEnabledFor(logging.INFO):
        return True
    root = logging.root
    handler = root.handlers[0] if len(root.handlers) == 1 else None
    if not isinstance(handler, logging.StreamHandler) or handler.name != _AS_JSON:
        return False
    now = datetime.now(UTC).isoformat(timespec="microseconds")[:-6]
    handler.stream.write(
        f'{{"method": "{method}", "route": "{route}", "status": {status}, "ms": {ms}, '
        f'"request_id": "{request_id}", "event": "http", "level": "info", '
        f'"logger": "avtale.access", "timestamp": "{now}Z"}}\n'
    )
    return True


def configure(*, level: str = "INFO", as_json: bool = True) -> None:
    """Send structlog and stdlib records to stderr, one line each. Safe to call again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.name = _AS_JSON if as_json else "console"
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(), processors=_renderers(as_json)
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
