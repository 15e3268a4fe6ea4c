//! What all networks of one account and Region want and hold: nothing is shared or given up without a look at it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smallvec::SmallVec;

use super::{
    key::{EndpointRef, GroupRef, Key, Keys},
    wanted::{Fingerprint, Share, Uid},
};
use crate::model::{Direction, Ports, Rule, RuleShape, Target, shared};

/// Order of seniority: creation time in seconds, then UID. The least is the lead.
pub type Seniority = (i64, Uid);

/// What one network wants and holds. There are thousands: what is in it is small, or one with what others have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// `namespace/name`.
    pub name: Arc<str>,
    /// Creation time in seconds since 1970.
    pub created: i64,
    /// Whether it is being deleted: then it wants nothing and leads nothing.
    pub deleting: bool,
    /// Whether its wants are known: it was planned without hidden wants.
    pub planned: bool,
    /// Keys that it wants.
    pub wants: Keys,
    /// Rules among them that it is about to make or to put right.
    pub coming: Keys,
    /// Keys that it would want, if no guardrail withheld them.
    pub withheld: Keys,
    /// Keys in its ledger.
    pub ledger: Keys,
    /// Its share of each endpoint.
    pub shares: Vec<Share>,
    /// Where the routes that it wants are to lead, by key.
    pub routes: Vec<(Key, Target)>,
    /// `want` of its ledger entries for endpoints: the share that was last applied.
    pub applied: Vec<(EndpointRef, Fingerprint)>,
}

impl Claim {
    /// Adds what the same network claims there through another class.
    pub fn join(&mut self, other: Self) {
        self.planned &= other.planned;
        self.deleting &= other.deleting;
        self.shares.retain(|s| other.share(&s.endpoint).is_none());
        self.routes.retain(|(key, _)| other.route(key).is_none());
        self.applied.retain(|(e, _)| other.applied(e).is_none());
        self.wants.join(&other.wants);
        self.coming.join(&other.coming);
        self.withheld.join(&other.withheld);
        self.ledger.join(&other.ledger);
        self.shares.extend(other.shares);
        self.routes.extend(other.routes);
        self.applied.extend(other.applied);
    }

    /// Its share of an endpoint.
    pub fn share(&self, endpoint: &EndpointRef) -> Option<&Share> {
        self.shares.iter().find(|s| s.endpoint == *endpoint)
    }

    /// Where a route that it wants is to lead.
    pub fn route(&self, key: &Key) -> Option<&Target> {
        self.routes.iter().find(|(k, _)| k == key).map(|(_, target)| target)
    }

    /// The share of an endpoint that was last applied.
    pub fn applied(&self, endpoint: &EndpointRef) -> Option<&Fingerprint> {
        self.applied.iter().find(|(e, _)| e == endpoint).map(|(_, want)| want)
    }

    fn touches(&self, key: &Key) -> bool {
        self.wants.contains(key) || self.ledger.contains(key)
    }

    fn touches_group(&self, group: &GroupRef) -> bool {
        let mut keys = self.wants.iter().chain(&self.withheld).chain(&self.ledger);
        keys.any(|k| matches!(k, Key::Rule(g, _) if g == group))
    }

    fn touches_endpoint(&self, endpoint: &EndpointRef) -> bool {
        self.endpoints().any(|e| e == endpoint)
    }

    /// IDs of all that it touches, some of them several times.
    fn places(&self) -> impl Iterator<Item = &str> {
        let keys = self.wants.iter().chain(&self.withheld).chain(&self.ledger).map(Key::place);
        keys.chain(self.shares.iter().map(|s| s.endpoint.place()))
    }

    /// All that other networks' endpoints depend on.
    fn shared_part(&self) -> impl PartialEq {
        let rules = self.wants.iter().filter(|k| matches!(k, Key::Rule(GroupRef::OfEndpoint(_), _)));
        (self.deleting, &self.shares, &self.applied, rules.collect::<Vec<_>>())
    }

