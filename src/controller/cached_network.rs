//! A network as the cache keeps it. There are thousands, and few are looked at: what is in use is one that is made anew from it.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    sync::{Arc, OnceLock},
};

use kube::{Resource, api::ObjectMeta, runtime::reflector::ObjectRef};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::cache::lean;
use crate::{
    api::{
        DmsNetwork, DmsNetworkStatus,
        conditions::{self, READY},
        network::DmsNetworkSpec,
        status::PathVerdict,
    },
    model::intern::Interner,
};

/// The first network with a status: all others are much like it, and only what differs is kept of them.
static SAMPLE: OnceLock<Box<[u8]>> = OnceLock::new();

/// What is asked of all networks at a time.
static GLANCES: Interner<Glance> = Interner::new();

/// A DmsNetwork, packed: a fifth of what it takes unpacked (docs/benchmarks.md).
#[derive(Clone)]
pub struct CachedNetwork {
    metadata: ObjectMeta,
    glance: Arc<Glance>,
    /// Spec and status as JSON, compressed.
    packed: Box<[u8]>,
    /// Whether it was compressed by what is in [`SAMPLE`].
    by_sample: bool,
}

/// A network that could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[error("the cached copy of DmsNetwork {name:?} cannot be read (restart dmsnet, and report this as a bug): {why}")]
pub struct Unreadable {
    name: String,
    why: String,
}

/// What can be told of a network without unpacking it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Glance {
    /// The class where its objects live, where that is settled.
    pub home: Option<String>,
    /// Whether it names a class itself.
    pub names_class: bool,
    /// The classes that it or one of its databases names, that it took by default, or through which it holds objects.
    pub classes: BTreeSet<String>,
    /// Status of its condition Ready, where it has one.
    pub ready: Option<String>,
    /// Verdicts on its paths.
    pub verdicts: Vec<PathVerdict>,
}

/// The classes that a status names: the default that was taken, and those through which objects are held.
pub fn classes_of(status: &DmsNetworkStatus) -> impl Iterator<Item = &String> {
    status.default_class.iter().chain(status.classes.iter().map(|c| &c.name))
}

impl Glance {
    fn of(spec: &DmsNetworkSpec, status: Option<&DmsNetworkStatus>) -> Self {
        let default = status.and_then(|s| s.default_class.as_ref());
        let named = spec.class_name.iter().chain(spec.databases.iter().filter_map(|d| d.class_name.as_ref()));
        Self {
            home: default.or(spec.class_name.as_ref()).cloned(),
            names_class: spec.class_name.is_some(),
            classes: named.chain(status.into_iter().flat_map(classes_of)).cloned().collect(),
            ready: status.and_then(|s| conditions::find(&s.conditions, READY)).map(|c| c.status.clone()),
            verdicts: status.iter().flat_map(|s| &s.databases).filter_map(|d| d.verdict).collect(),
        }
    }
}

impl CachedNetwork {
    /// Packs a network.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn pack(network: DmsNetwork) -> Result<Self, Unreadable> {
        let DmsNetwork { mut metadata, spec, status } = network;
        // Here already: a list of hundreds comes at once.
        lean(&mut metadata);
        metadata.finalizers.iter_mut().for_each(Vec::shrink_to_fit);
        let json = serde_json::to_vec(&(&spec, &status)).map_err(|e| Unreadable::new(&metadata, &e))?;
        let glance = GLANCES.one(Glance::of(&spec, status.as_ref()));
        let (packed, by_sample) = match SAMPLE.get() {
            Some(sample) => (lz4_flex::block::compress_prepend_size_with_dict(&json, sample), true),
            None => (lz4_flex::block::compress_prepend_size(&json), false),
        };
        if status.is_some_and(|s| !s.conditions.is_empty()) && SAMPLE.get().is_none() {
            // Another thread's does as well.
            let _ = SAMPLE.set(json.into_boxed_slice());
        }
        Ok(Self { metadata, glance, packed: packed.into_boxed_slice(), by_sample })
    }

    /// Unpacks it.
    ///
    /// # Errors
    /// Where the copy is broken: that would be a bug.
    pub fn unpack(&self) -> Result<DmsNetwork, Unreadable> {
        let json = match SAMPLE.get().filter(|_| self.by_sample) {
            Some(sample) => lz4_flex::block::decompress_size_prepended_with_dict(&self.packed, sample),
            None => lz4_flex::block::decompress_size_prepended(&self.packed),
        };
        let json = json.map_err(|e| Unreadable::new(&self.metadata, &e))?;
        let (spec, status) = serde_json::from_slice(&json).map_err(|e| Unreadable::new(&self.metadata, &e))?;
        Ok(DmsNetwork { metadata: self.metadata.clone(), spec, status })
    }

    /// As [`CachedNetwork::unpack`], where one of many is left out rather than all: it is logged.
    pub fn unpacked(&self) -> Option<DmsNetwork> {
        self.unpack().inspect_err(|error| tracing::error!("{error}")).ok()
    }

    /// What can be told without unpacking it.
    pub fn glance(&self) -> &Glance {
        &self.glance
    }

    /// Its name.
    pub fn object_ref(&self) -> ObjectRef<DmsNetwork> {
        ObjectRef::from_obj(self).into_kind_unchecked(())
    }
}

