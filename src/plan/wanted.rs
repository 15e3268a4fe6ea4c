//! What a network wants of AWS, before it is compared with what is there.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    key::{EndpointKey, EndpointRef, GroupRef, Key},
    sorted::Sorted,
};
use crate::{
    api::network::{IpAddressType, VpcEndpointType},
    model::{Destination, NetworkAclId, Owner, Policy, RouteTableId, RuleShape, SecurityGroupId, SubnetId, Target, VpcId},
};

pub use crate::model::AclShape;

/// A rule that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRule {
    /// The group that carries it.
    pub group: GroupRef,
    /// What it lets through.
    pub shape: RuleShape,
    /// Whom it is for, for people: `orders-team/orders source`.
    pub why: String,
    /// What it serves.
    pub purpose: Purpose,
}

/// What a rule serves; guardrails differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The way to a database.
    Database,
    /// The callers of a VPC endpoint.
    Endpoint,
}

impl WantedRule {
    /// Its ledger key.
    pub fn key(&self) -> Key {
        Key::Rule(self.group.clone(), self.shape.clone())
    }
}

/// One network's wishes for one endpoint. Networks that share it are united (design.md 2, Sharing).
/// For an endpoint that is taken over, an absent field means: keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which endpoint.
    pub endpoint: EndpointRef,
    /// Its name in the network's spec.
    pub name: Arc<str>,
    /// Its VPC.
    pub vpc: VpcId,
    /// Full service name.
    pub service_name: Arc<str>,
    /// Interface or gateway.
    pub kind: VpcEndpointType,
    /// Route tables of a gateway endpoint.
    pub route_tables: Sorted<RouteTableId>,
    /// Subnets and their Availability Zones.
    pub subnets: Sorted<(SubnetId, Arc<str>)>,
    /// Groups that the user named; empty: the group that we make.
    pub groups: Sorted<SecurityGroupId>,
    /// Private DNS.
    pub private_dns: Option<bool>,
    /// Policy.
    pub policy: Option<Policy>,
    /// Address families.
    pub ip_address_type: Option<IpAddressType>,
}

impl Share {
    /// Whether callers go by a group that we make for it.
    pub fn makes_group(&self) -> bool {
        self.kind == VpcEndpointType::Interface && self.groups.is_empty() && matches!(self.endpoint, EndpointRef::Made(_))
    }

    /// Its subnets.
    pub fn subnet_ids(&self) -> impl Iterator<Item = &SubnetId> {
        self.subnets.iter().map(|(subnet, _)| subnet)
    }

    /// Canonical text of the network's own share: what the ledger keeps as `want`.
    pub fn text(&self) -> String {
        if self.kind == VpcEndpointType::Gateway {
            let policy = self.policy.as_ref().map(|p| short_hash(p.as_str().as_bytes()));
            return json!({"routeTables": self.route_tables.iter().collect::<Vec<_>>(), "policy": policy}).to_string();
        }
        json!({
            "subnets": self.subnet_ids().collect::<Vec<_>>(),
            "groups": self.groups.iter().collect::<Vec<_>>(),
            "privateDns": self.private_dns,
            "policy": self.policy.as_ref().map(|p| short_hash(p.as_str().as_bytes())),
            "ipAddressType": self.ip_address_type,
        })
        .to_string()
    }
}

/// A route that a path needs (domain.md 1.2 to 1.5). `routes: Manage` sets it; `Check` only proves that packets get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRoute {
    /// The table that carries it.
    pub table: RouteTableId,
    /// The table's VPC.
    pub vpc: VpcId,
    /// Where packets want to go.
    pub destination: Destination,
    /// Where they are to be sent.
    pub target: Target,
    /// Whom it is for, for people: `orders-team/orders source`.
    pub why: String,
}

impl WantedRoute {
    /// Its ledger key.
    pub fn key(&self) -> Key {
        Key::Route(self.table.clone(), self.destination.clone())
    }
}

/// An entry that a path needs on a network ACL (domain.md 1.0): always an allow. `networkAcls: Manage` sets it; `Check` only
/// proves that packets pass. Its number is chosen where it is set, in the class's range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedAclEntry {
    /// The network ACL.
    pub acl: NetworkAclId,
    /// The ACL's VPC.
    pub vpc: VpcId,
    /// What it lets through.
    pub shape: AclShape,
    /// Whom it is for, for people: `orders-team/orders source`.
    pub why: BTreeSet<String>,
    /// What it serves: often several at once.
    pub serves: BTreeSet<Serves>,
}

/// What an entry serves; guardrails differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Serves {
    /// The way to a database.
    Database,
    /// 443 of an interface endpoint; none: of one that the network does not ask for.
    Endpoint(Option<EndpointRef>),
    /// 443 of AWS's own addresses behind a gateway endpoint; none: one that the network does not ask for.
    Gateway(Option<EndpointRef>),
}

impl WantedAclEntry {
    /// Its ledger key.
    pub fn key(&self) -> Key {
        Key::AclEntry(self.acl.clone(), self.shape.clone())
    }
}

/// All that one network wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Rules by key.
    pub rules: BTreeMap<Key, WantedRule>,
    /// Shares by endpoint.
    pub shares: BTreeMap<EndpointRef, Share>,
    /// Routes that the paths need, by table and destination.
    pub routes: BTreeMap<(RouteTableId, Destination), WantedRoute>,
    /// Entries of network ACLs that the paths need, by ACL and shape.
    pub acl_entries: BTreeMap<(NetworkAclId, AclShape), WantedAclEntry>,
}

impl Wanted {
    /// Keys of all that is wanted, groups that we make included.
    pub fn keys(&self) -> BTreeSet<Key> {
        let mut keys: BTreeSet<Key> = self.rules.keys().cloned().collect();
        keys.extend(self.routes.values().map(WantedRoute::key));
        keys.extend(self.acl_entries.values().map(WantedAclEntry::key));
        for share in self.shares.values() {
            keys.insert(Key::Endpoint(share.endpoint.clone()));
            if let (EndpointRef::Made(key), true) = (&share.endpoint, share.makes_group()) {
                keys.insert(Key::Group(key.clone()));
            }
        }
        keys
    }

    /// Adds an entry, or its reasons to the one that is the same.
    pub fn add_entry(&mut self, entry: WantedAclEntry) {
        match self.acl_entries.entry((entry.acl.clone(), entry.shape.clone())) {
            Entry::Vacant(place) => drop(place.insert(entry)),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.why.extend(entry.why);
                known.serves.extend(entry.serves);
            }
        }
    }

    /// Adds a rule; the first reason for it stays.
    pub fn add(&mut self, rule: WantedRule) {
        self.rules.entry(rule.key()).or_insert(rule);
    }
}

/// Name of the group that we make for an endpoint; it is the group's idempotency key.
pub fn group_name(owner: &Owner, key: &EndpointKey) -> String {
    format!("dmsnet-{owner}-{}-{}", key.service, short_hash(key.to_string().as_bytes()))
}

/// 8 hex digits of SHA-256.
pub fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|b| format!("{b:02x}")).collect()
}

/// 32 hex digits of SHA-256 over the parts: a client token.
pub fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of the share that was last applied to an endpoint: what is kept of each network is small.
pub type Fingerprint = [u8; 32];

/// See [`Fingerprint`].
pub fn fingerprint(text: &str) -> Fingerprint {
    Sha256::digest(text.as_bytes()).into()
}

/// Unique name of a network in its cluster: its UID, or the file's place on the command line.
pub type Uid = Arc<str>;
