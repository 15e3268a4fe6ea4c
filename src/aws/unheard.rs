//! Requests for endpoints that AWS took, and whose answers were not heard. What they made may show itself late, as reads are late by as
//! long as our own writes are expected; and a request with another client token would make a second one (domain.md 3.2). Until then the
//! same request may be repeated, and no other is sent.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::{
    endpoint_writes::NewEndpoint,
    errors::{AwsError, AwsErrorKind},
    expect::PATIENCE,
    lock,
};
use crate::model::VpcId;

/// How long what was noted is kept: it tells which tokens are spent.
const KEPT: Duration = Duration::from_secs(3600);
/// Longest wait for the next look whether it shows itself.
const LOOK: Duration = Duration::from_secs(5);

/// VPC, service and kind: there is to be one endpoint of ours.
type Place = (VpcId, String, &'static str);

#[derive(Debug)]
struct Request {
    /// When it was sent last, or first found to be spent.
    at: Instant,
    /// AWS says that the token was used for something else.
    spent: bool,
}

/// See the module. For one account and Region, whoever asks.
#[derive(Debug, Default)]
pub struct Unheard(Mutex<BTreeMap<Place, BTreeMap<String, Request>>>);

impl Unheard {
    /// Whether a request must wait for another one's effect, and how long until it is looked again.
    pub(super) fn bars(&self, new: &NewEndpoint) -> Option<Duration> {
        let now = Instant::now();
        let mut all = lock(&self.0);
        let requests = all.get_mut(&place(new))?;
        requests.retain(|_, request| now < request.at + KEPT);
        let others = requests.iter().filter(|(token, _)| **token != new.client_token);
        let left = others.map(|(_, request)| (request.at + PATIENCE).saturating_duration_since(now)).max()?;
        (!left.is_zero()).then(|| left.min(LOOK))
    }

    /// Whether AWS is known to have taken another request with this token: then it need not be asked again.
    pub(super) fn is_spent(&self, new: &NewEndpoint) -> bool {
        lock(&self.0).get(&place(new)).and_then(|requests| requests.get(&new.client_token)).is_some_and(|request| request.spent)
    }

    /// What AWS said, or did not say.
    pub(super) fn answered<T>(&self, new: &NewEndpoint, answer: &Result<T, AwsError>) {
        let now = Instant::now();
        let mut all = lock(&self.0);
        let requests = all.entry(place(new)).or_default();
        let token = new.client_token.clone();
        match answer.as_ref().map_err(|error| error.kind) {
            Ok(_) => drop(requests.remove(&token)),
            Err(AwsErrorKind::Transient | AwsErrorKind::Other) => drop(requests.insert(token, Request { at: now, spent: false })),
            Err(AwsErrorKind::IdempotentMismatch) => requests.entry(token).or_insert(Request { at: now, spent: true }).spent = true,
            // Nothing was done now; an earlier one may still be under way.
            Err(_) => {}
        }
        if requests.is_empty() {
            all.remove(&place(new));
        }
    }
}

fn place(new: &NewEndpoint) -> Place {
    (new.vpc.clone(), new.service_name.clone(), new.kind.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::network::{IpAddressType, VpcEndpointType},
        model::{Policy, Tags},
    };

    fn request(token: &str) -> NewEndpoint {
        NewEndpoint {
            vpc: "vpc-1".into(),
            service_name: "com.amazonaws.us-west-2.dms".into(),
            kind: VpcEndpointType::Interface,
            route_tables: vec![],
            subnets: vec![],
            groups: vec![],
            private_dns: false,
            policy: Policy::full_access(),
            ip_address_type: IpAddressType::Ipv4,
            tags: Tags::new(),
            client_token: token.into(),
        }
    }

    fn error(kind: AwsErrorKind) -> Result<(), AwsError> {
        Err(AwsError::new(kind, "ec2", "CreateVpcEndpoint", "dms in vpc-1", "a test"))
    }

    #[tokio::test(start_paused = true)]
    async fn another_request_waits_until_one_that_was_not_heard_must_have_shown_itself() {
        let unheard = Unheard::default();
        let (first, other) = (request("first"), request("other"));
        assert_eq!(unheard.bars(&first), None, "nobody has asked");
        unheard.answered(&first, &error(AwsErrorKind::Transient));
        assert_eq!(unheard.bars(&first), None, "the same request makes no second endpoint");
        assert_eq!(unheard.bars(&other), Some(LOOK));
        assert_eq!(unheard.bars(&NewEndpoint { vpc: "vpc-2".into(), ..request("other") }), None, "elsewhere");
        unheard.answered(&first, &error(AwsErrorKind::Throttled));
        assert_eq!(unheard.bars(&other), Some(LOOK), "that it is refused now says nothing of what was sent before");
        tokio::time::advance(PATIENCE - Duration::from_secs(1)).await;
        assert_eq!(unheard.bars(&other), Some(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(unheard.bars(&other), None, "it was never made");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_answered_bars_nobody() {
        let unheard = Unheard::default();
        for answer in [Ok(()), error(AwsErrorKind::AccessDenied), error(AwsErrorKind::Unreachable)] {
            unheard.answered(&request("first"), &answer);
            assert_eq!(unheard.bars(&request("other")), None, "{answer:?}");
        }
        unheard.answered(&request("first"), &error(AwsErrorKind::Transient));
        unheard.answered(&request("first"), &Ok(()));
        assert_eq!(unheard.bars(&request("other")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_token_is_given_up_once_what_it_made_must_have_shown_itself() {
        let unheard = Unheard::default();
        let (first, next) = (request("first"), request("next"));
        unheard.answered(&first, &error(AwsErrorKind::IdempotentMismatch));
        assert!(unheard.is_spent(&first) && !unheard.is_spent(&next));
        tokio::time::advance(PATIENCE / 2).await;
        unheard.answered(&first, &error(AwsErrorKind::IdempotentMismatch));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(unheard.bars(&next), None, "it is as old as when it was first found");
        assert!(unheard.is_spent(&first), "and it need not be asked for again");
    }
}