impl Unreadable {
    fn new(metadata: &ObjectMeta, why: &dyn fmt::Display) -> Self {
        let name = [&metadata.namespace, &metadata.name].map(|n| n.as_deref().unwrap_or_default()).join("/");
        Self { name, why: why.to_string() }
    }
}

impl fmt::Debug for CachedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedNetwork").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for CachedNetwork {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::pack(DmsNetwork::deserialize(d)?).map_err(D::Error::custom)
    }
}

/// It is a DmsNetwork to Kubernetes.
impl Resource for CachedNetwork {
    type DynamicType = ();
    type Scope = <DmsNetwork as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        DmsNetwork::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        DmsNetwork::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        DmsNetwork::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        DmsNetwork::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::cache::LAST_APPLIED;

    fn network(n: usize) -> Value {
        let owned: Vec<Value> = (0..12)
            .map(|i| json!({ "key": format!("rule/sg-{n:04}{i:04}/in/tcp/5432/sg-{n:08}"), "kind": "SecurityGroupRule", "class": "west", "id": format!("sgr-{n:04}{i:04}") }))
            .collect();
        let condition = |type_: &str, message: &str| {
            let at = "2026-01-01T00:00:00Z";
            json!({ "type": type_, "status": "True", "reason": type_, "message": message, "lastTransitionTime": at, "observedGeneration": 1 })
        };
        let conditions =
            ["Synced", "Ready", "PathsOpen"].map(|t| condition(t, "every rule is in place, and every path is open there and back"));
        json!({
            "apiVersion": "dmsnet.dev/v1alpha1",
            "kind": "DmsNetwork",
            "metadata": {
                "name": format!("orders-{n}"), "namespace": "team", "uid": format!("u-{n}"), "resourceVersion": "7",
                "managedFields": [{ "manager": "kubectl" }],
                "annotations": { LAST_APPLIED: "{}", "kept": "yes" },
            },
            "spec": {
                "className": "west",
                "replication": { "instance": format!("orders-{n}") },
                "databases": [
                    { "name": "source", "dmsEndpoint": format!("source-{n}"), "path": { "type": "SameVpc" }, "className": "east" },
                    { "name": "target", "rds": { "instance": format!("target-{n}") }, "path": { "type": "SameVpc" } },
                ],
            },
            "status": {
                "defaultClass": "north",
                "classes": [{ "name": "south", "region": "us-west-2" }],
                "conditions": conditions,
                "databases": [{ "name": "source", "verdict": "Open" }, { "name": "target", "verdict": "Blocked" }],
                "owned": owned,
            },
        })
    }

    #[test]
    fn a_network_comes_back_as_it_went_in() {
        // The first may be packed without a sample, all others by it.
        for n in 0..3 {
            let cached: CachedNetwork = serde_json::from_value(network(n)).unwrap();
            let mut given: DmsNetwork = serde_json::from_value(network(n)).unwrap();
            given.metadata.managed_fields = None;
            given.annotations_mut().remove(LAST_APPLIED);
            let back = cached.unpack().unwrap();
            assert_eq!(back, given);
            assert_eq!(back.annotations().get("kept").map(String::as_str), Some("yes"));
        }
    }

    #[test]
    fn what_is_like_others_is_small() {
        let packed = |n| serde_json::from_value::<CachedNetwork>(network(n)).unwrap();
        let _sample = packed(0);
        let one = packed(1234);
        let json = network(1234);
        let plain = json["spec"].to_string().len() + json["status"].to_string().len();
        assert!(one.packed.len() * 4 < plain, "{} of {plain} bytes", one.packed.len());
    }

    #[test]
    fn a_glance_tells_what_is_asked_of_all() {
        let cached: CachedNetwork = serde_json::from_value(network(1)).unwrap();
        let glance = cached.glance();
        assert_eq!(glance.classes, ["east", "north", "south", "west"].map(str::to_owned).into());
        assert_eq!((glance.home.as_deref(), glance.ready.as_deref()), (Some("north"), Some("True")));
        assert_eq!(glance.verdicts, [PathVerdict::Open, PathVerdict::Blocked]);
        let other: CachedNetwork = serde_json::from_value(network(2)).unwrap();
        assert!(std::ptr::eq(glance, other.glance()), "equal ones are one in memory");
    }

    #[test]
    fn a_broken_copy_is_told_by_its_name() {
        let mut cached: CachedNetwork = serde_json::from_value(network(1)).unwrap();
        cached.packed = Box::from([1, 2, 3]);
        let error = cached.unpack().unwrap_err().to_string();
        assert!(error.contains("team/orders-1"), "{error}");
    }
}
