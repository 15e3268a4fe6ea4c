"""What is shared by all requests: one lock, the clock of things that happen later, and the knobs."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

LOCK = threading.RLock()  # state changes one request at a time; moto itself is not thread-safe


@dataclass
class Delays:
    """Seconds until a change that AWS does in the background has happened."""

    available: float = 0.3   # a VPC endpoint: pending -> available
    deleting: float = 0.3    # a VPC endpoint: deleting -> gone
    eni: float = 0.3         # an interface of a service: how much longer than its owner it stays
    instance: float = 0.0    # a replication instance: creating -> available, deleting -> gone
    connection: float = 0.2  # a connection test: testing -> its result


@dataclass
class Quotas:
    rules_per_group: int = 60        # per direction, counted for IPv4 and IPv6 separately
    acl_entries: int = 20            # per direction and family, the default entry included
    routes_per_table: int = 50
    endpoints_per_vpc: int = 50
    groups_per_region: int = 2500


class World:
    def __init__(self) -> None:
        self.delays, self.quotas = Delays(), Quotas()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self.version = 0  # grows with every change, so that equal versions mean an equal world

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        if seconds <= 0:
            action()
        else:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), action))

    def settle(self) -> None:
        """Lets everything happen that is due. Called before a request looks at the state."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
            self.version += 1

    def reset(self) -> None:
        self._due.clear()
        self.delays, self.quotas = Delays(), Quotas()
        self.version += 1


WORLD = World()


def update(record: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Sets the named fields of a record of knobs, and answers all of them."""
    known = asdict(record)
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"unknown setting {name!r}; there are {', '.join(known)}")
        setattr(record, name, type(known[name])(value))
    return asdict(record)
