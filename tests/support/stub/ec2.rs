//! EC2's reads.

use std::collections::HashSet;

use super::{
    ACCOUNT, Answer, Fault, Form, Outcome,
    form::page,
    unknown,
    world::{CIDR, Endpoint, Group, Ids, Peer, Rule, World},
    xml::Xml,
};

/// Most rows of a page, and of the pages that EC2 keeps smaller.
const PAGE: usize = 1000;
const SMALL_PAGE: usize = 100;
const ZONES: [&str; 2] = ["us-west-2a", "us-west-2b"];

type Filters<'a> = [(&'a str, HashSet<&'a str>)];

/// Whether a row passes: `field` gives its values for a filter's name, none where EC2 has no such filter.
fn passes(filters: &Filters<'_>, field: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, Fault> {
    for (name, values) in filters {
        let own = field(name).ok_or_else(|| Fault(400, "InvalidParameterValue", format!("the stub does not know the filter {name}")))?;
        if !own.iter().any(|v| values.contains(v.as_str())) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub fn respond(world: &World, name: &str, form: &Form) -> Outcome {
    let filters = form.filters("Filter")?;
    match name {
        "DescribeSecurityGroups" => {
            let field = |g: &&Group, f: &str| match f {
                "group-id" => Some(vec![g.id.clone()]),
                "vpc-id" => Some(vec![g.vpc.clone()]),
                "group-name" => Some(vec![g.name.clone()]),
                _ => tag_field(&g.tags, f),
            };
            rows(form, name, "securityGroupInfo", world.groups.values(), &filters, PAGE, field, |x, g| group(x, g, world))
        }
        "DescribeSecurityGroupRules" => {
            let field = |r: &&Rule, f: &str| match f {
                "group-id" => Some(vec![r.group.clone()]),
                "security-group-rule-id" => Some(vec![r.id.clone()]),
                _ => tag_field(&r.tags, f),
            };
            // By group the rows of others need not be looked at.
            let by_group = filters.iter().find(|(name, _)| *name == "group-id");
            let chosen: Vec<&Rule> = match by_group {
                Some((_, groups)) => {
                    let mut groups: Vec<_> = groups.iter().collect();
                    groups.sort();
                    groups.into_iter().filter_map(|g| world.rules.get(*g)).flatten().collect()
                }
                None => world.rules.values().flatten().collect(),
            };
            rows(form, name, "securityGroupRuleSet", chosen, &filters, PAGE, field, rule)
        }
        "DescribeVpcEndpoints" => {
            let field = |e: &&Endpoint, f: &str| match f {
                "vpc-endpoint-id" => Some(vec![e.id.clone()]),
                "vpc-id" => Some(vec![e.vpc.clone()]),
                "service-name" => Some(vec![e.service.clone()]),
                _ => tag_field(&e.tags, f),
            };
            rows(form, name, "vpcEndpointSet", world.endpoints.values(), &filters, PAGE, field, |x, e| endpoint(x, e, world))
        }
        "DescribeVpcs" => {
            topologies(form, name, "vpcSet", world, &filters, PAGE, &["vpc-id"], |i| vec![(i, i.vpc())], |x, (_, id)| vpc(x, &id))
        }
        "DescribeVpcAttribute" => attribute(form),
        "DescribeSubnets" => {
            let each = |i: Ids| i.subnets().into_iter().enumerate().map(|(n, id)| ((i, n), id)).collect();
            topologies(form, name, "subnetSet", world, &filters, PAGE, &["vpc-id", "subnet-id"], each, |x, ((i, n), id)| {
                subnet(x, i, n, &id)
            })
        }
        "DescribeRouteTables" => {
            let each = |i: Ids| i.route_tables().into_iter().enumerate().map(|(n, id)| ((i, n), id)).collect();
            let keys = &["vpc-id", "route-table-id"];
            topologies(form, name, "routeTableSet", world, &filters, SMALL_PAGE, keys, each, |x, ((i, n), id)| route_table(x, i, n, &id))
        }
        "DescribeNetworkAcls" => {
            let keys = &["vpc-id", "network-acl-id"];
            topologies(form, name, "networkAclSet", world, &filters, PAGE, keys, |i| vec![(i, i.acl())], |x, (i, id)| acl(x, i, &id))
        }
        "DescribeVpcEndpointServices" => {
            let mut x = Xml::default();
            x.items("serviceDetailSet", [()], |x, ()| service(x, world));
            Ok(envelope(name, x, 1))
        }
        "DescribeNetworkInterfaces" => {
            let field = |(id, e, s): &(String, &Endpoint, &String), f: &str| match f {
                "network-interface-id" => Some(vec![id.clone()]),
                "group-id" => Some(e.groups.clone()),
                "subnet-id" => Some(vec![(*s).clone()]),
                _ => None,
            };
            rows(form, name, "networkInterfaceSet", world.interfaces(), &filters, PAGE, field, interface)
        }
        // There are none.
        "DescribeNatGateways" => nothing(name, "natGatewaySet"),
        "DescribeInternetGateways" => nothing(name, "internetGatewaySet"),
        "DescribeVpcPeeringConnections" => nothing(name, "vpcPeeringConnectionSet"),
        "DescribeTransitGatewayVpcAttachments" => nothing(name, "transitGatewayVpcAttachments"),
        "DescribeManagedPrefixLists" => nothing(name, "prefixListSet"),
        _ => Err(unknown(name)),
    }
}

fn tag_field(tags: &dmsnet::model::Tags, filter: &str) -> Option<Vec<String>> {
    let key = filter.strip_prefix("tag:")?;
    Some(tags.get(key).cloned().into_iter().collect())
}

pub fn envelope(name: &str, inner: Xml, rows: usize) -> Answer {
    let mut x = Xml::default();
    x.node(&format!("{name}Response"), |x| {
        x.text("requestId", "00000000-0000-0000-0000-000000000000");
        x.0.push_str(&inner.0);
    });
    Answer { body: x.0, rows }
}

fn nothing(name: &str, set: &str) -> Outcome {
    let mut x = Xml::default();
    x.items(set, Vec::<()>::new(), |_, ()| {});
    Ok(envelope(name, x, 0))
}

#[allow(clippy::too_many_arguments)]
fn rows<T>(
    form: &Form,
    name: &str,
    set: &str,
    all: impl IntoIterator<Item = T>,
    filters: &Filters<'_>,
    most: usize,
    field: impl Fn(&T, &str) -> Option<Vec<String>>,
    mut write: impl FnMut(&mut Xml, T),
) -> Outcome {
    let mut chosen = Vec::new();
    for row in all {
        if passes(filters, |f| field(&row, f))? {
            chosen.push(row);
        }
    }
    let size = form.get("MaxResults").and_then(|s| s.parse().ok());
    let (chosen, next) = page(chosen, form.get("NextToken"), size, most)?;
    let count = chosen.len();
    let mut x = Xml::default();
    x.items(set, chosen, |x, row| write(x, row));
    if let Some(next) = next {
        x.text("nextToken", next);
    }
    Ok(envelope(name, x, count))
}

/// Objects that every topology has and that nobody writes: made up when they are asked for.
#[allow(clippy::too_many_arguments)]
fn topologies<T>(
    form: &Form,
    name: &str,
    set: &str,
    world: &World,
    filters: &Filters<'_>,
    most: usize,
    keys: &[&str],
    each: impl Fn(Ids) -> Vec<(T, String)>,
    write: impl FnMut(&mut Xml, (T, String)),
) -> Outcome {
    let all = (0..world.topologies).map(Ids).flat_map(|i| each(i).into_iter().map(move |row| (i, row)));
    let field = |(i, (_, id)): &(Ids, (T, String)), f: &str| {
        let known = keys.contains(&f);
        known.then(|| vec![if f == "vpc-id" { i.vpc() } else { id.clone() }])
    };
    let mut write = write;
    rows(form, name, set, all, filters, most, field, |x, (_, row)| write(x, row))
}

fn group(x: &mut Xml, g: &Group, world: &World) {
    x.text("ownerId", ACCOUNT);
    x.text("groupId", &g.id);
    x.text("groupName", &g.name);
    x.text("groupDescription", &g.name);
    x.text("vpcId", &g.vpc);
    // AWS tells the rules here, too.
    let rules = world.rules.get(&g.id).map_or(&[][..], Vec::as_slice);
    for (set, egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        x.items(set, rules.iter().filter(|r| r.egress == egress), |x, r| {
            x.text("ipProtocol", &r.protocol);
            if r.protocol != "-1" {
                x.text("fromPort", r.from);
                x.text("toPort", r.to);
            }
            match &r.peer {
                Peer::Group(id) => x.items("groups", [id], |x, id| {
                    x.text("userId", ACCOUNT);
                    x.text("groupId", id);
                }),
                Peer::Cidr(cidr) => x.items("ipRanges", [cidr], |x, cidr| x.text("cidrIp", cidr)),
            }
        });
    }
    x.tags(&g.tags);
}

pub fn rule(x: &mut Xml, r: &Rule) {
    x.text("securityGroupRuleId", &r.id);
    x.text("groupId", &r.group);
    x.text("groupOwnerId", ACCOUNT);
    x.text("isEgress", r.egress);
    x.text("ipProtocol", &r.protocol);
    x.text("fromPort", r.from);
    x.text("toPort", r.to);
    match &r.peer {
        Peer::Group(id) => x.node("referencedGroupInfo", |x| {
            x.text("groupId", id);
            x.text("userId", ACCOUNT);
        }),
        Peer::Cidr(cidr) => x.text("cidrIpv4", cidr),
    }
    if !r.description.is_empty() {
        x.text("description", &r.description);
    }
    x.tags(&r.tags);
}

fn interface(x: &mut Xml, (id, e, subnet): (String, &Endpoint, &String)) {
    x.text("networkInterfaceId", id);
    x.text("subnetId", subnet);
    x.text("vpcId", &e.vpc);
    x.text("description", format!("VPC Endpoint Interface {}", e.id));
    x.text("interfaceType", "vpc_endpoint");
    x.text("requesterManaged", true);
    x.text("status", "in-use");
    x.items("groupSet", &e.groups, |x, id| x.text("groupId", id));
}

pub fn endpoint(x: &mut Xml, e: &Endpoint, world: &World) {
    let state = match e.gone_at {
        Some(_) => "deleting",
        None if e.available_at > world.now => "pending",
        None => "available",
    };
    x.text("vpcEndpointId", &e.id);
    x.text("vpcEndpointType", "Interface");
    x.text("vpcId", &e.vpc);
    x.text("serviceName", &e.service);
    x.text("state", state);
    x.text("policyDocument", &e.policy);
    x.items("routeTableIdSet", Vec::<()>::new(), |_, ()| {});
    x.items("subnetIdSet", &e.subnets, |x, id| x.0.push_str(id));
    x.items("groupSet", &e.groups, |x, id| {
        x.text("groupId", id);
        x.text("groupName", "of the endpoint");
    });
    x.text("ipAddressType", "ipv4");
    x.text("privateDnsEnabled", e.private_dns);
    x.text("requesterManaged", false);
    let region = &world.region;
    x.items("networkInterfaceIdSet", e.interfaces(), |x, (id, _)| x.0.push_str(&id));
    let dns = format!("{}-abcdefgh.dms.{region}.vpce.amazonaws.com", e.id);
    let zonal = ZONES.map(|z| format!("{}-abcdefgh-{z}.dms.{region}.vpce.amazonaws.com", e.id));
    let private = e.private_dns.then(|| format!("dms.{region}.amazonaws.com"));
    x.items("dnsEntrySet", [dns].into_iter().chain(zonal).chain(private), |x, name| {
        x.text("dnsName", name);
        x.text("hostedZoneId", "Z1YSA3EXCYUU9Z");
    });
    x.text("creationTimestamp", "2026-01-01T00:00:00.000Z");
    x.tags(&e.tags);
    x.text("ownerId", ACCOUNT);
}

fn vpc(x: &mut Xml, id: &str) {
    x.text("vpcId", id);
    x.text("ownerId", ACCOUNT);
    x.text("state", "available");
    x.text("cidrBlock", CIDR);
    x.items("cidrBlockAssociationSet", [()], |x, ()| {
        x.text("associationId", "vpc-cidr-assoc-00000001");
        x.text("cidrBlock", CIDR);
        x.node("cidrBlockState", |x| x.text("state", "associated"));
    });
    x.text("isDefault", false);
}

fn attribute(form: &Form) -> Outcome {
    let name = if form.get("Attribute") == Some("enableDnsHostnames") { "enableDnsHostnames" } else { "enableDnsSupport" };
    let mut x = Xml::default();
    x.text("vpcId", form.get("VpcId").unwrap_or_default());
    x.node(name, |x| x.text("value", true));
    Ok(envelope("DescribeVpcAttribute", x, 1))
}

fn subnet(x: &mut Xml, i: Ids, n: usize, id: &str) {
    x.text("subnetId", id);
    x.text("vpcId", i.vpc());
    x.text("ownerId", ACCOUNT);
    x.text("state", "available");
    x.text("cidrBlock", format!("10.0.{}.0/24", n + 1));
    x.text("availabilityZone", ZONES[n % 2]);
    x.text("availableIpAddressCount", 250);
    x.text("mapPublicIpOnLaunch", false);
}

fn route_table(x: &mut Xml, i: Ids, n: usize, id: &str) {
    x.text("routeTableId", id);
    x.text("vpcId", i.vpc());
    x.text("ownerId", ACCOUNT);
    x.items("routeSet", [()], |x, ()| {
        x.text("destinationCidrBlock", CIDR);
        x.text("gatewayId", "local");
        x.text("state", "active");
        x.text("origin", "CreateRouteTable");
    });
    let subnets = i.subnets();
    let own: Vec<Option<&String>> = match n {
        0 => vec![None],
        n => subnets[2 * (n - 1)..2 * n].iter().map(Some).collect(),
    };
    x.items("associationSet", own, |x, subnet| {
        x.text("routeTableAssociationId", "rtbassoc-00000001");
        x.text("routeTableId", id);
        if let Some(subnet) = subnet {
            x.text("subnetId", subnet);
        }
        x.text("main", subnet.is_none());
        x.node("associationState", |x| x.text("state", "associated"));
    });
}

fn acl(x: &mut Xml, i: Ids, id: &str) {
    x.text("networkAclId", id);
    x.text("vpcId", i.vpc());
    x.text("ownerId", ACCOUNT);
    x.text("default", true);
    let entries = [(100, false, "allow"), (32767, false, "deny"), (100, true, "allow"), (32767, true, "deny")];
    x.items("entrySet", entries, |x, (number, egress, action)| {
        x.text("ruleNumber", number);
        x.text("protocol", "-1");
        x.text("ruleAction", action);
        x.text("egress", egress);
        x.text("cidrBlock", "0.0.0.0/0");
    });
    x.items("associationSet", i.subnets(), |x, subnet| {
        x.text("networkAclAssociationId", "aclassoc-00000001");
        x.text("networkAclId", id);
        x.text("subnetId", subnet);
    });
}

fn service(x: &mut Xml, world: &World) {
    x.text("serviceName", world.service());
    x.text("serviceId", "vpce-svc-00000001");
    x.items("serviceType", [()], |x, ()| x.text("serviceType", "Interface"));
    x.items("availabilityZoneSet", ZONES, |x, zone| x.0.push_str(zone));
    x.text("owner", "amazon");
    x.text("privateDnsName", format!("dms.{}.amazonaws.com", world.region));
    x.text("vpcEndpointPolicySupported", true);
    x.text("acceptanceRequired", false);
}
