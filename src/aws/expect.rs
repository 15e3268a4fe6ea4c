//! What our own writes will show. AWS may answer a read that starts after a write as if the write had not been
//! made (eventual consistency, domain.md 3.6): such a read is late, not drift. So a write is expected for a while,
//! and laid over reads that do not show it. That one read agrees does not end it: the next may be answered by a copy
//! that lags. From then on a read that differs is looked after, and somebody else's doing if the reads that follow
//! differ as well; where AWS was lately seen to go back and forth, only when the while is over. Pure: values and
//! instants in, values out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    api::network::IpAddressType,
    model::{
        AclEntry, Destination, Direction, EndpointState, Need, NetworkAcl, Policy, Route, RouteOrigin, RouteTable, RouteTableId, Rule,
        RuleShape, SecurityGroup, SecurityGroupId, SubnetId, VpcEndpoint,
    },
};

/// How long a write is expected at most.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Once a read has agreed, those that differ for so long without a break are believed.
pub(super) const DOUBT: Duration = Duration::from_millis(1500);
/// How soon it is read again meanwhile: that all of several reads are late is rarer than that one is.
pub(super) const LOOK: Duration = Duration::from_millis(750);
/// A read that is late by more than this, or after one that was not, makes AWS one that lags; for how long. Less than what is doubted:
/// else a delay that was seen could be believed the next time.
const LATE: Duration = Duration::from_secs(1);
const LAGS: Duration = Duration::from_secs(600);

/// A part of an object that we may write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Tag(String),
    Shape,
    Subnets,
    RouteTables,
    Groups,
    PrivateDns,
    Policy,
    AddressType,
    /// An entry of a network ACL.
    Entry(Direction, u16),
    /// A written route of a route table.
    Route(Destination),
}

/// What such a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Tag(Option<String>),
    Shape(RuleShape),
    Subnets(Vec<SubnetId>),
    RouteTables(Vec<RouteTableId>),
    Entry(Option<AclEntry>),
    Route(Option<Route>),
    Groups(Vec<SecurityGroupId>),
    PrivateDns(bool),
    Policy(Policy),
    AddressType(IpAddressType),
}

/// An object whose parts may be expected.
pub(super) trait Expectable: Clone {
    fn id(&self) -> &str;
    /// Needs whose reads show it: with others, or alone.
    fn needs(&self) -> Vec<Need>;
    fn get(&self, field: &Field) -> Option<Value>;
    fn set(&mut self, value: &Value, field: &Field);
    /// After its deletion: whether a read shows that it is on its way, if there is such a thing.
    fn is_going(&self) -> bool {
        false
    }
    /// Makes it look as if it were on its way; false where it should not be shown at all.
    fn let_go(&mut self) -> bool {
        false
    }
    /// Whether AWS lists it for a while after its deletion.
    fn lingers(&self) -> bool {
        false
    }
}

/// A write of ours, and what reads have said of it since.
#[derive(Clone, Debug)]
struct Write {
    at: Instant,
    /// A read agreed.
    shown: bool,
    /// Those that have differed since then.
    differed: Option<Differed>,
}

/// Reads that differ from our own write.
#[derive(Clone, Copy, Debug)]
struct Differed {
    /// When the first of them began, and the last.
    first: Instant,
    last: Instant,
    /// When the last was answered.
    answered: Instant,
}

impl Write {
    fn new(at: Instant) -> Self {
        Self { at, shown: false, differed: None }
    }

    /// A read that began then agrees. Whether it proves that those before were later than is usual.
    fn agrees(&mut self, started: Instant) -> bool {
        if started < self.at {
            return false;
        }
        let late = self.differed.take().is_some_and(|d| self.shown || d.answered.saturating_duration_since(self.at) > LATE);
        self.shown = true;
        late
    }

    /// A read that began then differs, and is answered now. Whether it is taken for late.
    fn is_late(&mut self, started: Instant, now: Instant, lags: bool) -> bool {
        if started < self.at {
            return true;
        }
        let first = self.differed.map_or(started, |d| d.first);
        self.differed = Some(Differed { first, last: started, answered: now });
        !self.shown || lags || started.saturating_duration_since(first) < DOUBT
    }

    /// Whether a read that began then, and does not show it either, proves that reads are later than is usual: unless somebody took
    /// it away before any read could show it; then only the end of the while tells.
    fn is_behind(&self, started: Instant) -> bool {
        !self.shown && started.saturating_duration_since(self.at) > LATE
    }

    /// Whether the next read may tell more of it.
    fn is_open(&self) -> bool {
        !self.shown || self.differed.is_some()
    }

