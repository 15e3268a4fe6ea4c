//! The built binary as its own process: `dmsnet run`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use super::{
    Metrics,
    process::{Process, tail},
};

const LISTENS: Duration = Duration::from_secs(30);
const STOPPED: Duration = Duration::from_secs(30);

/// How it is started, each time.
#[derive(Clone)]
pub struct Options {
    pub kubeconfig: PathBuf,
    /// `--cluster-name`, the owner of what it makes in AWS.
    pub cluster_name: String,
    /// `--class-selector`: so many controllers share one API server. Empty: all classes, for a test with an API server of its own.
    pub class_selector: String,
    /// `--identity`, its name in the Lease: one that is started again after a kill goes on at once, as a container does.
    pub identity: String,
    /// Its credentials, which the log of calls names.
    pub access_key: String,
    /// More arguments.
    pub args: Vec<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
}

pub struct Controller {
    pub options: Options,
    /// Its log goes on over restarts.
    pub log: PathBuf,
    http_addr: PathBuf,
    process: Option<Process>,
}

impl Controller {
    /// One that is not started yet; `name` tells it from another in the same folder.
    pub fn new(options: Options, dir: &Path, name: &str) -> Self {
        Self { options, log: dir.join(format!("{name}.log")), http_addr: dir.join(format!("{name}.http-addr")), process: None }
    }

    /// Starts it: the first time, or after [`Controller::kill`] or [`Controller::term`].
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the controller runs already");
        let _ = std::fs::remove_file(&self.http_addr);
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmsnet"));
        command
            .arg("run")
            .args(["--http-addr", "127.0.0.1:0"])
            .arg("--http-addr-file")
            .arg(&self.http_addr)
            .args(["--cluster-name", &self.options.cluster_name])
            .args(["--identity", &self.options.identity])
            .args(&self.options.args)
            .envs(self.options.env.iter().map(|(key, value)| (key, value)));
        if !self.options.class_selector.is_empty() {
            command.args(["--class-selector", &self.options.class_selector]);
        }
        // What the developer's own shell says of AWS must not get in.
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(key);
        }
        command
            .env("KUBECONFIG", &self.options.kubeconfig)
            .env("AWS_ACCESS_KEY_ID", &self.options.access_key)
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("RUST_BACKTRACE", "1");
        self.process = Some(Process::guarded("dmsnet", &mut command, &self.log));
    }

    /// SIGKILL: it ends between two instructions.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and the way it ends.
    pub fn term(&mut self) -> ExitStatus {
        self.process.take().expect("the controller runs").term(STOPPED)
    }

    /// SIGTERM, then a new process; the old one must end in 0.
    pub fn restart(&mut self) {
        let status = self.term();
        assert!(status.success(), "dmsnet ended with {status} on SIGTERM; it said:\n{}", self.tail(50));
        self.start();
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// The process, to freeze it or to ask for its number.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the controller runs")
    }

    /// Status and body of a GET, such as of `/readyz`.
    pub fn http(&mut self, path: &str) -> (u16, String) {
        let file = self.http_addr.clone();
        let addr = self.process().wait_for_file(&file, LISTENS);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(LISTENS)).build().into();
        let mut response = agent.get(format!("http://{addr}{path}")).call().unwrap_or_else(|e| panic!("GET {path} of dmsnet: {e}"));
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    pub fn metrics(&mut self) -> Metrics {
        let (status, text) = self.http("/metrics");
        assert_eq!(status, 200, "{text}");
        Metrics(text)
    }

    /// Its resident memory in KiB.
    pub fn memory(&mut self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process().pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }
}
