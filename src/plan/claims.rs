//! What all networks of one account and Region want and hold: nothing is shared or given up without a look at it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    key::{EndpointRef, GroupRef, Key, Keys},
    wanted::{Share, Uid},
};
use crate::model::{Direction, Ports, Target};

/// Order of seniority: creation time in seconds, then UID. The least is the lead.
pub type Seniority = (i64, Uid);

/// What one network wants and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// `namespace/name`.
    pub name: String,
    /// Creation time in seconds since 1970.
    pub created: i64,
    /// Whether it is being deleted: then it wants nothing and leads nothing.
    pub deleting: bool,
    /// Whether its wants are known: it was planned without hidden wants.
    pub planned: bool,
    /// Keys that it wants.
    pub wants: Keys,
    /// Keys that it would want, if no guardrail withheld them.
    pub withheld: Keys,
    /// Keys in its ledger.
    pub ledger: Keys,
    /// Its share of each endpoint. Mostly one, as below: a map has room for eleven, and there are thousands of claims.
    pub shares: Vec<Arc<Share>>,
    /// Where the routes that it wants are to lead, by key.
    pub routes: BTreeMap<Key, Target>,
    /// `want` of its ledger entries for endpoints: the share that was last applied.
    pub applied: Vec<(EndpointRef, String)>,
}

impl Claim {
    /// Adds what the same network claims there through another class.
    pub fn join(&mut self, other: Self) {
        self.planned &= other.planned;
        self.deleting &= other.deleting;
        self.shares.retain(|s| other.share(&s.endpoint).is_none());
        self.applied.retain(|(e, _)| other.applied(e).is_none());
        self.wants.join(other.wants);
        self.withheld.join(other.withheld);
        self.ledger.join(other.ledger);
        self.shares.extend(other.shares);
        self.routes.extend(other.routes);
        self.applied.extend(other.applied);
    }

    /// Its share of an endpoint.
    pub fn share(&self, endpoint: &EndpointRef) -> Option<&Share> {
        self.shares.iter().find(|s| s.endpoint == *endpoint).map(|s| &**s)
    }

    /// The share of an endpoint that was last applied.
    pub fn applied(&self, endpoint: &EndpointRef) -> Option<&str> {
        self.applied.iter().find(|(e, _)| e == endpoint).map(|(_, want)| want.as_str())
    }

    fn groups(&self) -> impl Iterator<Item = &GroupRef> {
        self.wants.iter().chain(self.withheld.iter()).chain(self.ledger.iter()).filter_map(|k| match k {
            Key::Rule(group, _) => Some(group),
            _ => None,
        })
    }

    /// All that other networks' endpoints depend on.
    fn shared_part(&self) -> impl PartialEq {
        let rules = self.wants.iter().filter(|k| matches!(k, Key::Rule(GroupRef::OfEndpoint(_), _)));
        (self.deleting, &self.shares, &self.applied, rules.collect::<Vec<_>>())
    }

    fn endpoints(&self) -> impl Iterator<Item = &EndpointRef> {
        self.shares.iter().map(|s| &s.endpoint).chain(self.wants.iter().chain(self.ledger.iter()).filter_map(|k| match k {
            Key::Endpoint(e) => Some(e),
            _ => None,
        }))
    }
}

/// Networks that touch one thing, sorted: mostly one or two.
#[derive(Clone, Debug, Default)]
struct Uids(Vec<Uid>);

impl Uids {
    fn insert(&mut self, uid: &Uid) {
        if let Err(at) = self.0.binary_search(uid) {
            // Mostly the only one: a list that grows has room for four.
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(at, uid.clone());
        }
    }