    /// Whether reads differ from what one has shown: the next tells whether that was late.
    fn is_doubted(&self) -> bool {
        self.shown && self.differed.is_some_and(|d| d.last.saturating_duration_since(d.first) < DOUBT)
    }

    fn is_over(&self, now: Instant) -> bool {
        now >= self.at + PATIENCE
    }
}

#[derive(Clone, Debug)]
struct Wish {
    /// What it held before; several, if it was written several times.
    stale: Vec<Value>,
    now: Value,
    needs: Vec<Need>,
    write: Write,
}

/// What is expected of objects of one kind, by ID.
#[derive(Debug)]
pub(super) struct Expected<T> {
    created: BTreeMap<String, (T, Write)>,
    gone: BTreeMap<String, (T, Write)>,
    fields: BTreeMap<String, BTreeMap<Field, Wish>>,
}

impl<T> Default for Expected<T> {
    fn default() -> Self {
        Self { created: BTreeMap::new(), gone: BTreeMap::new(), fields: BTreeMap::new() }
    }
}

/// When AWS was last seen to lag, whatever it was asked.
#[derive(Debug, Default)]
pub(super) struct Lag(Option<Instant>);

/// What is expected, of all kinds.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    pub(super) rules: Expected<Rule>,
    pub(super) groups: Expected<SecurityGroup>,
    pub(super) endpoints: Expected<VpcEndpoint>,
    pub(super) acls: Expected<NetworkAcl>,
    pub(super) route_tables: Expected<RouteTable>,
    pub(super) lag: Lag,
}

impl Expectations {
    /// The needs whose next read may confirm something: each entry is one object's.
    pub(super) fn open(&self) -> Vec<Vec<Need>> {
        let mut all = self.rules.open();
        all.extend(self.groups.open());
        all.extend(self.endpoints.open());
        all.extend(self.acls.open());
        all.extend(self.route_tables.open());
        all
    }

    /// Those of them that are to be read at once, since the last read may have been late.
    pub(super) fn doubted(&self) -> BTreeSet<Need> {
        let mut all = self.rules.doubted();
        all.extend(self.groups.doubted());
        all.extend(self.endpoints.doubted());
        all.extend(self.acls.doubted());
        all.extend(self.route_tables.doubted());
        all
    }

    /// Somebody else has changed what these tell: what a read has shown of our own writes is not expected any more.
    pub(super) fn touched(&mut self, needs: &BTreeSet<Need>) {
        self.rules.touched(needs);
        self.groups.touched(needs);
        self.endpoints.touched(needs);
        self.acls.touched(needs);
        self.route_tables.touched(needs);
    }

    /// Somebody else's call named these: a rule that we made was there for it, though no read has shown it yet.
    pub(super) fn named(&mut self, ids: &BTreeSet<Arc<str>>) {
        self.rules.created.retain(|id, _| !ids.contains(id.as_str()));
    }
}

impl<T: Expectable> Expected<T> {
    /// We made it.
    pub(super) fn created(&mut self, object: T, written: Instant) {
        self.gone.remove(object.id());
        self.created.insert(object.id().to_owned(), (object, Write::new(written)));
    }

    /// We removed it.
    pub(super) fn removed(&mut self, object: T, written: Instant) {
        self.created.remove(object.id());
        self.fields.remove(object.id());
        self.gone.insert(object.id().to_owned(), (object, Write::new(written)));
    }

    /// We wrote one part of it; `before` and `after` are the object without and with that.
    pub(super) fn wrote(&mut self, field: Field, before: &T, after: &T, written: Instant) {
        let (Some(old), Some(now)) = (before.get(&field), after.get(&field)) else { return };
        if let Some((object, _)) = self.created.get_mut(after.id()) {
            object.set(&now, &field);
        }
        let wishes = self.fields.entry(after.id().to_owned()).or_default();
        let mut stale = wishes.remove(&field).map(|w| w.stale).unwrap_or_default();
        stale.push(old);
        stale.retain(|v| *v != now);
        wishes.insert(field, Wish { stale, now, needs: after.needs(), write: Write::new(written) });
    }

    /// A read shows one that was not known: we may have made it, and not have heard of it. So it is expected as if we had now.
    pub(super) fn came(&mut self, object: &T, now: Instant) {
        if !self.created.contains_key(object.id()) && !self.gone.contains_key(object.id()) && !object.is_going() {
            let write = Write { shown: true, ..Write::new(now) };
            self.created.insert(object.id().to_owned(), (object.clone(), write));
        }
    }

