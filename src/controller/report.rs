//! What a pass tells Kubernetes: status, Events and metrics, each only if it is news.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::{
    cached_network::Glance,
    context::Context,
    events::{EventReason, enumerate},
    kubernetes,
    network::Error,
    shards,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkStatus,
        conditions::{self, READY, SYNCED},
        status::{DriftRecord, PathVerdict},
    },
    plan::{Action, Change, Uid},
};

/// Reports on one network.
pub struct Reporter<'a> {
    /// What all passes share.
    pub ctx: &'a Context,
    /// The network.
    pub network: &'a DmsNetwork,
    /// Its UID.
    pub uid: &'a Uid,
}

impl Reporter<'_> {
    /// Writes the status if it differs from the last, and returns it.
    ///
    /// # Errors
    /// Those of the API server; and where the network is gone: then the pass is over.
    pub async fn write(&self, old: &DmsNetworkStatus, new: DmsNetworkStatus) -> Result<DmsNetworkStatus, Error> {
        if *old != new {
            let answer = kubernetes::write_status(&self.ctx.api(self.network), self.network, &new).await?;
            self.ctx.registry.wrote(self.uid, &answer.ok_or(Error::Gone)?, &new);
        }
        Ok(new)
    }

    /// Events for changes that were made.
    pub async fn done(&self, done: &[Change]) {
        let groups = [
            (EventReason::Created, &[Action::Create][..]),
            (EventReason::Changed, &[Action::Modify, Action::Tag]),
            (EventReason::Deleted, &[Action::Delete, Action::Untag]),
        ];
        for (reason, actions) in groups {
            let changes: Vec<_> = done.iter().filter(|c| actions.contains(&c.action())).map(text).collect();
            if !changes.is_empty() {
                tracing::info!(%reason, count = changes.len(), "{}", enumerate(&changes));
                self.event(reason, enumerate(changes)).await;
            }
        }
    }

    /// Events and metrics for drift that is new, and for drift that was corrected.
    pub async fn drift(&self, old: &DmsNetworkStatus, new: &DmsNetworkStatus, class: &str) {
        let same = |a: &DriftRecord, b: &DriftRecord| (&a.resource, &a.kind, a.detected_at) == (&b.resource, &b.kind, b.detected_at);
        for record in new.drift.iter().rev() {
            let before = old.drift.iter().find(|o| same(o, record));
            if before.is_none() {
                self.ctx.metrics.drift(class, &record.kind);
                let mut note = format!("{} {}: wanted {}, found {}", record.kind, record.resource, record.wanted, record.found);
                if let Some(cause) = &record.cause {
                    note += &format!("; {cause}");
                }
                tracing::warn!(kind = record.kind, "drift found: {note}");
                self.event(EventReason::DriftFound, note).await;
            }
            if let (Some(cause), Some(None)) = (&record.cause, before.map(|b| &b.cause)) {
                tracing::info!(kind = record.kind, "drift explained: {}: {cause}", record.resource);
            }
            let corrected = record.corrected_at.filter(|_| before.is_none_or(|b| b.corrected_at.is_none()));
            if let Some(at) = corrected {
                let seconds = at.duration_since(record.detected_at).as_secs_f64();
                self.ctx.metrics.repaired(class, &record.kind, seconds);
                tracing::info!(kind = record.kind, seconds, "drift corrected: {}", record.resource);
                self.event(EventReason::DriftCorrected, format!("{} {}: again {}", record.kind, record.resource, record.wanted)).await;
            }
        }
    }

    /// Events for foreign rules that are new, and for conditions that turned.
    pub async fn findings(&self, old: &DmsNetworkStatus, new: &DmsNetworkStatus) {
        let fresh: Vec<_> = new.foreign.iter().filter(|f| !old.foreign.iter().any(|o| o.id == f.id)).collect();
        if !fresh.is_empty() {
            let list = fresh.iter().map(|f| format!("{} ({}{})", f.summary, f.id, if f.wider { ", wider" } else { "" }));
            self.event(EventReason::ForeignRule, enumerate(list)).await;
        }
        self.paths(old, new).await;
        let find = |status: &DmsNetworkStatus, type_| conditions::find(&status.conditions, type_).cloned();
        for type_ in [SYNCED, READY] {
            let (Some(now), before) = (find(new, type_), find(old, type_)) else { continue };
            let turned =
                before.is_none_or(|b| (b.status, b.reason, b.message) != (now.status.clone(), now.reason.clone(), now.message.clone()));
            if now.status != "False" || !turned {
                continue;
            }
            let reason = match (type_, now.reason.as_str()) {
                (SYNCED, "GuardrailViolated") => EventReason::GuardrailViolated,
                (SYNCED, "Conflict") => EventReason::Conflict,
                (READY, "GuardrailViolated" | "Conflict" | "Pending" | "Progressing") => continue,
                (READY, _) => EventReason::ReconcileFailed,
                _ => continue,
            };
            tracing::warn!(reason = now.reason, "{}", now.message);
            self.event(reason, format!("{}: {}", now.reason, now.message)).await;
        }
    }

    /// Events for paths that are blocked now, or blocked by something else than before, and for those that no longer are.
    async fn paths(&self, old: &DmsNetworkStatus, new: &DmsNetworkStatus) {
        for now in &new.databases {
            let before = old.databases.iter().find(|d| d.name == now.name);
            let was = before.and_then(|b| b.verdict);
            if now.verdict == Some(PathVerdict::Blocked) && before.is_none_or(|b| b.blocked_by != now.blocked_by) {
                let hops = now.blocked_by.iter().map(|h| format!("{} {}: {}; fix: {}", h.code, h.resource, h.message, h.fix));
                let note = format!("{}: {}", now.name, enumerate(hops));
                tracing::warn!(database = now.name, "path blocked: {note}");
                self.event(EventReason::PathBlocked, note).await;
            } else if was == Some(PathVerdict::Blocked) && now.verdict.is_some_and(|v| v != PathVerdict::Blocked) {
                let note = match now.verdict {
                    Some(PathVerdict::Open) => format!("{}: open there and back", now.name),
                    _ => format!("{}: nothing blocks any more, as far as AWS shows", now.name),
                };
                self.event(EventReason::PathOpened, note).await;
            }
        }
    }

    /// Publishes an Event about the network.
    pub async fn event(&self, reason: EventReason, note: String) {
        self.ctx.events.publish(self.network, reason, note).await;
    }
}

