//! The CustomResourceDefinitions as they are committed under `crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{DmsNetwork, DmsNetworkClass};

/// Both CRDs, ready to apply.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![DmsNetworkClass::crd(), DmsNetwork::crd()]
}
