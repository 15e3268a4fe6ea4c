"""Tags of EC2 objects: looked up by ID, checked as AWS checks them."""

from collections.abc import Callable
from typing import Any

from . import filters, paging
from .errors import AwsError, invalid
from .registry import Call, operation

MAX_TAGS = 50

# prefix of the ID: resource type, error code if there is none, where moto keeps it
KINDS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "sg": ("security-group", "InvalidGroup.NotFound", lambda b: {i for g in b.groups.values() for i in g}),
    "vpc": ("vpc", "InvalidVpcID.NotFound", lambda b: b.vpcs),
    "subnet": ("subnet", "InvalidSubnetID.NotFound", lambda b: {i for z in b.subnets.values() for i in z}),
    "vpce": ("vpc-endpoint", "InvalidVpcEndpointId.NotFound", lambda b: b.vpc_end_points),
    "eni": ("network-interface", "InvalidNetworkInterfaceID.NotFound", lambda b: b.enis),
    "acl": ("network-acl", "InvalidNetworkAclID.NotFound", lambda b: b.network_acls),
    "rtb": ("route-table", "InvalidRouteTableID.NotFound", lambda b: b.route_tables),
    "nat": ("natgateway", "InvalidNatGatewayID.NotFound", lambda b: b.nat_gateways),
    "igw": ("internet-gateway", "InvalidInternetGatewayID.NotFound", lambda b: b.internet_gateways),
    "pcx": ("vpc-peering-connection", "InvalidVpcPeeringConnectionID.NotFound", lambda b: b.vpc_pcxs),
    "pl": ("prefix-list", "InvalidPrefixListID.NotFound", lambda b: b.managed_prefix_lists),
}
RULE = ("security-group-rule", "InvalidSecurityGroupRuleId.NotFound")


def make_moto_fast() -> None:
    """moto looks a tag up by walking over all of them; its own answers use this instead."""
    from moto.ec2.models.core import TaggedEC2Resource
    from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

    def get_tags(self: Any) -> list[dict[str, str]]:
        held = self.ec2_backend.tags.get(self.id) if self.id else None
        if not held:
            return []
        kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
        return [{"resource_id": self.id, "key": k, "value": v, "resource_type": kind} for k, v in held.items()]

    TaggedEC2Resource.get_tags = get_tags  # type: ignore[method-assign]


def of(backend: Any, identifier: str) -> dict[str, str]:
    return backend.tags.get(identifier) or {}


def shown(backend: Any, identifier: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in of(backend, identifier).items()]


def forget(backend: Any, identifier: str) -> None:
    backend.tags.pop(identifier, None)


def specified(call: Call, kind: str) -> dict[str, str]:
    """The tags that a create call gives to what it creates."""
    result: dict[str, str] = {}
    for each in call.get("TagSpecifications", []) or call.get("TagSpecification", []):
        if each.get("ResourceType") != kind:
            raise invalid(f"'{each.get('ResourceType')}' is not a valid taggable resource type for this operation.")
        result |= checked(each.get("Tags", []))
    return result


def checked(given: list[dict[str, str]]) -> dict[str, str]:
    result: dict[str, str] = {}
    for tag in given:
        key, value = tag.get("Key", ""), tag.get("Value") or ""
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
        if not 1 <= len(key) <= 128:
            raise invalid(f"Tag key length is out of range: {len(key)}")
        if len(value) > 256:
            raise invalid(f"Tag value exceeds the maximum length of 256 characters: {len(value)}")
        if key in result:
            raise invalid(f"Duplicate tag key '{key}' specified.")
        result[key] = value
    if len(result) > MAX_TAGS:
        raise too_many()
    return result


def put(backend: Any, identifier: str, tags: dict[str, str]) -> None:
    if not tags:
        return
    if len(of(backend, identifier).keys() | tags.keys()) > MAX_TAGS:
        raise too_many()
    backend.tags[identifier].update(tags)


def too_many() -> AwsError:
    return AwsError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


@operation("ec2", "CreateTags")
def create_tags(call: Call) -> None:
    wanted = checked(call.get("Tags", []))
    if not wanted:
        raise AwsError("MissingParameter", "The request must contain the parameter Tag")
    resources = call.get("Resources", [])
    for identifier in resources:
        must_exist(call, identifier)
        if len(of(call.ec2, identifier).keys() | wanted.keys()) > MAX_TAGS:
            raise too_many()
    for identifier in resources:
        put(call.ec2, identifier, wanted)


@operation("ec2", "DeleteTags")
def delete_tags(call: Call) -> None:
    resources = call.get("Resources", [])
    for identifier in resources:
        must_exist(call, identifier)
    for identifier in resources:
        held = call.ec2.tags.get(identifier, {})
        for tag in call.get("Tags", []) or [{"Key": key} for key in list(held) if not key.startswith("aws:")]:
            if tag["Key"] in held and tag.get("Value") in (None, held[tag["Key"]]):
                del held[tag["Key"]]


@operation("ec2", "DescribeTags")
def describe_tags(call: Call) -> dict[str, Any]:
    rows = [
        {"ResourceId": identifier, "ResourceType": kind_of(identifier), "Key": key, "Value": value}
        for identifier, held in call.ec2.tags.items() for key, value in held.items()
    ]
    getters = {"key": "Key", "value": "Value", "resource-id": "ResourceId", "resource-type": "ResourceType"}
    rows = filters.apply(call, rows, {name: (lambda row, f=f: row[f]) for name, f in getters.items()}, None)
    rows, more = paging.page(call, rows, lambda row: f"{row['ResourceId']} {row['Key']}", 5, 1000)
    return {"Tags": rows, **more}


def kind_of(identifier: str) -> str:
    prefix = identifier.split("-")[0]
    return RULE[0] if prefix == "sgr" else KINDS[prefix][0] if prefix in KINDS else "*"


def must_exist(call: Call, identifier: str) -> None:
    from .ec2.rules import find_rule

    prefix = identifier.split("-")[0]
    if prefix == "sgr":
        exists, code = find_rule(call.ec2, identifier) is not None, RULE[1]
    elif prefix in KINDS:
        kind, code, held = KINDS[prefix]
        exists = identifier in held(call.ec2)
    elif "-" in identifier:
        return  # a kind that only moto knows
    else:
        raise AwsError("InvalidID", f"The ID '{identifier}' is not valid")
    if not exists:
        raise AwsError(code, f"The ID '{identifier}' does not exist")
