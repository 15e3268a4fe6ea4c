//! Status as one pure function of what a pass found and did (design.md 1, conditions).

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::connections;
use crate::{
    api::{
        DmsNetworkStatus,
        conditions::{self, DRIFT_DETECTED, ENDPOINTS_AVAILABLE, NewCondition, READY, RECONCILING, Reason, STALLED, SYNCED, Truth},
        network::Mode,
        status::{ClassRecord, DriftRecord, OwnedEntry, Pending, Summary},
    },
    model::EndpointState,
    plan::{Change, Drift, DriftKind, Key, Plan, Problem, proof, wanted::short_hash},
};

/// Most entries of `status.drift`.
const DRIFT_MAX: usize = 20;
/// Most entries of `status.foreign` and `status.pending.changes`.
const LIST_MAX: usize = 50;

/// A change that AWS refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason that conditions show; none where it passes by itself (throttling, timeouts).
    pub reason: Option<Reason>,
    /// What AWS refused, on what, and why.
    pub message: String,
    /// AWS was not asked yet: after so long it will be.
    pub wait: Option<Duration>,
}

/// What a pass found and did.
pub struct Pass<'a> {
    /// The plan after the changes.
    pub plan: &'a Plan,
    /// The network's generation.
    pub generation: i64,
    /// Mode in force: `Observe` where neither the network nor any of its classes lets it write.
    pub mode: Mode,
    /// Classes in mode Observe that withhold changes, while others let theirs be made.
    pub withholding: Vec<String>,
    /// Drift that was found before the changes, this pass.
    pub drift: &'a [Drift],
    /// Changes that failed.
    pub failures: &'a [Failure],
    /// Age of the picture, and from which age on it is stale.
    pub age: Option<Duration>,
    /// See `age`.
    pub stale_after: Duration,
    /// The default class, where it was taken.
    pub default_class: Option<String>,
    /// The classes that were used.
    pub classes: Vec<ClassRecord>,
    /// Value of the annotation reconcile-requested-at.
    pub requested: Option<String>,
    /// Now.
    pub now: Timestamp,
}

/// The new status, from the old one and a pass.
pub fn of_pass(old: &DmsNetworkStatus, pass: &Pass<'_>) -> DmsNetworkStatus {
    let plan = pass.plan;
    let owned = ledger(old, plan, pass.mode);
    let drift = drift_records(&old.drift, pass);
    let pending = pending(plan, pass.mode);
    let (available, endpoints) = endpoint_counts(plan);
    let known = if old.observed_generation == Some(pass.generation) { old.databases.as_slice() } else { &[] };
    let databases = proof::as_known(connections::dated(&plan.databases, old, pass.now), known);
    let databases = and_hidden(plan, &databases, &old.databases, |d| &d.name);
    let (open, paths) = proof::counts(&databases);
    let mut status = DmsNetworkStatus {
        observed_generation: Some(pass.generation),
        last_handled_reconcile_at: pass.requested.clone().or_else(|| old.last_handled_reconcile_at.clone()),
        default_class: old.default_class.clone().or_else(|| pass.default_class.clone()),
        classes: classes(&old.classes, &pass.classes, &owned),
        conditions: Vec::new(),
        replication: plan.replication.clone().or_else(|| old.replication.clone()),
        databases,
        vpc_endpoints: and_hidden(plan, &plan.vpc_endpoints, &old.vpc_endpoints, |e| &e.name),
        owned,
        pending,
        foreign: plan.foreign.iter().take(LIST_MAX).cloned().collect(),
        foreign_count: (!plan.foreign.is_empty()).then_some(i64::try_from(plan.foreign.len()).unwrap_or(i64::MAX)),
        drift,
        summary: Some(Summary {
            rules: format!("{}/{}", plan.rules.0, plan.rules.1),
            paths: format!("{open}/{paths}"),
            endpoints: format!("{available}/{endpoints}"),
        }),
    };
    let new = conditions_of(old, &status, pass);
    status.conditions = conditions::merge(&old.conditions, new, pass.generation, pass.now);
    status
}

