//! The objects, their versions, and the log that watches follow.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::Clock;

/// Plural and API version of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Network,
    Class,
    Namespace,
    Lease,
}

impl Kind {
    pub fn of(group: &str, plural: &str) -> Option<Self> {
        Some(match (group, plural) {
            ("dmsnet.dev", "dmsnetworks") => Self::Network,
            ("dmsnet.dev", "dmsnetworkclasses") => Self::Class,
            ("", "namespaces") => Self::Namespace,
            ("coordination.k8s.io", "leases") => Self::Lease,
            _ => return None,
        })
    }

    /// `apiVersion` and `kind`.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Network => ("dmsnet.dev/v1alpha1", "DmsNetwork"),
            Self::Class => ("dmsnet.dev/v1alpha1", "DmsNetworkClass"),
            Self::Namespace => ("v1", "Namespace"),
            Self::Lease => ("coordination.k8s.io/v1", "Lease"),
        }
    }
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// A refusal as the API server words it.
#[derive(Debug)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into() }
    }
}

/// A line of the log.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub kind: Kind,
    /// `ADDED`, `MODIFIED`, `DELETED`
    pub how: &'static str,
    pub object: Value,
}

#[derive(Default)]
pub struct State {
    pub version: u64,
    pub objects: BTreeMap<Key, Value>,
    pub log: Vec<Change>,
    /// Versions up to this one are compacted: a watch from there is answered by 410.
    pub compacted: u64,
    /// Lines of the log that were compacted.
    forgotten: usize,
    made: u64,
}

/// The API server's memory. It outlives every controller.
pub struct Cluster {
    clock: Clock,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

impl Cluster {
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default(), version: watch::Sender::new(0) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Tells each new version.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub fn get(&self, key: &Key) -> Option<Value> {
        self.state().objects.get(key).cloned()
    }

    /// How many writes there were, but for Leases.
    pub fn written(&self) -> usize {
        let state = self.state();
        state.forgotten + state.log.iter().filter(|c| c.kind != Kind::Lease).count()
    }

    /// All objects of a kind.
    pub fn list(&self, kind: Kind) -> Vec<Value> {
        self.state().objects.iter().filter(|(k, _)| k.kind == kind).map(|(_, o)| o.clone()).collect()
    }

    /// From now on older versions cannot be watched.
    pub fn compact(&self) {
        let mut state = self.state();
        state.compacted = state.version;
        state.forgotten += state.log.iter().filter(|c| c.kind != Kind::Lease).count();
        state.log.clear();
    }

    pub fn create(&self, kind: Kind, mut object: Value) -> Result<Value, Refusal> {
        let meta = &object["metadata"];
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let key = Key::new(kind, &text(&meta["namespace"]), &text(&meta["name"]));
        let mut state = self.state();
        if state.objects.contains_key(&key) {
            return Err(Refusal::new(409, "AlreadyExists", format!("{} already exists", key.name)));
        }
        state.made += 1;
        let (api, name) = kind.names();
        object["apiVersion"] = api.into();
        object["kind"] = name.into();
        object["metadata"]["uid"] = format!("00000000-0000-4000-8000-{:012}", state.made).into();
        object["metadata"]["creationTimestamp"] = self.clock.stamp().into();
        object["metadata"]["generation"] = 1.into();
        if kind == Kind::Network {
            object["status"] = json!({ "observedGeneration": -1 });
        }
        Ok(self.put(state, key, object, "ADDED"))
    }

    /// Changes an object, and its generation with its spec; one that is deleted and has no finalizer left goes.
    pub fn change(&self, key: &Key, change: impl FnOnce(&mut Value) -> Result<(), Refusal>) -> Result<Value, Refusal> {
        let state = self.state();
        let Some(old) = state.objects.get(key) else {
            return Err(Refusal::new(404, "NotFound", format!("{} not found", key.name)));
        };
        let mut new = old.clone();
        change(&mut new)?;
        if new == *old {
            return Ok(new);
        }
        if new["spec"] != old["spec"] {
            new["metadata"]["generation"] = (old["metadata"]["generation"].as_u64().unwrap_or(0) + 1).into();
        }
        let going = new["metadata"]["deletionTimestamp"].is_string();
        let held = new["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        let how = if going && !held { "DELETED" } else { "MODIFIED" };
        Ok(self.put(state, key.clone(), new, how))
    }

    /// As `kubectl delete` does, without waiting.
    pub fn delete(&self, key: &Key) -> Result<(), Refusal> {
        let stamp = self.clock.stamp();
        let mark = |object: &mut Value| {
            if !object["metadata"]["deletionTimestamp"].is_string() {
                object["metadata"]["deletionTimestamp"] = stamp.into();
                object["metadata"]["generation"] = (object["metadata"]["generation"].as_u64().unwrap_or(0) + 1).into();
            }
            Ok(())
        };
        self.change(key, mark).map(drop)
    }

    fn put(&self, mut state: MutexGuard<'_, State>, key: Key, mut object: Value, how: &'static str) -> Value {
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        state.log.push(Change { version, kind: key.kind, how, object: object.clone() });
        if how == "DELETED" {
            state.objects.remove(&key);
        } else {
            state.objects.insert(key, object.clone());
        }
        drop(state);
        self.version.send_replace(version);
        object
    }
}
