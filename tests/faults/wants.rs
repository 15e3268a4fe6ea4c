//! What networks of these runs are, and what they must make of AWS: said here once more, without the product's own derivation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::stub::{Ids, Peer, Rule};

/// A database of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Database {
    /// By its DMS endpoint, in the source's group.
    Source,
    /// In RDS, in the target's group.
    Target,
    /// By address, in the source's group or the target's.
    Address { port: u16, of_source: bool },
}

/// A network's spec, as far as these runs vary it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of which topology.
    pub place: usize,
    pub databases: BTreeSet<Database>,
    /// Whether it wants the endpoint of the DMS API.
    pub endpoint: bool,
    /// Without, AWS takes a second endpoint for the same service.
    pub private_dns: bool,
    /// Whether databases admit the VPC's addresses, not the replication's group: another rule for the same way.
    pub by_cidr: bool,
}

/// The VPC's addresses.
const VPC: &str = "10.0.0.0/16";

/// A way that must be open: group, direction and port. More than one rule can open it.
pub type Way = (usize, String, bool, i32);

/// A rule that must be there. The group that dmsnet makes is called `own`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    pub place: usize,
    pub group: String,
    pub egress: bool,
    pub port: i32,
    pub peer: String,
}

impl Shape {
    /// The way that it opens; none where it opens one only for strangers.
    pub fn way(&self) -> Option<Way> {
        let serves = self.peer.starts_with("sg-") || self.peer == VPC;
        serves.then(|| (self.place, self.group.clone(), self.egress, self.port))
    }

    /// What a rule is; none where it is none that anybody of us could want.
    pub fn of(place: usize, group: &str, rule: &Rule) -> Option<Self> {
        let peer = match &rule.peer {
            Peer::Group(id) | Peer::Cidr(id) => id.clone(),
        };
        let plain = rule.protocol == "tcp" && rule.from == rule.to;
        plain.then(|| Self { place, group: group.to_owned(), egress: rule.egress, port: rule.from, peer })
    }
}

impl Wish {
    pub fn spec(&self, interval: u64) -> Value {
        let ids = Ids(self.place);
        let path = json!({ "type": "SameVpc" });
        let database = |(n, d): (usize, &Database)| match d {
            Database::Source => json!({
                "name": "source", "role": "Source", "path": path, "dmsEndpoint": ids.dms_source(),
                "securityGroupId": ids.source(), "subnetIds": &ids.subnets()[2..],
            }),
            Database::Target => json!({ "name": "target", "role": "Target", "path": path, "rds": { "instance": ids.database() } }),
            Database::Address { port, of_source } => json!({
                "name": format!("at-{n}-{port}"), "path": path, "subnetIds": &ids.subnets()[2..],
                "address": { "engine": "postgres", "endpoints": [{ "host": "10.0.3.77", "port": port }] },
                "securityGroupId": if *of_source { ids.source() } else { ids.target() },
            }),
        };
        let mut databases: Vec<Value> = self.databases.iter().enumerate().map(database).collect();
        if self.by_cidr {
            databases.iter_mut().for_each(|d| d["ingressFrom"] = "VpcCidr".into());
        }
        let mut spec = json!({
            "className": "sim", "resyncInterval": format!("{interval}s"), "databases": databases,
            "replication": { "instance": ids.instance() },
        });
        if self.endpoint {
            spec["vpcEndpoints"] = json!([{ "name": "dms", "service": "dms", "privateDns": self.private_dns }]);
        }
        spec
    }

    pub fn shapes(&self) -> BTreeSet<Shape> {
        let ids = Ids(self.place);
        let shape =
            |group: &str, egress, port, peer: &str| Shape { place: self.place, group: group.into(), egress, port, peer: peer.into() };
        let (mut shapes, callers) = (BTreeSet::new(), ids.replication());
        for database in &self.databases {
            let (port, group) = match *database {
                Database::Source => (5432, ids.source()),
                Database::Target => (3306, ids.target()),
                Database::Address { port, of_source } => (i32::from(port), if of_source { ids.source() } else { ids.target() }),
            };
            shapes.insert(shape(&ids.replication(), true, port, &group));
            shapes.insert(shape(&group, false, port, if self.by_cidr { VPC } else { callers.as_str() }));
        }
        if self.endpoint {
            shapes.insert(shape(OWN, false, 443, &ids.replication()));
            shapes.insert(shape(OWN, false, 443, VPC));
        }
        shapes
    }

    /// How many entries its ledger has: rules, and the endpoint with its group.
    pub fn entries(&self) -> usize {
        self.shapes().len() + if self.endpoint { 2 } else { 0 }
    }
}

/// See [`Shape`].
pub const OWN: &str = "own";
