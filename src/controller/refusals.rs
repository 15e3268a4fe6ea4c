//! What AWS refused: told once, asked again after a while, and not waited for by others for ever.

use std::time::Duration;

use super::status::Failure;
use crate::{
    api::conditions::Reason,
    model::{Direction, RuleShape, SecurityGroupId},
    plan::{Change, Keys},
};

/// After so many refusals in a row others do not wait for a rule any more: for a reason that is told, and for none. The first of these
/// take a minute or two, the others some four minutes.
const TOLD: u32 = 2;
const UNTOLD: u32 = 12;

/// What AWS refused, each reason once.
pub(super) fn failures<'a>(refused: impl IntoIterator<Item = &'a (Change, Failure)>) -> Vec<Failure> {
    let mut failures: Vec<_> = refused.into_iter().map(|(_, f)| f.clone()).collect();
    failures.dedup();
    failures
}

/// What other networks need not wait for: it is not known to come. A full group is such at once: what waits is to make room in it.
pub(super) fn hopeless<'a>(refused: impl IntoIterator<Item = &'a (Change, Failure)>, in_a_row: u32) -> Keys {
    let is_hopeless = |failure: &Failure| match failure.reason {
        // AWS was not asked.
        _ if failure.wait.is_some() => false,
        Some(Reason::QuotaExceeded) => true,
        Some(_) => in_a_row >= TOLD,
        None => in_a_row >= UNTOLD,
    };
    refused.into_iter().filter(|(_, failure)| is_hopeless(failure)).filter_map(|(change, _)| change.key().cloned()).collect()
}

/// Leaves out of `changes` what is held, and what is not to go before a held rule of its group and direction is there. What a full group
/// had no room for is held no longer where something goes.
pub(super) fn leave_out(changes: &mut Vec<Change>, held: &mut Vec<(Change, Failure)>) {
    let room: Vec<_> = changes.iter().filter_map(|c| place_of(c.rule_revoked())).collect();
    let fits = |change: &Change| place_of(change.rule_made()).is_some_and(|place| room.contains(&place));
    held.retain(|(change, failure)| failure.reason != Some(Reason::QuotaExceeded) || !fits(change));
    let is_short = |change: &Change| {
        let place = place_of(change.rule_revoked());
        matches!(change, Change::RevokeRule { .. }) && held.iter().any(|(h, _)| place_of(h.rule_made()) == place)
    };
    changes.retain(|change| !is_short(change) && !held.iter().any(|(h, _)| h == change));
}

/// Rules of one direction share a group's quota.
fn place_of<'a>(rule: Option<(&'a SecurityGroupId, &RuleShape)>) -> Option<(&'a SecurityGroupId, Direction)> {
    rule.map(|(group, shape)| (group, shape.direction))
}

/// Access denied, quota and the like: after a minute, doubling to ten. Once an object of others is out of the way: from two seconds up
/// to a minute. What passes by itself sooner: the rate budget sees to it that AWS is not asked too often.
pub(super) fn retry(failures: &[Failure], in_a_row: u32) -> Duration {
    let all = |of: &[Option<Reason>]| failures.iter().all(|f| of.contains(&f.reason));
    let (first, most) = if all(&[None]) {
        (2, 20)
    } else if all(&[None, Some(Reason::DeletionBlocked), Some(Reason::Stale)]) {
        (2, 60)
    } else {
        (60, 600)
    };
    let doubled = first << in_a_row.saturating_sub(1).min(8);
    Duration::from_secs(doubled.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Peer,
        plan::{GroupRef, Key, change::GroupTarget},
    };

    fn refused(reason: Option<Reason>) -> [(Change, Failure); 1] {
        let shape = RuleShape::tcp(Direction::In, 5432, Peer::SecurityGroup("sg-2".into()));
        let key = Key::Rule(GroupRef::Id("sg-1".into()), shape.clone());
        let change = Change::CreateRule { key, group: GroupTarget::Existing("sg-1".into()), shape, description: String::new() };
        [(change, Failure { reason, message: String::new(), wait: None })]
    }

    #[test]
    fn what_is_refused_again_and_again_is_not_waited_for() {
        let is_hopeless = |reason, in_a_row| !hopeless(&refused(reason), in_a_row).is_empty();
        assert!(is_hopeless(Some(Reason::QuotaExceeded), 1), "others make room");
        assert_eq!([1, 2].map(|n| is_hopeless(Some(Reason::ReferenceNotFound), n)), [false, true], "a new group may not be seen yet");
        assert_eq!([1, 11, 12].map(|n| is_hopeless(None, n)), [false, false, true]);
    }

    #[test]
    fn a_rule_does_not_go_while_one_that_is_held_is_to_take_its_place() {
        let revoke = |group: &str| Change::RevokeRule {
            key: Key::Rule(GroupRef::Id(group.into()), RuleShape::tcp(Direction::In, 5432, Peer::SecurityGroup("sg-3".into()))),
            group: group.into(),
            id: "sgr-1".into(),
            shape: RuleShape::tcp(Direction::In, 5432, Peer::SecurityGroup("sg-3".into())),
        };
        for (reason, left, still_held) in [
            (Reason::AccessDenied, vec![revoke("sg-9")], 1),
            // It is tried again in the room that is made.
            (Reason::QuotaExceeded, vec![refused(None)[0].0.clone(), revoke("sg-1"), revoke("sg-9")], 0),
        ] {
            let mut held = refused(Some(reason)).to_vec();
            let mut changes = vec![held[0].0.clone(), revoke("sg-1"), revoke("sg-9")];
            leave_out(&mut changes, &mut held);
            assert_eq!((changes, held.len()), (left, still_held), "{reason:?}");
        }
    }

    #[test]
    fn what_lasts_is_asked_again_later_than_what_passes() {
        let seconds = |reason, in_a_row| retry(&failures(&refused(reason)), in_a_row).as_secs();
        assert_eq!([1, 2, 9].map(|n| seconds(None, n)), [2, 4, 20]);
        assert_eq!([1, 2, 9].map(|n| seconds(Some(Reason::DeletionBlocked), n)), [2, 4, 60]);
        assert_eq!([1, 2, 9].map(|n| seconds(Some(Reason::AccessDenied), n)), [60, 120, 600]);
    }
}
