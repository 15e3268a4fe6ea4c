//! One store for each scope.

use std::{collections::BTreeMap, sync::Arc};

use aws_config::ConfigLoader;
use tokio::sync::{Mutex, mpsc};

use super::{Clients, RequestObserver, Scope, Store, budget::Budgets, environment};

/// What clients begin with: credentials and HTTP.
pub type Loader = Arc<dyn Fn() -> ConfigLoader + Send + Sync>;

/// The stores of a process, made when first asked for. All wake through one channel.
pub struct Stores {
    observer: Arc<dyn RequestObserver>,
    wakes: mpsc::UnboundedSender<Arc<str>>,
    loader: Loader,
    stores: Mutex<BTreeMap<Scope, Arc<Store>>>,
    /// AWS counts the calls of an account and Region, whoever makes them.
    budgets: Mutex<BTreeMap<Place, Arc<Budgets>>>,
}

/// An account and Region: URL, Region, and the account of the role (none: that of our own credentials).
type Place = (Option<String>, String, Option<String>);

fn place(scope: &Scope) -> Place {
    let account = scope.role.as_ref().and_then(|role| role.role_arn.split(':').nth(4)).map(str::to_owned);
    (scope.endpoint_url.clone(), scope.region.clone(), account)
}

impl Stores {
    /// None yet. `wakes` is told who should look again; its other end must be read.
    pub fn new(observer: Arc<dyn RequestObserver>, wakes: mpsc::UnboundedSender<Arc<str>>) -> Self {
        Self::with(Arc::new(environment), observer, wakes)
    }

    /// The same with other credentials, or another way to speak HTTP.
    pub fn with(loader: Loader, observer: Arc<dyn RequestObserver>, wakes: mpsc::UnboundedSender<Arc<str>>) -> Self {
        Self { observer, wakes, loader, stores: Mutex::default(), budgets: Mutex::default() }
    }

    /// The store of a scope. Talks to nobody.
    pub async fn get(&self, scope: &Scope) -> Arc<Store> {
        let mut stores = self.stores.lock().await;
        if let Some(store) = stores.get(scope) {
            return store.clone();
        }
        let budgets = self.budgets.lock().await.entry(place(scope)).or_default().clone();
        let clients = Clients::build((self.loader)(), scope, self.observer.clone(), budgets).await;
        let store = Store::start(clients, self.wakes.clone());
        stores.insert(scope.clone(), store.clone());
        store
    }

    /// All stores there are.
    pub async fn all(&self) -> Vec<Arc<Store>> {
        self.stores.lock().await.values().cloned().collect()
    }
}
