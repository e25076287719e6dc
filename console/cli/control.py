"""Questions to the running classifier: HTTP and JSON over its unix socket, bounded in time and size."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote, urlencode

from console.cli.failure import Failure

TIMEOUT = 30.0  # seconds; an envelope of 100,000 behaviours takes under one
LIMIT = 256 << 20  # bytes of an answer


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Control:
    """The control socket of one classifier."""

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self.path = path
        self.timeout = timeout

    def get(self, *parts: str, **query: Any) -> Any:
        """The answer to a question; parts of the path may hold any character.

        Raises:
            Failure: Nobody answers, or the answer is a refusal.
        """
        wanted = {k: str(v) for k, v in query.items() if v not in (None, "", False)}
        url = "/" + "/".join(quote(part, safe="") for part in parts)
        return self._ask("GET", url + ("?" + urlencode(wanted) if wanted else ""), None)

    def post(self, *parts: str, body: Any) -> Any:
        """The answer to an order.

        Raises:
            Failure: Nobody answers, or the answer is a refusal.
        """
        return self._ask("POST", "/" + "/".join(quote(part, safe="") for part in parts), json.dumps(body).encode())

    def _ask(self, method: str, url: str, body: bytes | None) -> Any:
        connection = UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, url, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            content = answer.read(LIMIT + 1)
        except (FileNotFoundError, ConnectionRefusedError) as e:
            raise Failure(f"no classifier answers at {self.path}", 'start it with "driftline run"') from e
        except PermissionError as e:
            raise Failure(f"{self.path}: not allowed to ask this classifier", "run it as root") from e
        except TimeoutError as e:
            raise Failure(f"{self.path}: no answer within {self.timeout:g} s", "look at the classifier's log") from e
        except (OSError, http.client.HTTPException) as e:
            raise Failure(f"{self.path}: {e or type(e).__name__}", "look at the classifier's log") from e
        finally:
            connection.close()
        if len(content) > LIMIT:
            raise Failure(f"{self.path}: an answer larger than {LIMIT >> 20} MiB", "ask for less")
        return _value(answer.status, content, url)


def _value(status: int, content: bytes, url: str) -> Any:
    try:
        value = json.loads(content) if content else None
    except ValueError as e:
        raise Failure(f"{url}: the classifier answered with something else than JSON ({status})") from e
    if status >= 400:
        told = value if isinstance(value, dict) else {}
        raise Failure(str(told.get("error") or f"{url}: refused ({status})"), str(told.get("hint") or ""))
    return value
