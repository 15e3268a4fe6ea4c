//! The examples of the repository, on the emulator: each with the AWS that it speaks of, its IDs for the emulator's and back.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};

use super::{Topology, root};

/// One of `examples/`.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Its directory.
    pub name: &'static str,
    /// The topology that it speaks of, as the emulator builds it.
    wish: fn() -> Value,
}

/// All of them, in the order of the documentation.
pub const EXAMPLES: [Example; 9] = [
    Example { name: "same-vpc", wish: || json!({ "path": "SameVpc" }) },
    Example { name: "peered-vpc", wish: || json!({ "path": "PeeredVpc", "routes": false }) },
    Example { name: "on-premises", wish: || json!({ "path": "OnPremises", "source_engine": "oracle", "source_port": 1521 }) },
    Example {
        name: "nat-host",
        wish: || json!({ "path": "OnPremises", "nat_host": true, "routes": false, "source_engine": "oracle", "source_port": 1521 }),
    },
    Example { name: "internet", wish: || json!({ "path": "Internet", "routes": false }) },
    Example { name: "nat-gateway", wish: || json!({ "path": "NatGateway", "nat_gateways": 2 }) },
    Example { name: "classic-link", wish: || json!({ "path": "ClassicLink" }) },
    Example { name: "serverless", wish: || json!({ "path": "SameVpc", "serverless": "orders-cfg" }) },
    Example { name: "placement", wish: || json!({ "path": "SameVpc" }) },
];

/// What stands in the examples, and where the emulator's answer has what it stands for.
const STANDS_FOR: [(&str, &str); 37] = [
    ("vpc-0a1b2c3d", "/vpcId"),
    ("acl-0a1b2c3d", "/networkAclId"),
    ("sg-0a1b2c3d", "/securityGroupIds/replication"),
    ("sg-0b1b2c3d", "/securityGroupIds/source"),
    ("sg-0c1b2c3d", "/securityGroupIds/target"),
    ("subnet-0a1b2c01", "/subnetIds/0"),
    ("subnet-0a1b2c02", "/subnetIds/1"),
    ("subnet-0a1b2c03", "/databaseSubnetIds/0"),
    ("subnet-0a1b2c04", "/databaseSubnetIds/1"),
    ("rtb-0a1b2c01", "/routeTableIds/private"),
    ("rtb-0a1b2c03", "/routeTableIds/database"),
    ("198.51.100.20", "/instance/publicIps/0"),
    ("eni-0b1b2c3d", "/path/networkInterfaceId"),
    // PeeredVpc
    ("pcx-0a1b2c3d", "/path/peeringConnectionId"),
    ("vpc-0f1b2c3d", "/path/vpcId"),
    ("acl-0f1b2c3d", "/path/networkAclId"),
    ("sg-0f1b2c3d", "/path/securityGroupId"),
    ("subnet-0f1b2c01", "/path/subnetIds/0"),
    ("subnet-0f1b2c02", "/path/subnetIds/1"),
    ("rtb-0f1b2c3d", "/path/routeTableId"),
    // OnPremises
    ("vgw-0a1b2c3d", "/path/vpnGatewayId"),
    ("sg-0d1b2c3d", "/path/natHost/securityGroupId"),
    ("eni-0d1b2c3d", "/path/natHost/networkInterfaceId"),
    ("subnet-0d1b2c3d", "/path/natHost/subnetId"),
    ("rtb-0d1b2c3d", "/path/natHost/routeTableId"),
    // Internet, NatGateway
    ("igw-0a1b2c3d", "/path/internetGatewayId"),
    ("nat-0a1b2c01", "/path/natGatewayIds/0"),
    ("nat-0a1b2c02", "/path/natGatewayIds/1"),
    ("198.51.100.11", "/path/publicIps/0"),
    ("198.51.100.12", "/path/publicIps/1"),
    ("subnet-0e1b2c01", "/path/publicSubnetIds/0"),
    ("subnet-0e1b2c02", "/path/publicSubnetIds/1"),
    ("rtb-0e1b2c3d", "/path/publicRouteTableId"),
    ("rtb-0a1b2c02", "/path/routeTableIds/1"),
    // ClassicLink
    ("sg-0d1b2c3d", "/path/proxy/securityGroupId"),
    ("eni-0d1b2c3d", "/path/proxy/networkInterfaceId"),
    ("10.0.3.20", "/path/proxy/host"),
];

impl Example {
    pub fn named(name: &str) -> Self {
        *EXAMPLES.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("there is no example {name}"))
    }

    pub fn topology(&self) -> Value {
        (self.wish)()
    }

    pub fn dir(&self) -> PathBuf {
        root().join("examples").join(self.name)
    }

    /// The class and the network, with the emulator's IDs.
    pub fn on(&self, topology: &Topology) -> [Value; 2] {
        let ids = pairs(topology).into_iter().collect();
        ["class.yaml", "network.yaml"].map(|file| {
            let text = fs::read_to_string(self.dir().join(file)).unwrap();
            serde_saphyr::from_str(&replaced(&text, &ids)).unwrap_or_else(|e| panic!("{}: {file}: {e}", self.name))
        })
    }
}

/// The example's words for the emulator's.
pub fn as_in_examples(text: &str, topology: &Topology) -> String {
    replaced(text, &pairs(topology).into_iter().map(|(ours, theirs)| (theirs, ours)).collect())
}

fn pairs(topology: &Topology) -> Vec<(String, String)> {
    let theirs = |pointer: &str| topology.all.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    STANDS_FOR.iter().filter_map(|(ours, pointer)| Some(((*ours).to_owned(), theirs(pointer)?))).collect()
}

/// Replaces whole words: IDs and addresses.
fn replaced(text: &str, words: &BTreeMap<String, String>) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(part) {
        let word = &rest[start..];
        let word = &word[..word.find(|c| !part(c)).unwrap_or(word.len())];
        out.push_str(&rest[..start]);
        out.push_str(words.get(word).map_or(word, String::as_str));
        rest = &rest[start + word.len()..];
    }
    out + rest
}

/// With IDs that nobody chose numbered as they come: `sgr-00000001`.
pub fn numbered(text: &str) -> String {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dash) = rest.find('-') {
        let (head, tail) = (&rest[..dash], &rest[dash + 1..]);
        let kind = &head[head.rfind(|c: char| !c.is_ascii_lowercase()).map_or(0, |i| i + 1)..];
        let digits = tail.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).unwrap_or(tail.len());
        out.push_str(head);
        out.push('-');
        rest = tail;
        if digits == 17 && !kind.is_empty() {
            let id = known.entry(format!("{kind}-{}", &tail[..17])).or_insert_with(|| {
                let n = counts.entry(kind.to_owned()).or_default();
                *n += 1;
                format!("{n:08x}")
            });
            out.push_str(id);
            rest = &tail[17..];
        }
    }
    out + rest
}
