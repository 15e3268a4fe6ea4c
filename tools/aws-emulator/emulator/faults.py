"""Faults on purpose: which calls fail, how, how often, from a seed."""

import itertools
import random
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from .errors import AwsError
from .wire import JSON_SERVICES

KINDS = ("throttle", "denied", "error", "delay", "timeout", "reset", "lost_answer", "stale", "bucket")


@dataclass
class Fault:
    kind: str
    service: str = "*"
    operation: str = "*"          # a glob, as the service
    account: str = "*"
    match: str | None = None      # only calls whose decoded parameters contain this text
    code: str | None = None
    message: str | None = None
    status: int | None = None
    seconds: float = 0.0
    how: str = "reset"            # lost_answer and timeout: the connection ends by "reset" or "close"
    times: int | None = None      # stops after so many hits; None: never
    skip: int = 0                 # lets so many matching calls through first
    probability: float = 1.0
    seed: int = 0
    capacity: float = 0.0         # bucket: tokens at the start, per account, Region and operation
    refill: float = 0.0           # bucket: tokens a second
    id: str = ""
    hits: int = 0
    _seen: int = 0
    _dice: random.Random = field(default_factory=random.Random)
    _buckets: dict[Any, tuple[float, float]] = field(default_factory=dict)

    def strikes(self, service: str, operation: str, account: str, region: str, text: str | None) -> bool:
        if not (fnmatchcase(service, self.service) and fnmatchcase(operation, self.operation) and fnmatchcase(account, self.account)):
            return False
        if self.match is not None and (text is None or self.match not in text):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self._seen += 1
        if self._seen <= self.skip:
            return False
        if self.probability < 1 and self._dice.random() >= self.probability:
            return False
        if self.kind == "bucket" and self._takes_token((account, region, operation)):
            return False
        self.hits += 1
        return True

    def _takes_token(self, key: Any) -> bool:
        now = time.monotonic()
        tokens, at = self._buckets.get(key, (self.capacity, now))
        tokens = min(self.capacity, tokens + (now - at) * self.refill)
        self._buckets[key] = (tokens - 1, now) if tokens >= 1 else (tokens, now)
        return tokens >= 1

    def error(self, service: str, operation: str) -> AwsError:
        if self.kind in ("throttle", "bucket"):
            code, message, status = throttled(service)
        elif self.kind == "denied":
            code, message, status = denied(service, operation)
        else:
            code, message, status = "InternalError", "An internal error has occurred", 500
            if self.code:
                status = 400
        return AwsError(self.code or code, self.message or message, self.status or status)

    def shown(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


def throttled(service: str) -> tuple[str, str, int]:
    if service == "ec2":
        return "RequestLimitExceeded", "Request limit exceeded.", 503
    return ("ThrottlingException" if service in JSON_SERVICES else "Throttling"), "Rate exceeded", 400


def denied(service: str, operation: str) -> tuple[str, str, int]:
    if service == "ec2":
        return "UnauthorizedOperation", f"You are not authorized to perform this operation. User is not authorized to perform: ec2:{operation}", 403
    code, status = ("AccessDeniedException", 400) if service in JSON_SERVICES else ("AccessDenied", 403)
    return code, f"User is not authorized to perform: {service}:{operation}", status


class Faults:
    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, wish: dict[str, Any]) -> Fault:
        known = {f.name for f in fields(Fault) if not f.name.startswith("_")} - {"id", "hits"}
        if unknown := set(wish) - known:
            raise ValueError(f"unknown fields of a fault: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        if wish.get("kind") not in KINDS:
            raise ValueError(f"{wish.get('kind')!r} is no kind; there are {', '.join(KINDS)}")
        if wish.get("how", "reset") not in ("reset", "close"):
            raise ValueError("how must be reset or close")
        fault = Fault(**wish)
        fault._dice.seed(fault.seed)
        with self._lock:
            fault.id = f"fault-{next(self._numbers)}"
            self._faults[fault.id] = fault
        return fault

    def shown(self) -> list[dict[str, Any]]:
        return [fault.shown() for fault in list(self._faults.values())]

    def remove(self, identifier: str | None) -> bool:
        with self._lock:
            if identifier is None:
                self._faults.clear()
                return True
            return self._faults.pop(identifier, None) is not None

    def struck(self, service: str, operation: str, account: str, region: str, text: Any) -> list[Fault]:
        """The faults that hit this call: every delay, and the first of the others."""
        if not self._faults:
            return []
        hit: list[Fault] = []
        with self._lock:
            for fault in self._faults.values():
                if hit and hit[-1].kind != "delay":
                    break
                searched = text() if fault.match is not None else None
                if fault.strikes(service, operation, account, region, searched):
                    hit.append(fault)
        return hit
