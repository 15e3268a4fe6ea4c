"""The log of AWS calls: a ring that costs little to write and decodes what it holds only when read."""

import itertools
import json
import threading
from collections import deque
from typing import Any, NamedTuple

from .wire import flat_params

KEPT = 200_000
READS = ("Describe", "Get", "List", "Search", "Lookup", "Receive", "Test", "Assume")


class Entry(NamedTuple):
    seq: int
    at: float
    account: str
    region: str
    service: str
    operation: str
    body: bytes
    is_json: bool
    status: int
    code: str
    agent: str
    access_key: str
    host: str           # as the caller wrote it
    signature: str      # the algorithm, such as AWS4-HMAC-SHA256
    session_token: bool
    duration_ms: float
    fault: str
    request_id: str


class CallLog:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, **fields: Any) -> None:
        with self._lock:  # numbers are given at the end of a call, so a reader that asks `after` misses none
            self._entries.append(Entry(next(self._numbers), **fields))

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def since(self, after: int, limit: int, **wanted: str) -> list[dict[str, Any]]:
        with self._lock:
            entries = [e for e in self._entries if e.seq > after]
        chosen = (e for e in entries if all(getattr(e, name) == value for name, value in wanted.items()))
        return [shown(e) for e in itertools.islice(chosen, limit)]


def is_mutating(operation: str) -> bool:
    return not operation.startswith(READS)


def shown(entry: Entry) -> dict[str, Any]:
    fields = entry._asdict()
    body, is_json = fields.pop("body"), fields.pop("is_json")
    return fields | {"mutating": is_mutating(entry.operation), "params": decoded(body, is_json)}


def decoded(body: bytes, is_json: bool) -> dict[str, Any]:
    if not body:
        return {}
    if not is_json:
        return {name: value for name, value in flat_params(body).items() if name not in ("Action", "Version")}
    try:
        return json.loads(body)
    except ValueError:
        return {}
