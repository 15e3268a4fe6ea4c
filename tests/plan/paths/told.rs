//! What a user reads in the status of facts that no rule or route can mend: the condition `PathsOpen`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::land::*;
use crate::world::{Network, SOURCE, VPC, World};

/// The message of PathsOpen, which has the first finding; its words, in this order.
fn told(name: &str, world: &mut World, spec: Value, words: &[&str]) {
    let plan = world.plan(&Network::new(1, spec), None);
    let condition = dmsnet::plan::proof::paths_open(&plan.databases);
    let mut rest = condition.message.as_str();
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("{name}: no {word:?} in {:?} of {:?}", rest, condition.message));
        rest = &rest[at + word.len()..];
    }
}

fn same_vpc() -> Value {
    spec(with(at("10.0.3.7"), "securityGroupId", json!(SOURCE)), json!({"type": "SameVpc"}))
}

#[test]
fn an_instance_in_the_range_of_dms() {
    let mut world = near();
    Arc::make_mut(world.picture.vpcs.get_mut(VPC).unwrap()).cidrs.push(net("192.168.0.0/24"));
    subnet(&mut world, "subnet-0a000001", VPC, "us-east-1a", &["192.168.0.0/25"]);
    told(
        "an instance",
        &mut world,
        same_vpc(),
        &[
            "db: ReservedSourceRange subnet-0a000001: ",
            "192.168.0.0/25 in subnet-0a000001 is in 192.168.0.0/24, which DMS keeps for itself",
            "; fix: ",
            "create a new one in subnets outside 192.168.0.0/24",
        ],
    );
}

#[test]
fn a_database_in_the_range_of_dms() {
    let path = json!({"type": "OnPremises", "onPremises": {"cidrs": ["192.168.0.0/16"]}});
    told(
        "a database",
        &mut near(),
        spec(at("192.168.0.20"), path.clone()),
        &[
            "db: ReservedSourceRange 192.168.0.20: ",
            "192.168.0.20/32 is in 192.168.0.0/24, which DMS keeps for itself",
            "; fix: ",
            "TCP proxy (such as socat) on a host outside 192.168.0.0/24 in front of 192.168.0.20",
            "DMS endpoint",
        ],
    );
    let plan = near().plan(&Network::new(1, spec(at("192.168.1.20"), path)), None);
    let codes: Vec<&str> = plan.databases[0].blocked_by.iter().map(|h| h.code.as_str()).collect();
    assert!(!codes.contains(&"ReservedSourceRange"), "the next range is nobody's: {codes:?}");
}

#[test]
fn a_placement_in_one_zone() {
    let mut spec = same_vpc();
    spec["replication"] = json!({"placement": {"subnetIds": ["subnet-0a000001", "subnet-0a000003"], "securityGroupIds": ["sg-0a000001"]}});
    told(
        "one zone",
        &mut near(),
        spec,
        &[
            "db: SubnetGroupOneZone ",
            "subnet-0a000001",
            "subnet-0a000003",
            "are in us-east-1a",
            "; fix: ",
            "placement.subnetIds a subnet of another Availability Zone",
        ],
    );
}
