"""VPC peering: with all CIDRs of both sides, filters, and refusal of CIDRs that overlap."""

import ipaddress
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError
from ..registry import Call, ec2_of, operation
from .networks import cidrs


@operation("ec2", "CreateVpcPeeringConnection")
def create(call: Call) -> dict[str, Any]:
    backend = call.ec2
    vpc = get_vpc(backend, call.get("VpcId"))
    peer = get_vpc(ec2_of(call.get("PeerOwnerId") or call.account, call.get("PeerRegion") or call.region), call.get("PeerVpcId"))
    given_tags = tags.specified(call, "vpc-peering-connection")
    peering = backend.create_vpc_peering_connection(vpc, peer)
    tags.put(backend, peering.id, given_tags)
    initiating = {"Code": "initiating-request", "Message": f"Initiating Request to {peer.owner_id}"}
    if any(ipaddress.ip_network(a).overlaps(ipaddress.ip_network(b)) for a in cidrs(vpc) for b in cidrs(peer)):
        peering._status.code = "failed"
        peering._status.message = f"Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range: {peer.id}"
    return {"VpcPeeringConnection": shown(backend, peering) | {"Status": initiating}}


def get_vpc(backend: Any, identifier: str | None) -> Any:
    if identifier not in backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{identifier}' does not exist")
    return backend.vpcs[identifier]


@operation("ec2", "AcceptVpcPeeringConnection")
def accept(call: Call) -> dict[str, Any]:
    backend, identifier = call.ec2, call.get("VpcPeeringConnectionId")
    if identifier not in backend.vpc_pcxs:
        raise AwsError("InvalidVpcPeeringConnectionID.NotFound", f"The vpcPeeringConnection ID '{identifier}' does not exist")
    if backend.vpc_pcxs[identifier]._status.code == "active":
        return {"VpcPeeringConnection": shown(backend, backend.vpc_pcxs[identifier])}
    return {"VpcPeeringConnection": shown(backend, moto_error(backend.accept_vpc_peering_connection, identifier))}


def moto_error(method: Any, *args: Any) -> Any:
    """moto's own checks speak through its own exceptions."""
    from moto.ec2.exceptions import EC2ClientError

    try:
        return method(*args)
    except EC2ClientError as error:
        raise AwsError(error.error_type or "InvalidParameter", str(error.message)) from None


@operation("ec2", "DescribeVpcPeeringConnections")
def describe(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = filters.by_id(call, "VpcPeeringConnectionIds", backend.vpc_pcxs, "InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection")
    chosen = filters.apply(call, chosen, GETTERS, lambda peering: tags.of(backend, peering.id))
    chosen, more = paging.page(call, chosen, lambda peering: peering.id, 5, 1000)
    return {"VpcPeeringConnections": [shown(backend, peering) for peering in chosen], **more}


def shown(backend: Any, peering: Any) -> dict[str, Any]:
    return {
        "VpcPeeringConnectionId": peering.id, "Status": {"Code": peering._status.code, "Message": peering._status.message},
        "RequesterVpcInfo": side(peering.vpc, peering.requester_options), "AccepterVpcInfo": side(peering.peer_vpc, peering.accepter_options),
        "Tags": tags.shown(backend, peering.id),
    }


def side(vpc: Any, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "OwnerId": vpc.owner_id, "Region": vpc.region, "VpcId": vpc.id, "CidrBlock": vpc.cidr_block,
        "CidrBlockSet": [{"CidrBlock": each} for each in cidrs(vpc)],
        "PeeringOptions": {name: str(value).lower() == "true" for name, value in options.items()},
    }


GETTERS = {
    "vpc-peering-connection-id": lambda p: p.id,
    "status-code": lambda p: p._status.code,
    **{f"{name}-vpc-info.{key}": (lambda p, a=attribute, v=value: v(getattr(p, a)))
       for name, attribute in (("requester", "vpc"), ("accepter", "peer_vpc"))
       for key, value in (("vpc-id", lambda v: v.id), ("owner-id", lambda v: v.owner_id), ("cidr-block", lambda v: v.cidr_block))},
}