fn text(change: &Change) -> String {
    let change = change.describe();
    match (change.action.as_str(), change.from, change.to) {
        ("Modify", Some(from), Some(to)) => format!("{}: {from} -> {to}", change.resource),
        ("Tag", _, Some(to)) => format!("{}: tagged {to}", change.resource),
        _ => change.resource,
    }
}

/// Brings the gauges up to date: networks by class and readiness, paths by class and verdict, and the age of each picture.
pub async fn gauges(ctx: &Context) {
    let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut paths: BTreeMap<(String, String), i64> = BTreeMap::new();
    // Of several replicas one counts: who stands by knows no better.
    let leads = ctx.leadership.term().is_some();
    for network in ctx.networks.all().into_iter().filter(|_| leads) {
        if !network.uid().is_some_and(|uid| ctx.registry.serves(&uid.into())) {
            continue;
        }
        let Glance { home, ready, verdicts, .. } = network.glance();
        let class = home.as_deref().unwrap_or_default();
        for verdict in verdicts {
            *paths.entry((class.to_owned(), verdict.to_string())).or_default() += 1;
        }
        *counts.entry((class.to_owned(), ready.as_deref().unwrap_or("Unknown").to_owned())).or_default() += 1;
    }
    let mut shards: BTreeMap<String, i64> = BTreeMap::new();
    for class in ctx.classes.state().into_iter().filter(|_| leads) {
        *shards.entry(shards::shard(&class).unwrap_or_default().to_owned()).or_default() += 1;
    }
    ctx.metrics.classes(shards);
    ctx.metrics.networks(counts.into_iter().map(|((class, ready), n)| (class, ready, n)));
    ctx.metrics.paths(paths.into_iter().map(|((class, verdict), n)| (class, verdict, n)));
    for store in ctx.stores.all().await {
        let scope = &store.clients().scope;
        ctx.metrics.picture_age(scope, store.oldest().as_secs_f64());
        for (operation, tokens) in store.clients().tokens() {
            ctx.metrics.budget(scope, &operation, tokens);
        }
    }
}
