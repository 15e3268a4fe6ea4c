//! What a network sees of AWS, class by class: its own, and those that its databases name.

use super::facts::Facts;

/// One class: an account and Region, and what is known of it.
#[derive(Clone, Copy)]
pub struct View<'v, 'p> {
    /// Name of the class.
    pub class: &'v str,
    /// Its Region.
    pub region: &'v str,
    /// Its account; empty where it is not known.
    pub account: &'v str,
    /// What is known of it.
    pub facts: &'v Facts<'p>,
}

impl View<'_, '_> {
    /// Whether this class works there. What AWS does not tell (an empty text) is no reason to doubt.
    pub fn is_in(&self, account: &str, region: &str) -> bool {
        let same = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        same(self.account, account) && same(self.region, region)
    }
}

/// Every class that a network works in.
pub struct Views<'v, 'p> {
    /// The network's own: there the replication is.
    pub home: View<'v, 'p>,
    /// Those that its databases name.
    pub others: Vec<View<'v, 'p>>,
}

impl<'v, 'p> Views<'v, 'p> {
    /// The class that a database names; the network's own where it names none.
    pub fn of(&self, class: Option<&str>) -> Option<View<'v, 'p>> {
        match class {
            None => Some(self.home),
            Some(name) => self.all().find(|v| v.class == name),
        }
    }

    /// Each of them once, the network's own first.
    pub(super) fn all(&self) -> impl Iterator<Item = View<'v, 'p>> {
        std::iter::once(self.home).chain(self.others.iter().copied())
    }
}
