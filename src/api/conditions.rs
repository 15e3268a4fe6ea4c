//! Condition types and reasons of both resources, and how a list of conditions is brought up to date.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// Everything is as wanted and known to be so.
pub const READY: &str = "Ready";
/// Every wanted AWS object is as wanted.
pub const SYNCED: &str = "Synced";
/// A drift was found and is not corrected.
pub const DRIFT_DETECTED: &str = "DriftDetected";
/// Every hop to every database lets packets there and back.
pub const PATHS_OPEN: &str = "PathsOpen";
/// Each VPC endpoint is available.
pub const ENDPOINTS_AVAILABLE: &str = "EndpointsAvailable";
/// DMS's own last connection tests succeeded.
pub const CONNECTED: &str = "Connected";
/// kstatus: work is going on. Present only while True.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: nothing will change until somebody acts. Present only while True.
pub const STALLED: &str = "Stalled";

/// Reasons of conditions: stable, PascalCase, part of the API.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::IntoStaticStr, strum::EnumIter, serde::Serialize,
)]
#[allow(missing_docs)]
pub enum Reason {
    // Ready
    Ready,
    Progressing,
    // Synced
    InSync,
    ChangesPending,
    ApplyFailed,
    AccessDenied,
    QuotaExceeded,
    GuardrailViolated,
    ReferenceNotFound,
    ClassNotAllowed,
    Conflict,
    Stale,
    // DriftDetected
    NoDrift,
    DriftFound,
    DriftCorrected,
    // PathsOpen
    AllOpen,
    PathBlocked,
    PathUnknown,
    ConfigurationRetired,
    // EndpointsAvailable
    Available,
    NotRequested,
    Pending,
    Failed,
    PrivateDnsConflict,
    // Connected
    TestsPassed,
    TestFailed,
    NotTested,
    // Stalled
    InvalidSpec,
    AmbiguousSecurityGroup,
    AmbiguousDefaultClass,
    ClassChanged,
    // deletion
    Deleting,
    DeletionBlocked,
    // class
    AwsUnreachable,
    ShardConflict,
    ChangeQueueUnavailable,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCondition {
    /// One of the condition types above.
    pub type_: &'static str,
    /// Its status.
    pub status: Truth,
    /// Its reason.
    pub reason: Reason,
    /// A sentence for people.
    pub message: String,
}

/// The longest message that is written (the API allows 32,768 bytes; people do not).
const MESSAGE_MAX: usize = 2_000;

/// Puts `new` in place of `old`. `lastTransitionTime` moves only where the status changed.
pub fn merge(old: &[Condition], new: Vec<NewCondition>, generation: i64, now: Timestamp) -> Vec<Condition> {
    new.into_iter()
        .map(|c| {
            let before = old.iter().find(|o| o.type_ == c.type_);
            let since = before.filter(|o| o.status == c.status.as_str()).map_or(Time(now), |o| o.last_transition_time.clone());
            Condition {
                type_: c.type_.to_owned(),
                status: c.status.as_str().to_owned(),
                reason: c.reason.to_string(),
                message: truncate(c.message),
                observed_generation: Some(generation),
                last_transition_time: since,
            }
        })
        .collect()
}

/// The condition of that type.
pub fn find<'a>(list: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    list.iter().find(|c| c.type_ == type_)
}

fn truncate(mut text: String) -> String {
    if text.len() > MESSAGE_MAX {
        let cut = (0..=MESSAGE_MAX).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}
