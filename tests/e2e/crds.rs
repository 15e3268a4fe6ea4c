//! What the API server does with the two resources by itself: what it refuses, and in which words, what it fills in,
//! how two managers share one network, and how kubectl shows and explains them.

use std::time::Duration;

use dmsnet::api::{DmsNetwork, DmsNetworkClass};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::harness::{ApiServer, Kubectl, apiserver, eventually};

const SG: &str = "sg-0a1b2c3d";

/// A namespace of the API server's, for one test.
struct Place {
    client: Client,
    namespace: String,
    kubectl: Kubectl,
}

impl Place {
    async fn new(namespace: &str) -> Self {
        let kubeconfig = ApiServer::shared().kubeconfig.clone();
        let client = apiserver::client(&kubeconfig).await;
        let object = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { client, namespace: namespace.to_owned(), kubectl: Kubectl::new(kubeconfig, namespace) }
    }

    fn networks(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<DmsNetwork>(&()))
    }

    fn classes(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &ApiResource::erase::<DmsNetworkClass>(&()))
    }
}

fn network(name: &str) -> Value {
    json!({
        "apiVersion": "dmsnet.dev/v1alpha1",
        "kind": "DmsNetwork",
        "metadata": { "name": name },
        "spec": {
            "className": "prod-us-west-2",
            "replication": { "instance": "orders-ri" },
            "databases": [
                { "name": "source", "dmsEndpoint": "orders-src", "securityGroupId": "sg-0b1b2c3d", "path": { "type": "SameVpc" } },
                { "name": "target", "rds": { "instance": "orders-db" }, "path": { "type": "SameVpc" } },
                { "name": "audit", "address": { "engine": "mongodb", "endpoints": [{ "host": "db-0.example.com" }] }, "path": { "type": "SameVpc" } },
            ],
            "vpcEndpoints": [{ "name": "dms", "service": "dms", "allowFrom": [{ "cidr": "10.0.0.0/16" }, { "securityGroupId": SG }] }],
        },
    })
}

fn class(name: &str) -> Value {
    json!({
        "apiVersion": "dmsnet.dev/v1alpha1",
        "kind": "DmsNetworkClass",
        "metadata": { "name": name },
        "spec": {
            "region": "us-west-2",
            "endpointUrl": "http://127.0.0.1:5000",
            "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": { "dms": "yes" } } },
            "guardrails": {
                "vpcIds": ["vpc-0a1b2c3d"],
                "securityGroups": { "ids": [], "tags": { "dmsnet": "allowed" } },
                "peerCidrs": ["10.0.0.0/8", "2001:db8::/32"],
                "ports": ["1433", "27017-27020"],
                "vpcEndpointServices": ["dms"],
            },
            "tags": { "cost-center": "42" },
        },
    })
}

/// Sets the value at a JSON pointer, or removes it where there is none.
fn edit(object: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match (parent, value) {
        (Value::Object(parent), Some(value)) => drop(parent.insert(key.to_owned(), value)),
        (Value::Object(parent), None) => drop(parent.remove(key).unwrap_or_else(|| panic!("no {pointer}"))),
        (Value::Array(parent), Some(value)) if key == "-" => parent.push(value),
        (Value::Array(parent), Some(value)) => parent[key.parse::<usize>().unwrap()] = value,
        (parent, _) => panic!("{pointer} in {parent}"),
    }
}

type Edit = (&'static str, Option<Value>);

fn set(pointer: &'static str, value: impl Into<Value>) -> Edit {
    (pointer, Some(value.into()))
}

fn remove(pointer: &'static str) -> Edit {
    (pointer, None)
}

fn edited(mut object: Value, edits: &[Edit]) -> Value {
    for (pointer, value) in edits {
        edit(&mut object, pointer, value.clone());
    }
    object
}

/// What the API server says to an object that it is asked to try.
async fn tried(api: &Api<DynamicObject>, object: Value) -> Result<DynamicObject, String> {
    let params = PostParams { dry_run: true, ..Default::default() };
    api.create(&params, &serde_json::from_value(object).unwrap()).await.map_err(message)
}

fn message(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message,
        other => panic!("{other}"),
    }
}

async fn all_accepted(api: Api<DynamicObject>, base: Value, table: &[&[Edit]]) {
    for edits in table {
        tried(&api, edited(base.clone(), edits)).await.unwrap_or_else(|message| panic!("{edits:?}: {message}"));
    }
}

