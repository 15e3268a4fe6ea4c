//! AWS in memory, as far as plans see it: a picture that takes changes. For properties and benches; no I/O.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // what one user needs, another does not

use std::{collections::BTreeMap, sync::Arc};

use dmsnet::{
    api::{
        DmsNetworkSpec,
        class::{Guardrails, RuleNumbers},
        network::{DeletionPolicy, Mode, Upkeep},
        status::{BlockingHop, OwnedEntry},
    },
    model::*,
    plan::{
        self, Change, Claims, Elsewhere, GroupRef, Input, Key, Plan, Uid,
        change::{EndpointChanges, GroupTarget},
        record,
    },
};
use serde_json::{Value, json};

/// One account and Region.
pub struct World {
    pub class: String,
    pub region: String,
    pub account: String,
    pub owner: Owner,
    pub picture: Picture,
    pub claims: Claims,
    pub guardrails: Guardrails,
    pub tags: Tags,
    pub all_tried: bool,
    next: u32,
}

/// A network, with the ledger that its status would hold.
#[derive(Clone, Debug)]
pub struct Network {
    pub uid: Uid,
    pub label: String,
    pub created: i64,
    pub spec: DmsNetworkSpec,
    pub ledger: Vec<OwnedEntry>,
}

impl Network {
    pub fn new(n: u32, spec: Value) -> Self {
        let spec = serde_json::from_value(spec).expect("a spec");
        Self { uid: format!("uid-{n}").into(), label: format!("team/net-{n}"), created: i64::from(n), spec, ledger: vec![] }
    }
}

/// The account of everything here.
pub const ACCOUNT: &str = "111122223333";
pub const VPC: &str = "vpc-0a000001";
pub const REPLICATION: &str = "sg-0a000001";
pub const SOURCE: &str = "sg-0a000002";
pub const TARGET: &str = "sg-0a000003";
/// Of [`World::with_borders`].
pub const FAR_VPC: &str = "vpc-0b000001";
pub const FAR_SUBNET: &str = "subnet-0b000001";
pub const NEAR_ACL: &str = "acl-0a000001";
pub const DATABASE_ACL: &str = "acl-0a000002";
pub const FAR_ACL: &str = "acl-0b000001";
/// The main table: of the first and the third subnet.
pub const NEAR_TABLE: &str = "rtb-0a000001";
pub const SECOND_TABLE: &str = "rtb-0a000002";
pub const FAR_TABLE: &str = "rtb-0b000001";
pub const PEERING: &str = "pcx-0a000001";
pub const OTHER_PEERING: &str = "pcx-0a000002";
/// AWS's own addresses of S3 in this Region.
pub const S3: [&str; 2] = ["3.5.76.0/22", "52.92.128.0/17"];

/// Source and target by DMS endpoint and address, and the DMS API's endpoint: the reference topology.
pub fn reference_spec() -> Value {
    json!({
        "replication": {"instance": "orders-ri"},
        "databases": [
            {"name": "source", "dmsEndpoint": "orders-src", "securityGroupId": SOURCE, "path": {"type": "SameVpc"}},
            {"name": "target", "address": {"engine": "mysql", "endpoints": [{"host": "10.0.3.7"}]}, "securityGroupId": TARGET, "path": {"type": "SameVpc"}},
        ],
        "vpcEndpoints": [{"name": "dms", "service": "dms"}],
    })
}

/// The reference topology with `n` databases on ports of their own.
pub fn wide_spec(n: u16) -> Value {
    let database = |i: u16| {
        json!({"name": format!("db-{i}"), "address": {"engine": "postgres", "endpoints": [{"host": format!("10.0.3.{}", i % 250 + 1), "port": 5000 + i}]},
               "securityGroupId": if i.is_multiple_of(2) { SOURCE } else { TARGET }, "path": {"type": "SameVpc"}})
    };
    let mut spec = reference_spec();
    spec["databases"] = (0..n).map(database).collect();
    spec
}

