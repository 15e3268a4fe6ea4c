"""Internet gateways and managed prefix lists: moto keeps them, this shows them."""

from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError
from ..registry import Call, operation


@operation("ec2", "DescribeInternetGateways")
def describe_internet_gateways(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = filters.by_id(call, "InternetGatewayIds", backend.internet_gateways, "InvalidInternetGatewayID.NotFound", "internetGateway")
    chosen = filters.apply(call, chosen, {
        "internet-gateway-id": lambda gateway: gateway.id,
        "attachment.vpc-id": lambda gateway: gateway.vpc.id if gateway.vpc else None,
        "attachment.state": lambda gateway: "available" if gateway.vpc else None,
        "owner-id": lambda gateway: backend.account_id,
    }, lambda gateway: tags.of(backend, gateway.id))
    chosen, more = paging.page(call, chosen, lambda gateway: gateway.id, 5, 1000)
    return {"InternetGateways": [
        {"InternetGatewayId": gateway.id, "OwnerId": backend.account_id, "Tags": tags.shown(backend, gateway.id),
         "Attachments": [{"VpcId": gateway.vpc.id, "State": "available"}] if gateway.vpc else []}
        for gateway in chosen
    ], **more}


@operation("ec2", "DescribeManagedPrefixLists")
def describe_prefix_lists(call: Call) -> dict[str, Any]:
    backend = call.ec2
    present = {k: v for k, v in backend.managed_prefix_lists.items() if v.state != "delete-complete"}
    chosen = filters.by_id(call, "PrefixListIds", present, "InvalidPrefixListID.NotFound", "prefix list")
    chosen = filters.apply(call, chosen, {
        "prefix-list-id": lambda listed: listed.id, "prefix-list-name": lambda listed: listed.prefix_list_name,
        "owner-id": lambda listed: listed.owner_id,
    }, lambda listed: tags.of(backend, listed.id))
    chosen, more = paging.page(call, chosen, lambda listed: listed.id, 1, 100)
    return {"PrefixLists": [
        {"PrefixListId": listed.id, "PrefixListName": listed.prefix_list_name, "AddressFamily": listed.address_family,
         "MaxEntries": listed.max_entries, "Version": listed.version, "OwnerId": listed.owner_id, "State": listed.state,
         "PrefixListArn": listed.prefix_list_arn, "Tags": tags.shown(backend, listed.id)}
        for listed in chosen
    ], **more}


@operation("ec2", "GetManagedPrefixListEntries")
def get_entries(call: Call) -> dict[str, Any]:
    listed = call.ec2.managed_prefix_lists.get(call.get("PrefixListId"))
    if listed is None or listed.state == "delete-complete":
        raise AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{call.get('PrefixListId')}' does not exist")
    version = call.get("TargetVersion") or listed.version or 1
    if listed.entries and version not in listed.entries:
        raise AwsError("InvalidPrefixListVersion", f"The prefix list {listed.id} has no version {version}")
    entries, more = paging.page(call, list(listed.entries.get(version) or []), lambda entry: entry["Cidr"], 1, 100)
    return {"Entries": [{"Cidr": e["Cidr"], "Description": e.get("Description")} for e in entries], **more}
