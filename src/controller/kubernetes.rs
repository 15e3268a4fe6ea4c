//! Writes to Kubernetes: finalizers and status.

use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::api::{DmsNetwork, DmsNetworkStatus, names::MANAGER};

/// Adds a finalizer, if it is not there.
///
/// # Errors
/// Those of the API server; a conflict where the object was changed meanwhile.
pub async fn add_finalizer<K>(api: &Api<K>, object: &K, finalizer: &str) -> kube::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    if object.finalizers().iter().any(|f| f == finalizer) {
        return Ok(());
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(finalizer.to_owned());
    write_finalizers(api, object, finalizers).await
}

/// Takes a finalizer off, however the object has changed since it was seen. An object that is gone is fine.
///
/// # Errors
/// Those of the API server.
pub async fn remove_finalizer<K>(api: &Api<K>, name: &str, uid: Option<&str>, finalizer: &str) -> kube::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    const TRIES: usize = 5;
    let mut last = Ok(());
    for _ in 0..TRIES {
        let Some(object) = api.get_opt(name).await?.filter(|o| o.uid().as_deref() == uid) else { return Ok(()) };
        if !object.finalizers().iter().any(|f| f == finalizer) {
            return Ok(());
        }
        let finalizers = object.finalizers().iter().filter(|f| *f != finalizer).cloned().collect();
        match write_finalizers(api, &object, finalizers).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_conflict() => last = Err(kube::Error::Api(status)),
            other => return other,
        }
    }
    last
}

async fn write_finalizers<K>(api: &Api<K>, object: &K, finalizers: Vec<String>) -> kube::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

/// Writes a network's status whole. The UID keeps it from a namesake that was made meanwhile.
///
/// # Errors
/// Those of the API server.
pub async fn write_status(api: &Api<DmsNetwork>, network: &DmsNetwork, status: &DmsNetworkStatus) -> kube::Result<DmsNetwork> {
    let patch = json!({
        "apiVersion": DmsNetwork::api_version(&()),
        "kind": DmsNetwork::kind(&()),
        "metadata": {"uid": network.uid()},
        "status": status,
    });
    api.patch_status(&network.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(patch)).await
}