/// The status before the first create of a pass: the ledger with its intentions, and drift as it was found.
pub fn before_changes(old: &DmsNetworkStatus, pass: &Pass<'_>) -> DmsNetworkStatus {
    let owned = ledger(old, pass.plan, pass.mode);
    let classes = classes(&old.classes, &pass.classes, &owned);
    let mut status = DmsNetworkStatus {
        owned,
        classes,
        drift: drift_records(&old.drift, pass),
        default_class: old.default_class.clone().or_else(|| pass.default_class.clone()),
        ..old.clone()
    };
    let mut new = vec![NewCondition {
        type_: RECONCILING,
        status: Truth::True,
        reason: Reason::Progressing,
        message: format!("making {} in AWS", counted(pass.plan.changes.len(), "change")),
    }];
    if !is_true(old, READY) {
        new.push(NewCondition {
            type_: READY,
            status: Truth::Unknown,
            reason: Reason::Progressing,
            message: "the first pass is under way".into(),
        });
    }
    let merged = conditions::merge(&old.conditions, new, pass.generation, pass.now);
    status.conditions.retain(|c| !merged.iter().any(|m| m.type_ == c.type_));
    status.conditions.extend(merged);
    status
}

/// Entries of things that are wanted or held. In Observe nothing is intended, so intentions are left out.
fn ledger(old: &DmsNetworkStatus, plan: &Plan, mode: Mode) -> Vec<OwnedEntry> {
    let known = |e: &OwnedEntry| e.id.is_some() || old.owned.iter().any(|o| o.key == e.key);
    plan.ledger.iter().filter(|e| mode == Mode::Enforce || known(e)).cloned().collect()
}

/// What was found now; and, where a problem hides things, what was known of them before.
fn and_hidden<T: Clone>(plan: &Plan, now: &[T], old: &[T], name: impl Fn(&T) -> &String) -> Vec<T> {
    let mut list = now.to_vec();
    if plan.problems.iter().any(Problem::hides_wants) {
        list.extend(old.iter().filter(|o| !now.iter().any(|n| name(n) == name(o))).cloned());
    }
    list
}

fn classes(old: &[ClassRecord], now: &[ClassRecord], owned: &[OwnedEntry]) -> Vec<ClassRecord> {
    let mut records: Vec<ClassRecord> = old.iter().filter(|r| now.iter().all(|n| n.name != r.name)).cloned().collect();
    records.extend(now.iter().cloned());
    records.retain(|r| owned.iter().any(|e| e.class == r.name));
    records.sort_by(|a, b| a.name.cmp(&b.name));
    records
}

/// What would be done and may not: all in Observe, and what a guardrail withholds.
fn pending(plan: &Plan, mode: Mode) -> Option<Pending> {
    let mut changes = plan.withheld.clone();
    if mode == Mode::Observe {
        changes.extend(plan.changes.iter().map(Change::describe));
    }
    if changes.is_empty() {
        return None;
    }
    let text: String = changes.iter().map(|c| format!("{c:?}")).collect();
    Some(Pending {
        hash: short_hash(text.as_bytes()),
        count: i64::try_from(changes.len()).unwrap_or(i64::MAX),
        changes: changes.into_iter().take(LIST_MAX).collect(),
    })
}

/// Whether a drift counts in this mode: in Observe, only what differs from the ledger.
pub fn counts(drift: &Drift, mode: Mode) -> bool {
    mode == Mode::Enforce || drift.kind != DriftKind::ForeignRule
}

