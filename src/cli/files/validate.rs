//! What an API server would refuse by the rules of the CRDs, where it is not already a problem of the plan: names,
//! IDs, CIDRs, durations. The messages are those of the CRDs.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use kube::ResourceExt;

use super::tree::{Field, Node};
use crate::{
    api::{
        DmsNetwork, DmsNetworkClass,
        class::NamespacesFrom,
        network::{HostPort, Path},
    },
    model::Ports,
};

/// Fields, and what is wrong with each.
type Wrong = Vec<(Field, String)>;

/// Checks a class.
pub(super) fn class(class: &DmsNetworkClass, node: &Node) -> Wrong {
    let mut check = Check::default();
    check.object_name(&class.name_any());
    let spec = Field::of("spec");
    check.that(is_region(&class.spec.region), &spec.key("region"), || "must be the code of an AWS Region, such as us-west-2".into());
    if let Some(account) = &class.spec.account_id {
        check.that(is_account(account), &spec.key("accountId"), || "must be an AWS account ID: 12 digits, in quotes".into());
    }
    if let Some(role) = &class.spec.assume_role {
        let field = spec.key("assumeRole").key("roleArn");
        let parts: Vec<&str> = role.role_arn.splitn(6, ':').collect();
        let fits = matches!(parts.as_slice(), ["arn", partition, "iam", "", account, name]
            if partition.starts_with("aws") && is_account(account) && name.len() > 5 && name.starts_with("role/"));
        check.that(fits, &field, || "must be the ARN of an IAM role, such as arn:aws:iam::111122223333:role/dmsnet".into());
        let same = class.spec.account_id.as_ref().is_none_or(|a| parts.get(4) == Some(&a.as_str()));
        check.that(!fits || same, &spec.key("accountId"), || "must be the account of assumeRole.roleArn".into());
    }
    if let Some(url) = &class.spec.endpoint_url {
        check.that(is_base_url(url), &spec.key("endpointUrl"), || {
            "must be an http or https URL of a host and port alone, such as http://127.0.0.1:5000".into()
        });
    }
    check.interval(&spec, class.spec.resync_interval.as_deref());
    let allowed = spec.key("allowedNamespaces");
    let selector = class.spec.allowed_namespaces.selector.as_ref();
    let selects = selector.is_some_and(|s| {
        s.match_labels.as_ref().is_some_and(|l| !l.is_empty()) || s.match_expressions.as_ref().is_some_and(|e| !e.is_empty())
    });
    match class.spec.allowed_namespaces.from {
        NamespacesFrom::Selector => check.that(selects, &allowed, || "from: Selector needs a selector of namespace labels".into()),
        NamespacesFrom::All => {
            check.that(selector.is_none(), &allowed, || "from: All takes no selector: remove it, or set from to Selector".into())
        }
    }
    for key in class.spec.tags.keys() {
        let field = spec.key("tags").key(key);
        check.that(!key.to_ascii_lowercase().starts_with("aws:"), &field, || {
            "a tag's key must not start with aws: (AWS keeps that prefix to itself)".into()
        });
        check.that(!key.starts_with("dmsnet.dev/"), &field, || {
            "a tag's key must not start with dmsnet.dev/ (dmsnet sets those tags itself)".into()
        });
    }
    check.guardrails(class, node);
    check.0
}

