//! One network in all its classes: observed together, since each end of a path decides what the other needs; locked together, so
//! that no two passes wait for each other; and told as one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
    time::Duration,
};

use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::{sync::OwnedMutexGuard, time::Instant};

use super::{
    context::{self, Context},
    network::label,
    site::{Site, only_mends_rules, touched},
    status::Failure,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkClass, DmsNetworkStatus,
        class::{Guardrails, TakeOver},
        conditions::Reason,
        network::{ForeignRules, Mode, Upkeep},
        status::{ClassRecord, OwnedEntry},
    },
    aws::{Account, AwsErrorKind, Store},
    model::{Need, Picture},
    plan::{self, Change, Claim, Elsewhere, Key, Keys, Plan, Problem, Uid},
};

/// A read that is no older is as good as a fresh one for a plan that only mends rules: the one that found what is to be mended, such as
/// an event's, is not made once more for each network that it woke. Its own tries take up to three of these seconds.
const RECENT: Duration = Duration::from_secs(5);

/// The most rounds of reading: each adds questions that the answers of the one before raised.
const ROUNDS: usize = 12;

/// How long the first pass waits for what it could do without.
const LATER: Duration = Duration::from_secs(1);

/// For a class that is gone, and through which nothing is wanted any more: what we own may always be removed.
static NOTHING_WANTED: LazyLock<Guardrails> = LazyLock::new(|| Guardrails {
    foreign_rules: ForeignRules::Revoke,
    take_over: TakeOver::Any,
    network_acls: Upkeep::Manage,
    routes: Upkeep::Manage,
    ..Guardrails::default()
});

/// See the module. The network's own class comes first.
pub struct Sites<'a> {
    ctx: &'a Context,
    network: &'a DmsNetwork,
    uid: Uid,
    /// Never empty.
    list: Vec<Site<'a>>,
    /// Entries of classes that cannot be worked in now: they stay as they are.
    stray: Vec<OwnedEntry>,
    /// Why they cannot.
    problems: Vec<Problem>,
}

/// Locks that are held while changes are made, until they are reported.
pub struct Locked {
    /// Whether not all was looked at afresh, such as where AWS refused: then nothing is taken away, and nothing is dropped from
    /// the ledger.
    pub blind: bool,
    names: BTreeSet<(Account, String)>,
    _guards: Vec<OwnedMutexGuard<()>>,
}

/// What was read for a plan since the locks were taken.
#[derive(Clone, Debug, Default)]
struct Seen {
    fresh: BTreeSet<Need>,
    /// See [`RECENT`].
    recent: BTreeSet<Need>,
}

impl Seen {
    fn add(&mut self, plan: &Plan) {
        let to = if only_mends_rules(plan) { &mut self.recent } else { &mut self.fresh };
        to.extend(touched(plan));
    }

    fn fits(&self, plan: &Plan) -> bool {
        let is_recent = |n: &Need| only_mends_rules(plan) && self.recent.contains(n);
        touched(plan).iter().all(|n| self.fresh.contains(n) || is_recent(n))
    }
}

/// What was done, and what was refused.
pub type Applied = (Vec<Change>, Vec<(Change, Failure)>);

impl<'a> Sites<'a> {
    /// The sites of a living network: its classes, the own one first, and those that it only holds objects through.
    ///
    /// # Errors
    /// Where one of its classes does not answer, or means another place than it did.
    pub async fn open(
        ctx: &'a Context,
        network: &'a DmsNetwork,
        uid: &Uid,
        old: &DmsNetworkStatus,
        classes: &'a [Arc<DmsNetworkClass>],
        left: &'a [(ClassRecord, Option<Arc<DmsNetworkClass>>)],
    ) -> Result<Self, Problem> {
        let mut sites = Self { ctx, network, uid: uid.clone(), list: vec![], stray: vec![], problems: vec![] };
        for class in classes {
            let site = named(ctx, network, uid, old, class).await?;
            sites.list.push(site);
        }
        for (record, class) in left {
            match reach(ctx, record).await {
                Ok(store) => {
                    let class = class.as_deref().filter(|c| means(c, record));
                    let mut site = Site::new(ctx, network, uid, Some(&network.spec), class, record.clone(), store);
                    site.guardrails.get_or_insert(&NOTHING_WANTED);
                    sites.list.push(site);
                }
                Err(failure) => {
                    sites.stray.extend(old.owned.iter().filter(|e| e.class == record.name).cloned());
                    let reason = failure.reason.unwrap_or(Reason::Stale);
                    sites.problems.push(Problem::new(reason, format!("class {:?}", record.name), failure.message));
                }
            }
        }
        Ok(sites)
    }