fn drift_records(old: &[DriftRecord], pass: &Pass<'_>) -> Vec<DriftRecord> {
    let mut records: Vec<DriftRecord> = old.to_vec();
    for drift in pass.drift.iter().filter(|d| counts(d, pass.mode)) {
        let kind = drift.kind.to_string();
        let open = |r: &DriftRecord| r.corrected_at.is_none() && r.resource == drift.resource && r.kind == kind;
        // A list that is full of open ones stays as it is: one that pushed another out would come back as new.
        let full = records.iter().filter(|r| r.corrected_at.is_none()).count() >= DRIFT_MAX;
        if !full && !records.iter().any(open) {
            records.insert(
                0,
                DriftRecord {
                    resource: drift.resource.clone(),
                    kind,
                    wanted: drift.wanted.clone(),
                    found: drift.found.clone(),
                    cause: None,
                    detected_at: pass.now,
                    corrected_at: None,
                },
            );
        }
    }
    // Corrected is what the plan after the changes no longer finds; what cannot be seen now stays as it was.
    if !pass.plan.unread && !pass.plan.problems.iter().any(Problem::hides_wants) {
        for record in records.iter_mut().filter(|r| r.corrected_at.is_none()) {
            let still = pass.plan.drift.iter().any(|d| d.resource == record.resource && d.kind.to_string() == record.kind);
            let expected = pass.drift.iter().any(|d| d.resource == record.resource) && !pass.failures.is_empty();
            if !still && !expected {
                record.corrected_at = Some(pass.now);
            }
        }
    }
    while records.len() > DRIFT_MAX {
        // The oldest that is over goes first.
        let over = records.iter().rposition(|r| r.corrected_at.is_some()).unwrap_or(records.len() - 1);
        records.remove(over);
    }
    records
}

fn endpoint_counts(plan: &Plan) -> (usize, usize) {
    let available = plan.vpc_endpoints.iter().filter(|e| e.state.as_deref() == Some("available")).count();
    (available, plan.vpc_endpoints.len())
}

fn is_true(status: &DmsNetworkStatus, type_: &str) -> bool {
    conditions::find(&status.conditions, type_).is_some_and(|c| c.status == "True")
}

fn conditions_of(old: &DmsNetworkStatus, new: &DmsNetworkStatus, pass: &Pass<'_>) -> Vec<NewCondition> {
    let synced = synced(old, pass);
    let drift = drift_detected(new);
    let endpoints = endpoints_available(pass);
    let paths = proof::paths_open(&new.databases);
    let stalled = pass.plan.problems.iter().find(|p| p.is_terminal());
    let busy = !pass.plan.waiting.is_empty()
        || pass.failures.iter().any(|f| f.reason.is_none())
        || (endpoints.status != Truth::True && endpoints.reason == Reason::Pending);
    let ready = ready(old, pass, stalled, &synced, [&paths, &endpoints]);
    let mut list = vec![ready, synced, drift, paths, endpoints, connections::connected(pass.plan)];
    if busy && stalled.is_none() {
        let message = pass.plan.waiting.first().cloned().unwrap_or_else(|| "AWS is at work, or is asked again soon".into());
        list.push(NewCondition { type_: RECONCILING, status: Truth::True, reason: Reason::Progressing, message });
    }
    if let Some(problem) = stalled {
        list.push(NewCondition { type_: STALLED, status: Truth::True, reason: problem.reason, message: sentence(problem) });
    }
    list
}

