//! Names of AWS objects in somebody else's JSON.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::Ids;

/// Most names that are taken from one message.
const MAX_NAMES: usize = 500;
/// Longest identifier of DMS and RDS.
const MAX_IDENTIFIER: usize = 255;
/// What EC2 IDs that matter to us begin with.
const PREFIXES: [&str; 15] =
    ["sg-", "sgr-", "acl-", "rtb-", "vpce-", "vpc-", "pcx-", "nat-", "eni-", "subnet-", "igw-", "pl-", "tgw-attach-", "rtbassoc-", "vgw-"];
/// Members that name an object which is only referred to: the peer of a rule is not what was changed.
const REFERENCES: [&str; 4] = ["ippermissions", "referencedgroupid", "referencedgroupinfo", "prefixlistid"];

/// What an identifier of DMS or RDS stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum NameKind {
    ReplicationInstance,
    DmsEndpoint,
    ReplicationConfig,
    SubnetGroup,
    DbInstance,
    DbCluster,
    DbSubnetGroup,
}

/// An object of DMS or RDS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// By its identifier, lower case.
    Identifier(NameKind, Arc<str>),
    /// By an ARN that does not hold its identifier.
    Arn(Arc<str>),
}

/// The objects that a message names, whatever its shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// IDs of EC2.
    pub ids: Ids,
    /// Objects of DMS and RDS.
    pub others: BTreeSet<Name>,
}

impl Names {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.others.is_empty()
    }

    /// IDs with this prefix, such as `sg-`.
    pub fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.ids.iter().filter(move |id| id.starts_with(prefix))
    }

    /// Adds what stands anywhere in `value`: both generations of CloudTrail's records, and whatever comes next. The depth is
    /// bounded by serde_json's.
    pub(super) fn scan(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => list.iter().for_each(|v| self.scan(v)),
            Value::Object(members) => {
                for (key, value) in members {
                    let key = key.to_ascii_lowercase();
                    if REFERENCES.contains(&key.as_str()) {
                        continue;
                    }
                    if let (Some(kind), Value::String(name)) = (kind_of(&key), value) {
                        self.identifier(kind, name);
                    }
                    self.scan(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        for id in ids_in(text) {
            if self.ids.len() < MAX_NAMES {
                self.ids.insert(id.into());
            }
        }
        if text.starts_with("arn:") {
            self.arn(text);
        }
    }

    /// `arn:aws:rds:us-west-2:111122223333:db:orders-db`: the last part is the identifier, but for DMS's own random ones.
    fn arn(&mut self, arn: &str) {
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        let [_, _, service, _, _, kind, name] = parts[..] else { return };
        let kind = match (service, kind) {
            ("rds", "db") => NameKind::DbInstance,
            ("rds", "cluster") => NameKind::DbCluster,
            ("rds", "subgrp") => NameKind::DbSubnetGroup,
            ("dms", "subgrp") => NameKind::SubnetGroup,
            ("dms", "rep" | "endpoint" | "replication-config") if arn.len() <= 2 * MAX_IDENTIFIER => {
                self.other(Name::Arn(arn.into()));
                return;
            }
            _ => return,
        };
        self.identifier(kind, name);
    }

    fn identifier(&mut self, kind: NameKind, name: &str) {
        if !name.is_empty() && name.len() <= MAX_IDENTIFIER {
            self.other(Name::Identifier(kind, name.to_ascii_lowercase().into()));
        }
    }

    fn other(&mut self, name: Name) {
        if self.others.len() < MAX_NAMES {
            self.others.insert(name);
        }
    }
}

/// A member's name, in lower case: CloudTrail writes `dBInstanceIdentifier`.
fn kind_of(key: &str) -> Option<NameKind> {
    Some(match key {
        "replicationinstanceidentifier" => NameKind::ReplicationInstance,
        "endpointidentifier" => NameKind::DmsEndpoint,
        "replicationconfigidentifier" => NameKind::ReplicationConfig,
        "replicationsubnetgroupidentifier" => NameKind::SubnetGroup,
        "dbinstanceidentifier" => NameKind::DbInstance,
        "dbclusteridentifier" => NameKind::DbCluster,
        "dbsubnetgroupname" => NameKind::DbSubnetGroup,
        _ => return None,
    })
}

/// EC2 IDs in a text, such as that of an ARN: a prefix that we know, and 8 or 17 hexadecimal digits.
pub fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| is_id(word))
}

fn is_id(word: &str) -> bool {
    PREFIXES
        .iter()
        .filter_map(|p| word.strip_prefix(p))
        .any(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}
