//! Writes that AWS may have done, and whose answers were not heard. What they made may show itself late, as reads are late by as long as
//! our own writes are expected: until then the ledger's entry is kept. A request for an endpoint with another client token would make a
//! second one (domain.md 3.2): until then the same request may be repeated, and no other is sent.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::{errors::AwsErrorKind, expect::PATIENCE, lock};

/// How long what was noted is kept: it tells which tokens are spent.
const KEPT: Duration = Duration::from_secs(3600);
/// Longest wait for the next look whether it shows itself.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// A request for an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The endpoint's ledger key.
    pub key: &'a str,
    /// The plan's token, from which the client tokens of its lives are made.
    pub plan: &'a str,
    /// The client token.
    pub token: &'a str,
}

/// What AWS said to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The endpoint, made now or before.
    Made,
    /// An endpoint that is going: the token made it once, and nothing was made now.
    Going,
}

#[derive(Debug)]
struct Request {
    /// When it was sent last, or first found to be spent.
    at: Instant,
    /// AWS says that the token was used for something else.
    spent: bool,
    /// The plan's token.
    plan: String,
}

impl Request {
    fn left(&self, now: Instant) -> Duration {
        (self.at + PATIENCE).saturating_duration_since(now)
    }
}

/// What is known of the writes of one object.
#[derive(Debug, Default)]
struct Missed {
    /// When the last was that AWS did not answer.
    at: Option<Instant>,
    /// Requests for an endpoint by client token; one that an earlier process was about to send, by the plan's.
    requests: BTreeMap<String, Request>,
}

/// See the module. For one account and Region, whoever writes; by ledger key.
#[derive(Debug, Default)]
pub struct Unheard(Mutex<BTreeMap<String, Missed>>);

impl Unheard {
    /// AWS did not answer a write of this key's object.
    pub fn missed(&self, key: &str) {
        let now = Instant::now();
        let mut all = lock(&self.0);
        let kept = |at: Instant| now < at + KEPT;
        all.retain(|_, missed| missed.at.is_some_and(kept) || missed.requests.values().any(|r| kept(r.at)));
        all.entry(key.to_owned()).or_default().at = Some(now);
    }

    /// Whether such a write may still show itself.
    pub fn may_show(&self, key: &str) -> bool {
        let now = Instant::now();
        lock(&self.0).get(key).and_then(|missed| missed.at).is_some_and(|at| now < at + PATIENCE)
    }

    /// A process before this one was about to send a request of this plan, or has sent it: nobody here knows when, by which clock. So
    /// it counts as if it were sent now.
    pub fn inherit(&self, key: &str, plan: &str) {
        self.missed(key);
        let request = Request { at: Instant::now(), spent: false, plan: plan.to_owned() };
        lock(&self.0).entry(key.to_owned()).or_default().requests.insert(plan.to_owned(), request);
    }

    /// The endpoint that a request of this plan may have made is there: nobody waits for it any more.
    pub fn shown(&self, key: &str, plan: &str) {
        if let Some(missed) = lock(&self.0).get_mut(key) {
            missed.requests.retain(|_, request| request.plan != plan || request.spent);
        }
    }

    /// The plan's token of another request that may have made this endpoint, and for which one of this plan must wait.
    pub fn other(&self, key: &str, plan: &str) -> Option<String> {
        let now = Instant::now();
        let all = lock(&self.0);
        let others = all.get(key)?.requests.values().filter(|r| r.plan != plan && !r.left(now).is_zero());
        others.max_by_key(|r| r.at).map(|r| r.plan.clone())
    }

    /// Whether a request must wait for another one's effect, and how long until it is looked again.
    pub(super) fn bars(&self, asked: Asked<'_>) -> Option<Duration> {
        let now = Instant::now();
        let mut all = lock(&self.0);
        let requests = &mut all.get_mut(asked.key)?.requests;
        requests.retain(|_, request| now < request.at + KEPT);
        let others = requests.iter().filter(|(token, _)| *token != asked.token && *token != asked.plan);
        let left = others.map(|(_, request)| request.left(now)).max()?;
        (!left.is_zero()).then(|| left.min(LOOK))
    }

    /// Whether AWS is known to have taken another request with this token: then it need not be asked again.
    pub(super) fn is_spent(&self, asked: Asked<'_>) -> bool {
        lock(&self.0).get(asked.key).and_then(|missed| missed.requests.get(asked.token)).is_some_and(|request| request.spent)
    }

