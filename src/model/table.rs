//! Objects by ID, and by what they lie in: so that a plan looks at the objects of its VPC, and not at those of thousands.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map},
    ops::Deref,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    InternetGateway, NatGateway, NetworkAcl, NetworkInterface, PeeringConnection, PrefixList, RouteTable, SecurityGroup, Subnet,
    TransitGatewayAttachment, Vpc, VpcEndpoint, dense::repack,
};

/// An object that lies in others: in a VPC, between two, or in security groups.
pub trait Within {
    /// IDs of what it lies in.
    fn within(&self) -> Vec<Arc<str>>;
}

macro_rules! within_its_vpc {
    ($($kind:ty),+ $(,)?) => {$(
        impl Within for $kind {
            fn within(&self) -> Vec<Arc<str>> {
                vec![(&self.vpc).into()]
            }
        }
    )+};
}

within_its_vpc!(InternetGateway, NatGateway, NetworkAcl, RouteTable, SecurityGroup, Subnet, TransitGatewayAttachment, VpcEndpoint);

/// In nothing.
impl Within for Vpc {
    fn within(&self) -> Vec<Arc<str>> {
        vec![]
    }
}

/// Under its name.
impl Within for PrefixList {
    fn within(&self) -> Vec<Arc<str>> {
        vec![self.name.as_str().into()]
    }
}

impl Within for PeeringConnection {
    fn within(&self) -> Vec<Arc<str>> {
        vec![(&self.requester.vpc).into(), (&self.accepter.vpc).into()]
    }
}

impl Within for NetworkInterface {
    fn within(&self) -> Vec<Arc<str>> {
        self.groups.iter().map(Into::into).chain([(&self.vpc).into()]).collect()
    }
}

/// A map that also knows what lies in what. Reading is a map's; what an object lies in must not change under [`Table::get_mut`]
/// or [`Table::values_mut`] but to leave it: whoever moves an object inserts it anew.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    all: BTreeMap<K, Arc<V>>,
    /// Keys of what lies in an object, sorted.
    within: BTreeMap<Arc<str>, Vec<K>>,
}

impl<K: Ord + Clone, V: Within> Table<K, V> {
    /// What lies in the VPC or group of that ID, in the order of the keys.
    pub fn within<'a>(&'a self, id: &str) -> impl Iterator<Item = &'a Arc<V>> {
        let known = self.within.get(id).into_iter().flatten().filter_map(|key| self.all.get(key));
        // It may have left since it was inserted.
        known.filter(move |object| object.within().iter().any(|w| **w == *id))
    }

    /// Keys of what has that ID, or lies in it.
    pub fn about(&self, id: &str) -> Vec<K>
    where
        K: Borrow<str>,
    {
        let own = self.all.get_key_value(id).map(|(key, _)| key);
        self.within.get(id).into_iter().flatten().chain(own).cloned().collect()
    }

    /// Puts an object in, in place of the one of that key.
    pub fn insert(&mut self, key: K, object: Arc<V>) -> Option<Arc<V>> {
        let old = self.remove(&key);
        for id in object.within() {
            let keys = self.within.entry(id).or_default();
            if let Err(at) = keys.binary_search(&key) {
                // Mostly the only one: a list that grows has room for four.
                if keys.is_empty() {
                    keys.reserve_exact(1);
                }
                keys.insert(at, key.clone());
            }
        }
        self.all.insert(key, object);
        old
    }

    /// See [`repack`].
    pub fn repack(&mut self) {
        repack(&mut self.all);
        repack(&mut self.within);
    }

    /// Takes an object out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let (key, old) = self.all.remove_entry(key)?;
        for id in old.within() {
            if let btree_map::Entry::Occupied(mut keys) = self.within.entry(id) {
                keys.get_mut().retain(|k| *k != key);
                if keys.get().is_empty() {
                    keys.remove();
                }
            }
        }
        Some(old)
    }

    /// Keeps only what `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &Arc<V>) -> bool) {
        let gone: Vec<K> = self.all.iter().filter(|(key, object)| !keep(key, object)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.remove(&key);
        }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.all.clear();
        self.within.clear();
    }

    /// An object to change in place.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.all.get_mut(key)
    }

    /// All objects, to change in place.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Arc<V>> {
        self.all.values_mut()
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), within: BTreeMap::new() }
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = BTreeMap<K, Arc<V>>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl<K: Eq, V: Eq> Eq for Table<K, V> {}

impl<K: Ord + Clone, V: Within> FromIterator<(K, Arc<V>)> for Table<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, Arc<V>)>>(list: I) -> Self {
        let mut table = Self::default();
        for (key, object) in list {
            table.insert(key, object);
        }
        table
    }
}

impl<K: Serialize, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(s)
    }
}

impl<'de, K: Ord + Clone + Deserialize<'de>, V: Within + Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(d)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SecurityGroupId;

    fn group(id: &str, vpc: &str) -> (SecurityGroupId, Arc<SecurityGroup>) {
        let group = SecurityGroup { id: id.into(), name: id.into(), vpc: vpc.into(), owner: String::new(), tags: Default::default() };
        (id.into(), Arc::new(group))
    }

    fn names(table: &Table<SecurityGroupId, SecurityGroup>, vpc: &str) -> Vec<String> {
        table.within(vpc).map(|g| g.id.to_string()).collect()
    }

    #[test]
    fn what_lies_in_a_vpc_is_found_wherever_it_came_from_and_went() {
        let mut table: Table<_, _> = [group("sg-2", "vpc-a"), group("sg-1", "vpc-a"), group("sg-3", "vpc-b")].into_iter().collect();
        assert_eq!(names(&table, "vpc-a"), ["sg-1", "sg-2"]);
        let (key, moved) = group("sg-2", "vpc-b");
        table.insert(key, moved);
        assert_eq!((names(&table, "vpc-a"), names(&table, "vpc-b")), (vec!["sg-1".to_owned()], vec!["sg-2".to_owned(), "sg-3".to_owned()]));
        Arc::make_mut(table.get_mut("sg-3").unwrap()).vpc = "vpc-c".into();
        assert_eq!(names(&table, "vpc-b"), ["sg-2"], "what was taken out of it in place is not in it");
        table.retain(|key, _| key.as_str() != "sg-1");
        assert!(names(&table, "vpc-a").is_empty());
        assert_eq!(table.remove("sg-2").unwrap().vpc.as_str(), "vpc-b");
        assert_eq!((names(&table, "vpc-b"), table.len()), (vec![], 1));
    }
}
