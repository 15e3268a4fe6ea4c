//! What the stub's AWS holds: reference topologies, each in a VPC of its own, and what is written to them.

use std::{collections::BTreeMap, time::Duration};

use dmsnet::{
    api::network::VpcEndpointType,
    model::{Owner, Tags, VpcId, tags::OWNED},
    plan::{EndpointKey, wanted::group_name},
};

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: String,
    pub name: String,
    pub vpc: String,
    pub tags: Tags,
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Group(String),
    Cidr(String),
}

/// A rule of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub group: String,
    pub egress: bool,
    pub protocol: String,
    pub from: i32,
    pub to: i32,
    pub peer: Peer,
    pub description: String,
    pub tags: Tags,
}

/// An interface endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub id: String,
    pub vpc: String,
    pub service: String,
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    pub private_dns: bool,
    pub policy: String,
    pub token: String,
    pub tags: Tags,
    /// When it is, or was, there for use.
    pub available_at: Duration,
    /// When it is gone, once its deletion was asked for.
    pub gone_at: Option<Duration>,
}

/// The IDs of a reference topology, by its number: nobody has to keep them.
#[derive(Clone, Copy, Debug)]
pub struct Ids(pub usize);

impl Ids {
    fn id(self, kind: &str, n: usize) -> String {
        format!("{kind}-0{:012x}{n:04x}", self.0)
    }
    pub fn vpc(self) -> String {
        self.id("vpc", 0)
    }
    /// Two of the replication, two of the databases.
    pub fn subnets(self) -> [String; 4] {
        std::array::from_fn(|n| self.id("subnet", n))
    }
    pub fn replication(self) -> String {
        self.id("sg", 0)
    }
    pub fn source(self) -> String {
        self.id("sg", 1)
    }
    pub fn target(self) -> String {
        self.id("sg", 2)
    }
    fn default_group(self) -> String {
        self.id("sg", 3)
    }
    /// That of the endpoint, in a world that has converged.
    pub fn of_endpoint(self) -> String {
        self.id("sg", 4)
    }
    pub fn acl(self) -> String {
        self.id("acl", 0)
    }
    /// The main table, the replication's and the databases'.
    pub fn route_tables(self) -> [String; 3] {
        std::array::from_fn(|n| self.id("rtb", n))
    }
    pub fn instance(self) -> String {
        format!("orders-ri-{}", self.0)
    }
    pub fn instance_arn(self) -> String {
        format!("arn:aws:dms:us-west-2:111122223333:rep:ORDERS{}", self.0)
    }
    pub fn dms_source(self) -> String {
        format!("orders-src-{}", self.0)
    }
    pub fn dms_source_arn(self) -> String {
        format!("arn:aws:dms:us-west-2:111122223333:endpoint:ORDERSSRC{}", self.0)
    }
    pub fn database(self) -> String {
        format!("orders-db-{}", self.0)
    }
    /// The network's spec, as in the demo.
    pub fn spec(self, class: &str) -> serde_json::Value {
        serde_json::json!({
            "className": class,
            "replication": { "instance": self.instance() },
            "databases": [
                {
                    "name": "source", "role": "Source", "path": { "type": "SameVpc" }, "dmsEndpoint": self.dms_source(),
                    "securityGroupId": self.source(), "subnetIds": &self.subnets()[2..],
                },
                { "name": "target", "role": "Target", "path": { "type": "SameVpc" }, "rds": { "instance": self.database() } },
            ],
            "vpcEndpoints": [{ "name": "dms", "service": "dms" }],
        })
    }
}

/// Where the source database listens: an address, since nothing here resolves names.
pub const SOURCE_HOST: &str = "10.0.3.10";
/// CIDR of every VPC: they do not know of each other.
pub const CIDR: &str = "10.0.0.0/16";

/// AWS's own policy of an endpoint.
pub fn policy_of_all() -> String {
    "{\"Statement\": [{\"Action\": \"*\", \"Effect\": \"Allow\", \"Principal\": \"*\", \"Resource\": \"*\"}]}".into()
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// How many reference topologies there are.
    pub topologies: usize,
    pub groups: BTreeMap<String, Group>,
    /// By group, in the order in which they were made.
    pub rules: BTreeMap<String, Vec<Rule>>,
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Whether DMS has tested the connections of each instance: one row each.
    pub tested: bool,
    /// Host of every RDS database: an address, since nothing here resolves names.
    pub database_host: String,
    /// The Region in names and answers.
    pub region: String,
    /// What time it is: endpoints come and go by it.
    pub now: Duration,
    /// How long an endpoint takes to come, and to go.
    pub endpoint_takes: (Duration, Duration),
    /// Parameters that each client token was used with, and what it made.
    pub(super) tokens: BTreeMap<String, (String, Endpoint)>,
    made: usize,
}

