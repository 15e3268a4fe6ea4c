//! All parts together, for one test: a namespace and a class of the test's name, an AWS of its own with the reference
//! network, and a controller that serves that class alone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use dmsnet::api::{DmsNetwork, DmsNetworkClass, conditions};
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Event, Namespace},
    },
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    config::Kubeconfig,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    ApiServer, Controller, Emulator, Kubectl, Topology, apiserver, block_on, controller,
    emulator::{CONTROLLER_KEY, REGION, count},
    wait,
};

/// Long enough for anything that a busy machine does; a test that expects less says so.
pub const SOON: Duration = Duration::from_secs(60);
const CLEAN_UP: Duration = Duration::from_secs(30);

pub struct Env {
    /// Name of the test: its namespace, class, cluster name, and the value of the label `test`.
    pub name: String,
    pub client: Client,
    pub kubectl: Kubectl,
    pub aws: Emulator,
    pub topology: Topology,
    pub controller: Controller,
    /// A private API server, if the test asked for one.
    pub api_server: Option<ApiServer>,
    kubeconfig: PathBuf,
    dir: TempDir,
}

pub struct Builder {
    name: String,
    private_api_server: bool,
    class: Box<dyn FnOnce(&mut Value) + Send>,
    make_class: bool,
    topology: Value,
    start_controller: bool,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Env {
    /// With all that is usual. `name` is a DNS label of at most 40 characters, of this test alone.
    pub async fn start(name: &str) -> Self {
        Self::builder(name).start().await
    }

    pub fn builder(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            private_api_server: false,
            class: Box::new(|_| {}),
            make_class: true,
            topology: json!({}),
            start_controller: true,
            args: vec![],
            env: vec![],
        }
    }

    /// Another controller beside the first, not yet started: with another cluster name, or as a second replica.
    pub fn another_controller(&self, name: &str, change: impl FnOnce(&mut controller::Options)) -> Controller {
        let mut options = self.controller.options.clone();
        options.identity = name.to_owned();
        change(&mut options);
        Controller::new(options, self.dir.path(), name)
    }

    // --------------------------------------------------------------------- the objects

    /// Networks in the test's namespace.
    pub fn networks(&self) -> Api<DmsNetwork> {
        self.networks_in(&self.name)
    }

    pub fn networks_in(&self, namespace: &str) -> Api<DmsNetwork> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub fn classes(&self) -> Api<DmsNetworkClass> {
        Api::all(self.client.clone())
    }

    /// Another namespace, named `<test>-<suffix>`; its name.
    pub async fn namespace(&self, suffix: &str, labels: Value) -> String {
        let name = format!("{}-{suffix}", self.name);
        self.make_namespace(&name, labels).await;
        name
    }

