//! What AWS held, and when: a late read shows what was.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crate::stub::World;

/// The world, and what it was before each write.
pub struct History {
    world: Mutex<World>,
    /// Up to when each was so.
    past: Mutex<Vec<(Duration, Arc<World>)>>,
}

impl History {
    pub fn new(world: World) -> Self {
        Self { world: Mutex::new(world), past: Mutex::default() }
    }

    /// As it is.
    pub fn now(&self, now: Duration) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap();
        world.at(now);
        world
    }

    /// Changes it, and keeps what it was.
    pub fn write<T>(&self, now: Duration, change: impl FnOnce(&mut World) -> T) -> (Arc<World>, T) {
        let mut world = self.now(now);
        let before = Arc::new(world.clone());
        self.past.lock().unwrap().push((now, before.clone()));
        let answer = change(&mut world);
        (before, answer)
    }

    /// As it was at that moment.
    pub fn then(&self, then: Duration) -> Option<World> {
        let past = self.past.lock().unwrap();
        let after = past.partition_point(|(until, _)| *until <= then);
        let mut world = World::clone(&past.get(after)?.1);
        world.at(then);
        Some(world)
    }
}
