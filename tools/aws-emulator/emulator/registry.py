"""The operations that this package answers itself, and what each of them is handed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[["Call"], dict[str, Any] | None]
OPERATIONS: dict[tuple[str, str], Handler] = {}


@dataclass
class Call:
    """One AWS request, as it was understood."""

    service: str
    operation: str
    region: str
    account: str
    params: dict[str, Any] = field(default_factory=dict)
    access_key: str = ""

    @property
    def ec2(self) -> Any:
        """moto's EC2 state of this account and Region."""
        return ec2_of(self.account, self.region)

    def get(self, name: str, default: Any = None) -> Any:
        value = self.params.get(name)
        return default if value is None else value


def ec2_of(account: str, region: str) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[account][region]


def operation(service: str, *names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        for name in names:
            assert (service, name) not in OPERATIONS, f"{service}:{name} is there twice"
            OPERATIONS[service, name] = handler
        return handler

    return register


AFTER_MOTO: dict[str, Callable[[Call], None]] = {}


def after_moto(name: str) -> Callable[[Callable[[Call], None]], Callable[[Call], None]]:
    """For an EC2 operation that moto answers: what it forgets to do."""
    def register(mend: Callable[[Call], None]) -> Callable[[Call], None]:
        AFTER_MOTO[name] = mend
        return mend

    return register


def extras(backend: Any) -> dict[str, Any]:
    """Our own state beside moto's: it lives and dies with the backend."""
    return backend.__dict__.setdefault("_emulator_extras", {})
