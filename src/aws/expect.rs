//! What our own writes will show. AWS may answer a read that starts after a write as if the write had not been
//! made (eventual consistency, domain.md 3.6): such a read is late, not drift. So a write is expected for a while,
//! and laid over reads that do not show it yet, until one agrees. Pure: values and instants in, values out.

use std::{
    collections::{BTreeMap, BTreeSet},
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
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

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
}

#[derive(Clone, Debug)]
struct Wish {
    /// What it held before; several, if it was written several times.
    stale: Vec<Value>,
    now: Value,
    needs: Vec<Need>,
    written: Instant,
}

/// What is expected of objects of one kind, by ID.
#[derive(Debug)]
pub(super) struct Expected<T> {
    created: BTreeMap<String, (T, Instant)>,
    gone: BTreeMap<String, (T, Instant)>,
    fields: BTreeMap<String, BTreeMap<Field, Wish>>,
}

impl<T> Default for Expected<T> {
    fn default() -> Self {
        Self { created: BTreeMap::new(), gone: BTreeMap::new(), fields: BTreeMap::new() }
    }
}

/// What is expected, of all kinds.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    pub(super) rules: Expected<Rule>,
    pub(super) groups: Expected<SecurityGroup>,
    pub(super) endpoints: Expected<VpcEndpoint>,
    pub(super) acls: Expected<NetworkAcl>,
    pub(super) route_tables: Expected<RouteTable>,
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
}

impl<T: Expectable> Expected<T> {
    /// We made it.
    pub(super) fn created(&mut self, object: T, written: Instant) {
        self.gone.remove(object.id());
        self.created.insert(object.id().to_owned(), (object, written));
    }

    /// We removed it.
    pub(super) fn removed(&mut self, object: T, written: Instant) {
        self.created.remove(object.id());
        self.fields.remove(object.id());
        self.gone.insert(object.id().to_owned(), (object, written));
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
        wishes.insert(field, Wish { stale, now, needs: after.needs(), written });
    }

    /// Corrects a list that AWS gave to a read that began at `started`, by what is expected. `covers` tells whether
    /// an object, if it exists, must be in the list.
    pub(super) fn overlay(&mut self, list: &mut Vec<T>, covers: impl Fn(&T) -> bool, started: Instant, now: Instant) {
        self.expire(now);
        let listed: BTreeSet<String> = list.iter().map(|o| o.id().to_owned()).collect();
        self.created.retain(|id, (object, written)| {
            if listed.contains(id) {
                started < *written
            } else {
                if covers(object) {
                    list.push(object.clone());
                }
                true
            }
        });
        let agrees = |id: &str, object: &T| match list.iter().find(|o| o.id() == id) {
            Some(listed) => listed.is_going(),
            None => covers(object),
        };
        let over: BTreeSet<String> =
            self.gone.iter().filter(|(id, (o, written))| started >= *written && agrees(id, o)).map(|(id, _)| id.clone()).collect();
        list.retain_mut(|o| !self.gone.contains_key(o.id()) || o.is_going() || o.let_go());
        self.gone.retain(|id, _| !over.contains(id));
        // What was put in above proves nothing: AWS did not list it.
        for object in list.iter_mut().filter(|o| listed.contains(o.id())) {
            let Some(wishes) = self.fields.get_mut(object.id()) else { continue };
            wishes.retain(|field, wish| {
                let Some(value) = object.get(field) else { return false };
                if value == wish.now {
                    return started < wish.written;
                }
                // What is neither the old nor the new was written by somebody else, later.
                let late = started < wish.written || wish.stale.contains(&value);
                if late {
                    object.set(&wish.now, field);
                }
                late
            });
        }
        self.fields.retain(|_, wishes| !wishes.is_empty());
    }

    fn expire(&mut self, now: Instant) {
        let over = |written: Instant| now >= written + PATIENCE;
        self.created.retain(|_, (_, written)| !over(*written));
        self.gone.retain(|_, (_, written)| !over(*written));
        self.fields.values_mut().for_each(|wishes| wishes.retain(|_, w| !over(w.written)));
        self.fields.retain(|_, wishes| !wishes.is_empty());
    }

    fn open(&self) -> Vec<Vec<Need>> {
        let objects = self.created.values().chain(self.gone.values()).map(|(o, _)| o.needs());
        objects.chain(self.fields.values().flat_map(BTreeMap::values).map(|w| w.needs.clone())).collect()
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
