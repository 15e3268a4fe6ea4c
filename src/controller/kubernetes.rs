//! Writes to Kubernetes: finalizers and status; and which of two copies is the newer.

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::api::names::MANAGER;

/// What the API server answers where a JSON patch's test fails (422), and to an invalid object.
const TEST_FAILED: u16 = 422;

/// What tells this cluster from others: 8 hex digits of the UID of namespace kube-system. A rebuilt cluster has another.
///
/// # Errors
/// Those of the API server.
pub async fn cluster_id(client: &Client) -> kube::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let uid = namespaces.get_metadata("kube-system").await?.uid().unwrap_or_default();
    Ok(uid.chars().filter(char::is_ascii_hexdigit).take(8).collect())
}

/// Resource versions are ordered numbers (KEP-5504); one that is not says nothing, and counts as the oldest.
pub fn version(object: &impl ResourceExt) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

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

/// Whether the API server still has this very object, whatever the cache shows.
///
/// # Errors
/// Those of the API server.
pub async fn is_there<K>(api: &Api<K>, object: &K) -> kube::Result<bool>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    Ok(api.get_metadata_opt(&object.name_any()).await?.is_some_and(|found| found.uid() == object.uid()))
}

/// As [`write_status`], and only if nobody has changed the object since it was seen.
///
/// # Errors
/// Those of the API server; a conflict where the object was changed meanwhile.
pub async fn write_status_unchanged<K, S>(api: &Api<K>, object: &K, status: &S) -> kube::Result<Option<K>>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize,
{
    let version = json!({ "op": "add", "path": "/metadata/resourceVersion", "value": object.resource_version() });
    patch_status(api, object, status, Some(version)).await
}

/// Writes an object's status whole, to this very object. None: it is gone, whether or not a namesake was made meanwhile.
///
/// Server-side apply would not do: on the status subresource the API server takes any `metadata.uid`, and a late pass would
/// give a namesake the ledger of the one before it. A JSON patch with a test is refused.
///
/// # Errors
/// Those of the API server.
pub async fn write_status<K, S>(api: &Api<K>, object: &K, status: &S) -> kube::Result<Option<K>>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize,
{
    patch_status(api, object, status, None).await
}

async fn patch_status<K, S>(api: &Api<K>, object: &K, status: &S, more: Option<Value>) -> kube::Result<Option<K>>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize,
{
    let test = json!({ "op": "test", "path": "/metadata/uid", "value": object.uid() });
    let write = json!({ "op": "add", "path": "/status", "value": status });
    let patch = Value::Array([test].into_iter().chain(more).chain([write]).collect());
    let patch = Patch::Json::<()>(serde_json::from_value(patch).map_err(kube::Error::SerdeError)?);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch_status(&object.name_any(), &params, &patch).await {
        Ok(answer) => Ok(Some(answer)),
        Err(kube::Error::Api(refusal)) if refusal.is_not_found() => Ok(None),
        Err(kube::Error::Api(refusal)) if refusal.code == TEST_FAILED => {
            // A status that breaks the schema is refused with the same code: only a look tells the two apart.
            if is_there(api, object).await? { Err(kube::Error::Api(refusal)) } else { Ok(None) }
        }
        Err(error) => Err(error),
    }
}
