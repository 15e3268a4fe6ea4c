"""VPC endpoints: what one is, how it is shown, and the reads."""

import json
import random
import string
import time
from dataclasses import dataclass, field
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError
from ..registry import Call, operation
from .endpoint_services import Service
from .rules import find_group, new_id

FULL_ACCESS = {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}
ZONE_IDS = {"regional": "Z1YSA3EXCYUU9Z", "private": "Z01EMULATORPRIVATE"}


@dataclass
class Endpoint:
    """Kept in moto's `vpc_end_points`, from creation until it is gone."""

    service: Service
    vpc_id: str
    subnets: dict[str, str] = field(default_factory=dict)      # subnet ID -> interface ID
    zones: dict[str, str] = field(default_factory=dict)        # subnet ID -> zone
    group_ids: list[str] = field(default_factory=list)
    route_table_ids: list[str] = field(default_factory=list)
    policy: Any = None
    private_dns: bool = False
    ip_address_type: str = "ipv4"
    record_type: str = "ipv4"
    state: str = "pending"
    id: str = field(default_factory=lambda: new_id("vpce"))
    suffix: str = field(default_factory=lambda: "".join(random.choices(string.ascii_lowercase + string.digits, k=8)))
    created: float = field(default_factory=time.time)
    last_error: dict[str, str] | None = None
    final_tags: dict[str, str] | None = None                   # of a deleted one, for whoever repeats its token

    @property
    def vpc_endpoint_type(self) -> str:  # asked by moto
        return self.service.kind


def get_endpoint(backend: Any, identifier: str) -> Endpoint:
    endpoint = backend.vpc_end_points.get(identifier)
    if endpoint is None:
        if not identifier.startswith("vpce-"):
            raise AwsError("InvalidVpcEndpointId.Malformed", f"Invalid Id: '{identifier}' (expecting 'vpce-...')")
        raise AwsError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{identifier}' does not exist")
    return endpoint


def policy_text(policy: Any) -> str:
    """AWS writes a policy anew: line breaks, and a blank after each comma."""
    return json.dumps(policy, indent=2, separators=(", ", " : "))


def dns_entries(backend: Any, endpoint: Endpoint) -> list[dict[str, str]]:
    """First the Regional name, then one per zone, then the service's own name if private DNS is on."""
    if endpoint.service.kind != "Interface":
        return []
    star = "*." if endpoint.service.short == "s3" else ""
    head, tail = f"{endpoint.id}-{endpoint.suffix}", f"{endpoint.service.short}.{backend.region_name}.vpce.amazonaws.com"
    names = [f"{star}{head}.{tail}"] + [f"{star}{head}-{zone}.{tail}" for zone in sorted(endpoint.zones.values())]
    entries = [{"DnsName": name, "HostedZoneId": ZONE_IDS["regional"]} for name in names]
    if endpoint.private_dns:
        entries.append({"DnsName": endpoint.service.private_dns or "", "HostedZoneId": ZONE_IDS["private"]})
    return entries


def shown_endpoint(backend: Any, endpoint: Endpoint) -> dict[str, Any]:
    interface = endpoint.service.kind == "Interface"
    held = tags.of(backend, endpoint.id) if endpoint.final_tags is None else endpoint.final_tags
    shown: dict[str, Any] = {
        "VpcEndpointId": endpoint.id, "VpcEndpointType": endpoint.service.kind, "VpcId": endpoint.vpc_id,
        "ServiceName": endpoint.service.name, "State": endpoint.state, "PolicyDocument": policy_text(endpoint.policy),
        "RouteTableIds": endpoint.route_table_ids, "SubnetIds": list(endpoint.subnets),
        "Groups": [{"GroupId": each, "GroupName": group_name(backend, each)} for each in endpoint.group_ids],
        "PrivateDnsEnabled": endpoint.private_dns, "RequesterManaged": False,
        "NetworkInterfaceIds": list(endpoint.subnets.values()), "DnsEntries": dns_entries(backend, endpoint),
        "CreationTimestamp": endpoint.created, "Tags": [{"Key": k, "Value": v} for k, v in held.items()],
        "OwnerId": backend.account_id, "ServiceRegion": backend.region_name, "LastError": endpoint.last_error,
    }
    if interface:
        shown["IpAddressType"] = endpoint.ip_address_type
        shown["DnsOptions"] = {"DnsRecordIpType": endpoint.record_type}
    return shown


def group_name(backend: Any, identifier: str) -> str:
    group = find_group(backend, identifier)
    return group.name if group else ""


@operation("ec2", "DescribeVpcEndpoints")
def describe_endpoints(call: Call) -> dict[str, Any]:
    backend = call.ec2
    if wanted := call.get("VpcEndpointIds"):
        chosen = [get_endpoint(backend, identifier) for identifier in dict.fromkeys(wanted)]
    else:
        chosen = list(backend.vpc_end_points.values())
    chosen = filters.apply(call, chosen, GETTERS, lambda endpoint: tags.of(backend, endpoint.id))
    chosen, more = paging.page(call, chosen, lambda endpoint: endpoint.id, 1, 1000)
    return {"VpcEndpoints": [shown_endpoint(backend, endpoint) for endpoint in chosen], **more}


GETTERS = {
    "vpc-endpoint-id": lambda endpoint: endpoint.id,
    "vpc-id": lambda endpoint: endpoint.vpc_id,
    "service-name": lambda endpoint: endpoint.service.name,
    "service-region": lambda endpoint: endpoint.service.region,
    "vpc-endpoint-state": lambda endpoint: endpoint.state,
    "vpc-endpoint-type": lambda endpoint: endpoint.service.kind,
    "ip-address-type": lambda endpoint: endpoint.ip_address_type,
}