/// Checks a network.
pub(super) fn network(network: &DmsNetwork) -> Wrong {
    let mut check = Check::default();
    check.object_name(&network.name_any());
    check.that(is_label(&network.namespace().unwrap_or_default()), &Field::of("metadata.namespace"), || {
        "must be a namespace: at most 63 lower-case letters, digits and hyphens".into()
    });
    let spec = Field::of("spec");
    check.interval(&spec, network.spec.resync_interval.as_deref());
    let replication = spec.key("replication");
    check.ids(&replication, "securityGroupId", "sg", network.spec.replication.security_group_id.as_slice());
    if let Some(placement) = &network.spec.replication.placement {
        let field = replication.key("placement");
        check.ids(&field, "subnetIds", "subnet", &placement.subnet_ids);
        check.ids(&field, "securityGroupIds", "sg", &placement.security_group_ids);
    }
    for (i, database) in network.spec.databases.iter().enumerate() {
        let field = spec.key("databases").index(i);
        check.entry_name(&field, &database.name);
        check.ids(&field, "securityGroupId", "sg", database.security_group_id.as_slice());
        check.ids(&field, "subnetIds", "subnet", &database.subnet_ids);
        check.hosts(&field.key("extraEndpoints"), &database.extra_endpoints);
        check.path(&field.key("path"), &database.path);
        if let Some(address) = &database.address {
            let field = field.key("address");
            check.hosts(&field.key("endpoints"), &address.endpoints);
            check.that(!address.endpoints.is_empty(), &field, || "must name at least one host under endpoints".into());
        }
    }
    let mut names = BTreeMap::new();
    for (i, endpoint) in network.spec.vpc_endpoints.iter().enumerate() {
        let field = spec.key("vpcEndpoints").index(i);
        check.entry_name(&field, &endpoint.name);
        let first = names.insert(endpoint.name.as_str(), i);
        check.that(first.is_none(), &field.key("name"), || format!("two VPC endpoints are named {:?}: rename one", endpoint.name));
        check.service(&field.key("service"), &endpoint.service);
        check.ids(&field, "vpcId", "vpc", endpoint.vpc_id.as_slice());
        check.ids(&field, "vpcEndpointId", "vpce", endpoint.vpc_endpoint_id.as_slice());
        check.ids(&field, "subnetIds", "subnet", &endpoint.subnet_ids);
        check.ids(&field, "securityGroupIds", "sg", &endpoint.security_group_ids);
        for (j, from) in endpoint.allow_from.iter().enumerate() {
            let field = field.key("allowFrom").index(j);
            check.ids(&field, "securityGroupId", "sg", from.security_group_id.as_slice());
            check.ids(&field, "prefixListId", "pl", from.prefix_list_id.as_slice());
            if let Some(cidr) = &from.cidr {
                check.cidr(&field.key("cidr"), cidr);
            }
        }
    }
    check.0
}

#[derive(Default)]
struct Check(Wrong);