    /// What AWS said, or did not say.
    pub(super) fn answered(&self, asked: Asked<'_>, answer: Result<Answer, AwsErrorKind>) {
        let request = |spent| Request { at: Instant::now(), spent, plan: asked.plan.to_owned() };
        let token = asked.token.to_owned();
        if let Err(AwsErrorKind::Transient | AwsErrorKind::Other) = answer {
            self.missed(asked.key);
        }
        let mut all = lock(&self.0);
        let requests = &mut all.entry(asked.key.to_owned()).or_default().requests;
        match answer {
            Ok(answer) => {
                requests.remove(asked.token);
                // Else a later life of the plan's may be under way.
                if answer == Answer::Made {
                    requests.remove(asked.plan);
                }
            }
            Err(AwsErrorKind::Transient | AwsErrorKind::Other) => drop(requests.insert(token, request(false))),
            Err(AwsErrorKind::IdempotentMismatch) => requests.entry(token).or_insert_with(|| request(true)).spent = true,
            // Nothing was done now; an earlier one may still be under way.
            Err(_) => {}
        }
        if all.get(asked.key).is_some_and(|missed| missed.at.is_none() && missed.requests.is_empty()) {
            all.remove(asked.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "endpoint/vpc-1/dms";
    const UNHEARD: Result<Answer, AwsErrorKind> = Err(AwsErrorKind::Transient);

    /// The first life of a plan's request.
    fn request(plan: &'static str) -> Asked<'static> {
        Asked { key: KEY, plan, token: if plan == "first" { "first-0" } else { "other-0" } }
    }

    #[tokio::test(start_paused = true)]
    async fn another_request_waits_until_one_that_was_not_heard_must_have_shown_itself() {
        let unheard = Unheard::default();
        let (first, other) = (request("first"), request("other"));
        assert_eq!(unheard.bars(first), None, "nobody has asked");
        unheard.answered(first, UNHEARD);
        assert_eq!(unheard.bars(first), None, "the same request makes no second endpoint");
        assert_eq!(unheard.bars(other), Some(LOOK));
        assert_eq!(unheard.other(KEY, "other").as_deref(), Some("first"), "and the ledger goes on naming it");
        assert_eq!(unheard.other(KEY, "first"), None);
        assert_eq!(unheard.bars(Asked { key: "endpoint/vpc-2/dms", ..other }), None, "elsewhere");
        unheard.answered(first, Err(AwsErrorKind::Throttled));
        assert_eq!(unheard.bars(other), Some(LOOK), "that it is refused now says nothing of what was sent before");
        tokio::time::advance(PATIENCE - Duration::from_secs(1)).await;
        assert_eq!(unheard.bars(other), Some(Duration::from_secs(1)));
        assert!(unheard.may_show(KEY));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((unheard.bars(other), unheard.other(KEY, "other")), (None, None), "it was never made");
        assert!(!unheard.may_show(KEY));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_answered_bars_nobody() {
        let unheard = Unheard::default();
        for answer in [Ok(Answer::Made), Err(AwsErrorKind::AccessDenied), Err(AwsErrorKind::Unreachable)] {
            unheard.answered(request("first"), answer);
            assert_eq!(unheard.bars(request("other")), None, "{answer:?}");
        }
        unheard.answered(request("first"), UNHEARD);
        unheard.answered(request("first"), Ok(Answer::Made));
        assert_eq!(unheard.bars(request("other")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_token_is_given_up_once_what_it_made_must_have_shown_itself() {
        let unheard = Unheard::default();
        let (first, next) = (request("first"), request("next"));
        unheard.answered(first, Err(AwsErrorKind::IdempotentMismatch));
        assert!(unheard.is_spent(first) && !unheard.is_spent(next));
        tokio::time::advance(PATIENCE / 2).await;
        unheard.answered(first, Err(AwsErrorKind::IdempotentMismatch));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(unheard.bars(next), None, "it is as old as when it was first found");
        assert!(unheard.is_spent(first), "and it need not be asked for again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_process_may_have_sent_counts_as_sent_now() {
        let unheard = Unheard::default();
        let (first, other) = (request("first"), request("other"));
        unheard.inherit(KEY, "first");
        assert_eq!((unheard.bars(first), unheard.bars(other)), (None, Some(LOOK)), "any life of its plan may be asked for again");
        assert_eq!(unheard.other(KEY, "other").as_deref(), Some("first"));
        assert!(unheard.may_show(KEY));
        unheard.answered(first, Ok(Answer::Going));
        assert_eq!(unheard.bars(other), Some(LOOK), "a later life of it may be under way");
        unheard.answered(first, Ok(Answer::Made));
        assert_eq!(unheard.bars(other), None);
        unheard.inherit(KEY, "first");
        tokio::time::advance(PATIENCE).await;
        assert_eq!((unheard.bars(other), unheard.other(KEY, "other")), (None, None), "it was never sent");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_shown_itself_bars_nobody() {
        let unheard = Unheard::default();
        unheard.inherit(KEY, "first");
        unheard.answered(request("first"), UNHEARD);
        unheard.shown(KEY, "other");
        assert_eq!(unheard.bars(request("other")), Some(LOOK), "that was another's");
        unheard.shown(KEY, "first");
        assert_eq!((unheard.bars(request("other")), unheard.other(KEY, "other")), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_not_heard_may_show_itself_for_as_long_as_reads_are_late() {
        let unheard = Unheard::default();
        unheard.missed("rule/a");
        assert!(unheard.may_show("rule/a") && !unheard.may_show("rule/b"));
        tokio::time::advance(PATIENCE).await;
        assert!(!unheard.may_show("rule/a"));
    }
}
