"""VPC Block Public Access: one mode for an account and Region, and exclusions of VPCs and subnets."""

import time
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError, invalid
from ..registry import Call, extras, operation
from .network_interfaces import find_subnet
from .rules import new_id

MODES = ("off", "block-bidirectional", "block-ingress")
EXCLUSION_MODES = ("allow-bidirectional", "allow-egress")


def options(backend: Any) -> dict[str, Any]:
    return extras(backend).setdefault("block_public_access", {"InternetGatewayBlockMode": "off", "State": "default-state"})


def exclusions(backend: Any) -> dict[str, dict[str, Any]]:
    return extras(backend).setdefault("block_public_access_exclusions", {})


def states(backend: Any, vpc_id: str, subnet_id: str | None = None) -> dict[str, str]:
    """What it does to a VPC or a subnet: an exclusion of the subnet counts before one of its VPC."""
    mode = options(backend)["InternetGatewayBlockMode"]
    excluded = {each["resource"]: each["mode"] for each in exclusions(backend).values()}
    allowed = excluded.get(subnet_id or "") or excluded.get(vpc_id)
    if allowed == "allow-bidirectional":
        mode = "off"
    elif allowed == "allow-egress" and mode == "block-bidirectional":
        mode = "block-ingress"
    return {"InternetGatewayBlockMode": mode}


@operation("ec2", "DescribeVpcBlockPublicAccessOptions")
def describe_options(call: Call) -> dict[str, Any]:
    return {"VpcBlockPublicAccessOptions": options(call.ec2) | {"AwsAccountId": call.account, "AwsRegion": call.region}}


@operation("ec2", "ModifyVpcBlockPublicAccessOptions")
def modify_options(call: Call) -> dict[str, Any]:
    mode = call.get("InternetGatewayBlockMode")
    if mode not in MODES:
        raise invalid(f"Value ({mode}) for parameter internetGatewayBlockMode is invalid.")
    options(call.ec2).update({"InternetGatewayBlockMode": mode, "State": "update-complete", "LastUpdateTimestamp": time.time()})
    return describe_options(call)


@operation("ec2", "CreateVpcBlockPublicAccessExclusion")
def create_exclusion(call: Call) -> dict[str, Any]:
    backend, mode = call.ec2, call.get("InternetGatewayExclusionMode")
    resource = call.get("SubnetId") or call.get("VpcId")
    if call.get("SubnetId"):
        find_subnet(backend, resource)
    elif resource not in backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{resource}' does not exist")
    if mode not in EXCLUSION_MODES:
        raise invalid(f"Value ({mode}) for parameter internetGatewayExclusionMode is invalid.")
    identifier = new_id("vpcbpa-exclude")
    exclusions(backend)[identifier] = {"id": identifier, "resource": resource, "mode": mode}
    tags.put(backend, identifier, tags.specified(call, "vpc-block-public-access-exclusion"))
    return {"VpcBlockPublicAccessExclusion": shown(call, exclusions(backend)[identifier])}


@operation("ec2", "DeleteVpcBlockPublicAccessExclusion")
def delete_exclusion(call: Call) -> dict[str, Any]:
    held = exclusions(call.ec2).pop(call.get("ExclusionId"), None)
    if held is None:
        raise AwsError("InvalidVpcBlockPublicAccessExclusionId.NotFound", f"The exclusion ID '{call.get('ExclusionId')}' does not exist")
    return {"VpcBlockPublicAccessExclusion": shown(call, held) | {"State": "delete-complete"}}


@operation("ec2", "DescribeVpcBlockPublicAccessExclusions")
def describe_exclusions(call: Call) -> dict[str, Any]:
    chosen = filters.by_id(call, "ExclusionIds", exclusions(call.ec2), "InvalidVpcBlockPublicAccessExclusionId.NotFound", "exclusion")
    chosen, more = paging.page(call, chosen, lambda each: each["id"], 5, 1000)
    return {"VpcBlockPublicAccessExclusions": [shown(call, each) for each in chosen], **more}


def shown(call: Call, held: dict[str, Any]) -> dict[str, Any]:
    kind = "subnet" if held["resource"].startswith("subnet-") else "vpc"
    return {"ExclusionId": held["id"], "InternetGatewayExclusionMode": held["mode"], "State": "create-complete",
            "ResourceArn": f"arn:aws:ec2:{call.region}:{call.account}:{kind}/{held['resource']}", "Tags": tags.shown(call.ec2, held["id"])}