impl Check {
    fn that(&mut self, holds: bool, field: &Field, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push((field.clone(), message()));
        }
    }

    fn guardrails(&mut self, class: &DmsNetworkClass, node: &Node) {
        let rails = &class.spec.guardrails;
        let field = Field::of("spec.guardrails");
        // Absent means any; a key with nothing behind it may mean none to its author.
        for key in ["peerCidrs", "ports", "vpcEndpointServices"] {
            let field = field.key(key);
            self.that(!node.is_null_at(&field), &field, || "has no value: write [] for none, or leave the key out for any".into());
        }
        if rails.vpc_ids.iter().any(|id| id == "*") {
            let field = field.key("vpcIds");
            self.that(rails.vpc_ids.len() == 1, &field, || "\"*\" stands for every VPC: remove it or the IDs beside it".into());
        } else {
            self.ids(&field, "vpcIds", "vpc", &rails.vpc_ids);
        }
        if let Some(groups) = &rails.security_groups {
            self.ids(&field.key("securityGroups"), "ids", "sg", &groups.ids);
        }
        for (i, cidr) in rails.peer_cidrs.iter().flatten().enumerate() {
            self.cidr(&field.key("peerCidrs").index(i), cidr);
        }
        for (i, ports) in rails.ports.iter().flatten().enumerate() {
            let canonical = Ports::parse(ports).is_some_and(|p| p.to_string() == *ports);
            self.that(canonical, &field.key("ports").index(i), || {
                "must be a port or a rising range of ports between 1 and 65535, such as 5432 or 27017-27020".into()
            });
        }
        for (i, service) in rails.vpc_endpoint_services.iter().flatten().enumerate() {
            self.service(&field.key("vpcEndpointServices").index(i), service);
        }
    }

    fn path(&mut self, field: &Field, path: &Path) {
        if let Some(peered) = &path.peered_vpc {
            self.ids(&field.key("peeredVpc"), "peeringConnectionId", "pcx", std::slice::from_ref(&peered.peering_connection_id));
        }
        if let Some(block) = &path.on_premises {
            let field = field.key("onPremises");
            self.cidrs(&field.key("cidrs"), &block.cidrs);
            if let Some(host) = &block.nat_host {
                let field = field.key("natHost");
                self.ids(&field, "securityGroupId", "sg", std::slice::from_ref(&host.security_group_id));
                self.ids(&field, "networkInterfaceId", "eni", std::slice::from_ref(&host.network_interface_id));
            }
        }
        if let Some(block) = &path.internet {
            self.cidrs(&field.key("internet").key("cidrs"), &block.cidrs);
        }
        if let Some(block) = &path.nat_gateway {
            let field = field.key("natGateway");
            self.cidrs(&field.key("cidrs"), &block.cidrs);
            self.ids(&field, "natGatewayIds", "nat", &block.nat_gateway_ids);
        }
        if let Some(block) = &path.classic_link {
            let field = field.key("classicLink").key("proxy");
            self.ids(&field, "securityGroupId", "sg", std::slice::from_ref(&block.proxy.security_group_id));
            self.host(&field, &block.proxy.host, Some(block.proxy.port));
        }
    }

    fn cidrs(&mut self, field: &Field, cidrs: &[String]) {
        for (i, cidr) in cidrs.iter().enumerate() {
            self.cidr(&field.index(i), cidr);
        }
    }

    fn object_name(&mut self, name: &str) {
        let fits = name.len() <= 63 && name.split('.').all(is_label);
        self.that(fits, &Field::of("metadata.name"), || {
            if name.is_empty() {
                "is missing".into()
            } else {
                "must be at most 63 lower-case letters, digits, hyphens and dots that start and end with a letter or digit".into()
            }
        });
    }

    fn entry_name(&mut self, entry: &Field, name: &str) {
        self.that(is_label(name), &entry.key("name"), || {
            "must be a name of at most 63 lower-case letters, digits and hyphens that starts and ends with a letter or digit".into()
        });
    }

    fn interval(&mut self, spec: &Field, interval: Option<&str>) {
        let fits = interval.is_none_or(|text| seconds(text).is_some_and(|s| s >= 10));
        self.that(fits, &spec.key("resyncInterval"), || {
            "must be a duration of at least 10s in whole hours, minutes and seconds, such as 60s, 5m or 1h30m".into()
        });
    }

    fn ids(&mut self, parent: &Field, key: &str, prefix: &str, ids: &[String]) {
        for (i, id) in ids.iter().enumerate() {
            let field = if key.ends_with('s') { parent.key(key).index(i) } else { parent.key(key) };
            self.that(is_id(id, prefix), &field, || {
                format!("{id:?} is no ID: {prefix}- and 8 or 17 digits of 0-9a-f, such as {prefix}-0a1b2c3d")
            });
        }
    }

    fn cidr(&mut self, field: &Field, text: &str) {
        match text.parse::<IpNet>() {
            Ok(net) if net.trunc().to_string() == text => {}
            Ok(net) if net.trunc() != net => self.0.push((field.clone(), format!("{text} has host bits: write {}", net.trunc()))),
            Ok(net) => self.0.push((field.clone(), format!("{text} is not in canonical form: write {net}"))),
            Err(_) => self.0.push((field.clone(), format!("{text:?} is no CIDR, such as 10.0.0.0/16; one address is /32 (IPv6: /128)"))),
        }
    }

    fn service(&mut self, field: &Field, service: &str) {
        self.that(!service.contains("amazonaws."), field, || {
            format!("must be only the last part of the service name, such as dms for com.amazonaws.us-west-2.dms, not {service:?}")
        });
        let fits = !service.is_empty() && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
        self.that(fits, field, || {
            "must be a service as its PrivateLink name ends, in lower case, such as dms, secretsmanager or kinesis-streams".into()
        });
    }

    fn hosts(&mut self, field: &Field, hosts: &[HostPort]) {
        for (i, host) in hosts.iter().enumerate() {
            self.host(&field.index(i), &host.host, host.port);
        }
    }

    fn host(&mut self, field: &Field, host: &str, port: Option<u16>) {
        let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let name = !host.is_empty() && host.bytes().all(letters) && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        self.that(host.len() <= 253 && (host.parse::<IpAddr>().is_ok() || name), &field.key("host"), || {
            "must be a host name or an IP address alone, without port, scheme or brackets, such as db-0.example.com or 10.0.1.5".into()
        });
        self.that(port != Some(0), &field.key("port"), || "must be a port between 1 and 65535".into());
    }
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_id(text: &str, prefix: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    digits.is_some_and(|d| matches!(d.len(), 8 | 17) && d.bytes().all(hex))
}

/// `us-west-2`, `us-gov-east-1`
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [words @ .., number] => {
            words.len() >= 2 && words.iter().all(letters) && matches!(number.len(), 1 | 2) && number.bytes().all(|b| b.is_ascii_digit())
        }
        [] => false,
    }
}

fn is_base_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.map(|r| r.strip_suffix('/').unwrap_or(r));
    host.is_some_and(|h| !h.is_empty() && !h.contains(['/', '?', '#', '@', ' ']))
}

/// `1h30m` in seconds.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut digits) = (0u64, String::new());
    if text.is_empty() {
        return None;
    }
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    digits.is_empty().then_some(total)
}