    fn endpoints(&self) -> impl Iterator<Item = &EndpointRef> {
        self.shares.iter().map(|s| &s.endpoint).chain(self.wants.iter().chain(&self.ledger).filter_map(|k| match k {
            Key::Endpoint(e) => Some(e),
            _ => None,
        }))
    }
}

/// The claims of all networks of one account and Region, indexed by where they are. The index is small rather than sharp: whoever asks
/// it for a rule or an endpoint gets all that touch its group or its VPC, and looks at their claims.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    claims: BTreeMap<Uid, Arc<Claim>>,
    /// Networks that touch what has that ID, or lies in it, sorted: mostly one.
    by_place: BTreeMap<Arc<str>, SmallVec<[Uid; 1]>>,
}

impl Claims {
    /// Replaces what `uid` claims. Returns the other networks that share an endpoint with it, if its part in one changed.
    pub fn put(&mut self, uid: &Uid, mut claim: Claim) -> BTreeSet<Uid> {
        if self.claims.get(uid).is_some_and(|old| **old == claim) {
            return BTreeSet::new();
        }
        let unchanged = self.claims.get(uid).is_some_and(|old| old.shared_part() == claim.shared_part());
        let mut touched = self.remove(uid);
        if claim.ledger == claim.wants {
            claim.ledger = claim.wants.clone();
        }
        for place in claim.places() {
            let uids = self.by_place.entry(shared(place)).or_default();
            if let Err(at) = uids.binary_search(uid) {
                uids.insert(at, uid.clone());
            }
        }
        touched.extend(self.sharers(uid, &claim));
        self.claims.insert(uid.clone(), Arc::new(claim));
        if unchanged { BTreeSet::new() } else { touched }
    }

    /// Forgets a network. Returns those that shared an endpoint with it.
    pub fn remove(&mut self, uid: &Uid) -> BTreeSet<Uid> {
        let Some(old) = self.claims.remove(uid) else { return BTreeSet::new() };
        let touched = self.sharers(uid, &old);
        for place in old.places() {
            let Some(uids) = self.by_place.get_mut(place) else { continue };
            uids.retain(|u| u != uid);
            if uids.is_empty() {
                self.by_place.remove(place);
            }
        }
        touched
    }

