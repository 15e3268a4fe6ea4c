//! Kubernetes Events: what was done and found, once each.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::api::{DmsNetwork, names::MANAGER};

/// Longest note that the API takes, in bytes.
const NOTE_MAX: usize = 1024;

/// Reasons of Events (design.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[allow(missing_docs)]
pub enum EventReason {
    Created,
    Changed,
    Deleted,
    DriftFound,
    DriftCorrected,
    PathBlocked,
    PathOpened,
    ForeignRule,
    Conflict,
    GuardrailViolated,
    Retained,
    Abandoned,
    ReconcileFailed,
    LeaderElection,
}

impl EventReason {
    fn type_(self) -> EventType {
        match self {
            Self::Created
            | Self::Changed
            | Self::Deleted
            | Self::DriftCorrected
            | Self::PathOpened
            | Self::Retained
            | Self::LeaderElection => EventType::Normal,
            Self::DriftFound
            | Self::PathBlocked
            | Self::ForeignRule
            | Self::Conflict
            | Self::GuardrailViolated
            | Self::Abandoned
            | Self::ReconcileFailed => EventType::Warning,
        }
    }
}

/// Publishes Events about networks.
#[derive(Clone)]
pub struct Events {
    client: Client,
}

impl Events {
    /// Publishes through `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Publishes one Event. A failure is logged and nothing more: the status tells the same.
    pub async fn publish(&self, network: &DmsNetwork, reason: EventReason, note: String) {
        self.publish_about(&network.object_ref(&()), reason, note).await;
    }

    /// The same, about any object.
    pub async fn publish_about(&self, object: &ObjectReference, reason: EventReason, note: String) {
        // A recorder that is kept repeats its first note for the same reason: each note gets its own.
        let recorder = Recorder::new(self.client.clone(), Reporter { controller: MANAGER.into(), instance: None });
        let event = Event {
            type_: reason.type_(),
            reason: reason.to_string(),
            note: Some(shorten(note)),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, object).await {
            tracing::warn!(%error, %reason, "event not published");
        }
    }
}

/// Cuts at a character, within what the API takes.
fn shorten(mut note: String) -> String {
    if note.len() > NOTE_MAX {
        let cut = (0..=NOTE_MAX - '…'.len_utf8()).rev().find(|i| note.is_char_boundary(*i)).unwrap_or(0);
        note.truncate(cut);
        note.push('…');
    }
    note
}

/// `6 rules: a, b, c …` for an Event about several objects.
pub fn enumerate<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_fit_the_api() {
        let long = shorten("ü".repeat(2000));
        assert!(long.len() <= NOTE_MAX && long.ends_with('…'), "{}", long.len());
        assert_eq!(shorten("short".into()), "short");
    }
}
