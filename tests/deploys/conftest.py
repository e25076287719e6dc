"""A classifier as a process, as in tests/service."""

from tests.service.conftest import daemon

__all__ = ["daemon"]
