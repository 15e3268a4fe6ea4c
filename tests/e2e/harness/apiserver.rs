//! A real kube-apiserver with etcd: one for all tests of this process, or one of a test's own to stop and start.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use dmsnet::api::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions, wait::await_condition},
};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{block_on, must_exist, process::Process, tools};

const READY: Duration = Duration::from_secs(120);
const STOPPED: Duration = Duration::from_secs(20);

pub struct ApiServer {
    process: Option<Process>,
    dir: PathBuf,
    _temporary: Option<TempDir>,
    pub url: String,
    /// The administrator's.
    pub kubeconfig: PathBuf,
}

impl ApiServer {
    /// The one that all tests of this process share. It ends with us.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(|| {
            let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
            remove_left_behind(base);
            Self::start(base.join(format!("apiserver-{}", std::process::id())), None)
        })
    }

    /// One of the test's own.
    pub fn private() -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self::start(dir.path().to_owned(), Some(dir))
    }

    fn start(dir: PathBuf, temporary: Option<TempDir>) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let mut server = Self { process: None, dir, _temporary: temporary, url: String::new(), kubeconfig: PathBuf::new() };
        server.resume();
        block_on(apply_crds(&server.kubeconfig));
        server
    }

    /// Takes the API server down; [`ApiServer::resume`] brings it back with the same URL and data.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(STOPPED);
        }
    }

    /// Stops the processes (SIGSTOP): the API server takes connections and never answers. [`ApiServer::thaw`] goes on.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// To the API server alone: the launcher would end all if it missed them.
    fn signal(&self, name: &str) {
        let launcher = self.process.as_ref().expect("the API server runs").pid();
        // Each belongs to the thread that started it.
        let threads = fs::read_dir(format!("/proc/{launcher}/task")).unwrap().flatten();
        let children: String = threads.filter_map(|t| fs::read_to_string(t.path().join("children")).ok()).collect();
        assert!(!children.trim().is_empty(), "the launcher has no children");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {children}")]).status().unwrap();
        assert!(sent.success(), "kill -{name} {children}");
    }

    pub fn resume(&mut self) {
        let binaries = tools();
        let launcher = must_exist(binaries.join("testapi"));
        let mut command = Command::new(launcher);
        command.arg("--dir").arg(&self.dir).arg("--stop-on-stdin-close");
        if std::env::var_os("KUBEBUILDER_ASSETS").is_none() {
            command.arg("--binary").arg(must_exist(binaries.join("kube-apiserver-etcd")));
        }
        let mut process = Process::spawn("testapi", &mut command, &self.dir.join("testapi.log"));
        let line = process.wait_for_line("ready ", READY);
        let (url, kubeconfig) = line.split_once(' ').unwrap();
        (self.url, self.kubeconfig) = (url.to_owned(), PathBuf::from(kubeconfig));
        self.process = Some(process);
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A client of the kubeconfig's current context. It belongs to the runtime that runs this.
pub async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false; // a test wants to see what happened
    Client::try_from(config).unwrap()
}

async fn apply_crds(kubeconfig: &Path) {
    let api: Api<CustomResourceDefinition> = Api::all(client(kubeconfig).await);
    for crd in crds::all() {
        let name = crd.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("dmsnet-test").force(), &Patch::Apply(&crd)).await.unwrap();
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        timeout(Duration::from_secs(30), established).await.unwrap_or_else(|_| panic!("{name} is not established")).unwrap();
    }
}

/// A static is never dropped, so the folder of an earlier run is removed by a later one, once its process is gone.
fn remove_left_behind(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.strip_prefix("apiserver-")) else { continue };
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
