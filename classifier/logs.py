"""Structured logs on stderr: JSON for machines, lines for people."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure_logs(stream=None) -> None:
    """One line per event; DRIFTLINE_LOG=debug shows more."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping().get(os.environ.get("DRIFTLINE_LOG", "info").upper(), logging.INFO)
    tty = stream.isatty()
    last = [structlog.dev.ConsoleRenderer()] if tty else [_traceback, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


_traceback = structlog.processors.format_exc_info
