//! Files against AWS: all networks of an account and Region are planned together, on one picture.

mod facts;
mod owned;
mod paths;
mod settle;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::ResourceExt;
use tokio::{sync::mpsc, time::Instant};

use super::{
    diff::{NetworkReport, Report},
    files::{FileNetwork, Files},
    snapshot::{Recorded, Snapshot, SnapshotError, lacks},
};
use crate::{
    api::{
        DmsNetworkClass, DmsNetworkSpec,
        class::{Guardrails, RuleNumbers, TakeOver},
        names::TAG_TAKEN_OVER,
        network::{DeletionPolicy, ForeignRules, Mode, Upkeep},
        status::OwnedEntry,
    },
    aws::{Scope, Stores, Unheard},
    model::{Need, Owner, Picture, Tags, VpcId},
    plan::{self, Claims, Elsewhere, EndpointRef, Input, Key, Plan, Problem, Uid, claim_of_ledger, class::mode},
};

use facts::Facts;
use owned::{Owned, owned};
pub use settle::{Journal, Refusal};

/// The most rounds of reading: each adds questions that the answers of the one before raised.
const ROUNDS: usize = 12;
/// What is pruned is given up by a member of its own.
const UNWANTED: &str = "unwanted";

/// Where facts come from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Aws(&'a Stores),
    Snapshot(&'a Snapshot),
}

/// The networks of some files, and the accounts and Regions that they work in.
pub struct Session {
    sites: Vec<Site>,
    notes: Vec<String>,
}

/// One account and Region.
struct Site {
    scope: Scope,
    account: String,
    store: Facts,
    owner: Owner,
    claims: Claims,
    /// Requests that AWS did not answer.
    unheard: Unheard,
    members: Vec<Member>,
    /// The other accounts and Regions, as they were when this one was last planned.
    around: BTreeMap<Scope, Around>,
    /// What carries our tag and nobody wants; none before that was looked for, or where it cannot be told.
    unwanted: Option<Vec<Owned>>,
}

/// Another account and Region.
struct Around {
    account: String,
    picture: Arc<Picture>,
}

/// A network in one of its classes, or what is to be pruned.
struct Member {
    /// Its place in the files.
    place: usize,
    uid: Uid,
    label: String,
    class: String,
    /// The network's own class; another than `class` where this one is a database's.
    home: String,
    /// The other classes that the network names.
    others: Vec<Arc<DmsNetworkClass>>,
    guardrails: Guardrails,
    tags: Tags,
    mode: Mode,
    suspended: bool,
    /// What it wants; none for one that leaves.
    spec: Option<DmsNetworkSpec>,
    /// What becomes of what it gives up.
    deletion_policy: DeletionPolicy,
    /// What it holds, while it leaves. Before that, tags tell.
    ledger: Vec<OwnedEntry>,
}

impl Member {
    fn new(place: usize, file: &FileNetwork, class: &DmsNetworkClass) -> Self {
        let (home, name) = (file.class.name_any(), class.name_any());
        let all = std::iter::once(&file.class).chain(&file.others);
        Self {
            place,
            uid: if name == home { format!("{place:06}") } else { format!("{place:06}/{name}") }.into(),
            label: file.label(),
            others: all.filter(|c| c.name_any() != name).cloned().collect(),
            class: name,
            home,
            guardrails: class.spec.guardrails.clone(),
            tags: class.spec.tags.clone().into(),
            mode: mode(&file.network, class),
            suspended: file.network.spec.suspend,
            spec: Some(file.network.spec.clone()),
            deletion_policy: DeletionPolicy::Delete,
            ledger: Vec::new(),
        }
    }

    /// Whether its class lets routes or ACL entries be ours.
    fn may_manage(&self) -> bool {
        self.guardrails.network_acls == Upkeep::Manage || self.guardrails.routes == Upkeep::Manage
    }

    fn may_write(&self) -> bool {
        self.mode == Mode::Enforce && !self.suspended
    }

    /// Seniority: who is written first.
    fn created(&self) -> i64 {
        i64::try_from(self.place).unwrap_or(i64::MAX)
    }