    /// Networks other than `me` that are known at a place, with their claims.
    fn others_at<'a>(&'a self, me: &Uid, place: &str) -> impl Iterator<Item = (&'a Uid, &'a Claim)> {
        self.by_place.get(place).into_iter().flatten().filter(move |u| *u != me).filter_map(|u| Some((u, self.get(u)?)))
    }

    fn sharers(&self, uid: &Uid, claim: &Claim) -> BTreeSet<Uid> {
        let others = claim.endpoints().flat_map(|e| self.others_at(uid, e.place()).filter(move |(_, c)| c.touches_endpoint(e)));
        others.map(|(u, _)| u.clone()).collect()
    }

    /// All networks that claim something here.
    pub fn all(&self) -> impl Iterator<Item = &Uid> {
        self.claims.keys()
    }

    /// The claim of a network.
    pub fn get(&self, uid: &Uid) -> Option<&Claim> {
        self.claims.get(uid).map(|c| &**c)
    }

    /// Other networks that want `key` or have it in their ledger.
    pub fn other_claimants<'a>(&'a self, me: &Uid, key: &Key) -> impl Iterator<Item = (&'a Uid, &'a Claim)> {
        self.others_at(me, key.place()).filter(move |(_, c)| c.touches(key))
    }

    /// Whether any network but `me` wants `key`.
    pub fn wanted_by_other(&self, me: &Uid, key: &Key) -> bool {
        self.other_claimants(me, key).any(|(_, c)| c.wants.contains(key))
    }

    /// Where the oldest network that wants a route wants it to lead, and its name; none where that is `me`.
    pub fn lead_of_route(&self, me: &Seniority, key: &Key) -> Option<(&str, &Target)> {
        let others = self.other_claimants(&me.1, key).filter(|(_, c)| !c.deleting);
        let wanting = others.filter_map(|(u, c)| Some(((c.created, u.clone()), c, c.route(key)?)));
        let (_, lead, target) = wanting.filter(|(seniority, ..)| seniority < me).min_by(|a, b| a.0.cmp(&b.0))?;
        Some((&lead.name, target))
    }

    /// The oldest of those that hold an endpoint and cannot be planned now: what they want of it is not known.
    pub fn oldest_unplanned(&self, me: &Uid, endpoint: &EndpointRef) -> Option<Seniority> {
        let others = self.others_at(me, endpoint.place()).filter(|(_, c)| !c.planned && !c.deleting && c.touches_endpoint(endpoint));
        others.map(|(u, c)| (c.created, u.clone())).min()
    }

    /// Networks other than `me` that touch rules of `group`.
    pub fn others_on_group<'a>(&'a self, me: &'a Uid, group: &'a GroupRef) -> impl Iterator<Item = &'a Claim> {
        self.others_at(me, group.place()).map(|(_, claim)| claim).filter(|c| c.touches_group(group))
    }

    /// The name of another network that is about to make a rule of its own in `group` which lets some of the same packets pass as
    /// `shape`, and which is not among those that are there.
    pub fn who_awaits<'a>(&'a self, me: &'a Uid, group: &'a GroupRef, shape: &RuleShape, there: &[Rule]) -> Option<&'a str> {
        let awaits = |key: &Key| {
            let Key::Rule(g, own) = key else { return false };
            g == group && own != shape && own.may_overlap(shape) && !there.iter().any(|r| r.shape == *own)
        };
        let mut others = self.others_on_group(me, group).filter(|c| !c.deleting);
        others.find(|c| c.coming.iter().any(awaits)).map(|c| &*c.name)
    }

    /// Shares of other networks in an endpoint, with their claims.
    pub fn other_shares<'a>(&'a self, me: &'a Uid, endpoint: &'a EndpointRef) -> impl Iterator<Item = (&'a Uid, &'a Claim, &'a Share)> {
        self.others_at(me, endpoint.place()).filter_map(|(u, claim)| Some((u, claim, claim.share(endpoint)?)))
    }

    /// TCP ports that any network wants on a group and direction.
    pub fn managed_ports(&self, group: &GroupRef, direction: Direction) -> Vec<Ports> {
        let uids = self.by_place.get(group.place()).into_iter().flatten();
        uids.filter_map(|u| self.get(u))
            .flat_map(|c| &c.wants)
            .filter_map(|k| match k {
                Key::Rule(g, shape) if g == group && shape.direction == direction => shape.tcp_ports(),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> Keys {
        texts.iter().map(|text| Key::parse(text).unwrap()).collect()
    }

    #[test]
    fn whoever_is_at_the_same_place_is_no_claimant_of_another_key() {
        let uids: [Uid; 3] = ["a".into(), "b".into(), "c".into()];
        let [a, b, c] = &uids;
        let mut claims = Claims::default();
        let rule = "rule/vpc-1/dms/in/tcp/443/10.0.0.0/16";
        claims.put(a, Claim { wants: keys(&["endpoint/vpc-1/dms", rule]), ..Claim::default() });
        claims.put(b, Claim { ledger: keys(&["endpoint/vpc-1/s3"]), ..Claim::default() });
        claims.put(c, Claim { ledger: keys(&[rule]), withheld: keys(&["rule/sg-1/in/tcp/5432/sg-2"]), ..Claim::default() });
        let key = |text| Key::parse(text).unwrap();
        let others = |text| claims.other_claimants(a, &key(text)).map(|(uid, _)| uid.to_string()).collect::<String>();
        assert_eq!((others(rule), others("endpoint/vpc-1/s3"), others("endpoint/vpc-1/dms")), ("c".into(), "b".into(), String::new()));
        assert!(claims.wanted_by_other(c, &key(rule)) && !claims.wanted_by_other(a, &key(rule)));
        let Key::Rule(group, _) = key("rule/sg-1/in/tcp/1/sg-9") else { panic!() };
        assert_eq!(claims.others_on_group(a, &group).count(), 1, "what is withheld counts on a group");
        for uid in &uids {
            claims.remove(uid);
        }
        assert!(claims.by_place.is_empty(), "{claims:?}");
    }
}
