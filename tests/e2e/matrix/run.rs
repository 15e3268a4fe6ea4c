//! How the cases are run: all at once, each in a network of its own.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use dmsnet::{
    api::{
        DmsNetwork,
        status::{BlockingHop, PathVerdict},
    },
    reach::Code,
};
use serde_json::{Value, json};

use super::{Case, Mends, site};
use crate::harness::{Env, Topology, emulator::TEST_KEY, env::condition, must_exist, tools};

/// Rounds of printed lines, as a user would carry them out until nothing blocks: what lies behind a broken hop may show only then.
const ROUNDS: usize = 2;
/// For all networks of a configuration, which come to it at once.
const PATIENCE: Duration = Duration::from_secs(180);
/// AWS CLI processes side by side.
const SHELLS: usize = 3;

/// A case with its own network, in AWS and in Kubernetes.
struct Site {
    case: &'static Case,
    name: String,
    topology: Topology,
    /// Verdict and PathsOpen while nothing is broken: behind a gateway AWS shows nothing, so that is not always Open.
    before: (Option<PathVerdict>, String),
}

/// Builds all, breaks nothing yet.
async fn prepare(env: &Env, cases: Vec<&'static Case>, change: impl Fn(&mut Value)) -> Vec<Site> {
    let mut sites = vec![];
    for (i, case) in cases.into_iter().enumerate() {
        let name = format!("c{i}");
        let mut topology = env.aws.topology(case.at.wish(&format!("{name}-")));
        case.at.finish(env, &mut topology).await;
        let mut spec = case.at.spec(&env.name, &topology);
        change(&mut spec);
        env.apply(&name, spec).await;
        sites.push(Site { case, name, topology, before: (None, String::new()) });
    }
    for site in &mut sites {
        let network = env.network(&site.name, PATIENCE, |n| verdict(n).is_some_and(|v| v != PathVerdict::Blocked)).await;
        site.before = told(&network);
    }
    sites
}

async fn break_all(env: &Env, sites: &[Site]) {
    for site in sites {
        for deed in (site.case.deeds)(&site.topology) {
            deed.carry_out(env).await;
        }
    }
}