fn synced(old: &DmsNetworkStatus, pass: &Pass<'_>) -> NewCondition {
    let of = |status, reason, message: String| NewCondition { type_: SYNCED, status, reason, message };
    let plan = pass.plan;
    if pass.age.is_none_or(|age| age > pass.stale_after)
        && plan.problems.iter().all(|p| matches!(p.reason, Reason::Stale | Reason::Progressing))
    {
        let message = match plan.problems.first() {
            Some(problem) => sentence(problem),
            None => format!("AWS was last read {} s ago", pass.age.map_or(0, |a| a.as_secs())),
        };
        return of(Truth::Unknown, Reason::Stale, message);
    }
    if let Some(failure) = pass.failures.iter().find(|f| f.reason.is_some()) {
        return of(Truth::False, failure.reason.unwrap_or(Reason::ApplyFailed), failure.message.clone());
    }
    let serious = plan.problems.iter().filter(|p| !matches!(p.reason, Reason::Stale | Reason::Progressing));
    let problems: Vec<&Problem> = serious.collect();
    if let Some(first) = problems.first() {
        let reason = match first.reason {
            // Reasons of EndpointsAvailable: the endpoint is not as wanted.
            Reason::Failed | Reason::PrivateDnsConflict => Reason::Conflict,
            other => other,
        };
        return of(Truth::False, reason, sentences(&problems));
    }
    if pass.failures.is_empty() && plan.problems.is_empty() && !pass.withholding.is_empty() {
        let message = format!(
            "class {} is in mode Observe: nothing is written through it, and status.pending lists what would be",
            pass.withholding.join(", ")
        );
        return of(Truth::False, Reason::ChangesPending, message);
    }
    if pass.failures.is_empty() && plan.problems.is_empty() {
        if plan.changes.is_empty() && plan.rules.0 == plan.rules.1 && !plan.unmet {
            return of(
                Truth::True,
                Reason::InSync,
                format!("as wanted: {}, {}", counted(plan.rules.1, "rule"), counted(plan.vpc_endpoints.len(), "VPC endpoint")),
            );
        }
        if pass.mode == Mode::Observe {
            let message = format!("mode Observe writes nothing: status.pending lists {}", counted(plan.changes.len(), "change"));
            return of(Truth::False, Reason::ChangesPending, message);
        }
    }
    if plan.unmet && pass.mode == Mode::Enforce {
        let message = plan.waiting.first().cloned().unwrap_or_else(|| "what is wanted is on its way".into());
        return of(Truth::Unknown, Reason::Progressing, message);
    }
    // It passes by itself: what was known stays.
    let message = pass.failures.first().map(|f| f.message.clone()).or_else(|| plan.problems.first().map(sentence));
    match conditions::find(&old.conditions, SYNCED).filter(|c| c.observed_generation == Some(pass.generation)) {
        Some(c) if c.status == "True" => of(Truth::True, Reason::InSync, c.message.clone()),
        _ => of(Truth::Unknown, Reason::Progressing, message.unwrap_or_else(|| "changes are under way".into())),
    }
}

fn drift_detected(new: &DmsNetworkStatus) -> NewCondition {
    let of = |status, reason, message| NewCondition { type_: DRIFT_DETECTED, status, reason, message };
    let text = |r: &DriftRecord| format!("{} {}: wanted {}, found {}", r.kind, r.resource, r.wanted, r.found);
    if let Some(open) = new.drift.iter().find(|r| r.corrected_at.is_none()) {
        return of(Truth::True, Reason::DriftFound, text(open));
    }
    match new.drift.first() {
        Some(latest) => of(Truth::False, Reason::DriftCorrected, text(latest)),
        None => of(Truth::False, Reason::NoDrift, "nothing was changed behind dmsnet's back".into()),
    }
}

fn endpoints_available(pass: &Pass<'_>) -> NewCondition {
    let of = |status, reason, message: String| NewCondition { type_: ENDPOINTS_AVAILABLE, status, reason, message };
    let plan = pass.plan;
    let about_endpoint = |p: &&Problem| match p.reason {
        Reason::PrivateDnsConflict | Reason::Failed => true,
        Reason::Conflict => matches!(Key::parse(&p.resource), Some(Key::Endpoint(_) | Key::Group(_))),
        _ => false,
    };
    if let Some(problem) = plan.problems.iter().find(about_endpoint) {
        return of(Truth::False, problem.reason, sentence(problem));
    }
    if let Some(failure) = pass.failures.iter().find(|f| f.reason == Some(Reason::PrivateDnsConflict)) {
        return of(Truth::False, Reason::PrivateDnsConflict, failure.message.clone());
    }
    let Some(bad) = plan.vpc_endpoints.iter().find(|e| e.state.as_deref() != Some("available")) else {
        return match plan.vpc_endpoints.len() {
            0 => of(Truth::True, Reason::NotRequested, "no VPC endpoint is asked for".into()),
            n => of(Truth::True, Reason::Available, format!("available: {}", counted(n, "VPC endpoint"))),
        };
    };
    let (id, state) = (bad.id.as_deref().unwrap_or("endpoint"), bad.state.as_deref().unwrap_or("not there yet"));
    let message = format!("{id} for {} is {state}", bad.service);
    match bad.state.as_deref().map(EndpointState::parse) {
        Some(EndpointState::Failed | EndpointState::Rejected | EndpointState::Expired | EndpointState::Partial) => {
            of(Truth::False, Reason::Failed, message)
        }
        _ => of(Truth::False, Reason::Pending, message),
    }
}

