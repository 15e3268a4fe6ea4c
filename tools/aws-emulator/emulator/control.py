"""The control API under /_emulator/: for tests, never for the code under test. JSON in, JSON out, not logged."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from . import paths, state, topology
from .accounts import DEFAULT_ACCOUNT
from .registry import Call
from .server import Answer, Request
from .world import LOCK, WORLD, update

DEFAULT_REGION = "us-east-1"


class NotFound(Exception):
    pass


class Control:
    def __init__(self, front: Any) -> None:
        self.front = front
        self.routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", r"health", self.health),
            ("GET", r"calls", self.calls),
            ("DELETE", r"calls", self.clear_calls),
            ("POST", r"faults", self.add_fault),
            ("GET", r"faults", lambda query, body: {"faults": self.front.faults.shown()}),
            ("DELETE", r"faults", lambda query, body: self.remove_fault(query, body, None)),
            ("DELETE", r"faults/([^/]+)", self.remove_fault),
            ("GET", r"delays", lambda query, body: update(WORLD.delays, {})),
            ("POST", r"(?:endpoint-)?delays", lambda query, body: update(WORLD.delays, body)),
            ("GET", r"quotas", lambda query, body: update(WORLD.quotas, {})),
            ("POST", r"quotas", lambda query, body: update(WORLD.quotas, body)),
            ("POST", r"dms/instances/([^/]+)/status", self.instance_status),
            ("POST", r"dms/connections", self.connection_outcome),
            ("POST", r"dms/replications/([^/]+)", self.replication_status),
            ("POST", r"vpc-endpoints/([^/]+)", self.endpoint_state),
            ("POST", r"nat-gateways/([^/]+)", self.nat_gateway_state),
            ("POST", r"peerings/([^/]+)", self.peering_status),
            ("POST", r"dms/instances/([^/]+)/public-ips", self.instance_public_ips),
            ("POST", r"route-tables/([^/]+)/propagated", self.propagated_route),
            ("POST", r"queues/([^/]+)/show", self.show_messages),
            ("GET", r"state", self.state),
            ("POST", r"topology", self.topology),
            ("POST", r"reset", self.reset),
        ]

    def answer(self, request: Request) -> Answer:
        path, _, query_text = request.path.partition("?")
        name = path.removeprefix("/_emulator/").rstrip("/")
        try:
            query, body = dict(parse_qsl(query_text)), json.loads(request.body or b"{}")
            for method, pattern, handler in self.routes:
                if method == request.method and (match := re.fullmatch(pattern, name)):
                    return json_answer(200, handler(query, body, *match.groups()))
            raise NotFound(f"there is no {request.method} {path}")
        except NotFound as error:
            return json_answer(404, {"error": str(error)})
        except (ValueError, TypeError, KeyError) as error:
            return json_answer(400, {"error": f"{type(error).__name__}: {error}"})
        except Exception as error:  # an AwsError, say, of a topology that cannot be built
            return json_answer(409, {"error": f"{type(error).__name__}: {error}"})

    # ------------------------------------------------------------ calls, faults

    def health(self, query: dict[str, str], body: Any) -> Any:
        return {"status": "ok"}

    def calls(self, query: dict[str, str], body: Any) -> Any:
        wanted = {name: query[name] for name in ("service", "operation", "account", "region", "code") if name in query}
        found = self.front.log.since(int(query.get("after", 0)), int(query.get("limit", 200_000)), **wanted)
        return {"calls": found, "last": found[-1]["seq"] if found else int(query.get("after", 0))}

    def clear_calls(self, query: dict[str, str], body: Any) -> Any:
        self.front.log.clear()
        return {}

    def add_fault(self, query: dict[str, str], body: Any) -> Any:
        return self.front.faults.add(body).shown()

    def remove_fault(self, query: dict[str, str], body: Any, identifier: str | None) -> Any:
        if not self.front.faults.remove(identifier):
            raise NotFound(f"there is no fault {identifier}")
        return {}

    # -------------------------------------------------------------------- state

    def state(self, query: dict[str, str], body: Any) -> Any:
        with LOCK:
            WORLD.settle()
            return state.dump(query.get("account", DEFAULT_ACCOUNT), query.get("region", DEFAULT_REGION))

    def topology(self, query: dict[str, str], body: Any) -> Any:
        with LOCK:
            WORLD.settle()
            WORLD.version += 1
            return paths.build_path(**body) if "path" in body else topology.build(**body)

    def reset(self, query: dict[str, str], body: Any) -> Any:
        from moto.core.base_backend import BackendDict

        with LOCK:
            BackendDict.reset()
            WORLD.reset()
            self.front.history.clear()
            if "seed" in body:
                seed_identifiers(body["seed"])
        self.front.faults.remove(None)
        self.front.log.clear()
        return {}

    def propagated_route(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        """What a VPN or Direct Connect gateway learns by BGP and puts into a table that lets it."""
        from .ec2.routes import propagate

        with LOCK:
            propagate(place(query, body).ec2, identifier, body["gateway"], body["cidrs"])
            WORLD.version += 1
        return {}

    def endpoint_state(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        with LOCK:
            endpoint = place(query, body).ec2.vpc_end_points.get(identifier)
            if endpoint is None:
                raise NotFound(f"there is no VPC endpoint {identifier}")
            endpoint.state = body["state"]
            endpoint.last_error = body.get("last_error")  # {"Code", "Message"}
            WORLD.version += 1
        return {"id": identifier, "state": endpoint.state}

    def nat_gateway_state(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        """What AWS does to a NAT gateway by itself: it fails, or, a regional one, gets another address."""
        from .ec2 import gateways

        call = place(query, body)
        with LOCK:
            gateway = call.ec2.nat_gateways.get(identifier)
            if gateway is None:
                raise NotFound(f"there is no NAT gateway {identifier}")
            gateway.state = body.get("state", gateway.state)
            gateway.regional = body.get("regional", gateway.regional)
            if "failure" in body:  # {"Code", "Message"}
                gateway.failure = (body["failure"].get("Code"), body["failure"].get("Message")) if body["failure"] else None
            for _ in range(body.get("add_addresses", 0)):
                gateways.add_address(call.ec2, gateway, call.ec2.allocate_address("vpc"))
            gateways.become_available(gateway)
            WORLD.version += 1
        return {"id": identifier, "state": gateway.state, "publicIps": [each.public_ip for each in gateway.addresses]}

    def peering_status(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        with LOCK:
            peering = place(query, body).ec2.vpc_pcxs.get(identifier)
            if peering is None:
                raise NotFound(f"there is no peering connection {identifier}")
            peering._status.code, peering._status.message = body["status"], body.get("message", body["status"])
            WORLD.version += 1
        return {"id": identifier, "status": body["status"]}

    def show_messages(self, query: dict[str, str], body: Any, name: str) -> Any:
        """Messages that were received are shown again, as if the time had passed for which SQS hides them."""
        from moto.sqs.models import sqs_backends

        call = place(query, body)
        queue = sqs_backends[call.account][call.region].queues.get(name)
        if queue is None:
            raise NotFound(f"there is no queue {name}")
        hidden = [message for message in queue._messages if not message.visible]
        for message in hidden:
            message.visible_at = 0.0
        with queue._messages_lock:
            queue._messages_lock.notify_all()
        return {"name": name, "shown": len(hidden)}

    # ---------------------------------------------------------------------- DMS

    def instance_status(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        from .dms.instances import STATUSES

        if body.get("status") not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}")
        with LOCK:
            instance = find_instance(place(query, body), identifier)
            instance.status = body["status"]
            WORLD.version += 1
        return {"id": identifier, "status": instance.status}

    def instance_public_ips(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        """A public address of an instance is not kept for good: {"public_ips": []}, as many as it has interfaces."""
        call = place(query, body)
        with LOCK:
            instance = find_instance(call, identifier)
            instance.public_ips = list(body["public_ips"])
            for eni_id, public_ip in zip(instance.eni_ids, instance.public_ips, strict=True):
                call.ec2.enis[eni_id].public_ip = public_ip
            WORLD.version += 1
        return {"id": identifier, "publicIps": instance.public_ips}

    def connection_outcome(self, query: dict[str, str], body: Any) -> Any:
        """How connection tests of an instance and an endpoint end from now on; `now` also ends the last one so."""
        from .dms.store import store_of

        call = place(query, body)
        with LOCK:
            store, instance = store_of(call), find_instance(call, body["instance"])
            arns = [arn for arn, e in store.endpoints.items() if body["endpoint"] in (arn, e["EndpointIdentifier"])]
            if not arns:
                raise NotFound(f"there is no DMS endpoint {body['endpoint']}")
            key = instance.arn, arns[0]
            store.outcomes[key] = body["status"], body.get("message", "")
            if body.get("now") and key in store.connections:
                store.connections[key].pop("LastFailureMessage", None)
                store.connections[key] |= {"Status": body["status"]} | ({"LastFailureMessage": body["message"]} if body.get("message") else {})
            WORLD.version += 1
        return {"instance": instance.arn, "endpoint": arns[0], "status": body["status"]}

    def replication_status(self, query: dict[str, str], body: Any, identifier: str) -> Any:
        from .dms.store import store_of

        with LOCK:
            for replication in store_of(place(query, body)).replications.values():
                if identifier in (replication["ReplicationConfigIdentifier"], replication["ReplicationConfigArn"]):
                    replication["Status"] = body["status"]
                    replication["FailureMessages"] = body.get("failure_messages", [])
                    WORLD.version += 1
                    return {"id": identifier, "status": body["status"]}
        raise NotFound(f"there is no replication {identifier}")


def seed_identifiers(seed: int) -> None:
    """The same calls in the same order then give the same IDs."""
    import random

    from moto.moto_api._internal import mock_random

    random.seed(seed)
    mock_random.seed(seed)


def place(query: dict[str, str], body: Any) -> Call:
    """Account and Region come from the query or the body."""
    def said(name: str, default: str) -> str:
        return query.get(name) or body.get(name) or default

    return Call("", "", said("region", DEFAULT_REGION), said("account", DEFAULT_ACCOUNT))


def find_instance(call: Call, identifier: str) -> Any:
    from .dms.store import store_of

    for instance in store_of(call).instances.values():
        if identifier in (instance.identifier, instance.arn):
            return instance
    raise NotFound(f"there is no replication instance {identifier} in {call.account} {call.region}")


def json_answer(status: int, value: Any) -> Answer:
    return Answer(status, "application/json", json.dumps(value, default=str).encode())
