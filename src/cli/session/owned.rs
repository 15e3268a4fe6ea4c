//! What carries an owner's tag in AWS: without a cluster the tags are the ledger. Pure.

use std::collections::BTreeSet;

use crate::{
    api::{
        names::TAG_TAKEN_OVER,
        network::VpcEndpointType,
        status::{OwnedEntry, PendingChange},
    },
    model::{Owner, Picture, SecurityGroup, Tags, VpcId, shared, tags::has_other_owner},
    plan::{Action, EndpointKey, EndpointRef, GroupRef, Key, record, wanted::short_hash},
};

/// One object that carries our owner tag.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Owned {
    /// Its key.
    pub(super) key: Key,
    /// Its ID.
    pub(super) id: String,
    /// Whether another owner's tag is on it too, or it is taken over: then only our tag goes.
    only_tag: bool,
}

impl Owned {
    /// As an entry of a ledger.
    pub(super) fn entry(&self, class: &str) -> OwnedEntry {
        OwnedEntry {
            key: self.key.to_string(),
            kind: self.key.kind(),
            id: Some(self.id.clone()),
            want: None,
            // The owner tag decides, not the ledger.
            made: false,
            class: class.to_owned(),
            token: None,
        }
    }

    /// As the change that gives it up.
    pub(super) fn removal(&self) -> PendingChange {
        let action = if self.only_tag { Action::Untag } else { Action::Delete };
        let from = match &self.key {
            Key::Rule(GroupRef::Id(group), shape) => format!("{group} {shape} ({})", self.id),
            Key::Rule(GroupRef::OfEndpoint(endpoint), shape) => format!("group/{endpoint} {shape} ({})", self.id),
            Key::AclEntry(acl, shape) => format!("{acl} {shape} ({})", self.id),
            Key::Route(table, destination) => format!("{table} {destination}"),
            _ => self.id.clone(),
        };
        PendingChange { action: action.to_string(), kind: self.key.kind(), resource: self.key.to_string(), from: Some(from), to: None }
    }
}

/// All that carries the tag of `owner` in these VPCs, as far as it was read.
pub(super) fn owned(picture: &Picture, owner: &Owner, vpcs: &BTreeSet<VpcId>) -> Vec<Owned> {
    let tag = owner.tag();
    let is_ours = |tags: &Tags| tags.contains_key(&tag);
    let mut found = Vec::new();
    let mut add = |key, id: &dyn ToString, only_tag| found.push(Owned { key, id: id.to_string(), only_tag });
    for group in picture.groups.values().filter(|g| vpcs.contains(&g.vpc)) {
        let endpoint = if is_ours(&group.tags) { endpoint_of(group) } else { None };
        if let Some(endpoint) = &endpoint {
            add(Key::Group(endpoint.clone()), &group.id, has_other_owner(&group.tags, owner));
        }
        for rule in picture.rules_of(&group.id).iter().filter(|r| is_ours(&r.tags)) {
            let of = endpoint.clone().map_or_else(|| GroupRef::Id(group.id.clone()), GroupRef::OfEndpoint);
            add(Key::Rule(of, rule.shape.clone()), &rule.id, has_other_owner(&rule.tags, owner));
        }
    }
    for endpoint in picture.endpoints.values().filter(|e| vpcs.contains(&e.vpc) && !e.is_going()) {
        if is_ours(&endpoint.tags) {
            let kind = if endpoint.is_of(VpcEndpointType::Gateway) { VpcEndpointType::Gateway } else { VpcEndpointType::Interface };
            let service = shared(short(&endpoint.service_name));
            let key = Key::Endpoint(EndpointRef::Made(EndpointKey { vpc: endpoint.vpc.clone(), service, kind }));
            add(key, &endpoint.id, has_other_owner(&endpoint.tags, owner));
        }
        if endpoint.tags.get(TAG_TAKEN_OVER).is_some_and(|by| by == owner.as_str()) {
            add(Key::Endpoint(EndpointRef::TakenOver(endpoint.id.clone())), &endpoint.id, true);
        }
    }
    for acl in picture.acls.values().filter(|a| vpcs.contains(&a.vpc)) {
        let entries = record::entries_of(&acl.tags, owner).filter_map(|(direction, number)| acl.entry(direction, number));
        for entry in entries.filter(|e| e.allow) {
            add(Key::AclEntry(acl.id.clone(), entry.shape()), &record::entry_id(entry.direction, entry.number), false);
        }
    }
    for table in picture.route_tables.values().filter(|t| vpcs.contains(&t.vpc)) {
        for route in table.routes.iter().filter(|r| record::is_route_of(&table.tags, &r.destination, owner)) {
            let key = Key::Route(table.id.clone(), route.destination.clone());
            add(key, &record::route_id(table, &route.destination), false);
        }
    }
    found.sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
    found
}

