//! Every single fault: what it is called, where, what is done, and what dmsnet must say of it.

mod gateways;
mod services;
mod vpcs;

use dmsnet::reach::Code;

use super::{
    Case,
    Mends::{Lines, Names, Otherwise},
    deed::{
        Becomes,
        Deed::{self, *},
    },
    site::{HTTPS, Kind, PORT, at},
};
pub use gateways::{BLOCK_PUBLIC_ACCESS, INTERNET, NAT_GATEWAY, ON_PREMISES};
pub use services::SERVICES;
pub use vpcs::{CLASSIC_LINK, PEERED_VPC, SAME_VPC};

use crate::harness::Topology;

type Net = Topology;

const EPHEMERAL: (i32, i32) = (32_768, 65_535);
const DATABASE: (i32, i32) = (5432, 5432);

const fn case(what: &'static str, at: Kind, deeds: fn(&Net) -> Vec<Deed>, code: Code, resource: fn(&Net) -> String) -> Case {
    Case { what, at, deeds, code, resource, also: &[], mends: Lines, ours: false }
}

impl Case {
    const fn also(mut self, codes: &'static [Code]) -> Self {
        self.also = codes;
        self
    }

    const fn otherwise(mut self, words: &'static str, deeds: fn(&Net) -> Vec<Deed>) -> Self {
        self.mends = Otherwise(words, deeds);
        self
    }

    const fn ours(mut self) -> Self {
        self.ours = true;
        self
    }

    const fn names(mut self, words: &'static str) -> Self {
        self.mends = Names(words);
        self
    }
}

// What the deeds are about.

fn replication(t: &Net) -> String {
    t.security_group_ids.replication.clone()
}

fn database(t: &Net) -> String {
    t.security_group_ids.source.clone()
}

fn acl(t: &Net) -> String {
    t.network_acl_id.clone()
}

fn vpc(t: &Net) -> String {
    t.vpc_id.clone()
}

/// The replication subnets' table.
fn table(t: &Net) -> String {
    t.route_table_ids["private"].clone()
}

fn database_table(t: &Net) -> String {
    t.route_table_ids["database"].clone()
}

fn host(t: &Net) -> String {
    at(t, "/host").to_owned()
}

fn far(t: &Net, what: &str) -> String {
    at(t, what).to_owned()
}

fn no_egress(t: &Net) -> Vec<Deed> {
    vec![Revoke { group: replication(t), egress: true, port: PORT, far: false }]
}

fn no_ingress(t: &Net) -> Vec<Deed> {
    vec![Revoke { group: database(t), egress: false, port: PORT, far: false }]
}

fn deny(acl: String, egress: bool, ports: (i32, i32)) -> Vec<Deed> {
    vec![Deny { acl, egress, number: 50, ports, cidr: "0.0.0.0/0".into() }]
}

fn out_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), true, DATABASE)
}

fn in_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), false, DATABASE)
}

fn answer_out_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), true, EPHEMERAL)
}

fn answer_in_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), false, EPHEMERAL)
}

fn serves(t: &Net, host: Option<&str>, port: Option<i32>) -> Vec<Deed> {
    vec![Server { endpoint: t.endpoints.source.id.clone(), host: host.map(str::to_owned), port }]
}

fn serves_as_before(t: &Net) -> Vec<Deed> {
    serves(t, Some(&host(t)), Some(t.endpoints.source.port.into()))
}
