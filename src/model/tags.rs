//! AWS tags, and what they say about who owns an object (design.md 2, Ownership).

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::intern::Interner;
use crate::api::names::{MANAGED_BY, TAG_MANAGED_BY, TAG_NETWORK, TAG_OWNER_PREFIX};

/// All that was made for one network has the same.
static TAGS: Interner<BTreeMap<String, String>> = Interner::new();

/// The tags of one AWS object. Equal ones that AWS has told are one in memory; whoever changes them gets a copy.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Arc<BTreeMap<String, String>>);

impl Tags {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The one copy of these.
    pub fn shared(self) -> Self {
        Self(TAGS.one(Arc::unwrap_or_clone(self.0)))
    }
}

impl Deref for Tags {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Tags {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<BTreeMap<String, String>> for Tags {
    fn from(tags: BTreeMap<String, String>) -> Self {
        Self(Arc::new(tags))
    }
}

impl<const N: usize> From<[(String, String); N]> for Tags {
    fn from(tags: [(String, String); N]) -> Self {
        BTreeMap::from(tags).into()
    }
}

impl FromIterator<(String, String)> for Tags {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(tags: I) -> Self {
        BTreeMap::from_iter(tags).into()
    }
}

impl IntoIterator for Tags {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = (&'a String, &'a String);
    type IntoIter = btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Name under which this dmsnet owns AWS objects: the cluster's, or the command line's `--owner`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

/// An owner name that AWS tags or group names could not carry.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no owner name: use 1 to 40 of a-z, 0-9 and '-'")]
pub struct InvalidOwner(String);

impl Owner {
    /// Takes 1 to 40 of `[a-z0-9-]`.
    pub fn parse(name: &str) -> Result<Self, InvalidOwner> {
        let fits = (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(name.to_owned())) } else { Err(InvalidOwner(name.to_owned())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Key of this owner's tag.
    pub fn tag(&self) -> String {
        format!("{TAG_OWNER_PREFIX}{}", self.0)
    }

    /// The tags of an object that this owner makes for `network`.
    pub fn tags_for(&self, network: &str, extra: &Tags) -> Tags {
        let mut tags = extra.clone();
        tags.insert(TAG_MANAGED_BY.into(), MANAGED_BY.into());
        tags.insert(self.tag(), OWNED.into());
        tags.insert(TAG_NETWORK.into(), network.into());
        tags
    }
}

/// The command line's, where it names none.
impl Default for Owner {
    fn default() -> Self {
        Self("cli".to_owned())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Value of the owner tag of the one that made an object, or took it over when that one left.
pub const OWNED: &str = "owned";
/// Value of the owner tag of one that merely uses it.
pub const SHARED: &str = "shared";

/// What an object's tags say of its ownership, seen by one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Carries our tag with `owned`, or ours alone whatever its value: we are the first by sort.
    Ours,
    /// Carries our tag with `shared`, and another owner's with `owned`.
    Shared,
    /// Made by another owner and not yet shared with us.
    OtherOwner,
    /// Made by dmsnet, and released: whoever wants exactly it may adopt it.
    Released,
    /// Not made by dmsnet, or all its tags were taken off.
    Stranger,
}

impl Ownership {
    /// Reads the tags as `owner` sees them.
    pub fn of(tags: &Tags, owner: &Owner) -> Self {
        let mine = tags.get(&owner.tag());
        let others =
            || tags.iter().filter_map(|(k, v)| Some((k.strip_prefix(TAG_OWNER_PREFIX)?, v))).filter(|(name, _)| *name != owner.as_str());
        match mine {
            Some(v) if v == OWNED => Self::Ours,
            Some(_) if others().any(|(_, v)| v == OWNED) => Self::Shared,
            // The one that owned it left: the first name by sort becomes owner.
            Some(_) if others().all(|(name, _)| owner.as_str() < name) => Self::Ours,
            Some(_) => Self::Shared,
            None if others().next().is_some() => Self::OtherOwner,
            None if tags.get(TAG_MANAGED_BY).is_some_and(|v| v == MANAGED_BY) => Self::Released,
            None => Self::Stranger,
        }
    }
}

/// Whether dmsnet made it, for whichever owner.
pub fn is_managed(tags: &Tags) -> bool {
    tags.contains_key(TAG_MANAGED_BY) || tags.keys().any(|k| k.starts_with(TAG_OWNER_PREFIX))
}

/// Whether another owner's tag is on it.
pub fn has_other_owner(tags: &Tags, owner: &Owner) -> bool {
    tags.keys().filter_map(|k| k.strip_prefix(TAG_OWNER_PREFIX)).any(|name| name != owner.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn ownership_is_read_from_the_tags() {
        let me = Owner::parse("east").unwrap();
        for (name, given, expected) in [
            ("no tags", tags(&[]), Ownership::Stranger),
            ("other tags", tags(&[("Name", "x")]), Ownership::Stranger),
            ("ours", tags(&[("dmsnet.dev/owner/east", "owned")]), Ownership::Ours),
            ("released", tags(&[("dmsnet.dev/managed-by", "dmsnet")]), Ownership::Released),
            ("of another cluster", tags(&[("dmsnet.dev/managed-by", "dmsnet"), ("dmsnet.dev/owner/west", "owned")]), Ownership::OtherOwner),
            ("shared with us", tags(&[("dmsnet.dev/owner/east", "shared"), ("dmsnet.dev/owner/west", "owned")]), Ownership::Shared),
            (
                "owner left, we are first",
                tags(&[("dmsnet.dev/owner/east", "shared"), ("dmsnet.dev/owner/west", "shared")]),
                Ownership::Ours,
            ),
            (
                "owner left, another is first",
                tags(&[("dmsnet.dev/owner/east", "shared"), ("dmsnet.dev/owner/cairo", "shared")]),
                Ownership::Shared,
            ),
        ] {
            assert_eq!(Ownership::of(&given, &me), expected, "{name}");
        }
    }

    #[test]
    fn an_owner_name_fits_tags_and_group_names() {
        assert!(Owner::parse("prod-1").is_ok());
        for bad in ["", "Prod", "a/b", &"x".repeat(41)] {
            assert!(Owner::parse(bad).unwrap_err().to_string().contains("a-z"), "{bad:?}");
        }
    }
}
