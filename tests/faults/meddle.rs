//! What somebody else does to AWS, behind the controller's back.

use fastrand::Rng;

use crate::{
    aws::{History, Queue},
    checker::Checker,
    clock::Clock,
    schedule::Meddling,
    stub::{Ids, Peer, Rule},
    trace::Trace,
};

/// Does it, if there is anything to do it to.
pub fn meddle(what: Meddling, rng: &mut Rng, history: &History, queue: Option<&Queue>, checker: &Checker, clock: Clock, trace: &Trace) {
    let now = clock.elapsed();
    let (before, told) = history.write(now, |world| {
        // What is in no ledger yet may be anybody's once its tags are gone.
        let ledger = checker.ledger();
        let made: Vec<String> = checker.made(world).into_iter().filter(|id| ledger.contains(id)).collect();
        let ours = |world: &crate::stub::World| -> Vec<Rule> {
            let rules = world.rules.values().flatten().filter(|r| made.contains(&r.id) && r.protocol != "-1");
            rules.cloned().collect()
        };
        let rules = ours(world);
        let endpoints: Vec<String> =
            world.endpoints.values().filter(|e| made.contains(&e.id) && e.gone_at.is_none()).map(|e| e.id.clone()).collect();
        let rule = (!rules.is_empty()).then(|| rules[rng.usize(..rules.len())].clone());
        let endpoint = (!endpoints.is_empty()).then(|| endpoints[rng.usize(..endpoints.len())].clone());
        match (what, rule, endpoint) {
            (Meddling::RevokeOurs, Some(rule), _) => {
                world.rules.get_mut(&rule.group)?.retain(|r| r.id != rule.id);
                Some(format!("revokes {rule:?}"))
            }
            (Meddling::EditOurs, Some(rule), _) => {
                let port = rng.i32(1000..2000);
                let edited = world.rules.get_mut(&rule.group)?.iter_mut().find(|r| r.id == rule.id)?;
                (edited.from, edited.to) = (port, port);
                Some(format!("edits {rule:?} to port {port}"))
            }
            (Meddling::StripTags, Some(rule), endpoint) => {
                if let Some(endpoint) = endpoint.filter(|_| rng.bool()) {
                    let endpoint = world.endpoints.get_mut(&endpoint)?;
                    endpoint.tags.clear();
                    checker.stripped(&endpoint.id);
                    return Some(format!("strips the tags of {}", endpoint.id));
                }
                world.rules.get_mut(&rule.group)?.iter_mut().find(|r| r.id == rule.id)?.tags.clear();
                checker.stripped(&rule.id);
                Some(format!("strips the tags of {rule:?}"))
            }
            (Meddling::Replace, Some(rule), _) => {
                world.rules.get_mut(&rule.group)?.retain(|r| r.id != rule.id);
                let peer = rule.peer.clone();
                let new = world.add_rule(&rule.group, rule.egress, "tcp", (rule.from, rule.to), peer, "by hand".into(), Default::default());
                Some(format!("replaces {rule:?} by {}", new.id))
            }
            (Meddling::AddForeign, ..) => {
                let ids = Ids(rng.usize(..2));
                let group = [ids.replication(), ids.source(), ids.target()][rng.usize(..3)].clone();
                let (egress, port) = (rng.bool(), [22, 5432, 3306, 6001][rng.usize(..4)]);
                let peer = Peer::Cidr(format!("10.9.{}.0/24", rng.u8(..)));
                let new = world.add_rule(&group, egress, "tcp", (port, port), peer, "a stranger's".into(), Default::default());
                Some(format!("adds {new:?}"))
            }
            (Meddling::DeleteEndpoint, _, Some(id)) => {
                let gone_at = world.now + world.endpoint_takes.1;
                world.endpoints.get_mut(&id)?.gone_at = Some(gone_at);
                Some(format!("deletes {id}"))
            }
            (Meddling::MoveEndpoint, _, Some(id)) => {
                let endpoint = world.endpoints.get_mut(&id)?;
                endpoint.subnets.pop();
                Some(format!("takes a subnet off {id}"))
            }
            _ => None,
        }
    });
    if let Some(told) = told {
        trace.add(|| format!("--- somebody {told}"));
        let Some(queue) = queue else { return };
        // The record names what was changed; some are lost.
        let after = history.now(now);
        let (old, new) = (crate::checker::objects(&before), crate::checker::objects(&after));
        let changed: Vec<&String> = old.keys().chain(new.keys()).filter(|id| old.get(*id) != new.get(*id)).collect();
        let of = |id: &String| before.rules.values().chain(after.rules.values()).flatten().find(|r| r.id == *id).map(|r| r.group.clone());
        let groups: Vec<String> = changed.iter().filter_map(|id| of(id)).collect();
        let ids: Vec<&str> = changed.iter().map(|id| id.as_str()).chain(groups.iter().map(String::as_str)).collect();
        if rng.u8(..5) > 0 {
            queue.touched(rng, &after.region, "ModifySecurityGroupRules", &ids);
        }
        if rng.u8(..5) == 0 {
            let junk = ["not even JSON", "{}", r#"{"detail": {"requestParameters": {"groupId": "sg-0123456789abcdef0"}}}"#, ""];
            let body = junk[rng.usize(..4)];
            queue.send(rng, body);
        }
    }
}
