//! Status writes, as the API server takes and refuses them.

use dmsnet::{
    api::{DmsNetworkClassStatus, DmsNetworkStatus, names::MANAGER, status::OwnedEntry},
    controller::kubernetes::{is_there, write_status},
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::harness::Env;

fn holding(keys: &[&str]) -> DmsNetworkStatus {
    let entry = |key: &&str| OwnedEntry { key: (*key).to_owned(), id: Some("sgr-0a1b2c3d".to_owned()), ..OwnedEntry::default() };
    DmsNetworkStatus { observed_generation: Some(1), owned: keys.iter().map(entry).collect(), ..DmsNetworkStatus::default() }
}

const RULES: [&str; 2] = ["rule/sg-0a1b2c3d/in/tcp/443/10.0.0.0/16", "rule/sg-0a1b2c3d/in/tcp/444/10.0.0.0/16"];

/// The status of a network that is gone must not become that of another with its name: its ledger would be false drift there.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_leaves_a_namesake_alone() {
    let env = Env::builder("status-late").without_controller().without_class().start().await;
    let api = env.networks();
    let first = env.apply("orders", env.reference()).await;
    assert!(is_there(&api, &first).await.unwrap());
    env.delete("orders").await;
    assert!(!is_there(&api, &first).await.unwrap());
    assert!(write_status(&api, &first, &holding(&RULES)).await.unwrap().is_none(), "it is gone");

    let second = env.apply("orders", env.reference()).await;
    assert_ne!(second.uid(), first.uid());
    assert!(!is_there(&api, &first).await.unwrap());
    assert!(write_status(&api, &first, &holding(&RULES)).await.unwrap().is_none(), "this is another");
    let now = env.get("orders").await;
    assert_eq!((now.resource_version(), &now.status), (second.resource_version(), &second.status), "untouched");
    assert_eq!(now.status.unwrap(), DmsNetworkStatus { observed_generation: Some(-1), ..DmsNetworkStatus::default() });

    let first_class = env.apply_class("status-late", env.class_spec()).await;
    env.classes().delete("status-late", &DeleteParams::default()).await.unwrap();
    let second_class = env.apply_class("status-late", env.class_spec()).await;
    let status = DmsNetworkClassStatus { account_id: Some("111122223333".to_owned()), ..DmsNetworkClassStatus::default() };
    assert!(write_status(&env.classes(), &first_class, &status).await.unwrap().is_none());
    let now = env.classes().get("status-late").await.unwrap();
    assert_eq!((now.resource_version(), now.status), (second_class.resource_version(), second_class.status.clone()));
    assert_eq!(write_status(&env.classes(), &second_class, &status).await.unwrap().unwrap().status, Some(status));
}

/// However the network has changed since it was seen, its status is what was written last, whole; and the writer is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_replaced_whole() {
    let env = Env::builder("status-whole").without_controller().without_class().start().await;
    let api = env.networks();
    let made = env.apply("orders", env.reference()).await;
    let wrote = write_status(&api, &made, &holding(&RULES)).await.unwrap().unwrap();
    assert_eq!(wrote.status, Some(holding(&RULES)));
    env.patch("orders", json!({ "metadata": { "labels": { "changed": "meanwhile" } } })).await;
    write_status(&api, &made, &holding(&RULES[1..])).await.unwrap().unwrap();
    let now = env.get("orders").await;
    assert_eq!((now.status, now.metadata.generation), (Some(holding(&RULES[1..])), made.metadata.generation));
    let managers: Vec<_> = now.metadata.managed_fields.iter().flatten().filter(|m| m.subresource.as_deref() == Some("status")).collect();
    assert_eq!(managers.iter().map(|m| m.manager.as_deref().unwrap()).collect::<Vec<_>>(), [MANAGER]);
    let again = write_status(&api, &made, &holding(&RULES[1..])).await.unwrap().unwrap();
    assert_eq!(again.resource_version(), now.metadata.resource_version, "the same again is no write");

    // A status that the schema refuses is an error, not an object that is gone.
    let mut wrong = json!(holding(&RULES));
    wrong["foreignCount"] = json!("many");
    let error = write_status::<_, Value>(&api, &made, &wrong).await.unwrap_err();
    assert!(error.to_string().contains("foreignCount"), "{error}");
}
