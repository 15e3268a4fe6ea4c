//! The CustomResourceDefinitions as they are committed under `crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{DmsNetwork, DmsNetworkClass};

/// Both CRDs, ready to apply.
pub fn all() -> Vec<CustomResourceDefinition> {
    [DmsNetworkClass::crd(), DmsNetwork::crd()].map(finish).into()
}

fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for root in crd.spec.versions.iter_mut().filter_map(|v| v.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        tidy(root);
        if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
            // As Flux does: without it kstatus takes an object that nobody has looked at yet for ready.
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
            status.nullable = None;
        }
    }
    crd
}

/// What holds for every schema: a description is one paragraph (`kubectl explain` keeps line breaks), and null means unset
/// where the type is an Option; CEL's `has()` is false then too. Lists and maps are no Options: their null is never stored.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    let required = schema.required.as_deref().unwrap_or_default();
    for (name, property) in schema.properties.iter_mut().flatten() {
        tidy(property);
        let list_or_map = property.items.is_some() || property.additional_properties.is_some();
        let optional = !required.contains(name) && property.default.is_none() && !list_or_map;
        property.nullable = optional.then_some(true);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

#[cfg(all(test, feature = "controller"))]
mod tests {
    use std::{env, fs, path::Path};

    /// `crds/` holds what the types say. After a change of the types: `UPDATE_CRDS=1 cargo test --lib crds`.
    #[test]
    fn committed_crds_match_the_types() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        for crd in super::all() {
            let file = dir.join(format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural));
            let yaml = format!("---\n{}", serde_saphyr::to_string(&crd).unwrap());
            if env::var_os("UPDATE_CRDS").is_some() {
                fs::create_dir_all(&dir).unwrap();
                fs::write(&file, &yaml).unwrap();
            }
            let committed = fs::read_to_string(&file).unwrap_or_default();
            assert!(committed == yaml, "{} is not what the types say: run UPDATE_CRDS=1 cargo test --lib crds", file.display());
        }
    }
}