fn ready(
    old: &DmsNetworkStatus,
    pass: &Pass<'_>,
    stalled: Option<&Problem>,
    synced: &NewCondition,
    [paths, endpoints]: [&NewCondition; 2],
) -> NewCondition {
    let of = |status, reason, message| NewCondition { type_: READY, status, reason, message };
    if let Some(problem) = stalled {
        return of(Truth::False, problem.reason, sentence(problem));
    }
    let observed = pass.mode == Mode::Observe && synced.reason == Reason::ChangesPending;
    if synced.status == Truth::False && !observed {
        return of(Truth::False, synced.reason, synced.message.clone());
    }
    // In Observe a path that waits for what may not be written is no failure.
    if paths.status == Truth::False && !observed {
        return of(Truth::False, paths.reason, paths.message.clone());
    }
    // In Observe an endpoint that is yet to be made is no failure.
    if endpoints.status == Truth::False && !(observed && endpoints.reason == Reason::Pending) {
        return of(Truth::False, endpoints.reason, endpoints.message.clone());
    }
    let before = conditions::find(&old.conditions, READY).filter(|c| c.status == "True" && c.observed_generation == Some(pass.generation));
    match (synced.status, before) {
        (Truth::Unknown, None) => of(Truth::Unknown, Reason::Progressing, synced.message.clone()),
        (Truth::Unknown, Some(before)) => of(Truth::True, Reason::Ready, before.message.clone()),
        _ => of(Truth::True, Reason::Ready, synced.message.clone()),
    }
}

/// `1 rule`, `6 rules`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn sentence(problem: &Problem) -> String {
    format!("{}: {}", problem.resource, problem.message)
}

/// The first few problems, in one message.
fn sentences(problems: &[&Problem]) -> String {
    const FEW: usize = 4;
    let mut text = problems.iter().take(FEW).map(|p| sentence(p)).collect::<Vec<_>>().join("; ");
    if problems.len() > FEW {
        text.push_str(&format!("; and {} more", problems.len() - FEW));
    }
    text
}

