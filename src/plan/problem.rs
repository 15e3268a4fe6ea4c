//! Why something that is wanted cannot be had.

use serde::Serialize;

use crate::api::conditions::Reason;

/// One obstacle, with a sentence that says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The reason that conditions show.
    pub reason: Reason,
    /// What it is about: a field of the spec, an ID, a ledger key.
    pub resource: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Problem {
    /// A problem about `resource`.
    pub fn new(reason: Reason, resource: impl ToString, message: impl Into<String>) -> Self {
        Self { reason, resource: resource.to_string(), message: message.into() }
    }

    /// Whether nothing but a change of the spec or the class helps.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.reason,
            Reason::InvalidSpec
                | Reason::AmbiguousSecurityGroup
                | Reason::AmbiguousDefaultClass
                | Reason::ClassNotAllowed
                | Reason::ClassChanged
        )
    }

    /// Whether it hides wants: then nothing is given up, since what looks unwanted may be wanted.
    pub fn hides_wants(&self) -> bool {
        !matches!(
            self.reason,
            Reason::GuardrailViolated
                | Reason::Conflict
                | Reason::QuotaExceeded
                | Reason::PrivateDnsConflict
                | Reason::Failed
                | Reason::Pending
        )
    }
}