    async fn make_namespace(&self, name: &str, mut labels: Value) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        labels["test"] = self.name.as_str().into();
        apply(&api, json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })).await;
    }

    /// The class that a test gets unless it says otherwise: everything allowed that the defaults allow, read every 10 s.
    pub fn class_spec(&self) -> Value {
        json!({
            "region": REGION,
            "endpointUrl": self.aws.url,
            "allowedNamespaces": { "from": "All" },
            "guardrails": { "vpcIds": ["*"] },
            "resyncInterval": "10s",
        })
    }

    /// Creates or changes a class that the test's controller serves. Names are cluster-wide: begin them with the test's.
    pub async fn apply_class(&self, name: &str, spec: Value) -> DmsNetworkClass {
        let metadata = json!({ "name": name, "labels": { "test": self.name } });
        apply(
            &self.classes(),
            json!({ "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass", "metadata": metadata, "spec": spec }),
        )
        .await
    }

    /// The network of the reference topology through the test's class.
    pub fn reference(&self) -> Value {
        let mut spec = self.topology.reference();
        spec["className"] = self.name.as_str().into();
        spec
    }

    /// Creates or changes a network in the test's namespace.
    pub async fn apply(&self, name: &str, spec: Value) -> DmsNetwork {
        self.apply_in(&self.name, name, spec).await
    }

    pub async fn apply_in(&self, namespace: &str, name: &str, spec: Value) -> DmsNetwork {
        let metadata = json!({ "name": name, "namespace": namespace });
        let network = json!({ "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetwork", "metadata": metadata, "spec": spec });
        apply(&self.networks_in(namespace), network).await
    }

    /// The network as it is.
    pub async fn get(&self, name: &str) -> DmsNetwork {
        self.networks().get(name).await.unwrap()
    }

    /// Changes a network by a merge patch, such as `{"spec": {"suspend": true}}`.
    pub async fn patch(&self, name: &str, patch: Value) -> DmsNetwork {
        self.networks().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    /// Asks for a network's deletion; see [`Env::gone`].
    pub async fn delete(&self, name: &str) {
        self.networks().delete(name, &DeleteParams::default()).await.unwrap();
    }

    // -------------------------------------------------------------------------- waiting

    /// Waits until `look` is `Ok`. If that takes too long the test fails with what `look` saw last; all that is known of the
    /// environment is printed, as for every failure.
    pub async fn eventually<T>(&self, what: &str, within: Duration, look: impl AsyncFnMut() -> Result<T, String>) -> T {
        wait::eventually(within, look).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Waits until a network is as `look` wants it; its last state is told otherwise.
    pub async fn network(&self, name: &str, within: Duration, mut look: impl FnMut(&DmsNetwork) -> bool) -> DmsNetwork {
        let api = self.networks();
        self.eventually(&format!("network {name}"), within, async || {
            let network = api.get(name).await.map_err(|e| e.to_string())?;
            if look(&network) { Ok(network) } else { Err(summary(&network)) }
        })
        .await
    }

    /// Waits for a condition of the network's present generation, such as `("Ready", "True")`.
    pub async fn condition(&self, name: &str, type_: &str, status: &str, within: Duration) -> DmsNetwork {
        self.network(name, within, |network| is(network, type_, status)).await
    }

    /// Waits for a condition with that reason, of the network's present generation; its message.
    pub async fn reason(&self, name: &str, type_: &str, reason: &str, within: Duration) -> String {
        let network = self
            .network(name, within, |network| condition(network, type_).is_some_and(|c| c.reason == reason && current(network, c)))
            .await;
        condition(&network, type_).unwrap().message.clone()
    }

    /// Waits until a network is ready.
    pub async fn ready(&self, name: &str) -> DmsNetwork {
        self.condition(name, "Ready", "True", SOON).await
    }

    /// Waits until a network is gone.
    pub async fn gone(&self, name: &str, within: Duration) {
        let api = self.networks();
        self.eventually(&format!("network {name} gone"), within, async || match api.get_opt(name).await {
            Ok(None) => Ok(()),
            Ok(Some(network)) => Err(summary(&network)),
            Err(e) => Err(e.to_string()),
        })
        .await;
    }

    /// Waits until the controller has made `n` more calls of that operation, such as `DescribeSecurityGroupRules`: so many sweeps.
    pub async fn calls(&self, operation: &str, n: usize, within: Duration) {
        self.calls_by(CONTROLLER_KEY, operation, n, within).await;
    }

    /// The same of one with these credentials.
    pub async fn calls_by(&self, key: &str, operation: &str, n: usize, within: Duration) {
        let mark = self.aws.mark();
        self.eventually(&format!("{n} calls of {operation}"), within, async || {
            let calls = self.aws.calls_of(key, mark);
            let seen = calls.iter().filter(|call| call.operation == operation).count();
            if seen >= n { Ok(()) } else { Err(format!("{seen}; in all {:?}", count(&calls))) }
        })
        .await;
    }

    /// Waits for an Event about an object of that name in the test's namespace; its note.
    pub async fn event(&self, object: &str, reason: &str, within: Duration) -> String {
        self.eventually(&format!("Event {reason} of {object}"), within, async || {
            let events = self.events(object).await;
            let found = events.iter().find(|event| event.reason.as_deref() == Some(reason));
            found.map(|event| event.message.clone().unwrap_or_default()).ok_or_else(|| format!("{:?}", reasons(&events)))
        })
        .await
    }

    /// Events about an object in the test's namespace, oldest first.
    pub async fn events(&self, object: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.name);
        let mut events = api.list(&ListParams::default()).await.unwrap().items;
        events.retain(|event| event.involved_object.name.as_deref() == Some(object));
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        events
    }

    // ------------------------------------------------------------------------- the end

    /// All that helps to understand a failure.
    fn dump(&mut self) {
        let name = self.name.clone();
        let show = |title: &str, text: &str| eprintln!("──── {name}: {title}\n{text}\n");
        let label = format!("--selector=test={name}");
        for args in [
            ["get", "dmsnet", "--output=yaml", "--ignore-not-found"],
            ["get", "dnc", "--output=yaml", &label],
            ["get", "events", "--output=wide", "--sort-by=.metadata.creationTimestamp"],
        ] {
            let output = self.kubectl.run(&args, "");
            show(&args.join(" "), if output.ok { &output.stdout } else { &output.stderr });
        }
        let calls = self.aws.calls(0);
        show("calls to AWS", &format!("{:#?}", count(&calls)));
        let writes =
            calls.iter().filter(|call| call.mutating).map(|c| format!("{} {} {} {} {}", c.at, c.operation, c.status, c.code, c.params));
        show("writes to AWS", &writes.collect::<Vec<_>>().join("\n"));
        for entry in
            fs::read_dir(self.dir.path()).into_iter().flatten().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "log"))
        {
            show(&entry.file_name().to_string_lossy(), &super::process::tail(&entry.path(), 200));
        }
        show("controller", if self.controller.is_running() { "it runs" } else { "it does not run" });
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if thread::panicking() {
            // A second panic would end the process, and with it the other tests.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.dump()));
        }
        self.controller.kill();
        if self.api_server.is_some() {
            return;
        }
        let clean_up = tokio::time::timeout(CLEAN_UP, clean_up(&self.kubeconfig, &self.name));
        let cleaned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(clean_up)));
        if !matches!(cleaned, Ok(Ok(()))) {
            eprintln!("{}: the API server was not cleaned", self.name);
        }
    }
}

