//! Which class a network works in, and whether that class lets it.

use std::collections::BTreeMap;

use super::problem::Problem;
use crate::api::{DmsNetwork, DmsNetworkClass, conditions::Reason, names::IS_DEFAULT_CLASS, network::Mode};

/// The class that a network names, kept by default from an earlier pass, or is given by default.
///
/// # Errors
/// `ReferenceNotFound` for a missing class, `AmbiguousDefaultClass` for several defaults, `ClassChanged` where
/// `className` was added later and is not the default that was taken.
pub fn choose<'a>(network: &DmsNetwork, classes: impl IntoIterator<Item = &'a DmsNetworkClass>) -> Result<&'a DmsNetworkClass, Problem> {
    let taken = network.status.as_ref().and_then(|s| s.default_class.as_deref());
    let named = network.spec.class_name.as_deref();
    if let (Some(named), Some(taken)) = (named, taken)
        && named != taken
    {
        let message = format!("this network already works in the default class {taken:?}: set className to it, or make the network anew");
        return Err(Problem::new(Reason::ClassChanged, "spec.className", message));
    }
    let mut classes = classes.into_iter();
    if let Some(name) = named.or(taken) {
        return classes.find(|c| self::name(c) == name).ok_or_else(|| {
            let message = format!("DmsNetworkClass {name:?} does not exist: create it, or correct className");
            Problem::new(Reason::ReferenceNotFound, "spec.className", message)
        });
    }
    let mut defaults: Vec<_> = classes.filter(|c| is_default(c)).collect();
    defaults.sort_by_key(|c| name(c));
    match defaults.as_slice() {
        [one] => Ok(one),
        [] => {
            let message = format!("no className, and no class carries the annotation {IS_DEFAULT_CLASS}: \"true\": name a class");
            Err(Problem::new(Reason::ReferenceNotFound, "spec.className", message))
        }
        several => {
            let names = several.iter().map(|c| name(c)).collect::<Vec<_>>().join(", ");
            let message = format!("no className, and several classes are marked as default ({names}): name one, or leave one default");
            Err(Problem::new(Reason::AmbiguousDefaultClass, "spec.className", message))
        }
    }
}

/// Whether a class is marked as default.
pub fn is_default(class: &DmsNetworkClass) -> bool {
    class.metadata.annotations.as_ref().and_then(|a| a.get(IS_DEFAULT_CLASS)).is_some_and(|v| v == "true")
}

fn name(class: &DmsNetworkClass) -> &str {
    class.metadata.name.as_deref().unwrap_or_default()
}

/// Checks that a class admits networks of a namespace with these labels.
///
/// # Errors
/// `ClassNotAllowed`, naming what the class asks for.
pub fn admit(class: &DmsNetworkClass, namespace: &str, labels: &BTreeMap<String, String>) -> Result<(), Problem> {
    class.spec.allowed_namespaces.admits(labels).map_err(|why| {
        let message = format!("class {:?} does not admit namespace {namespace:?}: {why}", name(class));
        Problem::new(Reason::ClassNotAllowed, "spec.className", message)
    })
}

/// The weaker of the network's and the class's mode.
pub fn mode(network: &DmsNetwork, class: &DmsNetworkClass) -> Mode {
    network.spec.mode.max(class.spec.mode)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(name: &str, default: bool, allowed: serde_json::Value) -> DmsNetworkClass {
        let mut class: DmsNetworkClass = serde_json::from_value(json!({
            "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass", "metadata": {"name": name},
            "spec": {"region": "us-east-1", "allowedNamespaces": allowed, "guardrails": {"vpcIds": ["*"]}},
        }))
        .unwrap();
        if default {
            class.metadata.annotations.get_or_insert_default().insert(IS_DEFAULT_CLASS.into(), "true".into());
        }
        class
    }

    fn network(class: Option<&str>, taken: Option<&str>) -> DmsNetwork {
        serde_json::from_value(json!({
            "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetwork", "metadata": {"name": "orders", "namespace": "team"},
            "spec": {"className": class, "replication": {"instance": "ri"}, "databases": []},
            "status": {"defaultClass": taken},
        }))
        .unwrap()
    }

    #[test]
    fn the_class_is_the_named_the_taken_or_the_only_default() {
        let all = json!({"from": "All"});
        let (a, b, plain) = (class("a", true, all.clone()), class("b", true, all.clone()), class("plain", false, all));
        let chosen = |r: Result<&DmsNetworkClass, Problem>| r.map(|c| name(c).to_owned()).map_err(|p| (p.reason, p.message));
        assert_eq!(chosen(choose(&network(Some("plain"), None), [&a, &plain])).unwrap(), "plain");
        assert_eq!(chosen(choose(&network(None, None), [&a, &plain])).unwrap(), "a");
        assert_eq!(chosen(choose(&network(None, Some("a")), [&a, &b])).unwrap(), "a", "the default that was taken is kept");
        let (reason, message) = chosen(choose(&network(None, None), [&b, &a])).unwrap_err();
        assert_eq!(reason, Reason::AmbiguousDefaultClass);
        assert!(message.contains("(a, b)"), "{message}");
        let (reason, message) = chosen(choose(&network(Some("nope"), None), [&a])).unwrap_err();
        assert_eq!(reason, Reason::ReferenceNotFound);
        assert!(message.contains("\"nope\" does not exist"), "{message}");
        assert_eq!(chosen(choose(&network(None, None), [&plain])).unwrap_err().0, Reason::ReferenceNotFound);
        assert_eq!(chosen(choose(&network(Some("b"), Some("a")), [&a, &b])).unwrap_err().0, Reason::ClassChanged);
    }

    #[test]
    fn a_class_admits_namespaces_by_label() {
        let labels = BTreeMap::from([("dms".to_owned(), "yes".to_owned())]);
        let picky = class("a", false, json!({"from": "Selector", "selector": {"matchLabels": {"dms": "yes"}}}));
        assert!(admit(&picky, "team", &labels).is_ok());
        let refusal = admit(&picky, "team", &BTreeMap::new()).unwrap_err();
        assert_eq!(refusal.reason, Reason::ClassNotAllowed);
        assert!(refusal.message.contains("dms=yes"), "{}", refusal.message);
        assert!(admit(&class("a", false, json!({"from": "All"})), "team", &BTreeMap::new()).is_ok());
    }
}