    fn plan(&self, site: &Site, guardrails: &Guardrails, picture: &Picture) -> Plan {
        if self.spec.is_none() && !self.may_write() {
            // Whatever it holds stays, and goes on counting.
            let claim = claim_of_ledger(&self.label, self.created(), true, &self.ledger);
            return Plan { claim, ledger: self.ledger.clone(), ..Plan::default() };
        }
        let elsewhere = self.others.iter().filter_map(|c| {
            let name = c.name_any();
            let around = site.around.get(&Scope::from(&c.spec));
            let (account, picture, same_place) = match around {
                Some(around) => (around.account.as_str(), &*around.picture, false),
                None if Scope::from(&c.spec) == site.scope => (site.account.as_str(), picture, true),
                None => return None,
            };
            Some((name, Elsewhere { region: &c.spec.region, account, guardrails: &c.spec.guardrails, picture, same_place }))
        });
        plan::plan(&Input {
            uid: &self.uid,
            label: &self.label,
            created: self.created(),
            spec: self.spec.as_ref(),
            deletion_policy: self.deletion_policy,
            ledger: &self.ledger,
            owner: &site.owner,
            class: &self.class,
            region: &site.scope.region,
            account: &site.account,
            home: &self.home,
            elsewhere: &elsewhere.collect(),
            guardrails: Some(guardrails),
            tags: &self.tags,
            picture,
            claims: &site.claims,
            all_tried: true,
        })
    }
}

impl Session {
    /// Finds out which accounts the files mean.
    ///
    /// # Errors
    /// Where AWS does not answer, or does not take the credentials.
    pub async fn open(files: Files, owner: &Owner) -> Result<Self, String> {
        // Nobody subscribes, so nobody is woken.
        let (wakes, _) = mpsc::unbounded_channel();
        Self::on(files, owner, &Stores::new(Arc::new(()), wakes)).await
    }

    /// Works with stores that may have read something already.
    ///
    /// # Errors
    /// Where AWS does not answer, or does not take the credentials.
    pub async fn on(files: Files, owner: &Owner, stores: &Stores) -> Result<Self, String> {
        Self::begin(files, owner, Origin::Aws(stores)).await
    }

    /// Works on a snapshot instead of AWS.
    ///
    /// # Errors
    /// Where it was taken elsewhere than the files mean.
    pub async fn offline(files: Files, owner: &Owner, snapshot: &Snapshot) -> Result<Self, String> {
        Self::begin(files, owner, Origin::Snapshot(snapshot)).await
    }

    async fn begin(files: Files, owner: &Owner, origin: Origin<'_>) -> Result<Self, String> {
        let mut sites: Vec<Site> = Vec::new();
        for (place, network) in files.networks.iter().enumerate() {
            for class in std::iter::once(&network.class).chain(&network.others) {
                let scope = Scope::from(&class.spec);
                let site = match sites.iter().position(|s| s.scope == scope) {
                    Some(at) => at,
                    None => {
                        let (store, account) = facts(origin, &scope, &class.name_any()).await?;
                        let (claims, members, around) = (Claims::default(), Vec::new(), BTreeMap::new());
                        let (owner, unheard) = (owner.clone(), Unheard::default());
                        sites.push(Site { scope, account, store, owner, claims, unheard, members, around, unwanted: None });
                        sites.len() - 1
                    }
                };
                if let Some(wanted) = class.spec.account_id.as_ref().filter(|a| **a != sites[site].account) {
                    return Err(format!(
                        "class {:?} stands for account {wanted}, but its credentials belong to {}: correct its accountId or its credentials",
                        class.name_any(),
                        sites[site].account
                    ));
                }
                sites[site].members.push(Member::new(place, network, class));
            }
        }
        Ok(Self { sites, notes: files.notes })
    }

    /// Reads until no site asks anything new: what is wanted in one may hang on facts of another.
    async fn look_around(&mut self) {
        if self.sites.iter().all(|s| s.members.iter().all(|m| m.others.is_empty())) {
            return;
        }
        let mut before = 0;
        for _ in 0..ROUNDS {
            let around: Vec<(Scope, String, Arc<Picture>)> =
                self.sites.iter().map(|s| (s.scope.clone(), s.account.clone(), Arc::new(s.store.with(Clone::clone)))).collect();
            let known = around.iter().map(|(.., picture)| picture.asked.len()).sum();
            if known == before {
                return;
            }
            before = known;
            for site in &mut self.sites {
                let others = around.iter().filter(|(scope, ..)| *scope != site.scope).cloned();
                site.around = others.map(|(scope, account, picture)| (scope, Around { account, picture })).collect();
                site.observe(None).await;
            }
        }
    }

