//! Networks and classes from a cluster, read with the user's kubeconfig. Nothing is written to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::Arc,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::ListParams,
    config::{KubeConfigOptions, KubeconfigError},
};

use super::files::{FileNetwork, Files};
use crate::{
    api::{DmsNetwork, DmsNetworkClass, class::NamespacesFrom},
    aws::Scope,
    controller::kubernetes::cluster_id,
    model::Owner,
    plan::{
        Problem,
        class::{admit, choose},
    },
};

/// Why networks cannot be read from a cluster: a sentence with what to do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ClusterError {
    #[error("no cluster to read networks from: {0}: set KUBECONFIG, or name files with -f")]
    NoConfig(KubeconfigError),
    #[error("the Kubernetes API server {server} does not answer: {why}: check the kubeconfig and its context")]
    Unreachable { server: String, why: String },
    #[error("the Kubernetes API server {server} refuses to tell {what}: {why}")]
    Refused { server: String, what: String, why: String },
    #[error("the cluster {0} knows no DmsNetworks: install them with dmsnet crds | kubectl apply --server-side -f -")]
    NotInstalled(String),
    #[error("there is no DmsNetwork {name:?} in namespace {namespace:?} of {server}{}", among(.there))]
    NoNetwork { server: String, namespace: String, name: String, there: Vec<String> },
    #[error("{network}: {}: {}", .problem.resource, .problem.message)]
    Class { network: String, problem: Problem },
    #[error("{0}, by which the controller names this cluster, is not to be had: {1}: say --owner, as the controller's --cluster-name")]
    Owner(&'static str, String),
}

fn among(there: &[String]) -> String {
    const SHOWN: usize = 10;
    match there.len() {
        0 => ", which has none: check the namespace".to_owned(),
        count if count > SHOWN => format!("; it has {count} others: check the name"),
        _ => format!("; there are: {}", there.join(", ")),
    }
}

/// A cluster, as the kubeconfig shows it.
pub struct Cluster {
    client: Client,
    server: String,
    namespace: String,
}

/// What was read.
pub struct Found {
    /// The networks that were asked for and, if wanted, those that work in the same accounts and Regions: oldest first, as
    /// seniority goes (design: Sharing).
    pub files: Files,
    /// Those that were asked for: `namespace/name`.
    pub asked: BTreeSet<String>,
}

impl Cluster {
    /// The one that a context means; without one the kubeconfig's own, or that around the pod.
    ///
    /// # Errors
    /// Where there is no kubeconfig, or none that can be used.
    pub async fn connect(context: Option<&str>) -> Result<Self, ClusterError> {
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = match Config::from_kubeconfig(&options).await {
            Ok(config) => config,
            Err(error) if context.is_some() => return Err(ClusterError::NoConfig(error)),
            Err(error) => Config::incluster().map_err(|_| ClusterError::NoConfig(error))?,
        };
        let (server, namespace) = (config.cluster_url.to_string(), config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|e| ClusterError::Unreachable { server: server.clone(), why: root(&e) })?;
        Ok(Self { client, server: server.trim_end_matches('/').to_owned(), namespace })
    }

    /// The name under which the cluster's controller owns AWS objects, if it was not given another.
    ///
    /// # Errors
    /// Where the namespace that it is made of cannot be read.
    pub async fn owner(&self) -> Result<Owner, ClusterError> {
        const SOURCE: &str = "the UID of namespace kube-system";
        let id = cluster_id(&self.client).await.map_err(|e| ClusterError::Owner(SOURCE, root(&e)))?;
        Owner::parse(&id).map_err(|e| ClusterError::Owner(SOURCE, e.to_string()))
    }

