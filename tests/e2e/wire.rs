//! What AWS sees of us on the wire: signatures, temporary credentials, one service's own endpoint, TLS.

use std::{collections::BTreeSet, fs, io::Read, net::TcpListener, process::Command, sync::Arc, time::Duration};

use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use dmsnet::{
    api::class::AssumeRole,
    aws::{AwsErrorKind, Clients, Scope},
};
use serde_json::json;

use crate::harness::{
    Call, Emulator, Topology,
    emulator::{ACCOUNT, CONTROLLER_KEY, REGION},
};

const SIGV4: &str = "AWS4-HMAC-SHA256";
const OTHER: &str = "444455556666";

fn emulator() -> (tempfile::TempDir, Emulator) {
    let dir = tempfile::tempdir().unwrap();
    let aws = Emulator::start(dir.path());
    (dir, aws)
}

async fn clients(url: &str, token: Option<&str>, role: Option<AssumeRole>) -> Clients {
    let own = Credentials::new(CONTROLLER_KEY, "not-a-secret", token.map(str::to_owned), None, "test");
    let loader = dmsnet::aws::environment(dmsnet::aws::https()).credentials_provider(SharedCredentialsProvider::new(own));
    let scope = Scope { endpoint_url: Some(url.to_owned()), region: REGION.into(), role };
    Clients::load(loader, &scope, Arc::new(())).await
}

