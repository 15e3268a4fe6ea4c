//! Sets and maps that are kept for long: a B-tree's node has room for eleven, and most hold one to three.

use std::sync::Arc;

/// Each once, in their order; one copy in memory however often it is cloned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted<T>(Arc<[T]>);

impl<T> Sorted<T> {
    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The least.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves none.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<T: Ord + Clone> Sorted<T> {
    /// Whether it is one of them.
    pub fn contains(&self, one: &T) -> bool {
        self.0.binary_search(one).is_ok()
    }

    /// Adds those of another.
    pub fn join(&mut self, other: &Self) {
        if !other.iter().all(|one| self.contains(one)) {
            *self = self.iter().chain(other.iter()).cloned().collect();
        }
    }
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Ord> FromIterator<T> for Sorted<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all: Vec<T> = all.into_iter().collect();
        all.sort();
        all.dedup();
        Self(all.into())
    }
}

impl<'a, T> IntoIterator for &'a Sorted<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Sorted;

    #[test]
    fn each_is_there_once_in_order() {
        let mut some: Sorted<_> = [3, 1, 3].into_iter().collect();
        assert!(some.contains(&1) && !some.contains(&2));
        some.join(&[2, 1].into_iter().collect());
        assert!(some.iter().eq(&[1, 2, 3]), "{some:?}");
    }
}
