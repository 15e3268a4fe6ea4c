"""All that matters of an account and Region, in one canonical form: equal dumps mean that AWS is as before.

What changes by itself is left out: creation times, counters, and interfaces of services that wait to be removed.
"""

from typing import Any

from . import tags
from .dms.store import store_of
from .ec2.network_acls import entries_of, shown_entry
from .ec2.network_interfaces import shown_interface
from .ec2.routes import shown_route
from .ec2.rules import Rule, all_groups, rules_of
from .ec2.vpc_endpoints import dns_entries
from .registry import Call


def dump(account: str, region: str) -> dict[str, Any]:
    call = Call("", "", region, account)
    backend = call.ec2
    return {
        "account": account, "region": region,
        "vpcs": by_key({vpc.id: vpc_state(backend, vpc) for vpc in backend.vpcs.values()}),
        "subnets": by_key({
            subnet.id: {"vpc": subnet.vpc_id, "cidr": subnet.cidr_block, "zone": subnet.availability_zone, "tags": tagged(backend, subnet.id)}
            for held in backend.subnets.values() for subnet in held.values()
        }),
        "securityGroups": by_key({group.id: group_state(backend, group) for group in all_groups(backend).values()}),
        "vpcEndpoints": by_key({e.id: endpoint_state(backend, e) for e in backend.vpc_end_points.values()}),
        "networkInterfaces": by_key({eni.id: interface_state(backend, eni) for eni in backend.enis.values()}),
        "networkAcls": by_key({acl.id: acl_state(backend, acl) for acl in backend.network_acls.values()}),
        "routeTables": by_key({table.id: table_state(backend, table) for table in backend.route_tables.values()}),
        "natGateways": by_key({g.id: {"state": g.state, "publicIps": [a.public_ip for a in g.addresses], "tags": tagged(backend, g.id)}
                               for g in backend.nat_gateways.values()}),
        "peerings": by_key({p.id: {"status": p._status.code, "requester": p.requester_options, "accepter": p.accepter_options}
                            for p in backend.vpc_pcxs.values()}),
        "dms": dms_state(call),
    }


def by_key(items: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(items.items()))


def tagged(backend: Any, identifier: str) -> dict[str, str]:
    return by_key(tags.of(backend, identifier))


def vpc_state(backend: Any, vpc: Any) -> dict[str, Any]:
    return {"cidrs": sorted(each["cidr_block"] for each in vpc._cidr_block_association_set.values()),
            "dnsSupport": str(vpc.enable_dns_support).lower(), "dnsHostnames": str(vpc.enable_dns_hostnames).lower(),
            "tags": tagged(backend, vpc.id)}


def group_state(backend: Any, group: Any) -> dict[str, Any]:
    return {"name": group.name, "description": group.description, "vpc": group.vpc_id, "tags": tagged(backend, group.id),
            "ingress": rules_state(backend, rules_of(group, False)), "egress": rules_state(backend, rules_of(group, True))}


def rules_state(backend: Any, rules: list[Rule]) -> dict[str, Any]:
    return by_key({
        rule.id: {"protocol": rule.protocol, "from": rule.from_port, "to": rule.to_port, "kind": rule.kind, "peer": rule.peer,
                  "description": rule.description, "tags": tagged(backend, rule.id)}
        for rule in rules
    })


def endpoint_state(backend: Any, endpoint: Any) -> dict[str, Any]:
    return {"service": endpoint.service.name, "type": endpoint.service.kind, "vpc": endpoint.vpc_id, "state": endpoint.state,
            "subnets": sorted(endpoint.subnets), "groups": sorted(endpoint.group_ids), "routeTables": sorted(endpoint.route_table_ids),
            "policy": endpoint.policy, "privateDns": endpoint.private_dns, "ipAddressType": endpoint.ip_address_type,
            "dnsNames": [entry["DnsName"] for entry in dns_entries(backend, endpoint)], "tags": tagged(backend, endpoint.id)}


def interface_state(backend: Any, eni: Any) -> dict[str, Any]:
    shown = shown_interface(backend, eni)
    return {"subnet": shown["SubnetId"], "address": shown["PrivateIpAddress"], "type": shown["InterfaceType"], "description": shown["Description"],
            "groups": sorted(each["GroupId"] for each in shown["Groups"]), "sourceDestCheck": shown["SourceDestCheck"],
            "tags": tagged(backend, eni.id)}


def acl_state(backend: Any, acl: Any) -> dict[str, Any]:
    entries = [{k: v for k, v in shown_entry(entry).items() if v is not None} for entry in entries_of(acl)]
    return {"vpc": acl.vpc_id, "default": acl.default, "subnets": sorted(a.subnet_id for a in acl._associations.values()),
            "entries": entries, "tags": tagged(backend, acl.id)}


def table_state(backend: Any, table: Any) -> dict[str, Any]:
    routes = sorted((shown_route(backend, route) for route in table.routes), key=lambda r: sorted(r.items()))
    return {"vpc": table.vpc_id, "main": table.main_association_id is not None,
            "subnets": sorted(target for target in table._associations.values()), "routes": routes, "tags": tagged(backend, table.id)}


def dms_state(call: Call) -> dict[str, Any]:
    store = store_of(call)
    return {
        "instances": by_key({i.identifier: {"status": i.status, "groups": sorted(i.group_ids), "subnetGroup": i.subnet_group.identifier}
                             for i in store.instances.values()}),
        "subnetGroups": by_key({name: sorted(group.subnet_ids) for name, group in store.subnet_groups.items()}),
        "endpoints": by_key({e["EndpointIdentifier"]: {k: e.get(k) for k in ("EngineName", "ServerName", "Port")} for e in store.endpoints.values()}),
        "replicationConfigs": sorted(c["ReplicationConfigIdentifier"] for c in store.configs.values()),
    }