impl Builder {
    /// An API server of the test's own, in [`Env::api_server`], to stop and resume.
    pub fn private_api_server(mut self) -> Self {
        self.private_api_server = true;
        self
    }

    /// Changes the spec of the class before it is made.
    pub fn class(mut self, change: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.class = Box::new(change);
        self
    }

    pub fn without_class(mut self) -> Self {
        self.make_class = false;
        self
    }

    /// Parameters of the emulator's topology, such as `{"instances": 60}`.
    pub fn topology(mut self, wish: Value) -> Self {
        self.topology = wish;
        self
    }

    /// The test starts it itself, with `env.controller.start()`.
    pub fn without_controller(mut self) -> Self {
        self.start_controller = false;
        self
    }

    /// One more argument of the controller.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One more variable in the controller's environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    pub async fn start(self) -> Env {
        take_name(&self.name);
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let aws = Emulator::start(dir.path());
        let topology = aws.topology(self.topology);
        let api_server = self.private_api_server.then(ApiServer::private);
        let admin = api_server.as_ref().unwrap_or_else(|| ApiServer::shared()).kubeconfig.clone();
        let kubeconfig = kubeconfig_for(&admin, &self.name, &dir);
        let options = controller::Options {
            kubeconfig: kubeconfig.clone(),
            cluster_name: self.name.clone(),
            class_selector: format!("test={}", self.name),
            identity: self.name.clone(),
            access_key: CONTROLLER_KEY.to_owned(),
            args: self.args,
            env: self.env,
        };
        let mut env = Env {
            client: apiserver::client(&kubeconfig).await,
            kubectl: Kubectl::new(kubeconfig.clone(), &self.name),
            controller: Controller::new(options, dir.path(), "controller"),
            name: self.name,
            aws,
            topology,
            api_server,
            kubeconfig,
            dir,
        };
        env.make_namespace(&env.name, json!({})).await;
        if self.make_class {
            let mut spec = env.class_spec();
            (self.class)(&mut spec);
            env.apply_class(&env.name, spec).await;
        }
        if self.start_controller {
            env.controller.start();
        }
        env
    }
}