impl World {
    /// A VPC with two private subnets, three groups (the first without egress), an instance and a DMS endpoint.
    pub fn reference(owner: &str) -> Self {
        let mut picture = Picture::default();
        let vpc: VpcId = VPC.into();
        let cidrs = vec!["10.0.0.0/16".parse().expect("a CIDR")];
        let block_public_access = BlockPublicAccess::Off;
        let facts = Vpc { id: vpc.clone(), cidrs, owner: ACCOUNT.into(), block_public_access };
        picture.vpc_dns.insert(vpc.clone(), Arc::new(VpcDns { support: true, hostnames: true }));
        picture.vpcs.insert(vpc.clone(), Arc::new(facts));
        for (i, zone) in ["us-east-1a", "us-east-1b", "us-east-1a"].into_iter().enumerate() {
            let id: SubnetId = format!("subnet-0a00000{}", i + 1).into();
            let cidrs = vec![format!("10.0.{}.0/24", i + 1).parse().expect("a CIDR")];
            picture.subnets.insert(id.clone(), Arc::new(Subnet { id, vpc: vpc.clone(), zone: zone.into(), cidrs, block_public_access }));
        }
        for (id, name) in [(REPLICATION, "dms-replication"), (SOURCE, "orders-source"), (TARGET, "orders-target")] {
            let group = SecurityGroup { id: id.into(), name: name.into(), vpc: vpc.clone(), owner: ACCOUNT.into(), tags: Tags::new() };
            picture.groups.insert(id.into(), Arc::new(group));
        }
        let instance = ReplicationInstance {
            identifier: "orders-ri".into(),
            status: "available".into(),
            vpc: vpc.clone(),
            subnets: vec!["subnet-0a000001".into(), "subnet-0a000002".into()],
            groups: vec![REPLICATION.into()],
            private_ips: vec!["10.0.1.5".parse().expect("an address")],
            public_ips: vec![],
            arn: "arn:aws:dms:us-east-1:111122223333:rep:ORDERSRI".into(),
            publicly_accessible: Some(false),
            dns_servers: vec![],
            engine_version: Some("3.5.4".into()),
        };
        picture.instances.insert("orders-ri".into(), Arc::new(instance));
        let endpoint = DmsEndpoint {
            identifier: "orders-src".into(),
            engine: "postgres".into(),
            host: Some("10.0.2.9".into()),
            port: Some(5432),
            arn: "arn:aws:dms:us-east-1:111122223333:endpoint:ORDERSSRC".into(),
            more_hosts: vec![],
            secret: None,
        };
        picture.dms_endpoints.insert("orders-src".into(), Arc::new(endpoint));
        let service = ServiceDetail {
            name: "com.amazonaws.us-east-1.dms".into(),
            zones: vec!["us-east-1a".into(), "us-east-1b".into()],
            private_dns_name: Some("dms.us-east-1.amazonaws.com".into()),
            types: vec!["Interface".into()],
        };
        picture.services.insert(service.name.as_str().into(), Arc::new(service));
        Self {
            class: "class".into(),
            region: "us-east-1".into(),
            account: ACCOUNT.into(),
            owner: Owner::parse(owner).expect("an owner"),
            picture,
            claims: Claims::default(),
            guardrails: Guardrails {
                vpc_ids: vec!["*".into()],
                foreign_rules: dmsnet::api::network::ForeignRules::Revoke,
                ..Guardrails::default()
            },
            tags: Tags::new(),
            all_tried: true,
            next: 0,
        }
    }

