"""NAT gateways: several addresses with their status, a life of pending, available and deleted, idempotent tokens."""

import time
from dataclasses import dataclass, field
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError
from ..registry import Call, extras, operation
from ..world import WORLD
from .network_interfaces import find_subnet, free_address, make_service_interface, remove
from .rules import new_id

MAX_ADDRESSES = 8


@dataclass
class Address:
    private_ip: str
    allocation_id: str | None
    public_ip: str | None
    status: str = "associating"
    association_id: str = field(default_factory=lambda: new_id("eipassoc"))


@dataclass
class NatGateway:
    """Kept in moto's `nat_gateways`; a deleted one stays listed, as AWS does for an hour."""

    subnet: Any
    connectivity: str
    eni_id: str
    addresses: list[Address]
    state: str = "pending"
    id: str = field(default_factory=lambda: new_id("nat"))
    created: float = field(default_factory=time.time)
    deleted: float | None = None
    failure: tuple[str, str] | None = None
    regional: bool = False

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
    connectivity, elastics = call.get("ConnectivityType", "public"), []
    if connectivity == "public":
        if not call.get("AllocationId"):
            raise AwsError("MissingParameter", "The request must contain the parameter AllocationId")
        elastics = [free_elastic(backend, each) for each in (call.get("AllocationId"), *call.get("SecondaryAllocationIds", []))]
    given_tags = tags.specified(call, "natgateway")
    public_ip = elastics[0].public_ip if elastics else None
    eni = make_service_interface(backend, subnet, [], "", "nat_gateway", "amazon-aws", public_ip)
    first = elastics[0] if elastics else None
    gateway = NatGateway(subnet, connectivity, eni.id, [Address(eni.private_ip_address, getattr(first, "allocation_id", None), public_ip)])
    eni.description = f"Interface for NAT Gateway {gateway.id}"
    if first:
        first.eni, first.association_id = eni, gateway.addresses[0].association_id
    for elastic in elastics[1:]:
        add_address(backend, gateway, elastic)
    backend.nat_gateways[gateway.id] = gateway
    tags.put(backend, gateway.id, given_tags)
    WORLD.later(WORLD.delays.available, lambda: become_available(gateway))
    return gateway


def free_elastic(backend: Any, allocation: str) -> Any:
    elastic = next((each for each in backend.addresses if each.allocation_id == allocation), None)
    if elastic is None:
        raise AwsError("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
    if elastic.association_id:
        raise AwsError("Resource.AlreadyAssociated", f"Elastic IP address [{allocation}] is already associated")
    return elastic


def add_address(backend: Any, gateway: NatGateway, elastic: Any) -> None:
    if len(gateway.addresses) >= MAX_ADDRESSES:
        raise AwsError("NatGatewayAddressLimitExceeded", f"NAT gateway {gateway.id} has {MAX_ADDRESSES} addresses already")
    eni = backend.enis[gateway.eni_id]
    private_ip = free_address(backend, gateway.subnet)
    eni.private_ip_addresses.append({"Primary": False, "PrivateIpAddress": private_ip})
    address = Address(private_ip, elastic.allocation_id, elastic.public_ip)
    elastic.eni, elastic.association_id = eni, address.association_id
    gateway.addresses.append(address)


def become_available(gateway: NatGateway) -> None:
    if gateway.state == "pending":
        gateway.state = "available"
    if gateway.state == "available":
        for address in gateway.addresses:
            address.status = "succeeded" if address.status == "associating" else address.status


@operation("ec2", "AssociateNatGatewayAddress")
def associate(call: Call) -> dict[str, Any]:
    gateway = usable(call)
    for elastic in [free_elastic(call.ec2, each) for each in call.get("AllocationIds", [])]:
        add_address(call.ec2, gateway, elastic)
    WORLD.later(WORLD.delays.available, lambda: become_available(gateway))
    return {"NatGatewayId": gateway.id, "NatGatewayAddresses": shown_addresses(gateway)}


@operation("ec2", "DisassociateNatGatewayAddress")
def disassociate(call: Call) -> dict[str, Any]:
    gateway, wanted = usable(call), set(call.get("AssociationIds", []))
    known = {address.association_id for address in gateway.addresses}
    if unknown := wanted - known:
        raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{sorted(unknown)[0]}' does not exist")
    if gateway.addresses[0].association_id in wanted:
        raise AwsError("InvalidParameter", "The primary address of a NAT gateway cannot be disassociated")
    for address in gateway.addresses:
        if address.association_id in wanted:
            address.status = "disassociating"
    answer = {"NatGatewayId": gateway.id, "NatGatewayAddresses": shown_addresses(gateway)}
    WORLD.later(WORLD.delays.deleting, lambda: let_go(call.ec2, gateway, wanted))
    return answer


def let_go(backend: Any, gateway: NatGateway, associations: set[str]) -> None:
    gone = [address for address in gateway.addresses if address.association_id in associations]
    gateway.addresses = [address for address in gateway.addresses if address not in gone]
    free(backend, gone)
    if eni := backend.enis.get(gateway.eni_id):
        private = {address.private_ip for address in gone}
        eni.private_ip_addresses = [each for each in eni.private_ip_addresses if each["PrivateIpAddress"] not in private]


def free(backend: Any, addresses: list[Address]) -> None:
    allocations = {address.allocation_id for address in addresses}
    for elastic in backend.addresses:
        if elastic.allocation_id in allocations:
            elastic.eni = elastic.association_id = None


def usable(call: Call) -> NatGateway:
    gateway = get(call.ec2, call.get("NatGatewayId"))
    if gateway.state != "available":
        raise AwsError("IncorrectState", f"NAT gateway {gateway.id} is {gateway.state}")
    return gateway


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
    free(backend, gateway.addresses)


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
    code, message = gateway.failure or (None, None)
    return {
        "NatGatewayId": gateway.id, "SubnetId": None if gateway.regional else gateway.subnet_id, "VpcId": gateway.vpc_id,
        "State": gateway.state, "ConnectivityType": gateway.connectivity, "NatGatewayAddresses": shown_addresses(gateway),
        "AvailabilityMode": "regional" if gateway.regional else "zonal", "FailureCode": code, "FailureMessage": message,
        "CreateTime": gateway.created, "DeleteTime": gateway.deleted, "Tags": tags.shown(backend, gateway.id),
    }


def shown_addresses(gateway: NatGateway) -> list[dict[str, Any]]:
    shown_all = []
    for number, address in enumerate(gateway.addresses):
        each: dict[str, Any] = {"NetworkInterfaceId": gateway.eni_id, "PrivateIp": address.private_ip, "IsPrimary": number == 0,
                                "Status": address.status}
        if address.allocation_id:
            each |= {"AllocationId": address.allocation_id, "PublicIp": address.public_ip, "AssociationId": address.association_id}
        shown_all.append(each)
    return shown_all


GETTERS = {
    "nat-gateway-id": lambda gateway: gateway.id,
    "vpc-id": lambda gateway: gateway.vpc_id,
    "subnet-id": lambda gateway: gateway.subnet_id,
    "state": lambda gateway: gateway.state,
}
