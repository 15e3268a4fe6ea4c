//! One store for each scope.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{Mutex, mpsc};

use super::{Clients, RequestObserver, Scope, Store};

/// The stores of a process, made when first asked for. All wake through one channel.
pub struct Stores {
    observer: Arc<dyn RequestObserver>,
    wakes: mpsc::UnboundedSender<Arc<str>>,
    stores: Mutex<BTreeMap<Scope, Arc<Store>>>,
}

impl Stores {
    /// None yet. `wakes` is told who should look again; its other end must be read.
    pub fn new(observer: Arc<dyn RequestObserver>, wakes: mpsc::UnboundedSender<Arc<str>>) -> Self {
        Self { observer, wakes, stores: Mutex::new(BTreeMap::new()) }
    }

    /// The store of a scope. Talks to nobody.
    pub async fn get(&self, scope: &Scope) -> Arc<Store> {
        let mut stores = self.stores.lock().await;
        if let Some(store) = stores.get(scope) {
            return store.clone();
        }
        let store = Store::start(Clients::new(scope, self.observer.clone()).await, self.wakes.clone());
        stores.insert(scope.clone(), store.clone());
        store
    }

    /// All stores there are.
    pub async fn all(&self) -> Vec<Arc<Store>> {
        self.stores.lock().await.values().cloned().collect()
    }
}
