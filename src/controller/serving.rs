//! The classes that this replica serves, and the passes that are under way through each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{
    ResourceExt,
    core::{Selector, SelectorExt},
};
use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit, RwLock, Semaphore},
    time::Instant,
};

use crate::api::DmsNetworkClass;

/// Held by a pass: until it is dropped, the class is not given away.
pub type InUse = OwnedRwLockReadGuard<()>;

/// Passes through one class at a time.
const PASSES: usize = 128;

struct Served {
    account: Option<String>,
    since: Instant,
    /// Read by passes, written by whoever gives the class away.
    passes: Arc<RwLock<()>>,
}

/// See the module.
pub struct Serving {
    /// Name of this shard.
    pub shard: String,
    selector: Selector,
    classes: Mutex<HashMap<String, Served>>,
    /// For which other shard each class was last said to wait.
    waits: Mutex<HashMap<String, String>>,
    /// Room for passes, by class.
    slots: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Serving {
    /// None yet.
    pub fn new(shard: String, selector: Selector) -> Self {
        Self { shard, selector, classes: Mutex::default(), waits: Mutex::default(), slots: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Served>> {
        self.classes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this shard is to serve a class.
    pub fn selects(&self, class: &DmsNetworkClass) -> bool {
        self.selector.matches(class.labels())
    }

    /// Whether this shard serves classes without labels: then it also speaks for networks whose class does not exist.
    pub fn selects_unlabelled(&self) -> bool {
        self.selector.matches(&BTreeMap::new())
    }

    /// From now on the class is served. Whether it was not before.
    pub fn add(&self, class: &str, account: Option<&str>) -> bool {
        let mut classes = self.lock();
        let account = account.map(str::to_owned);
        match classes.get_mut(class) {
            Some(served) => {
                served.account = account;
                false
            }
            None => {
                classes.insert(class.to_owned(), Served { account, since: Instant::now(), passes: Arc::default() });
                true
            }
        }
    }

    /// The account for which the class was taken; none where it is not served, or its account is not known.
    pub fn account(&self, class: &str) -> Option<String> {
        self.lock().get(class)?.account.clone()
    }

    /// Since when a class is served.
    pub fn since(&self, class: &str) -> Option<Instant> {
        self.lock().get(class).map(|s| s.since)
    }

    /// Waits until a pass through a class may begin. Each class has room of its own: one whose account does not answer holds up no
    /// other. None: it must not begin any more.
    pub async fn slot(&self, class: &str) -> Option<OwnedSemaphorePermit> {
        let slots = {
            let mut all = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if !all.contains_key(class) {
                // Classes that nobody names any more.
                all.retain(|_, slots| Arc::strong_count(slots) > 1);
            }
            all.entry(class.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(PASSES))).clone()
        };
        slots.acquire_owned().await.ok()
    }

    /// From now on no pass that waits begins.
    pub fn close(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|slots| slots.close());
    }

    /// Keeps a class for a pass; none where it is not served.
    pub fn enter(&self, class: &str) -> Option<InUse> {
        self.lock().get(class)?.passes.clone().try_read_owned().ok()
    }

    /// From now on no pass begins, and none is under way any more.
    pub async fn stop(&self, class: &str) {
        let served = self.lock().remove(class);
        if let Some(served) = served {
            drop(served.passes.write().await);
        }
    }

    /// Whether it was not said yet that a class waits for that shard.
    pub fn is_news(&self, class: &str, shard: &str) -> bool {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.insert(class.to_owned(), shard.to_owned()).is_none_or(|before| before != shard)
    }

    /// All that are served.
    pub fn all(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Nothing is served any more: the Lease is lost, and what is under way is refused by itself.
    pub fn clear(&self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_class_is_given_away_when_the_last_pass_has_ended() {
        let serving = Arc::new(Serving::new("default".into(), Selector::default()));
        assert!(serving.enter("c").is_none());
        assert!(serving.add("c", Some("1")) && !serving.add("c", Some("1")));
        let pass = serving.enter("c").unwrap();
        let stop = tokio::spawn({
            let serving = serving.clone();
            async move { serving.stop("c").await }
        });
        while serving.account("c").is_some() {
            tokio::task::yield_now().await;
        }
        assert!(serving.enter("c").is_none(), "no other pass begins");
        assert!(!stop.is_finished());
        drop(pass);
        stop.await.unwrap();
    }
}