    /// The reference, and what routes and ACLs need: a database in the third subnet behind an ACL of its own, another VPC with a
    /// peering, and the endpoint services of S3. Both ACLs are closed, no table has a route to the other VPC.
    pub fn with_borders(owner: &str) -> Self {
        let mut world = Self::reference(owner);
        let far: VpcId = FAR_VPC.into();
        let cidr: ipnet::IpNet = "10.1.0.0/16".parse().expect("a CIDR");
        let vpc = (*world.picture.vpcs[VPC]).clone();
        world.picture.vpc_dns.insert(far.clone(), Arc::new(VpcDns { support: true, hostnames: true }));
        world.picture.vpcs.insert(far.clone(), Arc::new(Vpc { id: far.clone(), cidrs: vec![cidr], ..vpc }));
        let subnet = Subnet {
            id: FAR_SUBNET.into(),
            vpc: far.clone(),
            zone: "us-east-1a".into(),
            cidrs: vec!["10.1.1.0/24".parse().expect("a CIDR")],
            block_public_access: BlockPublicAccess::Off,
        };
        world.picture.subnets.insert(subnet.id.clone(), Arc::new(subnet));
        for (id, vpc, subnets) in [
            (NEAR_ACL, VPC, vec!["subnet-0a000001", "subnet-0a000002"]),
            (DATABASE_ACL, VPC, vec!["subnet-0a000003"]),
            (FAR_ACL, FAR_VPC, vec![FAR_SUBNET]),
        ] {
            let subnets = subnets.into_iter().map(Into::into).collect();
            let acl = NetworkAcl { id: id.into(), vpc: vpc.into(), is_default: false, subnets, entries: vec![], tags: Tags::new() };
            world.picture.acls.insert(id.into(), Arc::new(acl));
        }
        for (id, vpc, local, subnets) in [
            (NEAR_TABLE, VPC, "10.0.0.0/16", vec![]),
            (SECOND_TABLE, VPC, "10.0.0.0/16", vec!["subnet-0a000002"]),
            (FAR_TABLE, FAR_VPC, "10.1.0.0/16", vec![]),
        ] {
            let destination = Destination::Cidr(local.parse().expect("a CIDR"));
            let local = Route { destination, target: Target::Local, state: RouteState::Active, origin: RouteOrigin::CreateRouteTable };
            let subnets: Vec<SubnetId> = subnets.into_iter().map(Into::into).collect();
            let main = subnets.is_empty();
            let table =
                RouteTable { id: id.into(), vpc: vpc.into(), main, subnets, routes: vec![local], propagating: vec![], tags: Tags::new() };
            world.picture.route_tables.insert(id.into(), Arc::new(table));
        }
        let side = |vpc: &str, cidr: &str| PeeringSide {
            vpc: vpc.into(),
            account: ACCOUNT.into(),
            region: "us-east-1".into(),
            cidrs: vec![cidr.parse().expect("a CIDR")],
            dns_resolution: Some(true),
        };
        for id in [PEERING, OTHER_PEERING] {
            let (requester, accepter) = (side(VPC, "10.0.0.0/16"), side(FAR_VPC, "10.1.0.0/16"));
            let peering = PeeringConnection { id: id.into(), status: "active".into(), message: None, requester, accepter };
            world.picture.peerings.insert(id.into(), Arc::new(peering));
        }
        let name = "com.amazonaws.us-east-1.s3";
        let types = vec!["Gateway".into(), "Interface".into()];
        let zones = vec!["us-east-1a".into(), "us-east-1b".into()];
        let service = ServiceDetail { name: name.into(), zones, private_dns_name: None, types };
        let kinesis = ServiceDetail {
            name: "com.amazonaws.us-east-1.kinesis-streams".into(),
            private_dns_name: Some("kinesis.us-east-1.amazonaws.com".into()),
            types: vec!["Interface".into()],
            ..service.clone()
        };
        world.picture.services.insert(kinesis.name.as_str().into(), Arc::new(kinesis));
        let cidrs = S3.iter().map(|c| c.parse().expect("a CIDR")).collect();
        let list = PrefixList { id: "pl-0a000001".into(), name: name.into(), cidrs, max_entries: None };
        world.picture.services.insert(name.into(), Arc::new(service));
        world.picture.prefix_lists.insert(list.id.clone(), Arc::new(list));
        world.guardrails.network_acls = Upkeep::Manage;
        world.guardrails.routes = Upkeep::Manage;
        world.guardrails.network_acl_rule_numbers = Some(RuleNumbers { from: 20_000, to: 20_099 });
        world
    }

    fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}-{:08x}", self.next)
    }

    /// Plans, answering every question from what is there.
    pub fn plan(&mut self, network: &Network, deleting: Option<DeletionPolicy>) -> Plan {
        loop {
            let plan = self.plan_once(network, deleting);
            // Here nobody minds waiting.
            if !plan.unread && plan.later.iter().all(|need| self.picture.asked.contains_key(need)) {
                return plan;
            }
            self.answer(&plan);
        }
    }

    /// Plans on what is known.
    pub fn plan_once(&self, network: &Network, deleting: Option<DeletionPolicy>) -> Plan {
        self.plan_among(network, deleting, &self.class, &BTreeMap::new())
    }

    /// Plans on what is known, here and in the network's other classes.
    pub fn plan_among(
        &self,
        network: &Network,
        deleting: Option<DeletionPolicy>,
        home: &str,
        elsewhere: &BTreeMap<String, Elsewhere<'_>>,
    ) -> Plan {
        let ledger: Vec<OwnedEntry> = network.ledger.iter().filter(|e| e.class == self.class).cloned().collect();
        plan::plan(&Input {
            uid: &network.uid,
            label: &network.label,
            created: network.created,
            spec: deleting.is_none().then_some(&network.spec),
            deletion_policy: deleting.unwrap_or_default(),
            ledger: &ledger,
            owner: &self.owner,
            class: &self.class,
            region: &self.region,
            account: &self.account,
            home,
            elsewhere,
            guardrails: Some(&self.guardrails),
            tags: &self.tags,
            picture: &self.picture,
            claims: &self.claims,
            all_tried: self.all_tried,
        })
    }

    /// Marks every question of a plan as asked.
    pub fn answer(&mut self, plan: &Plan) {
        self.picture.asked.extend(plan.needs.iter().map(|n| (n.clone(), None)));
    }

    /// A whole pass: plan, change, plan again, keep the ledger. Returns the plan that was carried out.
    pub fn pass(&mut self, network: &mut Network, deleting: Option<DeletionPolicy>) -> Plan {
        let claim = |plan: &Plan| {
            let mut claim = plan.claim.clone();
            if network.spec.mode == Mode::Observe {
                claim.coming.clear();
            }
            claim
        };
        let plan = self.plan(network, deleting);
        self.claims.put(&network.uid, claim(&plan));
        if network.spec.mode == Mode::Enforce {
            network.ledger.clone_from(&plan.ledger);
            self.apply(network, &plan.changes);
        }
        let after = self.plan(network, deleting);
        network.ledger.clone_from(&after.ledger);
        if deleting.is_some() && after.ledger.is_empty() {
            self.claims.remove(&network.uid);
        } else {
            self.claims.put(&network.uid, claim(&after));
        }
        plan
    }

    /// Carries out changes as AWS would.
    pub fn apply(&mut self, network: &Network, changes: &[Change]) {
        let tags = self.owner.tags_for(&network.label, &self.tags);
        let mut created: BTreeMap<Key, SecurityGroupId> = BTreeMap::new();
        for change in changes {
            let target = |t: &GroupTarget| match t {
                GroupTarget::Existing(id) => id.clone(),
                GroupTarget::Created(key) => created.get(key).expect("a group made earlier in the plan").clone(),
            };
            match change {
                Change::CreateGroup { key, vpc, name, .. } => {
                    let id: SecurityGroupId = self.id("sg").into();
                    let group =
                        SecurityGroup { id: id.clone(), name: name.clone(), vpc: vpc.clone(), owner: ACCOUNT.into(), tags: tags.clone() };
                    self.picture.groups.insert(id.clone(), Arc::new(group));
                    created.insert(key.clone(), id);
                }
                Change::CreateRule { group, shape, .. } => {
                    let group = target(group);
                    self.add_rule(&group, shape.clone(), tags.clone());
                }
                Change::ModifyRule { group, id, to, .. } => self.edit_rules(group, |rules| {
                    rules.iter_mut().filter(|r| r.id == *id).for_each(|r| r.shape = to.clone());
                }),
                Change::RevokeForeign { group, id, .. } | Change::RevokeRule { group, id, .. } => {
                    self.edit_rules(group, |rules| rules.retain(|r| r.id != *id));
                }
                Change::CreateEndpoint { fields, .. } => {
                    let endpoint = VpcEndpoint {
                        id: self.id("vpce").into(),
                        vpc: fields.vpc.clone(),
                        service_name: fields.service_name.clone(),
                        endpoint_type: fields.endpoint_type.to_string(),
                        state: EndpointState::Available,
                        subnets: fields.subnets.clone(),
                        route_tables: fields.route_tables.clone(),
                        groups: fields.groups.iter().map(target).collect(),
                        private_dns: fields.private_dns,
                        policy: fields.policy.clone(),
                        ip_address_type: fields.ip_address_type,
                        dns_names: vec![],
                        interfaces: vec![],
                        tags: tags.clone(),
                        last_error: None,
                    };
                    self.picture.endpoints.insert(endpoint.id.clone(), Arc::new(endpoint));
                }
                Change::ModifyEndpoint { id, changes, .. } => {
                    let added: Vec<_> = changes.add_groups.iter().map(target).collect();
                    self.edit_endpoint(id, |e| modify(e, changes, added));
                }
                Change::CreateAclEntry { acl, number, shape, record, .. } => {
                    let tag = (record::entry_tag(shape.direction, *number), self.owner.to_string());
                    self.record(acl.as_str(), tag, *record);
                    let new = allow(*number, shape);
                    self.edit_acl(acl, |a| {
                        assert!(a.entry(new.direction, new.number).is_none(), "NetworkAclEntryAlreadyExists: {new}");
                        let denied = |e: &AclEntry| e.number > new.number && !e.allow && e.shape().overlaps(&new.shape());
                        assert!(!a.entries(new.direction).any(denied), "ahead of a deny: {new}");
                        a.entries.push(new);
                    });
                }
                Change::ReplaceAclEntry { acl, from, to, .. } => {
                    self.recorded(acl.as_str(), &record::entry_tag(from.direction, from.number));
                    let new = allow(from.number, to);
                    self.edit_acl(acl, |a| {
                        let old = a.entries.iter_mut().find(|e| *e == from).expect("InvalidNetworkAclEntry.NotFound");
                        *old = new;
                    });
                }
                Change::DeleteAclEntry { acl, entry, .. } => {
                    let tag = record::entry_tag(entry.direction, entry.number);
                    self.recorded(acl.as_str(), &tag);
                    self.edit_acl(acl, |a| a.entries.retain(|e| e != entry));
                    self.retag(acl.as_str(), |t| drop(t.remove(&tag)));
                }
                Change::CreateRoute { table, destination, target, record, .. } => {
                    self.record(table.as_str(), (record::route_tag(destination), self.owner.to_string()), *record);
                    let new = route(destination.clone(), target.clone());
                    self.edit_table(table, |t| {
                        assert!(t.written(&new.destination).is_none(), "RouteAlreadyExists: {}", new.destination);
                        t.routes.push(new);
                    });
                }
                Change::ReplaceRoute { table, destination, to, .. } => {
                    self.recorded(table.as_str(), &record::route_tag(destination));
                    let new = route(destination.clone(), to.clone());
                    self.edit_table(table, |t| {
                        let is_it = |r: &&mut Route| r.destination == new.destination && r.origin != RouteOrigin::Propagated;
                        let old = t.routes.iter_mut().find(is_it).expect("InvalidRoute.NotFound");
                        *old = new;
                    });
                }
                Change::DeleteRoute { table, destination, .. } => {
                    let tag = record::route_tag(destination);
                    self.recorded(table.as_str(), &tag);
                    self.edit_table(table, |t| t.routes.retain(|r| r.destination != *destination || r.origin == RouteOrigin::Propagated));
                    self.retag(table.as_str(), |t| drop(t.remove(&tag)));
                }
                Change::DeleteEndpoint { id, .. } => drop(self.picture.endpoints.remove(id)),
                Change::DeleteGroup { id, .. } => {
                    self.picture.groups.remove(id);
                    self.picture.rules.remove(id);
                }
                Change::Tag { id, tags, .. } => self.retag(id, |t| t.extend(tags.clone())),
                Change::Untag { id, keys, .. } => self.retag(id, |t| t.retain(|k, _| !keys.contains(k))),
            }
        }
    }

    /// The tag that records a route or an entry comes before it.
    fn record(&mut self, id: &str, (key, owner): (String, String), new: bool) {
        if new {
            self.retag(id, |tags| {
                assert!(tags.insert(key, owner).is_none(), "recorded twice");
                assert!(tags.len() <= record::TAGS_MAX, "TagLimitExceeded");
            });
        } else {
            self.recorded(id, &key);
        }
    }

    /// Nothing is changed that is not recorded as ours.
    fn recorded(&mut self, id: &str, key: &str) {
        let owner = self.owner.to_string();
        self.retag(id, |tags| assert_eq!(tags.get(key), Some(&owner), "{id} {key}"));
    }

    /// Edits a network ACL, as anybody may.
    pub fn edit_acl(&mut self, id: &NetworkAclId, edit: impl FnOnce(&mut NetworkAcl)) {
        let acl = Arc::make_mut(self.picture.acls.get_mut(id).expect("InvalidNetworkAclID.NotFound"));
        edit(acl);
        acl.entries.sort_by_key(|e| (e.direction, e.number));
        for direction in [Direction::In, Direction::Out] {
            for v4 in [true, false] {
                let count = acl.entries(direction).filter(|e| e.cidr.addr().is_ipv4() == v4).count();
                assert!(count <= 19, "NetworkAclEntryLimitExceeded");
            }
        }
    }

    /// Edits a route table, as anybody may.
    pub fn edit_table(&mut self, id: &RouteTableId, edit: impl FnOnce(&mut RouteTable)) {
        let table = Arc::make_mut(self.picture.route_tables.get_mut(id).expect("InvalidRouteTableID.NotFound"));
        edit(table);
        table.routes.sort();
    }

    /// Adds a rule, as anybody may.
    pub fn add_rule(&mut self, group: &SecurityGroupId, shape: RuleShape, tags: Tags) -> SecurityGroupRuleId {
        let id: SecurityGroupRuleId = self.id("sgr").into();
        let rule = Rule { id: id.clone(), group: group.clone(), shape, description: None, tags };
        self.edit_rules(group, |rules| {
            assert!(rules.iter().all(|r| r.shape != rule.shape), "InvalidPermission.Duplicate: {}", rule.shape);
            rules.push(rule);
        });
        id
    }

    /// Edits the rules of a group, as anybody may.
    pub fn edit_rules(&mut self, group: &SecurityGroupId, edit: impl FnOnce(&mut Vec<Rule>)) {
        let mut rules = self.picture.rules_of(group).to_vec();
        edit(&mut rules);
        rules.sort_by(|a, b| a.shape.cmp(&b.shape));
        self.picture.rules.insert(group.clone(), rules.into());
    }

    /// Edits an endpoint, as anybody may.
    pub fn edit_endpoint(&mut self, id: &VpcEndpointId, edit: impl FnOnce(&mut VpcEndpoint)) {
        if let Some(endpoint) = self.picture.endpoints.get_mut(id) {
            edit(Arc::make_mut(endpoint));
        }
    }

    /// The routes to its prefix list that AWS keeps for a gateway endpoint. Only for a look at the end: plans do not see them.
    pub fn lead_to_gateway_endpoints(&mut self) {
        for endpoint in self.picture.endpoints.values().filter(|e| !e.route_tables.is_empty()).cloned().collect::<Vec<_>>() {
            let list = self.picture.prefix_lists.within(&endpoint.service_name).next().expect("its prefix list").id.clone();
            for id in &endpoint.route_tables {
                let to = route(Destination::PrefixList(list.clone()), Target::VpcEndpoint(endpoint.id.clone()));
                self.edit_table(id, |t| t.routes.push(to.clone()));
            }
        }
    }

    /// Edits tags of whatever has this ID.
    pub fn retag(&mut self, id: &str, edit: impl FnOnce(&mut Tags)) {
        if let Some(group) = self.picture.groups.get_mut(id) {
            return edit(&mut Arc::make_mut(group).tags);
        }
        if let Some(endpoint) = self.picture.endpoints.get_mut(id) {
            return edit(&mut Arc::make_mut(endpoint).tags);
        }
        if let Some(acl) = self.picture.acls.get_mut(id) {
            return edit(&mut Arc::make_mut(acl).tags);
        }
        if let Some(table) = self.picture.route_tables.get_mut(id) {
            return edit(&mut Arc::make_mut(table).tags);
        }
        let found = self.picture.rules.iter().find(|(_, rules)| rules.iter().any(|r| r.id.as_str() == id)).map(|(g, _)| g.clone());
        let group = found.unwrap_or_else(|| panic!("no object {id}"));
        self.edit_rules(&group, |rules| {
            if let Some(rule) = rules.iter_mut().find(|r| r.id.as_str() == id) {
                edit(&mut rule.tags);
            }
        });
    }

    /// All rules: group, shape, and whether dmsnet made them.
    pub fn rules(&self) -> Vec<(SecurityGroupId, RuleShape, bool)> {
        let all = self.picture.rules.values().flat_map(|rules| rules.iter());
        all.map(|r| (r.group.clone(), r.shape.clone(), tags::is_managed(&r.tags))).collect()
    }

    /// What is there, by what counts: for comparing two worlds.
    pub fn shape(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.rules().into_iter().map(|(g, s, _)| format!("{} {s}", self.name_of(&g))).collect();
        lines.extend(self.picture.groups.values().map(|g| format!("group {}", g.name)));
        lines.extend(self.picture.endpoints.values().map(|e| {
            format!(
                "endpoint {} {:?} {:?} {} {}",
                e.service_name,
                e.subnets,
                e.route_tables,
                e.private_dns,
                e.groups.iter().map(|g| self.name_of(g)).collect::<String>()
            )
        }));
        // Numbers and records are not what counts.
        lines.extend(
            self.picture
                .acls
                .values()
                .flat_map(|a| a.entries.iter().map(|e| format!("{} {} {}", a.id, if e.allow { "allow" } else { "deny" }, e.shape()))),
        );
        lines.extend(
            self.picture.route_tables.values().flat_map(|t| t.routes.iter().map(|r| format!("{} {} to {}", t.id, r.destination, r.target))),
        );
        lines.sort();
        lines
    }

    fn name_of(&self, id: &SecurityGroupId) -> String {
        self.picture.groups.get(id).map(|g| g.name.clone()).unwrap_or_default()
    }
}

