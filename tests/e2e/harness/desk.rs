//! The command line against AWS, without a cluster.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Emulator, Topology, block_on,
    emulator::{CONTROLLER_KEY, REGION, merge},
};

/// An AWS with the reference network, and a file that asks for it.
pub struct Desk {
    pub dir: TempDir,
    pub aws: Emulator,
    pub topology: Topology,
}

pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    #[track_caller]
    pub fn ends_in(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n{}\n{}", self.code, self.out, self.err)
    }
}

/// The built binary with the controller's credentials, and nothing else that speaks of AWS.
pub fn dmsnet() -> Command {
    let mut dmsnet = Command::new(env!("CARGO_BIN_EXE_dmsnet"));
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("AWS_")) {
        dmsnet.env_remove(key);
    }
    dmsnet
        .env("AWS_ACCESS_KEY_ID", CONTROLLER_KEY)
        .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    dmsnet
}

/// Runs it to its end.
pub fn answer(command: &mut Command) -> Answer {
    let output: Output = command.output().unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Desk {
    pub fn new() -> Self {
        Self::with(json!({}))
    }

    /// With a topology of that wish; the same wish gives the same IDs.
    pub fn with(wish: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let aws = Emulator::start(dir.path());
        aws.post("reset", json!({ "seed": 42 }));
        let topology = aws.topology(wish);
        Self { dir, aws, topology }
    }

    /// A replication task from the source to the target.
    pub fn task(&self) {
        let (t, dms) = (&self.topology, self.aws.dms());
        block_on(async {
            dms.create_replication_task()
                .replication_task_identifier("orders")
                .source_endpoint_arn(&t.endpoints.source.arn)
                .target_endpoint_arn(&t.endpoints.target.arn)
                .replication_instance_arn(&t.instance.arn)
                .migration_type(aws_sdk_databasemigration::types::MigrationTypeValue::FullLoad)
                .table_mappings("{}")
                .send()
                .await
                .unwrap();
        });
    }

    pub fn class(&self, change: Value) -> Value {
        let mut class = json!({
            "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass", "metadata": {"name": "lab"},
            "spec": {
                "region": REGION,
                "endpointUrl": self.aws.url,
                "allowedNamespaces": {"from": "All"},
                "guardrails": {"vpcIds": ["*"]},
            },
        });
        merge(&mut class, change);
        class
    }

    pub fn network(&self, name: &str, change: Value) -> Value {
        let t = &self.topology;
        let mut network = json!({
            "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetwork", "metadata": {"name": name, "namespace": "team"},
            "spec": {
                "className": "lab",
                "replication": {"instance": t.instance.id},
                "databases": [
                    {
                        "name": "source", "path": {"type": "SameVpc"},
                        "dmsEndpoint": t.endpoints.source.id, "securityGroupId": t.security_group_ids.source,
                    },
                    {"name": "target", "path": {"type": "SameVpc"}, "rds": {"instance": t.rds.as_ref().unwrap().id}},
                ],
                "vpcEndpoints": [{"name": "dms", "service": "dms"}],
            },
        });
        merge(&mut network, change);
        network
    }

    pub fn file(&self, documents: &[Value]) -> PathBuf {
        let file = self.dir.path().join("net.yaml");
        let text: String = documents.iter().map(|d| format!("---\n{}", serde_saphyr::to_string(d).unwrap())).collect();
        fs::write(&file, text).unwrap();
        file
    }

    /// A file beside the networks'.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command on these documents.
    pub fn run(&self, args: &[&str], documents: &[Value]) -> Answer {
        let file = self.file(documents);
        let (command, rest) = args.split_first().unwrap();
        answer(dmsnet().arg(command).arg("-f").arg(file).args(rest))
    }

    /// Runs a command on these documents, whose class names no URL: the environment says where AWS is.
    pub fn run_in_region(&self, args: &[&str], documents: &[Value]) -> Answer {
        let file = self.file(documents);
        let (command, rest) = args.split_first().unwrap();
        answer(dmsnet().env("AWS_ENDPOINT_URL", &self.aws.url).arg(command).arg("-f").arg(file).args(rest))
    }

    /// Runs a command as it is; the environment says where AWS is.
    pub fn run_alone_in_region(&self, args: &[&str]) -> Answer {
        answer(dmsnet().env("AWS_ENDPOINT_URL", &self.aws.url).args(args))
    }

    /// Runs a command as it is.
    pub fn run_alone(&self, args: &[&str]) -> Answer {
        answer(dmsnet().args(args))
    }

    /// Runs a command on these documents, without credentials.
    pub fn run_offline(&self, args: &[&str], documents: &[Value]) -> Answer {
        let file = self.file(documents);
        let (command, rest) = args.split_first().unwrap();
        let mut dmsnet = dmsnet();
        dmsnet.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        answer(dmsnet.arg(command).arg("-f").arg(file).args(rest))
    }

    /// AWS is as it was.
    #[track_caller]
    pub fn is_as(&self, before: &Value, why: impl std::fmt::Display) {
        let lines = |v: &Value| serde_json::to_string_pretty(v).unwrap();
        let (before, now) = (lines(before), lines(&self.aws.state()));
        assert!(before == now, "{why}\n{}", similar::TextDiff::from_lines(&before, &now).unified_diff());
    }

    /// Operations that wrote since `mark`.
    pub fn writes(&self, mark: u64) -> Vec<String> {
        self.aws.writes(mark).into_iter().map(|c| c.operation).collect()
    }
}