    /// The sites of a network that is being deleted, by its ledger alone. With them, what cannot be reached.
    pub async fn leaving(
        ctx: &'a Context,
        network: &'a DmsNetwork,
        uid: &Uid,
        old: &DmsNetworkStatus,
        records: &'a [(ClassRecord, Option<Arc<DmsNetworkClass>>)],
    ) -> (Self, Vec<Failure>) {
        let mut sites = Self { ctx, network, uid: uid.clone(), list: vec![], stray: vec![], problems: vec![] };
        let mut failures = Vec::new();
        for (record, class) in records {
            // Where the class is gone, or now means another place, its record is what deletion works from.
            let class = class.as_deref().filter(|c| means(c, record));
            let credentials = class.map_or_else(|| record.clone(), |c| context::record(c, record.account_id.clone()));
            match reach(ctx, &credentials).await {
                Ok(store) => sites.list.push(Site::new(ctx, network, uid, None, class, record.clone(), store)),
                Err(failure) => {
                    sites.stray.extend(old.owned.iter().filter(|e| e.class == record.name).cloned());
                    failures.push(failure);
                }
            }
        }
        (sites, failures)
    }

    /// The network's own class, where its DMS resources are.
    pub fn home(&self) -> Option<&Site<'a>> {
        self.list.first()
    }

    /// The classes, as status keeps them.
    pub fn records(&self) -> Vec<ClassRecord> {
        self.list.iter().map(|s| s.record.clone()).collect()
    }

    /// `Observe` where no class lets it write.
    pub fn mode(&self) -> Mode {
        self.list.iter().map(|s| s.mode).min().unwrap_or(Mode::Observe)
    }

    /// How old the picture may get.
    pub fn interval(&self) -> Duration {
        self.list.iter().map(|s| s.interval).max().unwrap_or_default()
    }

    /// Age of the oldest fast fact that the plans depend on; none where one was never read.
    pub fn age(&self, plans: &[Plan]) -> Option<Duration> {
        self.list.iter().zip(plans).map(|(site, plan)| site.store.age(&plan.needs)).try_fold(Duration::ZERO, |a, b| b.map(|b| a.max(b)))
    }

    /// One plan for each site, on what is known now.
    fn plan(&self, ledger: &[OwnedEntry]) -> Vec<Plan> {
        let mut stores: Vec<Arc<Store>> = Vec::new();
        let mut at = Vec::new();
        for site in &self.list {
            // Classes of one account and Region with one role share a store, whose lock is taken once.
            let known = stores.iter().position(|s| Arc::ptr_eq(s, &site.store));
            at.push(known.unwrap_or(stores.len()));
            if known.is_none() {
                stores.push(site.store.clone());
            }
        }
        let home = self.list.first().map_or("", |s| s.record.name.as_str());
        look(&stores, &[], &mut |pictures| {
            let one = |i: usize, site: &Site<'_>| {
                let elsewhere = self.elsewhere(i, &at, pictures);
                let own: Vec<OwnedEntry> = ledger.iter().filter(|e| e.class == site.record.name).cloned().collect();
                site.plan(&own, pictures[at[i]], home, &elsewhere)
            };
            self.list.iter().enumerate().map(|(i, site)| one(i, site)).collect()
        })
    }

    fn elsewhere<'x>(&'x self, here: usize, at: &[usize], pictures: &[&'x Picture]) -> BTreeMap<String, Elsewhere<'x>> {
        let account = self.list[here].account();
        let others = self.list.iter().enumerate().filter(|(i, _)| *i != here);
        let view = |(i, site): (usize, &'x Site<'a>)| {
            let other = Elsewhere {
                region: &site.record.region,
                account: site.record.account_id.as_deref().unwrap_or_default(),
                guardrails: site.guardrails?,
                picture: pictures[at[i]],
                same_place: site.account() == account,
            };
            Some((site.record.name.clone(), other))
        };
        others.filter_map(view).collect()
    }

    /// Plans, reading what has not been read, or all that is older than `not_older_than`.
    pub async fn observe(&self, ledger: &[OwnedEntry], not_older_than: Option<Instant>) -> Vec<Plan> {
        let mut asked: Vec<BTreeSet<Need>> = vec![BTreeSet::new(); self.list.len()];
        let mut plans = self.plan(ledger);
        for _ in 0..ROUNDS {
            let known = |need: &Need, asked: &BTreeSet<Need>| need.is_dns() || not_older_than.is_none() || asked.contains(need);
            let done = |(plan, asked): (&Plan, &BTreeSet<Need>)| !plan.unread && plan.awaited().iter().all(|n| known(n, asked));
            if plans.iter().zip(&asked).all(done) {
                break;
            }
            let awaited: Vec<BTreeSet<Need>> = plans.iter().map(Plan::awaited).collect();
            let reads = self.list.iter().zip(&awaited).map(|(site, needs)| site.store.ensure(needs, not_older_than));
            futures::future::join_all(reads).await;
            for (asked, plan) in asked.iter_mut().zip(&plans) {
                asked.extend(plan.needs.iter().cloned());
            }
            plans = self.plan(ledger);
        }
        if not_older_than.is_some() {
            // Nothing is known of it yet: where there are few to ask for, its first status tells all.
            let reads = self.list.iter().zip(&plans).map(|(site, plan)| site.store.ensure(&plan.later, not_older_than));
            // Whoever asks hears what is so, not that a read may have been late.
            let doubts = self.list.iter().zip(&plans).map(|(site, plan)| site.store.beyond_doubt(&plan.needs));
            let later = tokio::time::timeout(LATER, futures::future::join_all(reads));
            let _ = tokio::join!(later, futures::future::join_all(doubts));
            plans = self.plan(ledger);
        }
        self.subscribe(&plans).await;
        plans
    }

    /// Each store hears once what the network needs of it; one that it needs nothing of any more is told so.
    async fn subscribe(&self, plans: &[Plan]) {
        for store in self.ctx.stores.all().await {
            let mine = || self.list.iter().zip(plans).filter(|(site, _)| Arc::ptr_eq(&site.store, &store));
            if mine().next().is_none() {
                store.unsubscribe(&self.uid);
                continue;
            }
            let needs = mine().flat_map(|(_, plan)| plan.needs.iter().cloned()).collect();
            let fresh = mine().flat_map(|(_, plan)| plan.fresh.iter().cloned()).collect();
            let interval = mine().map(|(site, _)| site.interval).min().unwrap_or_default();
            store.subscribe(&self.uid, needs, fresh, interval);
        }
    }

    /// Takes the locks that the plans need, reads again what they touch, and plans again, until the locks fit the plans and all that
    /// they touch was read since they were taken. What a fresh read shows may touch more: a group that is not ours alone stays,
    /// so that its rules, which would have gone with it, are looked at one by one.
    pub async fn confirm(&self, ledger: &[OwnedEntry], mut plans: Vec<Plan>) -> (Vec<Plan>, Locked) {
        const TRIES: usize = 6;
        let mut names = self.locks(&plans);
        let mut locked = self.locked(&names).await;
        // What AWS refused may be there already, and unseen.
        let failed = self.ctx.registry.in_a_row(&self.uid) > 0;
        let (mut since, mut seen) = (Instant::now(), vec![Seen::default(); self.list.len()]);
        let mut fits = false;
        for _ in 0..TRIES {
            let reads = self.list.iter().zip(&plans).map(|(site, plan)| async move {
                let (rules, others) = touched(plan).into_iter().partition(|n| matches!(n, Need::RulesOf(_)));
                let back = |age| if only_mends_rules(plan) && !failed { since.checked_sub(age).unwrap_or(since) } else { since };
                // That the group is there, a sweep has shown; if it has gone since, AWS says so.
                tokio::join!(
                    site.store.ensure(&rules, Some(back(RECENT))),
                    site.store.ensure(&others, Some(back(site.interval.max(RECENT))))
                );
            });
            futures::future::join_all(reads).await;
            seen.iter_mut().zip(&plans).for_each(|(seen, plan)| seen.add(plan));
            plans = self.observe(ledger, None).await;
            let wanted = self.locks(&plans);
            if !wanted.is_subset(&locked.names) {
                names.extend(wanted);
                // All of them anew, in their order: holding some while waiting for others could block both.
                drop(locked);
                locked = self.locked(&names).await;
                (since, seen) = (Instant::now(), vec![Seen::default(); self.list.len()]);
                continue;
            }
            fits = plans.iter().zip(&seen).all(|(plan, seen)| seen.fits(plan));
            if fits {
                break;
            }
        }
        for (site, plan) in self.list.iter().zip(&mut plans) {
            // Whatever still does not fit waits for the next pass.
            if !fits {
                plan.changes.clear();
                plan.unmet = true;
                plan.waiting.push("other networks work on the same objects".to_owned());
            }
            // Only what a fresh read shows is taken away.
            let fresh = touched(plan);
            let unseen = site.store.with(|picture| fresh.iter().any(|n| matches!(picture.asked.get(n), Some(Some(_)))));
            if unseen {
                plan.changes.retain(|c| !c.takes_away());
            }
            if !fits || unseen {
                locked.blind = true;
                site.restore(plan, ledger);
            }
        }
        (plans, locked)
    }

    /// Plans on what is known now. What they would drop from the ledger stays there, unless it was looked at afresh under the locks that are
    /// held: other networks may have been tried since, so that more is to be given up than was looked for.
    pub async fn observe_again(&self, ledger: &[OwnedEntry], locked: Option<&Locked>) -> Vec<Plan> {
        let mut plans = self.observe(ledger, None).await;
        let locks = self.locks(&plans);
        if !locked.map_or(locks.is_empty(), |held| !held.blind && locks.is_subset(&held.names)) {
            self.list.iter().zip(&mut plans).for_each(|(site, plan)| site.restore(plan, ledger));
        }
        plans
    }

    fn locks(&self, plans: &[Plan]) -> BTreeSet<(Account, String)> {
        let of = |(site, plan): (&Site<'a>, &Plan)| plan.locks.iter().map(|n| (site.account(), n.clone())).collect::<Vec<_>>();
        self.list.iter().zip(plans).flat_map(of).collect()
    }

    async fn locked(&self, names: &BTreeSet<(Account, String)>) -> Locked {
        Locked { blind: false, names: names.clone(), _guards: self.ctx.registry.lock(names).await }
    }

    /// Makes the changes of the plans, where the class lets it.
    pub async fn apply(&self, plans: &[Plan]) -> Applied {
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for (site, plan) in self.list.iter().zip(plans).filter(|(site, plan)| site.mode == Mode::Enforce && !plan.changes.is_empty()) {
            let (made, failed) = site.apply(plan).await;
            done.extend(made);
            refused.extend(failed);
        }
        self.ctx.wake_all(self.ctx.registry.made_room(&done));
        (done, refused)
    }

    /// Notes what the network claims in each account and Region, and wakes those that must look again. With `held`, all of that
    /// ledger counts too: outside the locks nothing is dropped. `refused`: what nobody need wait for, since AWS refuses it.
    pub fn claim(&self, plans: &[Plan], held: Option<&[OwnedEntry]>, refused: &Keys) {
        let mut claims: BTreeMap<Account, Claim> = BTreeMap::new();
        for (site, plan) in self.list.iter().zip(plans) {
            let mut claim = plan.claim.clone();
            let comes = |key: &&Key| site.mode == Mode::Enforce && !refused.contains(key);
            claim.coming = claim.coming.iter().filter(comes).cloned().collect();
            if let Some(held) = held {
                claim.ledger.join(&plan::keys_of(held.iter().filter(|e| e.class == site.record.name)));
            }
            match claims.entry(site.account()) {
                std::collections::btree_map::Entry::Vacant(empty) => drop(empty.insert(claim)),
                std::collections::btree_map::Entry::Occupied(mut first) => first.get_mut().join(claim),
            }
        }
        for (account, claim) in claims {
            self.ctx.wake_all(self.ctx.registry.claim(&account, &self.uid, self.network, claim));
        }
    }

    /// The plans as one, for status: what a class in mode Observe withholds is pending, and intends nothing.
    pub fn joined(&self, plans: &[Plan], old: &[OwnedEntry]) -> Plan {
        let mut all = Plan::default();
        for (site, plan) in self.list.iter().zip(plans) {
            let mut plan = plan.clone();
            if site.mode == Mode::Observe && self.mode() == Mode::Enforce {
                plan.withheld.extend(plan.changes.drain(..).map(|c| c.describe()));
                plan.ledger.retain(|e| e.id.is_some() || old.iter().any(|o| o.key == e.key && o.class == e.class));
                plan.unmet = false;
            }
            all.join(plan);
        }
        all.ledger.extend(self.stray.iter().cloned());
        all.problems.extend(self.problems.iter().cloned());
        all
    }

    /// Classes in mode Observe that withhold changes, while others let theirs be made.
    pub fn withholding(&self, plans: &[Plan]) -> Vec<String> {
        let withholds = |(site, plan): &(&Site<'a>, &Plan)| site.mode == Mode::Observe && !plan.changes.is_empty();
        let names = self.list.iter().zip(plans).filter(withholds).map(|(site, _)| site.record.name.clone());
        if self.mode() == Mode::Enforce { names.collect() } else { Vec::new() }
    }

    /// Whether something wanted waits, and no change of an enforcing class brings it.
    pub fn unmet(&self, plans: &[Plan]) -> bool {
        let waits = |(site, plan): (&Site<'a>, &Plan)| site.mode == Mode::Enforce && plan.unmet && plan.changes.is_empty();
        self.list.iter().zip(plans).any(waits)
    }
}

/// Looks at several pictures at once.
fn look<R>(stores: &[Arc<Store>], seen: &[&Picture], then: &mut dyn FnMut(&[&Picture]) -> R) -> R {
    match stores.split_first() {
        None => then(seen),
        Some((first, rest)) => first.with(|picture| {
            let mut seen = seen.to_vec();
            seen.push(picture);
            look(rest, &seen, then)
        }),
    }
}

/// Whether a class still means the place of a record.
fn means(class: &DmsNetworkClass, record: &ClassRecord) -> bool {
    class.spec.region == record.region && class.spec.endpoint_url == record.endpoint_url
}

/// A class that the network names. Before anything is read or written, its account must be the one that it stands for.
async fn named<'a>(
    ctx: &'a Context,
    network: &'a DmsNetwork,
    uid: &Uid,
    old: &DmsNetworkStatus,
    class: &'a DmsNetworkClass,
) -> Result<Site<'a>, Problem> {
    let mut record = context::record(class, None);
    let scope = context::scope(&record);
    let store = ctx.stores.get(&scope).await;
    let account = store.account().await.map_err(|error| {
        let reason = if error.kind == AwsErrorKind::AccessDenied { Reason::AccessDenied } else { Reason::Stale };
        Problem::new(reason, format!("class {:?}", record.name), format!("AWS does not answer for Region {}: {error}", record.region))
    })?;
    ctx.metrics.account(&scope, &account);
    if let Some(written) = class.spec.account_id.as_ref().filter(|a| **a != account) {
        let message = format!(
            "class {:?} stands for account {written}, but its credentials belong to {account}: nothing is read or written; correct its accountId or its credentials",
            record.name
        );
        return Err(Problem::new(Reason::ClassChanged, format!("class {:?}", record.name), message));
    }
    record.account_id = Some(account);
    let pinned = class.status.as_ref().and_then(|s| s.account_id.clone());
    let moved = old.classes.iter().find(|r| r.name == record.name && !context::same_place(r, &record));
    if moved.is_some() || pinned.is_some_and(|p| Some(p) != record.account_id) {
        let message = format!(
            "class {:?} now means account {} in {}, but this network holds objects elsewhere: bring the class back, or make the network anew",
            record.name,
            record.account_id.unwrap_or_default(),
            record.region
        );
        return Err(Problem::new(Reason::ClassChanged, "spec.className", message));
    }
    if ctx.leadership.term().is_some() && ctx.serving.account(&record.name).is_none() {
        // AWS answers again: first it is seen whether another shard serves this account.
        let _ = ctx.wake_class.send(ObjectRef::from_obj(class));
        return Err(Problem::new(Reason::Stale, format!("class {:?}", record.name), "its account is being looked at".to_owned()));
    }
    Ok(Site::new(ctx, network, uid, Some(&network.spec), Some(class), record, store))
}

/// The store of a record, if its credentials still belong to its account.
async fn reach(ctx: &Context, record: &ClassRecord) -> Result<Arc<Store>, Failure> {
    if let Some(message) = ctx.elsewhere(&record.name) {
        return Err(Failure { reason: Some(Reason::ShardConflict), message, wait: None });
    }
    let store = ctx.stores.get(&context::scope(record)).await;
    let account = store.account().await.map_err(|error| Failure {
        reason: Some(if error.kind == AwsErrorKind::AccessDenied { Reason::AccessDenied } else { Reason::Stale }),
        message: error.to_string(),
        wait: None,
    })?;
    if record.account_id.as_ref().is_some_and(|pinned| *pinned != account) {
        let message = format!(
            "the objects of this network are in account {}, but the credentials now belong to {account}: bring the credentials back",
            record.account_id.as_deref().unwrap_or_default()
        );
        return Err(Failure { reason: Some(Reason::ClassChanged), message, wait: None });
    }
    Ok(store)
}

/// What a network claims by its ledger alone, in each account and Region.
pub fn ledger_claims(network: &DmsNetwork, status: &DmsNetworkStatus, deleting: bool) -> BTreeMap<Account, Claim> {
    let mut entries: BTreeMap<Account, Vec<OwnedEntry>> = BTreeMap::new();
    for record in &status.classes {
        let own = status.owned.iter().filter(|e| e.class == record.name).cloned();
        entries.entry(context::account(record)).or_default().extend(own);
    }
    let claim = |ledger: Vec<OwnedEntry>| plan::claim_of_ledger(&label(network), context::created(network), deleting, &ledger);
    entries.into_iter().map(|(account, ledger)| (account, claim(ledger))).collect()
}

/// The classes that a ledger names, as they are now, but for those in `but`.
pub fn left(ctx: &Context, status: &DmsNetworkStatus, but: &[Arc<DmsNetworkClass>]) -> Vec<(ClassRecord, Option<Arc<DmsNetworkClass>>)> {
    let others = status.classes.iter().filter(|r| !but.iter().any(|c| c.name_any() == r.name));
    others.map(|r| (r.clone(), ctx.class(&r.name))).collect()
}