/// An entry that lets through.
pub fn allow(number: u16, shape: &AclShape) -> AclEntry {
    AclEntry { direction: shape.direction, number, protocol: shape.protocol, ports: shape.ports, cidr: shape.cidr, allow: true }
}

/// A route that somebody wrote.
pub fn route(destination: Destination, target: Target) -> Route {
    Route { destination, target, state: RouteState::Active, origin: RouteOrigin::CreateRoute }
}

fn modify(e: &mut VpcEndpoint, changes: &EndpointChanges, added: Vec<SecurityGroupId>) {
    e.subnets.retain(|s| !changes.remove_subnets.contains(s));
    e.subnets.extend(changes.add_subnets.clone());
    e.subnets.sort();
    e.route_tables.retain(|t| !changes.remove_route_tables.contains(t));
    e.route_tables.extend(changes.add_route_tables.clone());
    e.route_tables.sort();
    e.groups.retain(|g| !changes.remove_groups.contains(g));
    e.groups.extend(added);
    e.groups.sort();
    if let Some(policy) = &changes.policy {
        e.policy = policy.clone();
    }
    e.private_dns = changes.private_dns.unwrap_or(e.private_dns);
    e.ip_address_type = changes.ip_address_type.unwrap_or(e.ip_address_type);
}

/// The group behind a wanted rule's key, where it has an ID of its own.
pub fn group_of(key: &Key) -> Option<&SecurityGroupId> {
    match key {
        Key::Rule(GroupRef::Id(id), _) => Some(id),
        _ => None,
    }
}

/// What still blocks a path, although dmsnet may set it for this network: where there is a line that opens it, in Enforce with what
/// the spec says of ACLs and routes.
pub fn settable(network: &Network, plan: &Plan) -> Vec<BlockingHop> {
    let spec = &network.spec;
    let may_set = |code: &str| match code {
        "EgressMissing" | "IngressMissing" | "ReferenceNotApplicable" | "ReferenceStale" => true,
        code if code.starts_with("Acl") => spec.network_acls == Upkeep::Manage,
        // Which tables it is on is the spec's to say.
        "EndpointNotOnRouteTable" => false,
        code => code.contains("Route") && spec.routes == Upkeep::Manage,
    };
    let hops = plan.databases.iter().flat_map(|d| &d.blocked_by);
    hops.filter(|h| !h.commands.is_empty() && may_set(&h.code)).cloned().collect()
}