/// The status of a pass that could not see AWS: what was known stays, and the problem is said.
pub fn of_problem(old: &DmsNetworkStatus, problem: Problem, generation: i64, now: Timestamp) -> DmsNetworkStatus {
    let message = sentence(&problem);
    let condition = |type_, status| NewCondition { type_, status, reason: problem.reason, message: message.clone() };
    let mut new = Vec::new();
    if problem.is_terminal() {
        new.extend([condition(READY, Truth::False), condition(SYNCED, Truth::False), condition(STALLED, Truth::True)]);
    } else if problem.reason == Reason::Stale {
        // AWS does not answer: what was known may still hold.
        new.push(condition(SYNCED, Truth::Unknown));
        if !is_true(old, READY) {
            new.push(NewCondition { type_: READY, status: Truth::Unknown, reason: Reason::Progressing, message: message.clone() });
        }
        new.push(NewCondition { type_: RECONCILING, status: Truth::True, reason: Reason::Progressing, message: message.clone() });
    } else {
        new.extend([condition(READY, Truth::False), condition(SYNCED, Truth::False)]);
    }
    let mut conditions = conditions::merge(&old.conditions, new, generation, now);
    let kept = old.conditions.iter().filter(|c| ![RECONCILING, STALLED].contains(&c.type_.as_str()));
    let rest: Vec<_> = kept.filter(|c| !conditions.iter().any(|m| m.type_ == c.type_)).cloned().collect();
    conditions.extend(rest);
    DmsNetworkStatus { observed_generation: Some(generation), conditions, ..old.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drifts(n: usize) -> Vec<Drift> {
        let drift = |i| Drift { resource: format!("rule/{i}"), kind: DriftKind::RuleMissing, wanted: "w".into(), found: "f".into() };
        (0..n).map(drift).collect()
    }

    fn pass<'a>(plan: &'a Plan, mode: Mode, drift: &'a [Drift], second: i64) -> Pass<'a> {
        Pass {
            plan,
            generation: 1,
            mode,
            drift,
            failures: &[],
            age: Some(Duration::ZERO),
            stale_after: Duration::from_secs(300),
            default_class: None,
            classes: vec![],
            withholding: vec![],
            requested: None,
            now: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn more_drift_than_the_list_holds_settles() {
        let drift = drifts(25);
        let plan = Plan { drift: drift.clone(), ..Plan::default() };
        let first = of_pass(&DmsNetworkStatus::default(), &pass(&plan, Mode::Observe, &drift, 1));
        assert_eq!(first.drift.len(), DRIFT_MAX);
        let second = of_pass(&first, &pass(&plan, Mode::Observe, &drift, 2));
        assert_eq!(second, first, "no write in an idle pass");
    }

    #[test]
    fn what_is_over_makes_room_for_what_is_open() {
        let over = drifts(DRIFT_MAX);
        let calm = Plan::default();
        let corrected = of_pass(&DmsNetworkStatus::default(), &pass(&calm, Mode::Enforce, &over, 1));
        assert!(corrected.drift.iter().all(|r| r.corrected_at.is_some()));
        let new = vec![Drift { resource: "rule/new".into(), ..over[0].clone() }];
        let open = Plan { drift: new.clone(), ..Plan::default() };
        let status = of_pass(&corrected, &pass(&open, Mode::Observe, &new, 2));
        assert_eq!((status.drift.len(), status.drift[0].resource.as_str()), (DRIFT_MAX, "rule/new"));
        let found = conditions::find(&status.conditions, DRIFT_DETECTED).unwrap();
        assert_eq!((found.status.as_str(), found.reason.as_str()), ("True", "DriftFound"));
    }

    #[test]
    fn what_is_on_its_way_is_not_in_sync() {
        let plan = Plan { unmet: true, waiting: vec!["vpce-1 is deleting".into()], ..Plan::default() };
        let status = of_pass(&DmsNetworkStatus::default(), &pass(&plan, Mode::Enforce, &[], 1));
        let synced = conditions::find(&status.conditions, SYNCED).unwrap();
        assert_eq!((synced.status.as_str(), synced.message.as_str()), ("Unknown", "vpce-1 is deleting"));
        assert!(is_true(&status, RECONCILING));
    }

    #[test]
    fn a_later_unknown_does_not_lower_ready_and_transitions_move_only_on_a_change() {
        let calm = Plan::default();
        let ready = of_pass(&DmsNetworkStatus::default(), &pass(&calm, Mode::Enforce, &[], 1));
        assert!(is_true(&ready, READY) && is_true(&ready, SYNCED));
        let old = Pass { age: Some(Duration::from_secs(999)), ..pass(&calm, Mode::Enforce, &[], 2) };
        let stale = of_pass(&ready, &old);
        let synced = conditions::find(&stale.conditions, SYNCED).unwrap();
        assert_eq!((synced.status.as_str(), synced.reason.as_str()), ("Unknown", "Stale"));
        assert!(is_true(&stale, READY));
        assert_eq!(conditions::find(&stale.conditions, READY), conditions::find(&ready.conditions, READY), "nothing of Ready moved");
    }
}