/// In Observe with Check: named, mended by the printed lines, and never a write.
pub async fn checked(name: &str, cases: &'static [Case]) {
    let began = Instant::now();
    let env = Env::builder(name).class(|class| class["resyncInterval"] = json!("30s")).start().await;
    site::make_far_class(&env, |_| {}).await;
    let sites = prepare(&env, cases.iter().collect(), |spec| spec["mode"] = json!("Observe")).await;
    let open = began.elapsed();
    break_all(&env, &sites).await;
    let mut wrong = vec![];
    let mut blocked: Vec<(&Site, Vec<BlockingHop>)> = vec![];
    for (site, network) in sites.iter().zip(asked(&env, &sites, "broken").await) {
        let hops = hops(&network);
        wrong.extend(site.differs(&network, &hops));
        blocked.push((site, hops));
    }
    let found = began.elapsed() - open;

    for (site, hops) in &blocked {
        let (words, deeds) = match site.case.mends {
            Mends::Lines => continue,
            Mends::Otherwise(words, deeds) => (words, deeds(&site.topology)),
            Mends::Names(words) => (words, vec![]),
        };
        let fits = hops.iter().any(|h| h.commands.is_empty() && h.fix.contains(words));
        wrong.extend((!fits).then(|| format!("{}: no fix without lines says {words:?}: {hops:#?}", site.case.what)));
        for deed in deeds {
            deed.carry_out(&env).await;
        }
    }
    let mut lines = 0;
    for round in 0..ROUNDS {
        let scripts: Vec<(&str, Vec<String>)> = blocked
            .iter()
            .filter(|(site, hops)| !hops.is_empty() && !site.case.stays() && (round > 0 || matches!(site.case.mends, Mends::Lines)))
            .map(|(site, hops)| (site.case.what, hops.iter().flat_map(|h| h.commands.clone()).collect()))
            .collect();
        lines += scripts.iter().map(|(_, lines)| lines.len()).sum::<usize>();
        wrong.extend(shell(&env.aws.url, scripts));
        let after = asked(&env, &sites, &format!("mended-{round}")).await;
        for ((site, hops), network) in blocked.iter_mut().zip(after) {
            *hops = self::hops(&network);
            let open = told(&network) == site.before;
            if round + 1 == ROUNDS && !open && !site.case.stays() {
                wrong.push(format!("{}: was {:?}, is {:?} {hops:#?}", site.case.what, site.before, told(&network)));
            }
        }
        if blocked.iter().all(|(site, hops)| hops.is_empty() || site.case.stays()) {
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // In Observe and Check nothing is ever written.
    let writes = env.aws.writes(0);
    assert!(writes.is_empty(), "{writes:#?}");
    println!(
        "{name}: {} cases, {lines} AWS CLI lines; open after {open:.1?}, found in {found:.1?}, all in {:.1?}",
        sites.len(),
        began.elapsed()
    );
}

/// In Enforce with Manage: what dmsnet may set is open again without anybody's doing, the rest stays blocked.
pub async fn kept(name: &str, cases: Vec<&'static Case>) {
    let began = Instant::now();
    let env = Env::builder(name).class(manage).start().await;
    let manages = |spec: &mut Value| {
        spec["networkAcls"] = json!("Manage");
        spec["routes"] = json!("Manage");
    };
    site::make_far_class(&env, manage).await;
    let sites = prepare(&env, cases, manages).await;
    let mark = env.aws.mark();
    break_all(&env, &sites).await;
    asked(&env, &sites, "broken").await;
    for site in &sites {
        let what = site.case.what;
        let network = env.network(&site.name, PATIENCE, |n| !site.case.ours || told(n) == site.before).await;
        assert_eq!(site.case.ours, told(&network) == site.before, "{what}: {:#?}", hops(&network));
    }
    let made = ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "CreateNetworkAclEntry", "CreateRoute", "CreateTags"];
    let writes = env.aws.writes(mark);
    assert!(writes.iter().all(|w| made.contains(&w.operation.as_str())), "nothing of others is taken away or changed: {writes:#?}");
    println!("{name}: {} cases, {} writes, all in {:.1?}", sites.len(), writes.len(), began.elapsed());
}

fn manage(class: &mut Value) {
    class["resyncInterval"] = json!("30s");
    class["guardrails"] = json!({
        "vpcIds": ["*"], "networkAcls": "Manage", "routes": "Manage", "networkAclRuleNumbers": { "from": 20000, "to": 20099 },
    });
}

impl Site {
    fn differs(&self, network: &DmsNetwork, hops: &[BlockingHop]) -> Option<String> {
        let case = self.case;
        let found: Vec<(&str, &str)> = hops.iter().map(|h| (h.code.as_str(), h.resource.as_str())).collect();
        let (code, resource) = (case.code.to_string(), (case.resource)(&self.topology));
        let paths = condition(network, "PathsOpen").unwrap();
        let blocked = paths.status == "False" && paths.reason == "PathBlocked" && verdict(network) == Some(PathVerdict::Blocked);
        let first = found.first() == Some(&(code.as_str(), resource.as_str()));
        let others: BTreeSet<&str> = found.iter().skip(1).map(|(code, _)| *code).collect();
        let also: BTreeSet<String> = case.also.iter().map(Code::to_string).collect();
        let right = blocked && first && others.iter().copied().eq(also.iter().map(String::as_str));
        (!right).then(|| {
            format!(
                "{} ({:?}): expected {code} {resource}, also {also:?}; {} {}; found {found:?}",
                case.what, case.at, paths.status, paths.reason
            )
        })
    }
}

fn verdict(network: &DmsNetwork) -> Option<PathVerdict> {
    network.status.as_ref()?.databases.first()?.verdict
}

fn told(network: &DmsNetwork) -> (Option<PathVerdict>, String) {
    (verdict(network), condition(network, "PathsOpen").map(|c| format!("{} {}", c.status, c.reason)).unwrap_or_default())
}

fn hops(network: &DmsNetwork) -> Vec<BlockingHop> {
    network.status.iter().flat_map(|s| &s.databases).flat_map(|d| d.blocked_by.clone()).collect()
}

/// Each network after a pass on reads no older than now.
async fn asked(env: &Env, sites: &[Site], token: &str) -> Vec<DmsNetwork> {
    for site in sites {
        env.patch(&site.name, json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": token } } })).await;
    }
    let mut networks = vec![];
    for site in sites {
        let handled = |n: &DmsNetwork| n.status.as_ref().is_some_and(|s| s.last_handled_reconcile_at.as_deref() == Some(token));
        networks.push(env.network(&site.name, PATIENCE, handled).await);
    }
    networks
}

/// Carries out printed lines as a user does: in a shell, with the AWS CLI. What went wrong.
fn shell(url: &str, scripts: Vec<(&str, Vec<String>)>) -> Vec<String> {
    let bin = must_exist(tools().join("venv/bin/aws")).parent().unwrap().to_owned();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap()))).unwrap();
    let run = |(what, lines): &(&str, Vec<String>)| {
        let mut bash = Command::new("bash");
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("AWS_")) {
            bash.env_remove(key);
        }
        bash.env("PATH", &path)
            .env("AWS_ENDPOINT_URL", url)
            .env("AWS_ACCESS_KEY_ID", TEST_KEY)
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret");
        bash.env("AWS_CONFIG_FILE", Path::new("/dev/null")).env("AWS_SHARED_CREDENTIALS_FILE", Path::new("/dev/null")).env("AWS_PAGER", "");
        let output = bash.args(["-euc", &lines.join("\n")]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then(|| format!("{what}: {lines:#?}: {said}"))
    };
    std::thread::scope(|scope| {
        let shares = scripts.chunks(scripts.len().div_ceil(SHELLS).max(1));
        let threads: Vec<_> = shares.map(|share| scope.spawn(|| share.iter().filter_map(run).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    })
}