    /// Corrects a list that AWS gave to a read that began at `started`, by what is expected. `covers` tells whether
    /// an object, if it exists, must be in the list.
    pub(super) fn overlay(&mut self, list: &mut Vec<T>, covers: impl Fn(&T) -> bool, started: Instant, now: Instant, lag: &mut Lag) {
        self.expire(now);
        lag.0 = lag.0.filter(|at| now < *at + LAGS);
        let (lags, mut late) = (lag.0.is_some(), false);
        let going: BTreeSet<String> = list.iter().filter(|o| o.is_going()).map(|o| o.id().to_owned()).collect();
        // That somebody takes it down is no late news.
        self.created.retain(|id, _| !going.contains(id));
        let listed: BTreeSet<String> = list.iter().map(|o| o.id().to_owned()).collect();
        self.created.retain(|id, (object, write)| {
            if listed.contains(id) {
                late |= write.agrees(started);
            } else if covers(object) {
                if !write.is_late(started, now, lags) {
                    return false;
                }
                late |= write.is_behind(started);
                list.push(object.clone());
            }
            true
        });
        for (id, (object, write)) in &mut self.gone {
            match list.iter().find(|o| listed.contains(id) && o.id() == id) {
                // No ID comes back: whatever reads have shown, this one is late.
                Some(shown) if !shown.is_going() => drop(write.is_late(started, now, true)),
                None if !covers(object) => {}
                _ => late |= write.agrees(started),
            }
        }
        list.retain_mut(|o| !self.gone.contains_key(o.id()) || o.is_going() || o.let_go());
        // What was put in above proves nothing: AWS did not list it.
        for object in list.iter_mut().filter(|o| listed.contains(o.id())) {
            let Some(wishes) = self.fields.get_mut(object.id()) else { continue };
            wishes.retain(|field, wish| {
                let Some(value) = object.get(field) else { return false };
                if value == wish.now {
                    late |= wish.write.agrees(started);
                    return true;
                }
                // What is neither the old nor the new was written by somebody else, later.
                let expected = started < wish.write.at || wish.stale.contains(&value) && wish.write.is_late(started, now, lags);
                if expected {
                    late |= wish.write.is_behind(started);
                    object.set(&wish.now, field);
                }
                expected
            });
        }
        self.fields.retain(|_, wishes| !wishes.is_empty());
        // What it is by now, should the next read not show it.
        for object in list.iter().filter(|o| listed.contains(o.id())) {
            if let Some((known, _)) = self.created.get_mut(object.id()) {
                known.clone_from(object);
            }
        }
        if late {
            lag.0 = Some(now);
        }
    }

    fn touched(&mut self, needs: &BTreeSet<Need>) {
        // One that AWS takes down is listed until it is gone: that it is not listed is late, or old news.
        let stays = |(o, write): &(T, Write)| !write.shown || o.lingers() || o.needs().iter().all(|n| !needs.contains(n));
        self.created.retain(|_, made| stays(made));
        let stays = |wish: &Wish| !wish.write.shown || wish.needs.iter().all(|n| !needs.contains(n));
        self.fields.values_mut().for_each(|wishes| wishes.retain(|_, w| stays(w)));
        self.fields.retain(|_, wishes| !wishes.is_empty());
    }

    fn expire(&mut self, now: Instant) {
        self.created.retain(|_, (_, write)| !write.is_over(now));
        self.gone.retain(|_, (_, write)| !write.is_over(now));
        self.fields.values_mut().for_each(|wishes| wishes.retain(|_, w| !w.write.is_over(now)));
        self.fields.retain(|_, wishes| !wishes.is_empty());
    }

    fn open(&self) -> Vec<Vec<Need>> {
        let objects = self.created.values().chain(self.gone.values()).filter(|(_, w)| w.is_open()).map(|(o, _)| o.needs());
        let fields = self.fields.values().flat_map(BTreeMap::values).filter(|w| w.write.is_open()).map(|w| w.needs.clone());
        objects.chain(fields).collect()
    }

    fn doubted(&self) -> BTreeSet<Need> {
        let objects = self.created.values().filter(|(_, w)| w.is_doubted()).flat_map(|(o, _)| o.needs());
        let fields = self.fields.values().flat_map(BTreeMap::values).filter(|w| w.write.is_doubted()).flat_map(|w| w.needs.clone());
        objects.chain(fields).collect()
    }
}

fn tag_of(tags: &crate::model::Tags, key: &str) -> Option<Value> {
    Some(Value::Tag(tags.get(key).cloned()))
}

fn set_tag(tags: &mut crate::model::Tags, key: &str, value: &Option<String>) {
    match value {
        Some(v) => tags.insert(key.to_owned(), v.clone()),
        None => tags.remove(key),
    };
}

