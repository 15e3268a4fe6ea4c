//! One store for each scope.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU32},
};

use aws_config::ConfigLoader;
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use super::{Clients, RequestObserver, Scope, Store, environment, https, phase::Phase, turns::Accounts};

/// What clients begin with: credentials and HTTP.
pub type Loader = Arc<dyn Fn() -> ConfigLoader + Send + Sync>;

/// Credentials of the environment, over connections that all share.
pub fn from_environment() -> Loader {
    let http = https();
    Arc::new(move || environment(http.clone()))
}

/// The stores of a process, made when first asked for. All wake through one channel.
pub struct Stores {
    observer: Arc<dyn RequestObserver>,
    wakes: mpsc::UnboundedSender<Arc<str>>,
    loader: Loader,
    stores: Mutex<BTreeMap<Scope, Arc<Store>>>,
    /// AWS counts the calls of an account and Region, whoever makes them.
    accounts: Arc<Accounts>,
    began: Instant,
    /// How many stores there are.
    count: Arc<AtomicU32>,
}

impl Stores {
    /// None yet. `wakes` is told who should look again; its other end must be read.
    pub fn new(observer: Arc<dyn RequestObserver>, wakes: mpsc::UnboundedSender<Arc<str>>) -> Self {
        Self::with(from_environment(), observer, wakes)
    }

    /// The same with other credentials, or another way to speak HTTP.
    pub fn with(loader: Loader, observer: Arc<dyn RequestObserver>, wakes: mpsc::UnboundedSender<Arc<str>>) -> Self {
        Self { observer, wakes, loader, stores: Mutex::default(), accounts: Arc::default(), began: Instant::now(), count: Arc::default() }
    }

    /// The store of a scope. Talks to nobody.
    pub async fn get(&self, scope: &Scope) -> Arc<Store> {
        let mut stores = self.stores.lock().await;
        if let Some(store) = stores.get(scope) {
            return store.clone();
        }
        let clients = Clients::build((self.loader)(), scope, self.observer.clone(), self.accounts.clone()).await;
        let store = Store::beside(clients, self.wakes.clone(), Some(Phase::next(self.began, &self.count)));
        stores.insert(scope.clone(), store.clone());
        store
    }

    /// All stores there are.
    pub async fn all(&self) -> Vec<Arc<Store>> {
        self.stores.lock().await.values().cloned().collect()
    }
}