// --------------------------------------------------------------------------- conditions

/// The condition of that type.
pub fn condition<'a>(network: &'a DmsNetwork, type_: &str) -> Option<&'a Condition> {
    conditions::find(&network.status.as_ref()?.conditions, type_)
}

/// Whether the condition has that status and speaks of the present generation.
pub fn is(network: &DmsNetwork, type_: &str, status: &str) -> bool {
    condition(network, type_).is_some_and(|c| c.status == status && current(network, c))
}

fn current(network: &DmsNetwork, condition: &Condition) -> bool {
    condition.observed_generation == network.metadata.generation
}

/// A network's conditions in few words.
pub fn summary(network: &DmsNetwork) -> String {
    let Some(status) = &network.status else { return "no status".to_owned() };
    let conditions: Vec<_> = status.conditions.iter().map(|c| format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message)).collect();
    format!("generation {:?}, observed {:?}; {}", network.metadata.generation, status.observed_generation, conditions.join("; "))
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(|event| event.reason.as_deref()).collect()
}

// ------------------------------------------------------------------------------ helpers

async fn apply<K>(api: &Api<K>, object: Value) -> K
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let result = api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await;
    result.unwrap_or_else(|e| panic!("{name}: {e}\n{object:#}"))
}

/// The administrator's kubeconfig with the test's namespace as the context's.
fn kubeconfig_for(admin: &Path, namespace: &str, dir: &TempDir) -> PathBuf {
    let mut kubeconfig = Kubeconfig::read_from(admin).unwrap();
    for context in kubeconfig.contexts.iter_mut().filter_map(|named| named.context.as_mut()) {
        context.namespace = Some(namespace.to_owned());
    }
    let path = dir.path().join("kubeconfig");
    fs::write(&path, serde_saphyr::to_string(&kubeconfig).unwrap()).unwrap();
    path
}

/// Deletes what the test made, finalizers or not; there is no controller-manager that would empty a namespace.
async fn clean_up(kubeconfig: &Path, test: &str) {
    let client = apiserver::client(kubeconfig).await;
    let (all, ours) = (ListParams::default(), ListParams::default().labels(&format!("test={test}")));
    for namespace in Api::<Namespace>::all(client.clone()).list(&ours).await.unwrap() {
        let namespace = namespace.name_any();
        delete_all(&Api::<DmsNetwork>::namespaced(client.clone(), &namespace), &all).await;
        Api::<Event>::namespaced(client.clone(), &namespace).delete_collection(&DeleteParams::default(), &all).await.unwrap();
        Api::<Lease>::namespaced(client.clone(), &namespace).delete_collection(&DeleteParams::default(), &all).await.unwrap();
    }
    delete_all(&Api::<DmsNetworkClass>::all(client), &ours).await;
}

async fn delete_all<K>(api: &Api<K>, which: &ListParams)
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned,
{
    for object in api.list(which).await.unwrap() {
        let name = object.name_any();
        let _ = api.delete(&name, &DeleteParams::default()).await;
        // Gone already if there was no finalizer.
        let _ = api.patch(&name, &PatchParams::default(), &Patch::Merge(json!({ "metadata": { "finalizers": null } }))).await;
    }
}

/// Two tests of one name would share namespace and class.
fn take_name(name: &str) {
    static TAKEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let valid = name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    assert!(valid, "{name:?}: a test's name has at most 40 of a-z, 0-9 and -");
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(taken.insert(name.to_owned()), "two tests are called {name}");
}