    /// Plans all networks, and looks for what is ours and nobody wants.
    pub async fn plan(&mut self, prune: bool) -> Report {
        self.look_around().await;
        for site in &mut self.sites {
            site.observe(None).await;
            site.find_unwanted(&mut self.notes).await;
        }
        self.report(prune).await
    }

    /// Reads all that the commands read for these networks, and keeps it.
    pub async fn record(&mut self) -> Vec<Recorded> {
        self.plan(false).await;
        let recorded =
            |s: &Site| Recorded { scope: s.scope.clone(), account: s.account.clone(), picture: s.store.with(Clone::clone).told() };
        self.sites.iter().map(recorded).collect()
    }

    /// What the files asked for and a snapshot does not hold: then nothing that was said of them holds.
    pub fn lacks(&self) -> Option<SnapshotError> {
        lacks(self.sites.iter().flat_map(|s| s.store.missing()))
    }

    /// What the networks want when no guardrail drops any of it, as far as it is known.
    pub fn wants(&self) -> BTreeSet<Key> {
        self.sites.iter().flat_map(|s| s.wants().0).collect()
    }

    /// What there is to say now.
    async fn report(&mut self, prune: bool) -> Report {
        let mut networks: Vec<(usize, bool, NetworkReport)> = Vec::new();
        let mut unwanted = Vec::new();
        for site in &mut self.sites {
            let plans = site.observe(None).await;
            for (member, plan) in site.members.iter().zip(plans).filter(|(m, _)| m.label != UNWANTED) {
                networks.push((member.place, member.class != member.home, site.network_report(member, &plan)));
            }
            unwanted.extend(site.unwanted.iter().flatten().map(Owned::removal));
        }
        networks.sort_by_key(|(place, other, _)| (*place, *other));
        // What stands in the way of a network is said once, with its own class.
        for i in 1..networks.len() {
            let (before, rest) = networks.split_at_mut(i);
            let (place, other, report) = &mut rest[0];
            if let Some((.., home)) = before.iter().find(|(p, o, _)| *other && p == place && !o) {
                report.problems.retain(|p| !home.problems.contains(p));
            }
        }
        Report::new(networks.into_iter().map(|(.., n)| n).collect(), unwanted, prune, self.notes.clone())
    }
}

/// Where the facts of a scope come from, and its account.
async fn facts(origin: Origin<'_>, scope: &Scope, class: &str) -> Result<(Facts, String), String> {
    match origin {
        Origin::Aws(stores) => {
            let store = stores.get(scope).await;
            let wrong = |e| format!("class {class:?} ({scope}): {e} (check region, endpointUrl and credentials)");
            let account = store.account().await.map_err(wrong)?;
            Ok((Facts::Live(store), account))
        }
        Origin::Snapshot(snapshot) => {
            let recorded = snapshot.of(scope, class).map_err(|e| e.to_string())?;
            Ok((Facts::recorded(&recorded.picture), recorded.account.clone()))
        }
    }
}

impl Site {
    /// Plans all members, one after the other: each sees what those before it have decided.
    fn plan(&mut self) -> (Vec<Plan>, bool) {
        let store = self.store.clone();
        store.with(|picture| {
            let (mut plans, mut settled) = (Vec::new(), true);
            for i in 0..self.members.len() {
                let member = &self.members[i];
                let plan = member.plan(self, &member.guardrails, picture);
                settled &= self.claims.get(&member.uid) == Some(&plan.claim);
                let uid = member.uid.clone();
                self.claims.put(&uid, plan.claim.clone());
                plans.push(plan);
            }
            (plans, settled)
        })
    }

    /// Plans, reading what has not been read, or all that was read before `not_older_than`, until nothing new comes up.
    async fn observe(&mut self, not_older_than: Option<Instant>) -> Vec<Plan> {
        let mut asked: BTreeSet<Need> = BTreeSet::new();
        let (mut plans, mut settled) = self.plan();
        for _ in 0..ROUNDS {
            let needs: BTreeSet<Need> = plans.iter().flat_map(|p| &p.needs).cloned().collect();
            let unread = self.store.with(|p| needs.iter().any(|n| !p.asked.contains_key(n)));
            let old = not_older_than.is_some() && !needs.is_subset(&asked);
            if settled && !unread && !old {
                break;
            }
            if unread || old {
                self.store.ensure(&needs, not_older_than).await;
                asked.extend(needs);
            }
            (plans, settled) = self.plan();
        }
        plans
    }