impl Expectable for Rule {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::RulesOf(self.group.clone())]
    }

    fn get(&self, field: &Field) -> Option<Value> {
        match field {
            Field::Tag(key) => tag_of(&self.tags, key),
            Field::Shape => Some(Value::Shape(self.shape.clone())),
            _ => None,
        }
    }

    fn set(&mut self, value: &Value, field: &Field) {
        match (field, value) {
            (Field::Tag(key), Value::Tag(v)) => set_tag(&mut self.tags, key, v),
            (Field::Shape, Value::Shape(s)) => self.shape = s.clone(),
            _ => {}
        }
    }
}

impl Expectable for SecurityGroup {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::GroupsOf(self.vpc.clone()), Need::Group(self.id.clone())]
    }

    fn get(&self, field: &Field) -> Option<Value> {
        match field {
            Field::Tag(key) => tag_of(&self.tags, key),
            _ => None,
        }
    }

    fn set(&mut self, value: &Value, field: &Field) {
        if let (Field::Tag(key), Value::Tag(v)) = (field, value) {
            set_tag(&mut self.tags, key, v);
        }
    }
}

impl Expectable for VpcEndpoint {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::EndpointsOf(self.vpc.clone()), Need::Endpoint(self.id.clone())]
    }

    fn get(&self, field: &Field) -> Option<Value> {
        Some(match field {
            Field::Tag(key) => return tag_of(&self.tags, key),
            Field::Shape | Field::Entry(..) | Field::Route(_) => return None,
            Field::RouteTables => Value::RouteTables(self.route_tables.clone()),
            Field::Subnets => Value::Subnets(self.subnets.clone()),
            Field::Groups => Value::Groups(self.groups.clone()),
            Field::PrivateDns => Value::PrivateDns(self.private_dns),
            Field::Policy => Value::Policy(self.policy.clone()),
            Field::AddressType => Value::AddressType(self.ip_address_type),
        })
    }

    fn set(&mut self, value: &Value, field: &Field) {
        match (field, value) {
            (Field::Tag(key), Value::Tag(v)) => set_tag(&mut self.tags, key, v),
            (_, Value::Subnets(v)) => self.subnets = v.clone(),
            (_, Value::RouteTables(v)) => self.route_tables = v.clone(),
            (_, Value::Groups(v)) => self.groups = v.clone(),
            (_, Value::PrivateDns(v)) => self.private_dns = *v,
            (_, Value::Policy(v)) => self.policy = v.clone(),
            (_, Value::AddressType(v)) => self.ip_address_type = *v,
            _ => {}
        }
    }

    fn is_going(&self) -> bool {
        VpcEndpoint::is_going(self)
    }

    fn let_go(&mut self) -> bool {
        self.state = EndpointState::Deleting;
        true
    }

    fn lingers(&self) -> bool {
        true
    }
}

impl Expectable for NetworkAcl {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::NetworkAclsOf(self.vpc.clone()), Need::NetworkAcl(self.id.clone())]
    }

    fn get(&self, field: &Field) -> Option<Value> {
        match field {
            Field::Tag(key) => tag_of(&self.tags, key),
            Field::Entry(direction, number) => Some(Value::Entry(self.entry(*direction, *number).cloned())),
            _ => None,
        }
    }

    fn set(&mut self, value: &Value, field: &Field) {
        match (field, value) {
            (Field::Tag(key), Value::Tag(v)) => set_tag(&mut self.tags, key, v),
            (Field::Entry(direction, number), Value::Entry(entry)) => {
                self.entries.retain(|e| (e.direction, e.number) != (*direction, *number));
                self.entries.extend(entry.clone());
                self.entries.sort();
            }
            _ => {}
        }
    }
}

impl Expectable for RouteTable {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::RouteTablesOf(self.vpc.clone()), Need::RouteTable(self.id.clone())]
    }

    fn get(&self, field: &Field) -> Option<Value> {
        match field {
            Field::Tag(key) => tag_of(&self.tags, key),
            Field::Route(destination) => Some(Value::Route(self.written(destination).cloned())),
            _ => None,
        }
    }

    fn set(&mut self, value: &Value, field: &Field) {
        match (field, value) {
            (Field::Tag(key), Value::Tag(v)) => set_tag(&mut self.tags, key, v),
            (Field::Route(destination), Value::Route(route)) => {
                self.routes.retain(|r| r.destination != *destination || r.origin == RouteOrigin::Propagated);
                self.routes.extend(route.clone());
                self.routes.sort();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "expect_tests.rs"]
mod tests;