impl Endpoint {
    /// Its network interfaces, one in each subnet, and the subnets.
    pub fn interfaces(&self) -> impl Iterator<Item = (String, &String)> {
        let id = |n| self.id.replacen("vpce-", &format!("eni-{n:x}"), 1);
        self.subnets.iter().enumerate().map(move |(n, subnet)| (id(n), subnet))
    }
}

impl World {
    /// So many topologies without any rule or endpoint.
    pub fn bare(topologies: usize) -> Self {
        let mut world = Self { topologies, database_host: "10.0.3.20".into(), region: "us-west-2".into(), ..Self::default() };
        for ids in (0..topologies).map(Ids) {
            for (id, name) in [
                (ids.replication(), "dms-replication"),
                (ids.source(), "orders-source"),
                (ids.target(), "orders-target"),
                (ids.default_group(), "default"),
            ] {
                world.rules.insert(id.clone(), vec![]);
                world.groups.insert(id.clone(), Group { id, name: name.into(), vpc: ids.vpc(), tags: Tags::new() });
            }
        }
        world
    }

    /// So many topologies with all that `owner`'s networks want. `network` names each, as `namespace/name`.
    pub fn converged(topologies: usize, owner: &str, network: impl Fn(usize) -> String) -> Self {
        let owner = Owner::parse(owner).expect("an owner's name");
        let mut world = Self { tested: true, ..Self::bare(topologies) };
        for n in 0..topologies {
            let ids = Ids(n);
            let tags = owner.tags_for(&network(n), &Tags::new());
            assert!(tags.values().any(|v| v == OWNED));
            let vpc: VpcId = ids.vpc().into();
            let key = EndpointKey { vpc, service: "dms".into(), kind: VpcEndpointType::Interface };
            let group = Group { id: ids.of_endpoint(), name: group_name(&owner, &key), vpc: ids.vpc(), tags: tags.clone() };
            world.add_group(group);
            let (replication, source, target) = (ids.replication(), ids.source(), ids.target());
            for (group, egress, port, peer) in [
                (&replication, true, 5432, Peer::Group(source.clone())),
                (&replication, true, 3306, Peer::Group(target.clone())),
                (&source, false, 5432, Peer::Group(replication.clone())),
                (&target, false, 3306, Peer::Group(replication.clone())),
                (&ids.of_endpoint(), false, 443, Peer::Group(replication.clone())),
                (&ids.of_endpoint(), false, 443, Peer::Cidr(CIDR.into())),
            ] {
                world.add_rule(group, egress, "tcp", (port, port), peer, String::new(), tags.clone());
            }
            let id = format!("vpce-0{n:012x}0000");
            let endpoint = Endpoint {
                id: id.clone(),
                vpc: ids.vpc(),
                service: world.service(),
                subnets: ids.subnets()[..2].to_vec(),
                groups: vec![ids.of_endpoint()],
                private_dns: true,
                policy: policy_of_all(),
                token: String::new(),
                tags,
                available_at: Duration::ZERO,
                gone_at: None,
            };
            world.endpoints.insert(id, endpoint);
        }
        world
    }

    /// Full name of the endpoints' service.
    pub fn service(&self) -> String {
        format!("com.amazonaws.{}.dms", self.region)
    }

    /// Moves the clock: endpoints that are gone are no longer told.
    pub fn at(&mut self, now: Duration) {
        self.now = now;
        self.endpoints.retain(|_, e| e.gone_at.is_none_or(|at| at > now));
    }

    /// The endpoints' network interfaces.
    pub fn interfaces(&self) -> Vec<(String, &Endpoint, &String)> {
        self.endpoints.values().flat_map(|e| e.interfaces().map(move |(id, subnet)| (id, e, subnet))).collect()
    }

    /// An ID that nothing has.
    pub fn new_id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-1{:015x}0", self.made)
    }

    /// A group as AWS makes it: everything out is let through.
    pub fn add_group(&mut self, group: Group) {
        let id = group.id.clone();
        self.groups.insert(id.clone(), group);
        self.rules.insert(id.clone(), vec![]);
        self.add_rule(&id, true, "-1", (-1, -1), Peer::Cidr("0.0.0.0/0".into()), String::new(), Tags::new());
    }

    #[allow(clippy::too_many_arguments)]
    pub fn add_rule(
        &mut self,
        group: &str,
        egress: bool,
        protocol: &str,
        ports: (i32, i32),
        peer: Peer,
        description: String,
        tags: Tags,
    ) -> Rule {
        let id = self.new_id("sgr");
        let (from, to) = ports;
        let rule = Rule { id, group: group.into(), egress, protocol: protocol.into(), from, to, peer, description, tags };
        self.rules.entry(group.into()).or_default().push(rule.clone());
        rule
    }

    /// Rules that are somebody's wish, the default one of new groups not counted.
    pub fn wanted_rules(&self) -> usize {
        self.rules.values().flatten().filter(|r| r.protocol != "-1").count()
    }
}