    fn network_report(&self, member: &Member, plan: &Plan) -> NetworkReport {
        let mut report = NetworkReport::new(member.label.clone(), member.class.clone(), member.mode, member.suspended, plan);
        report.region.clone_from(&self.scope.region);
        report.account.clone_from(&self.account);
        report.leaving = member.spec.is_none();
        if report.leaving {
            report.left =
                plan.ledger.iter().map(|e| e.id.as_ref().map_or_else(|| e.key.clone(), |id| format!("{} ({id})", e.key))).collect();
        }
        report
    }

    /// What the networks want when no guardrail drops any of it; and what hides a part of it.
    fn wants(&self) -> (BTreeSet<Key>, Vec<Problem>) {
        let open = no_guardrails();
        let (mut wants, mut hiding) = (BTreeSet::new(), Vec::new());
        self.store.with(|picture| {
            for member in &self.members {
                let plan = member.plan(self, &open, picture);
                wants.extend(plan.claim.wants.iter().cloned());
                hiding.extend(plan.problems.into_iter().filter(Problem::hides_wants));
            }
        });
        (wants, hiding)
    }

    /// Looks for what carries our tag, in the VPCs that the networks name, and is wanted by none of them.
    async fn find_unwanted(&mut self, notes: &mut Vec<String>) {
        let plans = self.observe(None).await;
        let (wants, hiding) = self.wants();
        if !hiding.is_empty() {
            let at = &self.scope;
            notes.push(format!("{at}: what is wanted by none of these files cannot be told while a problem hides what they want"));
            return;
        }
        let vpcs: BTreeSet<VpcId> = plans.iter().flat_map(|p| &p.needs).filter_map(vpc_of).collect();
        let of_vpc = |v: &VpcId| [Need::GroupsOf(v.clone()), Need::EndpointsOf(v.clone())];
        let mut needs: BTreeSet<Need> = vpcs.iter().flat_map(of_vpc).collect();
        if self.members.iter().any(Member::may_manage) {
            needs.extend(vpcs.iter().flat_map(|v| [Need::NetworkAclsOf(v.clone()), Need::RouteTablesOf(v.clone())]));
        }
        self.store.ensure(&needs, None).await;
        let groups = |p: &Picture| p.groups.values().filter(|g| vpcs.contains(&g.vpc)).map(|g| Need::RulesOf(g.id.clone())).collect();
        let rules: BTreeSet<Need> = self.store.with(groups);
        self.store.ensure(&rules, None).await;
        let (found, unreadable) = self.store.with(|p| {
            let failed = needs.iter().chain(&rules).find_map(|n| p.asked.get(n)?.as_ref().map(|f| format!("{n}: {}", f.message)));
            (owned(p, &self.owner, &vpcs), failed)
        });
        if let Some(failure) = unreadable {
            notes.push(format!("what is wanted by none of these files cannot be told in full; {failure}"));
        }
        self.unwanted = Some(found.into_iter().filter(|o| !wants.contains(&o.key)).collect());
    }
}

/// The VPC that a question names.
fn vpc_of(need: &Need) -> Option<VpcId> {
    match need {
        Need::Vpc(v) | Need::SubnetsOf(v) | Need::GroupsOf(v) | Need::EndpointsOf(v) => Some(v.clone()),
        _ => None,
    }
}

/// Guardrails bind what is made, not what is removed, nor what counts as wanted.
fn no_guardrails() -> Guardrails {
    Guardrails {
        vpc_ids: vec!["*".to_owned()],
        peer_cidrs: Some(vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()]),
        foreign_rules: ForeignRules::Ignore,
        take_over: TakeOver::Any,
        network_acls: Upkeep::Manage,
        routes: Upkeep::Manage,
        network_acl_rule_numbers: Some(RuleNumbers { from: 1, to: 32_766 }),
        ..Guardrails::default()
    }
}

/// An entry of one that leaves; none where there is nothing of ours to give up.
fn to_leave(entry: OwnedEntry, picture: &Picture, owner: &Owner) -> Option<OwnedEntry> {
    let ours = match Key::parse(&entry.key)? {
        // One that another owner took over carries that one's mark.
        Key::Endpoint(EndpointRef::TakenOver(id)) => {
            picture.endpoints.get(&id).is_some_and(|e| e.tags.get(TAG_TAKEN_OVER).is_some_and(|by| by == owner.as_str()))
        }
        _ => entry.id.is_some(),
    };
    // The owner tag decides, not the ledger.
    ours.then_some(OwnedEntry { made: false, ..entry })
}