/// Each edit alone makes a good object bad; the message says where and what to change.
async fn all_refused(api: Api<DynamicObject>, base: Value, table: &[(Edit, &str, &str)]) {
    tried(&api, base.clone()).await.expect("the object is good before it is edited");
    let mut wrong = vec![];
    for (change, field, says) in table {
        match tried(&api, edited(base.clone(), std::slice::from_ref(change))).await {
            Ok(_) => wrong.push(format!("{change:?} is accepted")),
            Err(message) if message.contains(field) && message.contains(says) => {}
            Err(message) => wrong.push(format!("{change:?} is refused with {message:?}, not with {field}: {says}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn many(n: usize, item: impl Fn(usize) -> Value) -> Value {
    (0..n).map(item).collect::<Vec<_>>().into()
}

fn database(name: &str) -> Value {
    json!({ "name": name, "dmsEndpoint": "any", "path": { "type": "SameVpc" } })
}

const ACCOUNT: &str = "111122223333";

fn role(arn: &str) -> Value {
    json!({ "roleArn": arn })
}

fn with_ingress(path: Value, from: &str) -> Value {
    json!({ "name": "source", "dmsEndpoint": "orders-src", "path": path, "ingressFrom": from })
}

fn path(path: Value) -> Edit {
    set("/spec/databases/0/path", path)
}

fn endpoint(name: &str, service: &str) -> Value {
    json!({ "name": name, "service": service })
}

fn group(i: usize) -> Value {
    format!("sg-{i:08x}").into()
}

fn subnet(i: usize) -> Value {
    format!("subnet-{i:017x}").into()
}

const ONE_KIND: &str = "set exactly one of dmsEndpoint, rds and address";
const HOST_BITS: &str = "has host bits set beyond the prefix length: write the network's first address";
const SPELLING: &str = "must be spelled in canonical form: IPv6 in lower case";
const NO_CIDR: &str = "must be a CIDR: an address, a slash and a prefix length";
const GROUP_ID: &str = "must be the ID of a security group: sg- and 8 or 17 digits of 0-9a-f";
const DURATION: &str = "must be a duration of at least 10s";
const HOST: &str = "must be a host name or an IP address alone";
const NO_PORT: &str = "write a port for each host: this engine has no default port";

#[tokio::test(flavor = "multi_thread")]
async fn good_networks_are_accepted() {
    let place = Place::new("crds-good-networks").await;
    let placement = json!({ "subnetIds": ["subnet-0a1b2c3d"], "securityGroupIds": [SG] });
    let two_groups = json!({ "subnetIds": ["subnet-0a1b2c3d"], "securityGroupIds": [SG, "sg-0123456789abcdef0"] });
    let address = |engine: &str, endpoints: Value| json!({ "engine": engine, "endpoints": endpoints });
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }], "Id": "x" });
    let table: &[&[Edit]] = &[
        &[],
        &[remove("/spec/className"), remove("/spec/vpcEndpoints")],
        &[remove("/spec/replication/instance"), set("/spec/replication/placement", placement)],
        &[
            remove("/spec/replication/instance"),
            set("/spec/replication/placement", two_groups),
            set("/spec/replication/securityGroupId", "sg-0123456789abcdef0"),
        ],
        &[set("/spec/resyncInterval", "10s")],
        &[set("/spec/resyncInterval", "1h30m")],
        &[
            set("/spec/mode", "Observe"),
            set("/spec/suspend", true),
            set("/spec/deletionPolicy", "Retain"),
            set("/spec/foreignRules", "Revoke"),
            set("/spec/connectionTest", "OnChange"),
        ],
        &[set("/spec/databases/1/rds", json!({ "cluster": "orders-cluster" })), set("/spec/databases/1/role", "Target")],
        // null is unset
        &[
            set("/spec/className", Value::Null),
            set("/spec/mode", Value::Null),
            set("/spec/resyncInterval", Value::Null),
            set("/spec/replication/placement", Value::Null),
            set("/spec/databases/0/rds", Value::Null),
            set("/spec/databases/0/address", Value::Null),
            set("/spec/databases/0/subnetIds", Value::Null),
            set("/spec/databases/1/rds/cluster", Value::Null),
            set("/spec/databases/2/address/endpoints/0/port", Value::Null),
            set("/spec/vpcEndpoints/0/allowFrom/0/prefixListId", Value::Null),
            set("/spec/vpcEndpoints/0/policy", json!({ "type": "FullAccess", "document": null })),
        ],
        &[set(
            "/spec/databases/2/address",
            address("kafka", json!([{ "host": "10.0.1.5", "port": 9094 }, { "host": "2001:db8::1", "port": 65535 }])),
        )],
        &[set("/spec/databases/2/address", address("newdb-2030", json!([{ "host": "x_1.Example.com", "port": 1 }])))],
        &[set("/spec/databases/0/extraEndpoints", json!([{ "host": "asm.example.com" }, { "host": "asm.example.com", "port": 1521 }]))],
        &[set("/spec/databases/0/subnetIds", many(60, subnet)), set("/spec/databases/0/ingressFrom", "PrivateIp")],
        &[set("/spec/databases", many(50, |i| database(&format!("db-{i}"))))],
        // every path with its block
        &[remove("/spec/replication/instance"), set("/spec/replication/serverless", "Orders-Cfg")],
        &[
            set("/spec/databases/0/className", "other-account"),
            path(json!({ "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": "pcx-0a1b2c3d" } })),
        ],
        &[path(json!({ "type": "OnPremises" }))],
        &[path(json!({ "type": "OnPremises", "onPremises": {
            "cidrs": ["10.50.0.0/16", "2001:db8::/32"], "natHost": { "securityGroupId": SG, "networkInterfaceId": "eni-0a1b2c3d" } } }))],
        &[path(json!({ "type": "Internet", "internet": { "cidrs": ["203.0.113.7/32"] } }))],
        &[path(json!({ "type": "NatGateway", "natGateway": { "natGatewayIds": ["nat-0a1b2c3d"] }, "internet": null }))],
        &[path(json!({ "type": "ClassicLink", "classicLink": { "proxy": { "securityGroupId": SG, "host": "10.0.0.5", "port": 5432 } } }))],
        &[set("/spec/databases/0", with_ingress(json!({ "type": "Internet" }), "Auto"))],
        &[
            set("/spec/networkAcls", "Manage"),
            set("/spec/routes", "Manage"),
            set("/spec/vpcEndpoints/-", json!({ "name": "s3", "service": "s3", "type": "Gateway", "routeTableIds": ["rtb-0a1b2c3d"] })),
            set("/spec/vpcEndpoints/-", json!({ "name": "s3-interface", "service": "s3" })),
        ],
        &[set("/spec/vpcEndpoints", many(32, |i| endpoint(&format!("e{i}"), &format!("service{i}"))))],
        // one service in two VPCs
        &[
            set("/spec/vpcEndpoints/-", json!({ "name": "b", "service": "dms", "vpcId": "vpc-0a1b2c3d" })),
            set("/spec/vpcEndpoints/-", json!({ "name": "c", "service": "ecr.dkr", "vpcEndpointId": "vpce-0a1b2c3d" })),
        ],
        &[
            set("/spec/vpcEndpoints/0/securityGroupIds", many(16, group)),
            set("/spec/vpcEndpoints/0/subnetIds", many(60, subnet)),
            set("/spec/vpcEndpoints/0/allowFrom", many(60, |i| json!({ "cidr": format!("10.{i}.0.0/16") }))),
            set("/spec/vpcEndpoints/0/privateDns", false),
            set("/spec/vpcEndpoints/0/ipAddressType", "dualstack"),
            set("/spec/vpcEndpoints/0/policy", json!({ "type": "Document", "document": policy })),
        ],
        &[set(
            "/spec/vpcEndpoints/0/allowFrom",
            json!([{ "cidr": "0.0.0.0/0" }, { "cidr": "::/0" }, { "cidr": "2001:db8::1/128" }, { "cidr": "10.0.0.1/32" }, { "prefixListId": "pl-0a1b2c3d" }]),
        )],
    ];
    all_accepted(place.networks(), network(&"n".repeat(63)), table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_networks_are_refused_in_words() {
    let place = Place::new("crds-bad-networks").await;
    let cidr = |text: &str| set("/spec/vpcEndpoints/0/allowFrom/0/cidr", text);
    let host = |text: &str| set("/spec/databases/2/address/endpoints/0/host", text);
    let policy = |policy: Value| set("/spec/vpcEndpoints/0/policy", policy);
    let placement = |groups: Value, id: Option<&str>| {
        let mut replication = json!({ "placement": { "subnetIds": ["subnet-0a1b2c3d"], "securityGroupIds": groups } });
        id.into_iter().for_each(|id| replication["securityGroupId"] = id.into());
        set("/spec/replication", replication)
    };
    let db0 = "spec.databases[0]";
    let path0 = "spec.databases[0].path";
    let e0 = "spec.vpcEndpoints[0]";
    let host0 = "spec.databases[2].address.endpoints[0].host";
    let cidr0 = "spec.vpcEndpoints[0].allowFrom[0].cidr";
    let table = [
        (set("/metadata/name", "n".repeat(64)), "", "metadata.name must have at most 63 characters"),
        (set("/spec/className", "Prod"), "spec.className", "must be the name of a DmsNetworkClass"),
        (set("/spec/className", "c".repeat(64)), "spec.className", "may not be more than 63 bytes"),
        (set("/spec/mode", "enforce"), "spec.mode", r#"supported values: "Enforce", "Observe""#),
        (set("/spec/suspend", "yes"), "spec.suspend", "must be of type boolean"),
        (set("/spec/deletionPolicy", "Keep"), "spec.deletionPolicy", r#"supported values: "Delete", "Retain""#),
        (set("/spec/connectionTest", "Always"), "spec.connectionTest", r#"supported values: "Never", "OnChange""#),
        (set("/spec/networkAcls", "Enforce"), "spec.networkAcls", r#"supported values: "Check", "Manage""#),
        (
            set("/spec/vpcEndpoints/0", json!({ "name": "dms", "service": "dms", "type": "Gateway" })),
            "spec.vpcEndpoints[0].type",
            "only s3 and dynamodb have gateway endpoints",
        ),
        (
            set("/spec/vpcEndpoints/0", json!({ "name": "s3", "service": "s3", "type": "Gateway", "privateDns": false })),
            e0,
            "it takes only routeTableIds and policy",
        ),
        (
            set("/spec/vpcEndpoints/0/routeTableIds", json!(["rtb-0a1b2c3d"])),
            "spec.vpcEndpoints[0].routeTableIds",
            "only a gateway endpoint has route tables",
        ),
        (
            set("/spec/vpcEndpoints/0", json!({ "name": "s3", "service": "s3", "type": "Gateway", "routeTableIds": ["rt-1"] })),
            "spec.vpcEndpoints[0].routeTableIds[0]",
            "must be the ID of a route table",
        ),
        (set("/spec/foreignRules", "Delete"), "spec.foreignRules", r#"supported values: "Ignore", "Report", "Revoke""#),
        // durations
        (set("/spec/resyncInterval", "9s"), "spec.resyncInterval", DURATION),
        (set("/spec/resyncInterval", "1d"), "spec.resyncInterval", DURATION),
        (set("/spec/resyncInterval", "60"), "spec.resyncInterval", DURATION),
        (set("/spec/resyncInterval", "-1m"), "spec.resyncInterval", DURATION),
        (set("/spec/resyncInterval", "0s"), "spec.resyncInterval", DURATION),
        (set("/spec/resyncInterval", 60), "spec.resyncInterval", "must be of type string"),
        // replication
        (remove("/spec/replication"), "spec.replication", "Required value"),
        (remove("/spec/replication/instance"), "spec.replication", "set exactly one of instance, serverless and placement"),
        (
            set("/spec/replication/placement", json!({ "subnetIds": ["subnet-0a1b2c3d"], "securityGroupIds": [SG] })),
            "spec.replication",
            "set exactly one of instance, serverless and placement",
        ),
        (set("/spec/replication/instance", "arn:aws:dms:us-west-2:111122223333:rep:ABC"), "spec.replication.instance", "not the ARN"),
        (set("/spec/replication/instance", "Orders-RI"), "spec.replication.instance", "in lower case as AWS keeps it"),
        (set("/spec/replication/instance", "orders--ri"), "spec.replication.instance", "letters, digits and single hyphens"),
        (set("/spec/replication/instance", ""), "spec.replication.instance", "at least 1 chars long"),
        (set("/spec/replication/securityGroupId", "sg-0A1B2C3D"), "spec.replication.securityGroupId", GROUP_ID),
        (
            placement(json!([SG, "sg-0b1b2c3d"]), None),
            "spec.replication",
            "placement has several security groups: name in securityGroupId the one",
        ),
        (placement(json!([SG]), Some("sg-0b1b2c3d")), "spec.replication.securityGroupId", "must be one of placement.securityGroupIds"),
        (placement(json!([]), None), "spec.replication.placement.securityGroupIds", "should have at least 1 items"),
        (placement(json!([SG, SG]), Some(SG)), "spec.replication.placement.securityGroupIds[1]", "Duplicate value"),
        (placement(many(17, group), None), "spec.replication.placement.securityGroupIds", "must have at most 16 items"),
        // databases
        (set("/spec/databases", json!([])), "spec.databases", "should have at least 1 items"),
        (remove("/spec/databases"), "spec.databases", "Required value"),
        (set("/spec/databases", many(51, |i| database(&format!("db-{i}")))), "spec.databases", "must have at most 50 items"),
        (set("/spec/databases/1/name", "source"), "spec.databases[1]", r#"Duplicate value: {"name":"source"}"#),
        (set("/spec/databases/0/name", "Source"), "spec.databases[0].name", "must be a name of at most 63 lower-case letters"),
        (set("/spec/databases/0/name", "source-"), "spec.databases[0].name", "starts and ends with a letter or digit"),
        (set("/spec/databases/0/name", "s".repeat(64)), "spec.databases[0].name", "may not be more than 63 bytes"),
        (remove("/spec/databases/0/name"), "spec.databases[0].name", "Required value"),
        (remove("/spec/databases/0/dmsEndpoint"), db0, ONE_KIND),
        (set("/spec/databases/0/dmsEndpoint", Value::Null), db0, ONE_KIND),
        (set("/spec/databases/0/rds", json!({ "instance": "a" })), db0, ONE_KIND),
        (
            set("/spec/databases/0/dmsEndpoint", "orders_src"),
            "spec.databases[0].dmsEndpoint",
            "must be the identifier of the DMS endpoint, not its ARN",
        ),
        (set("/spec/databases/0/role", "Both"), "spec.databases[0].role", r#"supported values: "Source", "Target""#),
        (remove("/spec/databases/0/path"), "spec.databases[0].path", "Required value"),
        (set("/spec/databases/0/path", json!({})), "spec.databases[0].path.type", "Required value"),
        (set("/spec/databases/0/path/type", "Teleport"), "spec.databases[0].path.type", r#"supported values: "SameVpc", "PeeredVpc""#),
        // paths: exactly the block of the type
        (path(json!({ "type": "PeeredVpc" })), path0, "type PeeredVpc needs its block peeredVpc"),
        (path(json!({ "type": "PeeredVpc", "peeredVpc": null })), path0, "type PeeredVpc needs its block peeredVpc"),
        (path(json!({ "type": "PeeredVpc", "peeredVpc": {} })), "path.peeredVpc.peeringConnectionId", "Required value"),
        (
            path(json!({ "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": "vpc-0a1b2c3d" } })),
            "path.peeredVpc.peeringConnectionId",
            "must be the ID of a VPC peering connection",
        ),
        (path(json!({ "type": "ClassicLink" })), path0, "type ClassicLink needs its block classicLink"),
        (
            path(json!({ "type": "ClassicLink", "classicLink": { "proxy": { "securityGroupId": SG, "host": "10.0.0.5" } } })),
            "path.classicLink.proxy.port",
            "Required value",
        ),
        (path(json!({ "type": "SameVpc", "internet": {} })), path0, "internet belongs to type Internet"),
        (path(json!({ "type": "Internet", "natGateway": {} })), path0, "natGateway belongs to type NatGateway"),
        (path(json!({ "type": "NatGateway", "onPremises": {} })), path0, "onPremises belongs to type OnPremises"),
        (
            path(json!({ "type": "OnPremises", "peeredVpc": { "peeringConnectionId": "pcx-0a1b2c3d" } })),
            path0,
            "peeredVpc belongs to type PeeredVpc",
        ),
        (path(json!({ "type": "Internet", "internet": { "cidrs": ["203.0.113.7/24"] } })), "path.internet.cidrs[0]", HOST_BITS),
        (
            path(json!({ "type": "NatGateway", "natGateway": { "natGatewayIds": ["igw-0a1b2c3d"] } })),
            "path.natGateway.natGatewayIds[0]",
            "must be the ID of a NAT gateway",
        ),
        (
            path(json!({ "type": "OnPremises", "onPremises": { "natHost": { "securityGroupId": SG } } })),
            "path.onPremises.natHost.networkInterfaceId",
            "Required value",
        ),
        (
            set("/spec/databases/0", with_ingress(json!({ "type": "Internet" }), "SecurityGroup")),
            "spec.databases[0].ingressFrom",
            "must be Auto on the paths Internet and NatGateway",
        ),
        (
            set("/spec/databases/0", with_ingress(json!({ "type": "OnPremises" }), "SecurityGroup")),
            "spec.databases[0].ingressFrom",
            "cannot be SecurityGroup on the path OnPremises",
        ),
        (set("/spec/databases/0/className", "Other Account"), "spec.databases[0].className", "must be the name of a DmsNetworkClass"),
        (set("/spec/databases/0/ingressFrom", "Anywhere"), "spec.databases[0].ingressFrom", "supported values"),
        (set("/spec/databases/0/securityGroupId", "orders-source"), "spec.databases[0].securityGroupId", GROUP_ID),
        (set("/spec/databases/0/securityGroupId", "sg-0a1b2c3d4"), "spec.databases[0].securityGroupId", GROUP_ID),
        (set("/spec/databases/0/subnetIds", json!([SG])), "spec.databases[0].subnetIds[0]", "must be the ID of a subnet"),
        (set("/spec/databases/0/subnetIds", many(61, subnet)), "spec.databases[0].subnetIds", "must have at most 60 items"),
        (
            set("/spec/databases/0/subnetIds", json!(["subnet-0a1b2c3d", "subnet-0a1b2c3d"])),
            "spec.databases[0].subnetIds[1]",
            "Duplicate value",
        ),
        (set("/spec/databases/1/rds", json!({})), "spec.databases[1].rds", "set exactly one of instance and cluster"),
        (set("/spec/databases/1/rds/cluster", "orders"), "spec.databases[1].rds", "set exactly one of instance and cluster"),
        // addresses
        (set("/spec/databases/2/address/endpoints", json!([])), "spec.databases[2].address.endpoints", "should have at least 1 items"),
        (
            set("/spec/databases/2/address/engine", "Mongo DB"),
            "spec.databases[2].address.engine",
            "must be an engine name as DMS spells it",
        ),
        (set("/spec/databases/2/address/engine", "kafka"), "spec.databases[2].address.endpoints", NO_PORT),
        (
            set(
                "/spec/databases/2",
                json!({
                    "name": "audit", "path": { "type": "SameVpc" }, "extraEndpoints": [{ "host": "b-2.example.com" }],
                    "address": { "engine": "kafka", "endpoints": [{ "host": "b-1.example.com", "port": 9094 }] },
                }),
            ),
            "spec.databases[2].extraEndpoints",
            NO_PORT,
        ),
        (set("/spec/databases/2/address/endpoints/0/port", 0), "spec.databases[2].address.endpoints[0].port", "greater than or equal to 1"),
        (
            set("/spec/databases/2/address/endpoints/0/port", 65536),
            "spec.databases[2].address.endpoints[0].port",
            "less than or equal to 65535",
        ),
        (host("db:5432"), host0, HOST),
        (host("http://db"), host0, HOST),
        (host("10.0.0.300"), host0, HOST),
        (host("[2001:db8::1]"), host0, HOST),
        (host("db..example.com"), host0, HOST),
        (host("-db.example.com"), host0, HOST),
        (host(""), host0, "at least 1 chars long"),
        (host(&"h".repeat(254)), host0, "may not be more than 253 bytes"),
        (host("2001:DB8::1"), host0, "must be an IPv6 address in its short lower-case form"),
        // VPC endpoints
        (
            set("/spec/vpcEndpoints", many(33, |i| endpoint(&format!("e{i}"), &format!("s{i}")))),
            "spec.vpcEndpoints",
            "must have at most 32 items",
        ),
        (set("/spec/vpcEndpoints/-", endpoint("dms", "s3")), "spec.vpcEndpoints[1]", r#"Duplicate value: {"name":"dms"}"#),
        (
            set("/spec/vpcEndpoints/-", endpoint("other", "dms")),
            "spec.vpcEndpoints",
            "two entries name the same service and type in the same VPC",
        ),
        (
            set(
                "/spec/vpcEndpoints",
                json!([
                    { "name": "a", "service": "dms", "vpcEndpointId": "vpce-0a1b2c3d" }, { "name": "b", "service": "s3", "vpcEndpointId": "vpce-0a1b2c3d" },
                ]),
            ),
            "spec.vpcEndpoints",
            "two entries take over the same vpcEndpointId",
        ),
        (remove("/spec/vpcEndpoints/0/service"), "spec.vpcEndpoints[0].service", "Required value"),
        (set("/spec/vpcEndpoints/0/service", "com.amazonaws.us-west-2.dms"), "spec.vpcEndpoints[0].service", "must be only the last part"),
        (set("/spec/vpcEndpoints/0/service", "DMS"), "spec.vpcEndpoints[0].service", "in lower case, such as dms"),
        (set("/spec/vpcEndpoints/0/type", "Gateway"), "spec.vpcEndpoints[0].type", "only s3 and dynamodb have gateway endpoints"),
        (set("/spec/vpcEndpoints/0/vpcId", "orders"), "spec.vpcEndpoints[0].vpcId", "must be the ID of a VPC"),
        (
            set("/spec/vpcEndpoints/0/vpcEndpointId", "vpc-0a1b2c3d"),
            "spec.vpcEndpoints[0].vpcEndpointId",
            "must be the ID of a VPC endpoint",
        ),
        (
            set("/spec/vpcEndpoints/0/securityGroupIds", many(17, group)),
            "spec.vpcEndpoints[0].securityGroupIds",
            "must have at most 16 items",
        ),
        (
            set("/spec/vpcEndpoints/0/allowFrom", many(61, |_| json!({ "securityGroupId": SG }))),
            "spec.vpcEndpoints[0].allowFrom",
            "must have at most 60 items",
        ),
        (set("/spec/vpcEndpoints/0/ipAddressType", "IPv4"), "spec.vpcEndpoints[0].ipAddressType", r#"supported values: "ipv4""#),
        (set("/spec/vpcEndpoints/0/privateDns", "yes"), "spec.vpcEndpoints[0].privateDns", "must be of type boolean"),
        (
            set("/spec/vpcEndpoints/0/allowFrom/0", json!({})),
            "spec.vpcEndpoints[0].allowFrom[0]",
            "set exactly one of cidr, securityGroupId and prefixListId",
        ),
        (set("/spec/vpcEndpoints/0/allowFrom/0/securityGroupId", SG), "spec.vpcEndpoints[0].allowFrom[0]", "set exactly one of cidr"),
        (
            set("/spec/vpcEndpoints/0/allowFrom/0", json!({ "prefixListId": SG })),
            "allowFrom[0].prefixListId",
            "must be the ID of a prefix list",
        ),
        // CIDRs: one spelling each
        (cidr("10.0.0.5/16"), cidr0, HOST_BITS),
        (cidr("2001:db8::1/32"), cidr0, HOST_BITS),
        (cidr("2001:DB8::/32"), cidr0, SPELLING),
        (cidr("2001:db8:0::/32"), cidr0, SPELLING),
        (cidr("2001:0db8::/32"), cidr0, SPELLING),
        (cidr("10.0.0.0"), cidr0, NO_CIDR),
        (cidr("10.0.0.0/33"), cidr0, NO_CIDR),
        (cidr("10.0.0/8"), cidr0, NO_CIDR),
        (cidr("010.0.0.0/8"), cidr0, NO_CIDR),
        (cidr("::ffff:10.0.0.0/104"), cidr0, NO_CIDR),
        (cidr("anywhere"), cidr0, NO_CIDR),
        // policies
        (policy(json!({ "type": "Document" })), e0, "type Document needs the policy in document"),
        (policy(json!({ "type": "Document", "document": null })), e0, "type Document needs the policy in document"),
        (
            policy(json!({ "type": "FullAccess", "document": { "Statement": [] } })),
            e0,
            "type FullAccess takes no document: remove it, or set type to Document",
        ),
        (policy(json!({ "document": { "Statement": [] } })), "spec.vpcEndpoints[0].policy.type", "Required value"),
        (policy(json!({ "type": "Document", "document": {} })), "spec.vpcEndpoints[0].policy.document.Statement", "Required value"),
        (policy(json!({ "type": "Document", "document": "{}" })), "spec.vpcEndpoints[0].policy.document", "must be of type object"),
        (
            policy(json!({ "type": "Document", "document": { "Version": "2012-10-18", "Statement": [] } })),
            "policy.document.Version",
            r#"supported values: "2012-10-17""#,
        ),
    ];
    all_refused(place.networks(), network("bad"), &table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn good_classes_are_accepted() {
    let place = Place::new("crds-good-classes").await;
    let expressions = json!([{ "key": "dms", "operator": "In", "values": ["yes"] }, { "key": "team", "operator": "Exists" }]);
    let table: &[&[Edit]] = &[
        &[],
        &[remove("/spec/endpointUrl"), remove("/spec/tags"), set("/spec/guardrails", json!({ "vpcIds": ["*"] }))],
        &[set("/spec/allowedNamespaces", json!({ "from": "All" }))],
        &[set("/spec/allowedNamespaces/selector", json!({ "matchExpressions": expressions }))],
        // an empty list is none, not any
        &[set("/spec/guardrails", json!({ "vpcIds": [], "peerCidrs": [], "ports": [], "vpcEndpointServices": [], "securityGroups": {} }))],
        &[set("/spec/guardrails/vpcIds", many(64, |i| format!("vpc-{i:08x}").into()))],
        &[set("/spec/guardrails/ports", many(64, |i| format!("{}-{}", i + 1, 65535 - i).into()))],
        &[set("/spec/guardrails/foreignRules", "Revoke"), set("/spec/guardrails/takeOver", "Tagged"), set("/spec/mode", "Observe")],
        &[
            set("/spec/guardrails/networkAcls", "Manage"),
            set("/spec/guardrails/routes", "Manage"),
            set("/spec/guardrails/networkAclRuleNumbers", json!({ "from": 20_000, "to": 20_099 })),
        ],
        &[set("/spec/region", "us-gov-west-1"), set("/spec/endpointUrl", "https://[::1]:4566/"), set("/spec/resyncInterval", "5m")],
        &[set("/spec/tags", json!({ "Team name": "", "ключ": "значение", "a:b/c=d+e-f@g": "v".repeat(256) }))],
        &[set("/spec/guardrails/securityGroups/tags", json!({ "aws:cloudformation:stack-name": "dms" }))],
        &[set("/spec/accountId", ACCOUNT), set("/spec/assumeRole", role("arn:aws:iam::111122223333:role/team/dmsnet"))],
        &[set("/spec/changeQueue", json!({ "url": "https://sqs.us-west-2.amazonaws.com/111122223333/dmsnet-changes" }))],
        &[set("/spec/assumeRole", json!({ "roleArn": "arn:aws-us-gov:iam::111122223333:role/dmsnet", "externalId": "platform" }))],
    ];
    all_accepted(place.classes(), class("crds-good"), table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_classes_are_refused_in_words() {
    let place = Place::new("crds-bad-classes").await;
    let url = |text: &str| set("/spec/endpointUrl", text);
    let port = |text: &str| set("/spec/guardrails/ports/0", text);
    let selector = |expression: Value| set("/spec/allowedNamespaces/selector", json!({ "matchExpressions": [expression] }));
    let (url_says, port_says) =
        ("must be an http or https URL of a host and port alone", "must be a port or a rising range of ports between 1 and 65535");
    let (ports, guard) = ("spec.guardrails.ports[0]", "spec.guardrails");
    let tag = |key: &str| set("/spec/tags", json!({ key: "x" }));
    let tags: serde_json::Map<_, _> = (0..21).map(|i| (format!("k{i}"), json!("v"))).collect();
    let table = [
        (set("/metadata/name", "c".repeat(64)), "", "metadata.name must have at most 63 characters"),
        (remove("/spec/region"), "spec.region", "Required value"),
        (set("/spec/region", "Oregon"), "spec.region", "must be the code of an AWS Region, such as us-west-2"),
        (set("/spec/region", "us-west-2a"), "spec.region", "must be the code of an AWS Region"),
        (set("/spec/accountId", 111_122_223_333_i64), "spec.accountId", "must be of type string"),
        (set("/spec/accountId", "1111"), "spec.accountId", "must be an AWS account ID: 12 digits"),
        (set("/spec/changeQueue", json!({})), "spec.changeQueue.url", "Required value"),
        (
            set("/spec/changeQueue", json!({ "url": "arn:aws:sqs:us-west-2:111122223333:dmsnet-changes" })),
            "spec.changeQueue.url",
            "must be the URL of an SQS queue",
        ),
        (set("/spec/assumeRole", json!({})), "spec.assumeRole.roleArn", "Required value"),
        (set("/spec/assumeRole", role("dmsnet")), "spec.assumeRole.roleArn", "must be the ARN of an IAM role"),
        (
            set("/spec/assumeRole", json!({ "roleArn": "arn:aws:iam::111122223333:role/dmsnet", "externalId": "not this" })),
            "spec.assumeRole.externalId",
            "must be the external ID that the role's trust policy asks for",
        ),
        (url("127.0.0.1:5000"), "spec.endpointUrl", url_says),
        (url("ftp://127.0.0.1"), "spec.endpointUrl", url_says),
        (url("http://127.0.0.1:5000/dms"), "spec.endpointUrl", url_says),
        (url("http://127.0.0.1:5000?x=1"), "spec.endpointUrl", url_says),
        (url("http://"), "spec.endpointUrl", url_says),
        (set("/spec/mode", "Off"), "spec.mode", "supported values"),
        (set("/spec/resyncInterval", "5s"), "spec.resyncInterval", DURATION),
        // namespaces
        (remove("/spec/allowedNamespaces"), "spec.allowedNamespaces", "Required value"),
        (remove("/spec/allowedNamespaces/selector"), "spec.allowedNamespaces", "from: Selector needs a selector of namespace labels"),
        (
            set("/spec/allowedNamespaces/from", "All"),
            "spec.allowedNamespaces",
            "from: All takes no selector: remove it, or set from to Selector",
        ),
        (
            set("/spec/allowedNamespaces/selector", json!({})),
            "spec.allowedNamespaces.selector",
            "must have matchLabels or matchExpressions",
        ),
        (selector(json!({ "key": "a", "operator": "Is" })), "matchExpressions[0].operator", "supported values"),
        (selector(json!({ "key": "a", "operator": "In" })), "matchExpressions[0]", "In and NotIn need values"),
        (
            selector(json!({ "key": "a", "operator": "Exists", "values": ["x"] })),
            "matchExpressions[0]",
            "Exists and DoesNotExist must have none",
        ),
        // guardrails
        (remove("/spec/guardrails"), guard, "Required value"),
        (remove("/spec/guardrails/vpcIds"), "spec.guardrails.vpcIds", "Required value"),
        (set("/spec/guardrails/vpcIds/0", "all"), "spec.guardrails.vpcIds[0]", "must be the ID of a VPC, such as vpc-0a1b2c3d, or"),
        (set("/spec/guardrails/vpcIds/-", "*"), "spec.guardrails.vpcIds", "stands for every VPC: remove it or the IDs beside it"),
        (
            set("/spec/guardrails/vpcIds", many(65, |i| format!("vpc-{i:08x}").into())),
            "spec.guardrails.vpcIds",
            "must have at most 64 items",
        ),
        (set("/spec/guardrails/securityGroups/ids", json!(["default"])), "spec.guardrails.securityGroups.ids[0]", GROUP_ID),
        (set("/spec/guardrails/peerCidrs/0", "10.1.0.0/8"), "spec.guardrails.peerCidrs[0]", HOST_BITS),
        (set("/spec/guardrails/peerCidrs/1", "2001:DB8::/32"), "spec.guardrails.peerCidrs[1]", SPELLING),
        (set("/spec/guardrails/peerCidrs/-", "10.0.0.0/8"), "spec.guardrails.peerCidrs[2]", "Duplicate value"),
        (set("/spec/guardrails/ports/0", 5432), ports, "must be of type string"),
        (port("0"), ports, port_says),
        (port("65536"), ports, port_says),
        (port("99999"), ports, port_says),
        (port("0443"), ports, port_says),
        (port("20-10"), ports, port_says),
        (port("10-65536"), ports, port_says),
        (port("10-20-30"), ports, port_says),
        (port("tcp/443"), ports, port_says),
        (
            set("/spec/guardrails/vpcEndpointServices/0", "com.amazonaws.us-west-2.dms"),
            "spec.guardrails.vpcEndpointServices[0]",
            "must be only the last part",
        ),
        (set("/spec/guardrails/foreignRules", "All"), "spec.guardrails.foreignRules", "supported values"),
        (set("/spec/guardrails/routes", "Yes"), "spec.guardrails.routes", r#"supported values: "Check", "Manage""#),
        (
            set("/spec/guardrails/networkAcls", "Manage"),
            "spec.guardrails.networkAclRuleNumbers",
            "networkAcls: Manage needs networkAclRuleNumbers, the numbers that entries may have",
        ),
        (
            set("/spec/guardrails/networkAclRuleNumbers", json!({ "from": 20_099, "to": 20_000 })),
            "spec.guardrails.networkAclRuleNumbers",
            "from must not be greater than to",
        ),
        (
            set("/spec/guardrails/networkAclRuleNumbers", json!({ "from": 1, "to": 32_767 })),
            "spec.guardrails.networkAclRuleNumbers.to",
            "should be less than or equal to 32766",
        ),
        (set("/spec/guardrails/takeOver", "Always"), "spec.guardrails.takeOver", r#"supported values: "Never", "Tagged", "Any""#),
        // tags
        (tag("aws:cost"), "spec.tags", "a tag's key must not start with aws:"),
        (tag("AWS:cost"), "spec.tags", "a tag's key must not start with aws:"),
        (tag("dmsnet.dev/owner/x"), "spec.tags", "a tag's key must not start with dmsnet.dev/"),
        (tag(""), "spec.tags", "a tag's key must have 1 to 128 characters"),
        (tag(&"k".repeat(129)), "spec.tags", "a tag's key must have 1 to 128 characters"),
        (tag("what?"), "spec.tags", "letters, digits, spaces and _ . : / = + - @"),
        (set("/spec/tags/cost-center", "v".repeat(257)), "spec.tags.cost-center", "may not be more than 256"),
        (set("/spec/tags/cost-center", "#42"), "spec.tags[cost-center]", "a tag's value may have only letters"),
        (set("/spec/tags", tags), "spec.tags", "must have at most 20"),
    ];
    all_refused(place.classes(), class("crds-bad"), &table).await;
    let other = edited(class("crds-bad"), &[set("/spec/assumeRole", role("arn:aws:iam::444455556666:role/dmsnet"))]);
    all_refused(
        place.classes(),
        other,
        &[(set("/spec/accountId", ACCOUNT), "spec.accountId", "must be the account of assumeRole.roleArn")],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fixed_stays_fixed() {
    let place = Place::new("crds-fixed").await;
    let fixed_class = "cannot be changed or removed once set: create another DmsNetwork for the other class";
    let table: [(&str, Edit, Edit, Option<&str>); 10] = [
        ("class-to-other", set("/spec/className", "a"), set("/spec/className", "b"), Some(fixed_class)),
        ("class-removed", set("/spec/className", "a"), remove("/spec/className"), Some(fixed_class)),
        ("class-null", set("/spec/className", "a"), set("/spec/className", Value::Null), Some(fixed_class)),
        ("class-set-later", remove("/spec/className"), set("/spec/className", "b"), None),
        ("class-set-after-null", set("/spec/className", Value::Null), set("/spec/className", "b"), None),
        (
            "crds-region",
            set("/spec/region", "us-west-2"),
            set("/spec/region", "us-west-1"),
            Some("cannot be changed: create another DmsNetworkClass"),
        ),
        ("crds-url", set("/spec/mode", "Enforce"), set("/spec/endpointUrl", "http://other"), Some("cannot be changed, added or removed")),
        ("crds-url-removed", set("/spec/mode", "Enforce"), remove("/spec/endpointUrl"), Some("cannot be changed, added or removed")),
        (
            "crds-url-added",
            remove("/spec/endpointUrl"),
            set("/spec/endpointUrl", "http://other"),
            Some("cannot be changed, added or removed"),
        ),
        ("crds-rest", set("/spec/mode", "Enforce"), set("/spec/mode", "Observe"), None),
    ];
    for (name, before, after, refused) in table {
        let (api, base) = if name.starts_with("crds-") { (place.classes(), class(name)) } else { (place.networks(), network(name)) };
        let old = api.create(&PostParams::default(), &serde_json::from_value(edited(base.clone(), &[before])).unwrap()).await.unwrap();
        let mut new: DynamicObject = serde_json::from_value(edited(base, &[after])).unwrap();
        new.metadata.resource_version = old.resource_version();
        let said = api.replace(name, &PostParams::default(), &new).await.map(drop).map_err(message);
        match refused {
            None => said.unwrap_or_else(|message| panic!("{name}: {message}")),
            Some(says) => assert!(said.clone().unwrap_err().contains(says), "{name}: {said:?}"),
        }
        api.delete(name, &Default::default()).await.unwrap();
    }
}

/// Unset stays visible where the default depends on something; the rest is filled in, and so is a status that says that
/// nobody has looked yet.
#[tokio::test(flavor = "multi_thread")]
async fn defaults_are_filled_in() {
    let place = Place::new("crds-defaults").await;
    let made = tried(&place.networks(), network("defaults")).await.unwrap();
    let spec = &made.data["spec"];
    assert_eq!((&spec["mode"], &spec["suspend"]), (&json!("Enforce"), &json!(false)));
    assert_eq!((&spec["deletionPolicy"], &spec["foreignRules"]), (&json!("Delete"), &json!("Report")));
    assert_eq!(spec["connectionTest"], "Never");
    assert_eq!((&spec["databases"][0]["ingressFrom"], &spec["vpcEndpoints"][0]["type"]), (&json!("Auto"), &json!("Interface")));
    for unset in
        ["resyncInterval", "vpcEndpoints/0/privateDns", "vpcEndpoints/0/policy", "vpcEndpoints/0/ipAddressType", "vpcEndpoints/0/subnetIds"]
    {
        assert_eq!(spec.pointer(&format!("/{unset}")), None, "{unset}");
    }
    assert_eq!(made.data["status"], json!({ "observedGeneration": -1 }));

    let made = tried(&place.classes(), class("crds-defaults")).await.unwrap();
    let spec = &made.data["spec"];
    assert_eq!((&spec["mode"], &spec["resyncInterval"]), (&json!("Enforce"), &Value::Null));
    assert_eq!((&spec["guardrails"]["foreignRules"], &spec["guardrails"]["takeOver"]), (&json!("Report"), &json!("Never")));
    assert_eq!(made.data["status"], json!({ "observedGeneration": -1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_managers_share_a_network_by_database() {
    let place = Place::new("crds-managers").await;
    let api = place.networks();
    let apply = async |manager: &str, spec: Value| {
        let object = json!({ "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetwork", "metadata": { "name": "shared" }, "spec": spec });
        api.patch("shared", &PatchParams::apply(manager), &Patch::Apply(&object)).await.map_err(message)
    };
    let other = |endpoint: &str| json!({ "databases": [{ "name": "target", "dmsEndpoint": endpoint, "path": { "type": "SameVpc" } }] });

    apply("team-a", json!({ "replication": { "instance": "orders-ri" }, "databases": [database("source")] })).await.unwrap();
    let both = apply("team-b", other("orders-tgt")).await.unwrap();
    let names: Vec<_> = both.data["spec"]["databases"].as_array().unwrap().iter().map(|database| &database["name"]).collect();
    assert_eq!(names, ["source", "target"]);

    apply("team-b", other("orders-tgt-2")).await.unwrap();
    let conflict = apply("team-c", other("orders-tgt-3")).await.unwrap_err();
    assert!(conflict.contains("team-b") && conflict.contains(r#".spec.databases[name="target"].dmsEndpoint"#), "{conflict}");

    // What team-a applies again says nothing of team-b's database, and leaves it.
    let both = apply("team-a", json!({ "replication": { "instance": "orders-ri" }, "databases": [database("source")] })).await.unwrap();
    assert_eq!(both.data["spec"]["databases"][1]["dmsEndpoint"], "orders-tgt-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_the_columns() {
    let place = Place::new("crds-columns").await;
    place.kubectl.apply(&network("orders").to_string());
    place.kubectl.apply(&class("crds-columns").to_string());
    let condition = |type_: &str, status: &str| json!({ "type": type_, "status": status, "reason": "Because", "message": format!("{type_} is {status}"), "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let status = json!({ "status": { "observedGeneration": 1, "conditions": [
        condition("Ready", "False"), condition("Synced", "True"), condition("DriftDetected", "Unknown"),
        condition("PathsOpen", "True"), condition("EndpointsAvailable", "True"),
    ] } });
    place.networks().patch_status("orders", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let status = json!({ "status": { "accountId": "111122223333", "networks": 12, "conditions": [condition("Ready", "True")] } });
    place.classes().patch_status("crds-columns", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();

    let table = |args: &[&str]| {
        let text = place.kubectl.ok(args);
        text.lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect())
            .collect::<Vec<Vec<_>>>()
    };
    let networks = table(&["get", "dmsnet", "orders"]);
    assert_eq!(networks[0], ["NAME", "READY", "SYNCED", "DRIFT", "PATHS", "ENDPOINTS", "AGE"]);
    assert_eq!(networks[1][..6], ["orders", "False", "True", "Unknown", "True", "True"]);
    let wide = table(&["get", "dmsnetworks", "orders", "-o", "wide"]);
    assert_eq!(wide[0][7..], ["CLASS", "MODE", "MESSAGE"]);
    assert_eq!(wide[1][7..], ["prod-us-west-2", "Enforce", "Ready is False"]);
    let classes = table(&["get", "dnc", "crds-columns"]);
    assert_eq!(classes[0], ["NAME", "READY", "ACCOUNT", "REGION", "MODE", "NETWORKS", "AGE"]);
    assert_eq!(classes[1][..6], ["crds-columns", "True", "111122223333", "us-west-2", "Enforce", "12"]);
    // kubectl's category, for all of it at once
    assert!(place.kubectl.ok(&["get", "dms", "--output=name"]).contains("dmsnetwork.dmsnet.dev/orders"));
    place.kubectl.ok(&["delete", "dnc", "crds-columns"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_names_an_unknown_field() {
    let place = Place::new("crds-unknown-field").await;
    let typo = edited(network("typo"), &[set("/spec/databases/0/securityGroupID", SG)]);
    let output = place.kubectl.run(&["apply", "-f", "-"], &typo.to_string());
    assert!(!output.ok && output.stderr.contains(r#"unknown field "spec.databases[0].securityGroupID""#), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_explains_every_field() {
    let place = Place::new("crds-explain").await;
    // The API server publishes a new schema a moment after it serves the resource.
    let explain = |path: &str| place.kubectl.run(&["explain", path], "");
    let published = eventually(Duration::from_secs(30), async || {
        let output = explain("dmsnetwork.spec.databases");
        if output.ok { Ok(output.stdout) } else { Err(output.stderr) }
    });
    let databases = published.await.unwrap();
    let words = databases.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [
        "The databases that the replication must reach, 1 to 50, each with a name of its own.",
        "Say where the database is with exactly one of `dmsEndpoint`, `rds` and `address`",
        "name <string> -required-",
        "enum: Source, Target",
        "Identifier (not ARN) of the DMS endpoint that describes this database",
    ] {
        assert!(words.contains(says), "{says:?} is not in:\n{databases}");
    }
    for (path, says) in
        [("dnc.spec.guardrails", "every VPC of the account and Region"), ("dmsnet.spec.vpcEndpoints.allowFrom", "without host bits")]
    {
        let text = explain(path).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(says), "{path}: {text}");
    }
    for kind in ["dmsnetwork", "dmsnetworkclass"] {
        let text = place.kubectl.ok(&["explain", kind, "--recursive"]);
        assert!(!text.contains("<no description>"), "{text}");
    }
}

/// Every field, down to the last, has words of its own.
#[test]
fn every_field_has_a_description() {
    fn look(path: &str, schema: &Value, bare: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                bare.push(path.clone());
            }
            look(&path, property, bare);
        }
        if schema["items"].is_object() {
            look(path, &schema["items"], bare);
        }
    }
    let mut bare = vec![];
    for crd in dmsnet::api::crds::all() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        look(&crd.spec.names.kind, &schema["openAPIV3Schema"], &mut bare);
    }
    assert!(bare.is_empty(), "no description: {bare:?}");
}