fn calls(aws: &Emulator) -> Vec<Call> {
    serde_json::from_value(aws.get("calls?after=0")["calls"].take()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_signed_and_temporary_credentials_bring_their_token() {
    let (_dir, aws) = emulator();
    for token in [None, Some("session")] {
        let c = clients(&aws.url, token, None).await;
        c.ec2.describe_vpcs().send().await.unwrap();
        c.dms.describe_endpoints().send().await.unwrap();
        c.rds.describe_db_instances().send().await.unwrap();
        assert_eq!(c.account().await.unwrap(), ACCOUNT);
    }
    let calls = calls(&aws);
    assert_eq!(calls.len(), 8);
    assert!(calls.iter().all(|c| c.signature == SIGV4), "{calls:#?}");
    assert_eq!(calls.iter().filter(|c| c.session_token).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assumed_once_with_its_external_id_and_its_token_is_sent() {
    let (_dir, aws) = emulator();
    let role = AssumeRole { role_arn: format!("arn:aws:iam::{OTHER}:role/dmsnet"), external_id: Some("platform".into()) };
    let c = clients(&aws.url, None, Some(role.clone())).await;
    assert!(calls(&aws).is_empty(), "nobody was asked yet");
    assert_eq!(c.account().await.unwrap(), OTHER);
    c.ec2.describe_vpcs().send().await.unwrap();
    c.dms.describe_endpoints().send().await.unwrap();
    let calls = calls(&aws);
    let operations: Vec<&str> = calls.iter().map(|c| c.operation.as_str()).collect();
    assert_eq!(operations, ["AssumeRole", "GetCallerIdentity", "DescribeVpcs", "DescribeEndpoints"]);
    let (assumed, others) = calls.split_first().unwrap();
    assert_eq!((assumed.access_key.as_str(), assumed.session_token), (CONTROLLER_KEY, false));
    assert_eq!((&assumed.params["RoleArn"], &assumed.params["ExternalId"]), (&json!(role.role_arn), &json!("platform")));
    assert_eq!((&assumed.params["RoleSessionName"], assumed.region.as_str()), (&json!("dmsnet"), REGION));
    for call in others {
        assert!(call.session_token && call.access_key != CONTROLLER_KEY, "{call:#?}");
        assert_eq!((call.account.as_str(), call.signature.as_str()), (OTHER, SIGV4));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_be_assumed_is_told_as_such() {
    let (_dir, aws) = emulator();
    let role = || Some(AssumeRole { role_arn: format!("arn:aws:iam::{OTHER}:role/dmsnet"), external_id: None });
    aws.fault(json!({ "kind": "denied", "operation": "AssumeRole" }));
    let refused = clients(&aws.url, None, role()).await.account().await.unwrap_err();
    assert_eq!((refused.kind, refused.iam_action().as_str()), (AwsErrorKind::AccessDenied, "sts:AssumeRole"), "{refused}");
    aws.clear_faults();
    aws.fault(json!({ "kind": "throttle", "operation": "AssumeRole" }));
    let slowed = clients(&aws.url, None, role()).await.account().await.unwrap_err();
    assert_eq!(slowed.kind, AwsErrorKind::Throttled, "it passes without anybody's doing: {slowed}");
}

/// A plan of the reference network, with the class's URL left to the environment. Hosts that were called, by service.
fn hosts_called(aws: &Emulator, topology: &Topology, dir: &std::path::Path, env: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let class = json!({
        "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass", "metadata": {"name": "lab"},
        "spec": {"region": REGION, "allowedNamespaces": {"from": "All"}, "guardrails": {"vpcIds": ["*"]}},
    });
    let network = json!({
        "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetwork", "metadata": {"name": "orders", "namespace": "team"},
        "spec": {
            "className": "lab", "replication": {"instance": topology.instance.id},
            "databases": [{"name": "target", "path": {"type": "SameVpc"}, "rds": {"instance": topology.rds.as_ref().unwrap().id}}],
        },
    });
    let file = dir.join("network.yaml");
    fs::write(&file, format!("{class}\n---\n{network}\n")).unwrap();
    let mark = aws.mark();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmsnet"));
    command.args(["plan", "-f"]).arg(&file);
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(key);
    }
    let output = command
        .env("AWS_ACCESS_KEY_ID", CONTROLLER_KEY)
        .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .envs(env.iter().copied())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    aws.calls(mark).into_iter().map(|c| (c.service, c.host)).collect()
}

#[test]
fn one_services_own_endpoint_url_is_taken_from_environment_and_profile() {
    let (dir, aws) = emulator();
    let topology = aws.topology(json!({}));
    // One server under two names.
    let here = aws.url.strip_prefix("http://").unwrap().to_owned();
    let there = here.replace("127.0.0.1", "localhost");
    let of = |pairs: &[(&str, &str)]| -> BTreeSet<(String, String)> {
        pairs.iter().map(|(service, host)| ((*service).to_owned(), (*host).to_owned())).collect()
    };
    let expected = of(&[("ec2", &here), ("rds", &here), ("sts", &here), ("dms", &there)]);
    let (all, dms) = (format!("http://{here}"), format!("http://{there}"));
    let env = [("AWS_ENDPOINT_URL", all.as_str()), ("AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE", dms.as_str())];
    assert_eq!(hosts_called(&aws, &topology, dir.path(), &env), expected);

    let profile = dir.path().join("config");
    let text = format!(
        "[default]\nendpoint_url = {all}\nservices = in-vpc\n\n[services in-vpc]\ndatabase_migration_service =\n  endpoint_url = {dms}\n"
    );
    fs::write(&profile, text).unwrap();
    let env = [("AWS_CONFIG_FILE", profile.to_str().unwrap())];
    assert_eq!(hosts_called(&aws, &topology, dir.path(), &env), expected);
}

/// The versions that a ClientHello offers in its extension `supported_versions` (RFC 8446, 4.1.2 and 4.2.1).
fn offered_versions(record: &[u8]) -> Vec<u16> {
    let number = |at: usize| u16::from_be_bytes([record[at], record[at + 1]]);
    assert_eq!((record[0], record[5]), (22, 1), "a handshake record with a ClientHello");
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(record[at]); // session ID
    at += 2 + usize::from(number(at)); // cipher suites
    at += 1 + usize::from(record[at]); // compression
    let end = at + 2 + usize::from(number(at));
    at += 2;
    while at < end {
        let (kind, length) = (number(at), usize::from(number(at + 2)));
        if kind == 43 {
            return record[at + 5..at + 4 + length].chunks(2).map(|v| u16::from_be_bytes([v[0], v[1]])).collect();
        }
        at += 4 + length;
    }
    Vec::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_1_2_and_1_3_are_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut record = vec![0; 5];
        stream.read_exact(&mut record).unwrap();
        record.resize(5 + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
        stream.read_exact(&mut record[5..]).unwrap();
        record
    });
    let c = clients(&url, None, None).await;
    // Nobody answers the greeting: the call fails, which is not the matter.
    let (_, record) =
        tokio::join!(c.dms.describe_endpoints().send(), async { tokio::task::spawn_blocking(|| heard.join().unwrap()).await.unwrap() });
    let mut versions = offered_versions(&record);
    versions.sort_unstable();
    assert_eq!(versions, [0x0303, 0x0304], "TLS 1.2 and 1.3");
}
