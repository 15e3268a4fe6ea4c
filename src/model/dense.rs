//! Maps without half-empty nodes.

use std::{collections::BTreeMap, mem};

/// A map that grew key by key has nodes that are little more than half full; one that is made at once fills them.
pub fn repack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = mem::take(map).into_iter().collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_it_held() {
        let mut map: BTreeMap<u32, u32> = BTreeMap::new();
        for key in (0..1000).rev() {
            map.insert(key, key * 2);
        }
        let before = map.clone();
        repack(&mut map);
        assert_eq!(map, before);
    }
}
