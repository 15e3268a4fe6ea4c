//! One copy of what is often the same: an ID that many objects name, the tags of all that was made for one network.

use std::{
    borrow::Borrow,
    collections::HashSet,
    hash::Hash,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// Fewer are not looked through.
const FEW: usize = 1024;

/// Values that are in use somewhere. One that nobody uses any more is dropped once there are twice as many as there were.
pub struct Interner<T: ?Sized>(LazyLock<Mutex<Known<T>>>);

struct Known<T: ?Sized> {
    values: HashSet<Arc<T>>,
    look_at: usize,
}

impl<T: ?Sized + Eq + Hash> Interner<T> {
    /// Holds none.
    #[allow(clippy::new_without_default)] // only ever a static's
    pub const fn new() -> Self {
        Self(LazyLock::new(|| Mutex::new(Known { values: HashSet::new(), look_at: FEW })))
    }

    /// The one copy of a value.
    pub fn one<V: Borrow<T> + Into<Arc<T>>>(&self, value: V) -> Arc<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = known.values.get(value.borrow()) {
            return one.clone();
        }
        if known.values.len() >= known.look_at {
            // Whoever has none cannot come by one while this is locked.
            known.values.retain(|one| Arc::strong_count(one) > 1);
            known.look_at = FEW.max(2 * known.values.len());
        }
        let one: Arc<T> = value.into();
        known.values.insert(one.clone());
        one
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_those_that_nobody_uses_go() {
        let interner = Interner::<str>::new();
        let (a, b) = (interner.one("vpc-1"), interner.one("vpc-1".to_owned()));
        assert!(Arc::ptr_eq(&a, &b));
        assert!(!Arc::ptr_eq(&a, &interner.one("vpc-2")));
        for i in 0..10 * FEW {
            interner.one(i.to_string());
        }
        assert!(interner.len() <= 2 * FEW, "{}", interner.len());
        assert!(Arc::ptr_eq(&a, &interner.one("vpc-1")), "what is in use stays");
    }
}