    /// Reads networks and their classes. `neighbours`: also those that work in the same accounts and Regions, because what
    /// they share with these decides about changes.
    ///
    /// # Errors
    /// Where the API server does not answer or refuses, and where a network or its class is not there.
    pub async fn networks(&self, namespace: Option<&str>, names: &[String], neighbours: bool) -> Result<Found, ClusterError> {
        let namespace = namespace.unwrap_or(&self.namespace);
        let mut networks = Vec::new();
        for name in names {
            let network = self.network(namespace, name).await?;
            if !networks.iter().any(|n: &DmsNetwork| n.name_any() == *name) {
                networks.push(network);
            }
        }
        let asked: BTreeSet<String> = networks.iter().map(label).collect();
        let classes: Api<DmsNetworkClass> = Api::all(self.client.clone());
        let classes = classes.list(&ListParams::default()).await.map_err(|e| self.failed("the DmsNetworkClasses", &e))?;
        let classes: Vec<Arc<DmsNetworkClass>> = classes.items.into_iter().map(Arc::new).collect();
        let mut files = Files::default();
        if neighbours {
            match Api::<DmsNetwork>::all(self.client.clone()).list(&ListParams::default()).await {
                Ok(all) => {
                    networks.extend(all.items.into_iter().filter(|n| !asked.contains(&label(n)) && n.meta().deletion_timestamp.is_none()))
                }
                Err(kube::Error::Api(status)) if status.code == 403 => files.notes.push(format!(
                    "what other networks of the cluster share with these cannot be told, and may show as a change: {}",
                    status.message
                )),
                Err(error) => return Err(self.failed("the DmsNetworks of all namespaces", &error)),
            }
        }
        networks.sort_by_cached_key(|n| (n.creation_timestamp().map(|t| t.0), n.uid()));
        let mut labels = BTreeMap::new();
        for network in networks {
            let named = asked.contains(&label(&network));
            let known = self.in_classes(network, &classes, &mut labels, &mut files.notes).await;
            match known {
                Ok(known) => files.networks.push(known),
                // It is not planned in the cluster either.
                Err(_) if !named => {}
                Err(error) => return Err(error),
            }
        }
        let scopes = |n: &FileNetwork| std::iter::once(&n.class).chain(&n.others).map(|c| Scope::from(&c.spec)).collect::<Vec<_>>();
        let near: Vec<Scope> = files.networks.iter().filter(|n| asked.contains(&n.label())).flat_map(scopes).collect();
        files.networks.retain(|n| scopes(n).iter().any(|s| near.contains(s)));
        Ok(Found { files, asked })
    }

    async fn network(&self, namespace: &str, name: &str) -> Result<DmsNetwork, ClusterError> {
        let api: Api<DmsNetwork> = Api::namespaced(self.client.clone(), namespace);
        if let Some(network) = api.get_opt(name).await.map_err(|e| self.failed(&format!("DmsNetwork {namespace}/{name}"), &e))? {
            return Ok(network);
        }
        let there = match api.list(&ListParams::default()).await {
            Ok(all) => all.items.iter().map(ResourceExt::name_any).collect(),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Err(ClusterError::NotInstalled(self.server.clone())),
            Err(error) => return Err(self.failed(&format!("the DmsNetworks of namespace {namespace:?}"), &error)),
        };
        Err(ClusterError::NoNetwork { server: self.server.clone(), namespace: namespace.to_owned(), name: name.to_owned(), there })
    }

    /// The network with its classes, each of which must admit its namespace.
    async fn in_classes(
        &self,
        network: DmsNetwork,
        classes: &[Arc<DmsNetworkClass>],
        labels: &mut BTreeMap<String, Result<BTreeMap<String, String>, String>>,
        notes: &mut Vec<String>,
    ) -> Result<FileNetwork, ClusterError> {
        let wrong = |problem| ClusterError::Class { network: label(&network), problem };
        let home = choose(&network, classes.iter().map(|c| &**c)).map_err(wrong)?.name_any();
        let mut used: Vec<Arc<DmsNetworkClass>> = classes.iter().filter(|c| c.name_any() == home).cloned().collect();
        for database in &network.spec.databases {
            let Some(name) = database.class_name.as_deref().filter(|n| used.iter().all(|c| c.name_any() != *n)) else { continue };
            let Some(class) = classes.iter().find(|c| c.name_any() == name) else {
                let message = format!("DmsNetworkClass {name:?} does not exist: create it, or correct className");
                let field = format!("spec.databases[{:?}].className", database.name);
                return Err(wrong(Problem::new(crate::api::conditions::Reason::ReferenceNotFound, field, message)));
            };
            used.push(class.clone());
        }
        let namespace = network.namespace().unwrap_or_default();
        for class in used.iter().filter(|c| c.spec.allowed_namespaces.from == NamespacesFrom::Selector) {
            if !labels.contains_key(&namespace) {
                let api: Api<Namespace> = Api::all(self.client.clone());
                let read = api.get_metadata(&namespace).await.map(|n| n.labels().clone()).map_err(|e| root(&e));
                labels.insert(namespace.clone(), read);
            }
            match labels.get(&namespace) {
                Some(Ok(labels)) => admit(class, &namespace, labels).map_err(wrong)?,
                Some(Err(why)) => notes.push(format!(
                    "class {} admits namespaces by label, and the labels of namespace {namespace} cannot be read: {why}",
                    class.name_any()
                )),
                None => {}
            }
        }
        let class = used.remove(0);
        Ok(FileNetwork { network, class, others: used })
    }

    fn failed(&self, what: &str, error: &kube::Error) -> ClusterError {
        let server = self.server.clone();
        match error {
            kube::Error::Api(status) if status.is_not_found() => ClusterError::NotInstalled(server),
            kube::Error::Api(status) => ClusterError::Refused { server, what: what.to_owned(), why: status.message.clone() },
            error => ClusterError::Unreachable { server, why: root(error) },
        }
    }
}

fn label(network: &DmsNetwork) -> String {
    format!("{}/{}", network.namespace().unwrap_or_default(), network.name_any())
}

/// What is at the bottom of an error: what is above it says mostly that there was one.
fn root(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
