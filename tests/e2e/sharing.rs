//! Networks on one endpoint, of one cluster and of two: the last one out removes it, and nobody fights.

use std::{collections::BTreeMap, time::Duration};

use dmsnet::api::DmsNetwork;
use futures::future::join_all;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::harness::{
    Controller, Env,
    emulator::count,
    env::{SOON, condition, is},
};

/// Sixty networks take their time on a busy machine.
const LONG: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn sixty_networks_come_and_go_on_one_endpoint() {
    let env = Env::builder("sharing-sixty").topology(json!({ "instances": 60 })).start().await;
    let before = env.aws.state();
    let names: Vec<String> = (0..60).map(|n| format!("net-{n:02}")).collect();
    let (api, parameters) = (env.networks(), DeleteParams::default());
    let spec = |n: usize| {
        let mut spec = env.reference();
        spec["replication"]["instance"] = env.topology.instances[n].id.as_str().into();
        spec
    };

    join_all((0..60).map(|n| env.apply(&names[n], spec(n)))).await;
    all_ready(&env, 60).await;
    let endpoint = only_endpoint(&env).await;
    let made = env.aws.counts(0);
    assert_eq!((made["ec2:CreateVpcEndpoint"], made["ec2:CreateSecurityGroup"]), (1, 1), "one endpoint and one group for all");
    // 60 references and the VPC's CIDR do not fit: the youngest is let in by the CIDR alone.
    assert_eq!(callers_of(&env, &endpoint.group).await, 60);

    // The ten oldest leave, the lead among them.
    join_all((0..10).map(|n| api.delete(&names[n], &parameters))).await;
    all_ready(&env, 50).await;
    assert_eq!(only_endpoint(&env).await, endpoint, "the others go on");
    join_all((0..10).map(|n| env.apply(&names[n], spec(n)))).await;
    all_ready(&env, 60).await;
    assert_eq!(only_endpoint(&env).await, endpoint);
    for network in list(&env).await {
        assert_eq!(network.status.clone().unwrap().drift, [], "what others did is no drift of {}", network.name_any());
    }

    env.networks().delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    env.eventually("all gone", LONG, async || {
        let left: Vec<_> = list(&env).await.iter().map(ResourceExt::name_any).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{} left, such as {}", left.len(), left[0])) }
    })
    .await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_leave_each_others_alone() {
    let mut env = Env::builder("sharing-owners").topology(json!({ "instances": 2 })).without_class().without_controller().start().await;
    let before = env.aws.state();
    let _west = two_clusters(&mut env, "10s").await;
    let spec = |cluster: &str, instance: usize| spec_in(&env, cluster, instance);

    env.apply("east", spec("east", 0)).await;
    env.ready("east").await;
    let endpoint = only_endpoint(&env).await;
    env.apply("west", spec("west", 1)).await;
    let shared = env.ready("west").await;
    assert_eq!(only_endpoint(&env).await, endpoint, "both use one endpoint");
    let (owned, sharing) = (Some("owned".to_owned()), Some("shared".to_owned()));
    assert_eq!(owners(tags(&env, &endpoint.id).await), (owned.clone(), sharing.clone()));
    assert_eq!(owners(tags(&env, &endpoint.group).await), (owned.clone(), sharing));
    let ledger = shared.status.unwrap().owned;
    assert!(ledger.iter().filter(|e| e.key.starts_with("endpoint/") || e.key.starts_with("group/")).all(|e| !e.made), "{ledger:#?}");
    env.condition("east", "Ready", "True", SOON).await;

    let idle = env.aws.mark();
    env.calls("DescribeSecurityGroupRules", 4, SOON).await; // two sweeps of each
    assert_eq!(count(&env.aws.writes(idle)), BTreeMap::new(), "they leave each other's alone");

    // The creator leaves; what the other uses stays, and is the other's from now on.
    env.delete("east").await;
    env.gone("east", SOON).await;
    assert_eq!(only_endpoint(&env).await, endpoint);
    env.eventually("west owns what it shared", SOON, async || {
        let now = (owners(tags(&env, &endpoint.id).await), owners(tags(&env, &endpoint.group).await));
        if now == ((None, owned.clone()), (None, owned.clone())) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    let status = env.ready("west").await.status.unwrap();
    assert_eq!((status.drift, status.summary.unwrap().rules), (vec![], "6/6".to_owned()));

    env.delete("west").await;
    env.gone("west", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

/// The creator has seen nothing of the other yet, and leaves: what it takes away it looks at afresh, each rule of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_creator_that_leaves_at_once_takes_nothing_that_is_shared() {
    let mut env = Env::builder("sharing-leave").topology(json!({ "instances": 2 })).without_class().without_controller().start().await;
    let before = env.aws.state();
    let _west = two_clusters(&mut env, "1h").await;
    env.apply("east", spec_in(&env, "east", 0)).await;
    env.ready("east").await;
    // From then on it has no reason to read.
    env.eventually("east has seen the group that it made", SOON, async || {
        let calls = env.aws.calls(0);
        let wrote = calls.iter().rposition(|c| c.mutating);
        let seen = calls.iter().rposition(|c| c.operation == "DescribeSecurityGroups");
        if seen > wrote { Ok(()) } else { Err(format!("{seen:?} {wrote:?}")) }
    })
    .await;
    let endpoint = only_endpoint(&env).await;
    env.apply("west", spec_in(&env, "west", 1)).await;
    env.ready("west").await;
    let shared = callers_of(&env, &endpoint.group).await;

    let leaves = env.aws.mark();
    env.delete("east").await;
    env.gone("east", SOON).await;
    assert_eq!(only_endpoint(&env).await, endpoint);
    assert_eq!(callers_of(&env, &endpoint.group).await, shared - 1, "its own rule, not the one for all: {:#?}", env.aws.writes(leaves));
    assert_eq!(owners(tags(&env, &endpoint.group).await), (None, Some("shared".to_owned())));

    env.patch("west", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "now" } } })).await;
    env.eventually("west owns what it shared", SOON, async || {
        let now = owners(tags(&env, &endpoint.group).await);
        if now == (None, Some("owned".to_owned())) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    assert_eq!(env.ready("west").await.status.unwrap().drift, []);
    env.delete("west").await;
    env.gone("west", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_networks_that_disagree_do_not_fight() {
    let env = Env::builder("sharing-conflict").topology(json!({ "instances": 2 })).start().await;
    let before = env.aws.state();
    env.apply("lead", env.reference()).await;
    env.ready("lead").await;
    let endpoint = only_endpoint(&env).await;

    let mut other = env.reference();
    other["replication"]["instance"] = env.topology.instances[1].id.as_str().into();
    other["vpcEndpoints"][0]["policy"] = json!({ "type": "Document", "document": {
        "Statement": { "Effect": "Allow", "Principal": "*", "Action": "dms:Describe*", "Resource": "*" },
    }});
    // Seniority is by the second.
    let made = env.get("lead").await.creation_timestamp().unwrap();
    env.eventually("another second", SOON, async || {
        if jiff::Timestamp::now().as_second() > made.0.as_second() { Ok(()) } else { Err("the same".into()) }
    })
    .await;
    env.apply("other", other).await;
    let message = env.reason("other", "EndpointsAvailable", "Conflict", SOON).await;
    assert!(message.contains("sharing-conflict/lead") && message.contains("policy"), "{message}");
    let network = env.get("other").await;
    assert_eq!(condition(&network, "Synced").unwrap().reason, "Conflict");
    assert_eq!(network.status.unwrap().summary.unwrap().rules, "6/6", "its rules go on");
    let event = env.event("other", "Conflict", SOON).await;
    assert!(event.contains("sharing-conflict/lead"), "{event}");

    let idle = env.aws.mark();
    let version = async |name| env.get(name).await.resource_version();
    let versions = (version("lead").await, version("other").await);
    env.calls("DescribeVpcEndpoints", 3, SOON).await;
    assert_eq!(count(&env.aws.writes(idle)), BTreeMap::new(), "no fight");
    assert_eq!((version("lead").await, version("other").await), versions, "nor one in Kubernetes");
    let conflicts = env.events("other").await.iter().filter(|e| e.reason.as_deref() == Some("Conflict")).count();
    assert_eq!(conflicts, 1);
    assert!(is(&env.get("lead").await, "Ready", "True"));

    env.delete("lead").await;
    env.gone("lead", SOON).await;
    let network = env.ready("other").await;
    assert_eq!(network.status.unwrap().drift, [], "having one's way is no drift");
    assert_eq!(only_endpoint(&env).await.id, endpoint.id);
    let shown = env.aws.ec2().describe_vpc_endpoints().send().await.unwrap();
    assert!(shown.vpc_endpoints()[0].policy_document().unwrap().to_lowercase().contains("dms:describe*"), "{shown:?}");
    env.delete("other").await;
    env.gone("other", SOON).await;
    assert_eq!(env.aws.state(), before);
}

/// Two controllers, as of two clusters in one account, each with a class of its own. The second is to be kept.
async fn two_clusters(env: &mut Env, interval: &str) -> Controller {
    for cluster in ["east", "west"] {
        let name = format!("{}-{cluster}", env.name);
        let mut spec = env.class_spec();
        spec["resyncInterval"] = interval.into();
        if cluster == "west" {
            // Both clusters live on one API server here, where one account and Region belongs to one shard.
            spec["endpointUrl"] = env.aws.url.replace("127.0.0.1", "localhost").into();
        }
        let class = json!({
            "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass",
            "metadata": { "name": name, "labels": { "test": env.name, "cluster": cluster } },
            "spec": spec,
        });
        env.classes().patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap();
    }
    let selector = |cluster: &str| format!("test={},cluster={cluster}", env.name);
    let (east, west) = (selector("east"), selector("west"));
    env.controller.options.cluster_name = "east".into();
    env.controller.options.class_selector = east;
    env.controller.start();
    let mut other = env.another_controller("west", |options| {
        options.cluster_name = "west".into();
        options.class_selector = west;
    });
    other.start();
    other
}

fn spec_in(env: &Env, cluster: &str, instance: usize) -> Value {
    let mut spec = env.reference();
    spec["className"] = format!("{}-{cluster}", env.name).into();
    spec["replication"]["instance"] = env.topology.instances[instance].id.as_str().into();
    spec
}

/// What the owner tags of east and west say.
fn owners(tags: BTreeMap<String, String>) -> (Option<String>, Option<String>) {
    (tags.get("dmsnet.dev/owner/east").cloned(), tags.get("dmsnet.dev/owner/west").cloned())
}

async fn list(env: &Env) -> Vec<DmsNetwork> {
    let api: Api<DmsNetwork> = env.networks();
    api.list(&ListParams::default()).await.unwrap().items
}

/// So many networks, all ready and none on its way out.
async fn all_ready(env: &Env, n: usize) {
    env.eventually(&format!("{n} networks ready"), LONG, async || {
        let networks = list(env).await;
        let late: Vec<_> = networks.iter().filter(|n| !is(n, "Ready", "True") || n.metadata.deletion_timestamp.is_some()).collect();
        match late.first() {
            None if networks.len() == n => Ok(()),
            first => Err(format!(
                "{} networks, {} not ready, such as {:?}",
                networks.len(),
                late.len(),
                first.map(|n| (n.name_any(), condition(n, "Ready")))
            )),
        }
    })
    .await;
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    id: String,
    group: String,
}

/// The one endpoint of the topology's VPC.
async fn only_endpoint(env: &Env) -> Found {
    let answer = env.aws.ec2().describe_vpc_endpoints().send().await.unwrap();
    let [one] = answer.vpc_endpoints() else { panic!("one endpoint: {answer:#?}") };
    let [group] = one.groups() else { panic!("one group: {one:#?}") };
    Found { id: one.vpc_endpoint_id().unwrap().into(), group: group.group_id().unwrap().into() }
}

async fn callers_of(env: &Env, group: &str) -> usize {
    let answer = env.aws.ec2().describe_security_group_rules().send().await.unwrap();
    answer.security_group_rules().iter().filter(|rule| rule.group_id() == Some(group) && rule.is_egress() == Some(false)).count()
}

async fn tags(env: &Env, id: &str) -> BTreeMap<String, String> {
    use aws_sdk_ec2::types::Filter;
    let filter = Filter::builder().name("resource-id").values(id).build();
    let answer = env.aws.ec2().describe_tags().filters(filter).send().await.unwrap();
    answer.tags().iter().map(|tag| (tag.key().unwrap().to_owned(), tag.value().unwrap().to_owned())).collect()
}