    /// Whether none is left.
    fn remove(&mut self, uid: &Uid) -> bool {
        if let Ok(at) = self.0.binary_search(uid) {
            self.0.remove(at);
        }
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Uids {
    type Item = &'a Uid;
    type IntoIter = std::slice::Iter<'a, Uid>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The claims of all networks of one account and Region, indexed by what they touch.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    claims: BTreeMap<Uid, Arc<Claim>>,
    by_key: BTreeMap<Arc<Key>, Uids>,
    by_group: BTreeMap<GroupRef, Uids>,
    by_endpoint: BTreeMap<EndpointRef, Uids>,
}

impl Claims {
    /// Replaces what `uid` claims. Returns the other networks that share an endpoint with it, if its part in one changed.
    pub fn put(&mut self, uid: &Uid, mut claim: Claim) -> BTreeSet<Uid> {
        if self.claims.get(uid).is_some_and(|old| **old == claim) {
            return BTreeSet::new();
        }
        let unchanged = self.claims.get(uid).is_some_and(|old| old.shared_part() == claim.shared_part());
        let mut touched = self.remove(uid);
        for key in claim.wants.shared().chain(claim.ledger.shared()) {
            if let Some((known, _)) = self.by_key.get_key_value(&**key) {
                *key = known.clone();
            }
            self.by_key.entry(key.clone()).or_default().insert(uid);
        }
        let claim = Arc::new(claim);
        for group in claim.groups() {
            self.by_group.entry(group.clone()).or_default().insert(uid);
        }
        for endpoint in claim.endpoints() {
            self.by_endpoint.entry(endpoint.clone()).or_default().insert(uid);
        }
        self.claims.insert(uid.clone(), claim.clone());
        touched.extend(self.sharers(uid, &claim));
        if unchanged { BTreeSet::new() } else { touched }
    }

    /// Forgets a network. Returns those that shared an endpoint with it.
    pub fn remove(&mut self, uid: &Uid) -> BTreeSet<Uid> {
        let Some(old) = self.claims.remove(uid) else { return BTreeSet::new() };
        let touched = self.sharers(uid, &old);
        let forget = |set: Option<&mut Uids>| set.is_some_and(|s| s.remove(uid));
        for key in old.wants.iter().chain(old.ledger.iter()) {
            if forget(self.by_key.get_mut(key)) {
                self.by_key.remove(key);
            }
        }
        for group in old.groups() {
            if forget(self.by_group.get_mut(group)) {
                self.by_group.remove(group);
            }
        }
        for endpoint in old.endpoints() {
            if forget(self.by_endpoint.get_mut(endpoint)) {
                self.by_endpoint.remove(endpoint);
            }
        }
        touched
    }

    fn sharers(&self, uid: &Uid, claim: &Claim) -> BTreeSet<Uid> {
        claim.endpoints().filter_map(|e| self.by_endpoint.get(e)).flatten().filter(|u| *u != uid).cloned().collect()
    }

    /// The claim of a network.
    pub fn get(&self, uid: &Uid) -> Option<&Claim> {
        self.claims.get(uid).map(|c| &**c)
    }

    /// Other networks that want `key` or have it in their ledger.
    pub fn other_claimants<'a>(&'a self, me: &Uid, key: &Key) -> impl Iterator<Item = (&'a Uid, &'a Claim)> {
        self.by_key.get(key).into_iter().flatten().filter(move |u| *u != me).filter_map(|u| Some((u, self.get(u)?)))
    }

    /// Whether any network but `me` wants `key`.
    pub fn wanted_by_other(&self, me: &Uid, key: &Key) -> bool {
        self.other_claimants(me, key).any(|(_, c)| c.wants.contains(key))
    }

    /// Where the oldest network that wants a route wants it to lead, and its name; none where that is `me`.
    pub fn lead_of_route(&self, me: &Seniority, key: &Key) -> Option<(&str, &Target)> {
        let others = self.other_claimants(&me.1, key).filter(|(_, c)| !c.deleting);
        let wanting = others.filter_map(|(u, c)| Some(((c.created, u.clone()), c, c.routes.get(key)?)));
        let (_, lead, target) = wanting.filter(|(seniority, ..)| seniority < me).min_by(|a, b| a.0.cmp(&b.0))?;
        Some((&lead.name, target))
    }

    /// The oldest of those that hold an endpoint and cannot be planned now: what they want of it is not known.
    pub fn oldest_unplanned(&self, me: &Uid, endpoint: &EndpointRef) -> Option<Seniority> {
        let others = self.by_endpoint.get(endpoint).into_iter().flatten().filter(|u| *u != me);
        others.filter_map(|u| Some((u, self.get(u)?))).filter(|(_, c)| !c.planned && !c.deleting).map(|(u, c)| (c.created, u.clone())).min()
    }

    /// Networks other than `me` that touch rules of `group`.
    pub fn others_on_group<'a>(&'a self, me: &'a Uid, group: &GroupRef) -> impl Iterator<Item = &'a Claim> {
        self.by_group.get(group).into_iter().flatten().filter(move |u| *u != me).filter_map(|u| self.get(u))
    }

    /// Shares of other networks in an endpoint, with their claims.
    pub fn other_shares<'a>(&'a self, me: &'a Uid, endpoint: &'a EndpointRef) -> impl Iterator<Item = (&'a Uid, &'a Claim, &'a Share)> {
        self.by_endpoint.get(endpoint).into_iter().flatten().filter(move |u| *u != me).filter_map(move |u| {
            let claim = self.get(u)?;
            Some((u, claim, claim.share(endpoint)?))
        })
    }

    /// TCP ports that any network wants on a group and direction.
    pub fn managed_ports(&self, group: &GroupRef, direction: Direction) -> Vec<Ports> {
        let uids = self.by_group.get(group).into_iter().flatten();
        uids.filter_map(|u| self.get(u))
            .flat_map(|c| c.wants.iter())
            .filter_map(|k| match k {
                Key::Rule(g, shape) if g == group && shape.direction == direction => shape.tcp_ports(),
                _ => None,
            })
            .collect()
    }
}