/// The endpoint that a group was made for, by its name: `dmsnet-<owner>-<service>-<hash of vpc/service>`, whoever the
/// owner was. None: the name was not given by dmsnet.
fn endpoint_of(group: &SecurityGroup) -> Option<EndpointKey> {
    let (rest, hash) = group.name.strip_prefix("dmsnet-")?.rsplit_once('-')?;
    let services = rest.match_indices('-').filter_map(|(at, _)| rest.get(at + 1..));
    services.map(|service| EndpointKey::interface(group.vpc.clone(), service)).find(|key| short_hash(key.to_string().as_bytes()) == hash)
}

/// `kinesis-streams` of `com.amazonaws.us-west-2.kinesis-streams`.
fn short(service_name: &str) -> &str {
    let rest = service_name.strip_prefix("cn.").unwrap_or(service_name);
    rest.strip_prefix("com.amazonaws.").and_then(|r| r.split_once('.')).map_or(service_name, |(_, service)| service)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api::network::IpAddressType,
        model::{Direction, EndpointState, Peer, Policy, Rule, RuleShape, VpcEndpoint},
        plan::wanted::group_name,
    };

    const VPC: &str = "vpc-0a1b2c3d";

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn group(id: &str, vpc: &str, name: &str, tags: Tags) -> SecurityGroup {
        SecurityGroup { id: id.into(), name: name.into(), vpc: vpc.into(), owner: "111122223333".into(), tags }
    }

    fn rule(id: &str, group: &str, port: u16, tags: Tags) -> Rule {
        let shape = RuleShape::tcp(Direction::In, port, Peer::SecurityGroup("sg-0f".into()));
        Rule { id: id.into(), group: group.into(), shape, description: None, tags }
    }

    fn endpoint(id: &str, service: &str, state: EndpointState, tags: Tags) -> VpcEndpoint {
        VpcEndpoint {
            id: id.into(),
            vpc: VPC.into(),
            service_name: format!("com.amazonaws.us-east-1.{service}"),
            endpoint_type: "Interface".into(),
            state,
            subnets: vec![],
            groups: vec![],
            private_dns: true,
            policy: Policy::full_access(),
            ip_address_type: IpAddressType::Ipv4,
            dns_names: vec![],
            interfaces: vec![],
            route_tables: vec![],
            tags,
            last_error: None,
        }
    }

    fn picture(groups: Vec<SecurityGroup>, rules: Vec<Rule>, endpoints: Vec<VpcEndpoint>) -> Picture {
        let mut picture = Picture::default();
        for g in groups {
            let mine: Vec<Rule> = rules.iter().filter(|r| r.group == g.id).cloned().collect();
            picture.rules.insert(g.id.clone(), mine.into());
            picture.groups.insert(g.id.clone(), Arc::new(g));
        }
        picture.endpoints = endpoints.into_iter().map(|e| (e.id.clone(), Arc::new(e))).collect();
        picture
    }

    #[test]
    fn only_what_carries_our_tag_counts() {
        let me = Owner::parse("cli").unwrap();
        let mine = tags(&[("dmsnet.dev/managed-by", "dmsnet"), ("dmsnet.dev/owner/cli", "owned")]);
        let theirs = tags(&[("dmsnet.dev/managed-by", "dmsnet"), ("dmsnet.dev/owner/prod", "owned")]);
        let both = tags(&[("dmsnet.dev/owner/cli", "shared"), ("dmsnet.dev/owner/prod", "owned")]);
        let streams = EndpointKey::interface(VPC.into(), "kinesis-streams");
        let own = group_name(&me, &streams);
        let picture = picture(
            vec![
                group("sg-01", VPC, "databases", Tags::new()),
                group("sg-02", VPC, &own, mine.clone()),
                group("sg-03", "vpc-0e", "elsewhere", Tags::new()),
            ],
            vec![
                rule("sgr-1", "sg-01", 1, mine.clone()),
                rule("sgr-2", "sg-01", 2, theirs.clone()),
                rule("sgr-3", "sg-01", 3, Tags::new()),
                rule("sgr-4", "sg-01", 4, both.clone()),
                rule("sgr-5", "sg-02", 443, mine.clone()),
                rule("sgr-6", "sg-03", 6, mine.clone()),
            ],
            vec![
                endpoint("vpce-1", "kinesis-streams", EndpointState::Available, mine.clone()),
                endpoint("vpce-2", "dms", EndpointState::Deleting, mine),
                endpoint("vpce-3", "s3", EndpointState::Available, theirs),
                endpoint("vpce-4", "ec2", EndpointState::Available, tags(&[("dmsnet.dev/taken-over", "cli")])),
                endpoint("vpce-5", "sts", EndpointState::Available, tags(&[("dmsnet.dev/taken-over", "prod")])),
            ],
        );
        let found = owned(&picture, &me, &BTreeSet::from([VPC.into()]));
        let lines: Vec<String> = found.iter().map(|o| format!("{} {} {}", o.removal().action, o.key, o.id)).collect();
        assert_eq!(
            lines,
            [
                "Delete group/vpc-0a1b2c3d/kinesis-streams sg-02",
                "Delete rule/sg-01/in/tcp/1/sg-0f sgr-1",
                "Untag rule/sg-01/in/tcp/4/sg-0f sgr-4",
                "Delete rule/vpc-0a1b2c3d/kinesis-streams/in/tcp/443/sg-0f sgr-5",
                "Delete endpoint/vpc-0a1b2c3d/kinesis-streams vpce-1",
                "Untag endpoint/vpce-4 vpce-4",
            ]
        );
    }

    #[test]
    fn a_group_tells_by_its_name_what_it_is_for() {
        let key = EndpointKey::interface(VPC.into(), "kinesis-streams");
        for owner in ["cli", "prod-1"] {
            let name = group_name(&Owner::parse(owner).unwrap(), &key);
            assert_eq!(endpoint_of(&group("sg-01", VPC, &name, Tags::new())), Some(key.clone()), "{name}");
            assert_eq!(endpoint_of(&group("sg-01", "vpc-0e", &name, Tags::new())), None, "{name} in another VPC");
        }
        for name in ["", "dmsnet-", "dmsnet-cli-dms", "default", "dmsnet-cli-dms-00000000"] {
            assert_eq!(endpoint_of(&group("sg-01", VPC, name, Tags::new())), None, "{name}");
        }
    }

    #[test]
    fn services_have_a_short_name() {
        assert_eq!(short("com.amazonaws.us-east-1.dms"), "dms");
        assert_eq!(short("cn.com.amazonaws.cn-north-1.dms"), "dms");
        assert_eq!(short("com.amazonaws.us-east-1.ecr.api"), "ecr.api");
        assert_eq!(short("com.amazonaws.vpce.us-east-1.vpce-svc-0"), "us-east-1.vpce-svc-0");
    }
}
