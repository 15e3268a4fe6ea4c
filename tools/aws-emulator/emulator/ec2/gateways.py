"""NAT gateways: addresses with their status, a life of pending, available and deleted, idempotent tokens."""

import time
from dataclasses import dataclass, field
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError
from ..registry import Call, extras, operation
from ..world import WORLD
from .network_interfaces import find_subnet, make_service_interface, remove
from .rules import new_id


@dataclass
class NatGateway:
    """Kept in moto's `nat_gateways`; a deleted one stays listed, as AWS does for an hour."""

    subnet: Any
    connectivity: str
    eni_id: str
    private_ip: str
    allocation_id: str | None
    public_ip: str | None
    state: str = "pending"
    id: str = field(default_factory=lambda: new_id("nat"))
    association_id: str = field(default_factory=lambda: new_id("eipassoc"))
    created: float = field(default_factory=time.time)
    deleted: float | None = None

    @property
    def subnet_id(self) -> str:
        return self.subnet.id

    @property
    def vpc_id(self) -> str:
        return self.subnet.vpc_id


@operation("ec2", "CreateNatGateway")
def create(call: Call) -> dict[str, Any]:
    used, token = extras(call.ec2).setdefault("nat_tokens", {}), call.get("ClientToken")
    gateway = used.get(token) or make(call)
    if token:
        used[token] = gateway
    return {"NatGateway": shown(call.ec2, gateway), "ClientToken": token}


def make(call: Call) -> NatGateway:
    backend, subnet = call.ec2, find_subnet(call.ec2, call.get("SubnetId"))
    connectivity, allocation, elastic = call.get("ConnectivityType", "public"), call.get("AllocationId"), None
    if connectivity == "public":
        if not allocation:
            raise AwsError("MissingParameter", "The request must contain the parameter AllocationId")
        elastic = next((each for each in backend.addresses if each.allocation_id == allocation), None)
        if elastic is None:
            raise AwsError("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
        if elastic.association_id:
            raise AwsError("Resource.AlreadyAssociated", f"Elastic IP address [{allocation}] is already associated")
    given_tags = tags.specified(call, "natgateway")
    public_ip = elastic.public_ip if elastic else None
    eni = make_service_interface(backend, subnet, [], "", "nat_gateway", "amazon-aws", public_ip)
    gateway = NatGateway(subnet, connectivity, eni.id, eni.private_ip_address, allocation, public_ip)
    eni.description = f"Interface for NAT Gateway {gateway.id}"
    if elastic:
        elastic.eni, elastic.association_id = eni, gateway.association_id
    backend.nat_gateways[gateway.id] = gateway
    tags.put(backend, gateway.id, given_tags)
    WORLD.later(WORLD.delays.available, lambda: become_available(gateway))
    return gateway


def become_available(gateway: NatGateway) -> None:
    if gateway.state == "pending":
        gateway.state = "available"


@operation("ec2", "DeleteNatGateway")
def delete(call: Call) -> dict[str, Any]:
    gateway = get(call.ec2, call.get("NatGatewayId"))
    if gateway.state not in ("deleting", "deleted"):
        gateway.state = "deleting"
        WORLD.later(WORLD.delays.deleting, lambda: forget(call.ec2, gateway))
    return {"NatGatewayId": gateway.id}


def forget(backend: Any, gateway: NatGateway) -> None:
    gateway.state, gateway.deleted = "deleted", time.time()
    remove(backend, gateway.eni_id)
    for elastic in backend.addresses:
        if elastic.allocation_id == gateway.allocation_id:
            elastic.eni = elastic.association_id = None


def get(backend: Any, identifier: str) -> NatGateway:
    if identifier not in backend.nat_gateways:
        raise AwsError("NatGatewayNotFound", f"NAT gateway {identifier} was not found")
    return backend.nat_gateways[identifier]


@operation("ec2", "DescribeNatGateways")
def describe(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = filters.by_id(call, "NatGatewayIds", backend.nat_gateways, "NatGatewayNotFound", "NAT gateway")
    chosen = filters.apply(call, chosen, GETTERS, lambda gateway: tags.of(backend, gateway.id), name="Filter")
    chosen, more = paging.page(call, chosen, lambda gateway: gateway.id, 5, 1000)
    return {"NatGateways": [shown(backend, gateway) for gateway in chosen], **more}


def shown(backend: Any, gateway: NatGateway) -> dict[str, Any]:
    address: dict[str, Any] = {"NetworkInterfaceId": gateway.eni_id, "PrivateIp": gateway.private_ip, "IsPrimary": True,
                               "Status": "succeeded" if gateway.state != "pending" else "associating"}
    if gateway.allocation_id:
        address |= {"AllocationId": gateway.allocation_id, "PublicIp": gateway.public_ip, "AssociationId": gateway.association_id}
    return {
        "NatGatewayId": gateway.id, "SubnetId": gateway.subnet_id, "VpcId": gateway.vpc_id, "State": gateway.state,
        "ConnectivityType": gateway.connectivity, "NatGatewayAddresses": [address], "CreateTime": gateway.created,
        "DeleteTime": gateway.deleted, "Tags": tags.shown(backend, gateway.id),
    }


GETTERS = {
    "nat-gateway-id": lambda gateway: gateway.id,
    "vpc-id": lambda gateway: gateway.vpc_id,
    "subnet-id": lambda gateway: gateway.subnet_id,
    "state": lambda gateway: gateway.state,
}
