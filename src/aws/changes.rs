//! Carries out the changes of a plan, in its order. A change that fails does not stop those that do not need it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    endpoint_writes::{EndpointDiff, NewEndpoint},
    errors::{AwsError, AwsErrorKind},
    store::Store,
    unheard::{Answer, Asked, LOOK, Unheard},
    writes::{NewRule, RuleEdit},
};
use crate::{
    model::{Direction, Need, NetworkAclId, Owner, Ownership, RouteTableId, SecurityGroupId, SecurityGroupRuleId, Tags, VpcEndpoint},
    plan::{
        Change, Key,
        change::{EndpointChanges, GroupTarget},
        record,
        wanted::token,
    },
};

/// In whose name changes are made.
pub struct ApplyContext<'a> {
    /// Owner tag.
    pub owner: &'a Owner,
    /// `namespace/name`, for people.
    pub label: &'a str,
    /// Tags of the class.
    pub tags: &'a Tags,
    /// Writes of this account and Region whose answers were not heard.
    pub unheard: &'a Unheard,
    /// Tokens of requests for endpoints that the ledger names: others are not sent. None where there is no ledger.
    pub named: Option<BTreeSet<&'a str>>,
}

/// What became of the changes.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Those that AWS took.
    pub done: Vec<Change>,
    /// Those that it refused, and why.
    pub failed: Vec<(Change, AwsError)>,
    /// Those that were not tried, since one that they need failed.
    pub skipped: Vec<Change>,
}

impl Outcome {
    /// Whether all was done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }
}

/// Makes `changes`, one AWS call per group and direction where rules are concerned.
pub async fn apply(store: &Store, changes: &[Change], ctx: &ApplyContext<'_>) -> Outcome {
    let tags = ctx.owner.tags_for(ctx.label, ctx.tags);
    let mut run = Run {
        store,
        owner: ctx.owner,
        unheard: ctx.unheard,
        named: ctx.named.as_ref(),
        tags,
        created: BTreeMap::new(),
        made_room: BTreeSet::new(),
        outcome: Outcome::default(),
    };
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let together = rest.iter().take_while(|c| batch(first).is_some() && batch(c) == batch(first)).count().max(1);
        let (now, later) = rest.split_at(together);
        run.step(now, later).await;
        rest = later;
    }
    run.outcome
}

/// Changes with the same batch go into one call.
#[derive(PartialEq)]
enum Batch<'a> {
    Create(&'a GroupTarget, Direction),
    Modify(&'a SecurityGroupId),
    Revoke(&'a SecurityGroupId, Direction, bool),
    /// Entries of an ACL to be made, or to go: one call writes the tags that record them.
    Entries(&'a NetworkAclId, bool),
    /// Likewise routes.
    Routes(&'a RouteTableId, bool),
}

fn batch(change: &Change) -> Option<Batch<'_>> {
    match change {
        Change::CreateRule { group, shape, .. } => Some(Batch::Create(group, shape.direction)),
        Change::ModifyRule { group, .. } => Some(Batch::Modify(group)),
        Change::RevokeRule { group, shape, .. } => Some(Batch::Revoke(group, shape.direction, false)),
        Change::RevokeForeign { group, shape, .. } => Some(Batch::Revoke(group, shape.direction, true)),
        Change::CreateAclEntry { acl, .. } => Some(Batch::Entries(acl, true)),
        Change::DeleteAclEntry { acl, .. } => Some(Batch::Entries(acl, false)),
        Change::CreateRoute { table, .. } => Some(Batch::Routes(table, true)),
        Change::DeleteRoute { table, .. } => Some(Batch::Routes(table, false)),
        _ => None,
    }
}

struct Run<'a> {
    store: &'a Store,
    owner: &'a Owner,
    unheard: &'a Unheard,
    named: Option<&'a BTreeSet<&'a str>>,
    tags: Tags,
    /// Groups that this run made, by key.
    created: BTreeMap<Key, SecurityGroupId>,
    /// Rules that were revoked ahead of their turn.
    made_room: BTreeSet<SecurityGroupRuleId>,
    outcome: Outcome,
}

impl Run<'_> {
    async fn step(&mut self, now: &[Change], later: &[Change]) {
        let result = match &now[0] {
            Change::CreateRule { group, shape, .. } => match self.group(group) {
                Some(id) => self.authorize(&id, shape.direction, now, later).await,
                None => return self.outcome.skipped.extend_from_slice(now),
            },
            Change::ModifyRule { group, .. } => self.modify_rules(group, now).await,
            Change::CreateAclEntry { acl, .. } => return self.make_recorded(acl.as_str(), now).await,
            Change::CreateRoute { table, .. } => return self.make_recorded(table.as_str(), now).await,
            Change::DeleteAclEntry { acl, .. } => return self.delete_recorded(acl.as_str(), now).await,
            Change::DeleteRoute { table, .. } => return self.delete_recorded(table.as_str(), now).await,
            Change::RevokeRule { group, shape, .. } => {
                let rest = self.not_gone(now);
                // What was to take its place is not there: a way that is needed would be closed.
                if self.is_short(group, shape.direction) {
                    return self.outcome.skipped.extend(rest);
                }
                let result = self.store.revoke(group, shape.direction, &rule_ids(&rest)).await;
                return self.note(&rest, result);
            }
            Change::RevokeForeign { group, shape, .. } => {
                // Another's may keep a way open that ours could not open yet.
                let (awaited, rest): (Vec<Change>, Vec<Change>) = self.not_gone(now).into_iter().partition(|c| self.is_awaited(c));
                self.outcome.skipped.extend(awaited);
                let result = self.store.revoke(group, shape.direction, &rule_ids(&rest)).await;
                return self.note(&rest, result);
            }
            one => match self.single(one).await {
                Some(result) => result,
                None => return self.outcome.skipped.extend_from_slice(now),
            },
        };
        self.note(now, result);
    }

    fn note(&mut self, now: &[Change], result: Result<(), AwsError>) {
        match result {
            Ok(()) => self.outcome.done.extend_from_slice(now),
            Err(error) => self.outcome.failed.extend(now.iter().map(|c| (c.clone(), error.clone()))),
        }
    }

    /// Rules to revoke but for those that went ahead of their turn: these are done.
    fn not_gone(&mut self, now: &[Change]) -> Vec<Change> {
        let is_gone = |c: &Change| rule_ids(std::slice::from_ref(c)).iter().all(|id| self.made_room.contains(id));
        let (gone, rest): (Vec<Change>, Vec<Change>) = now.iter().cloned().partition(is_gone);
        self.outcome.done.extend(gone);
        rest
    }

    /// Whether a rule could not be made in this group and direction, or be put right.
    fn is_short(&self, group: &SecurityGroupId, direction: Direction) -> bool {
        let concerns = |change: &Change| change.rule_made().is_some_and(|(id, shape)| id == group && shape.direction == direction);
        self.outcome.failed.iter().map(|(change, _)| change).chain(&self.outcome.skipped).any(concerns)
    }

    /// Whether a rule of ours that lets some of the same packets pass as this foreign one could not be made or put right, and may be soon.
    /// Where AWS refuses it for good, a rule that nobody wants does not stay for that.
    fn is_awaited(&self, foreign: &Change) -> bool {
        let Some((group, shape)) = foreign.rule_revoked() else { return false };
        let mut late = self.outcome.failed.iter().filter(|(_, error)| error.kind.is_transient() && error.kind != AwsErrorKind::Other);
        late.any(|(change, _)| change.rule_made().is_some_and(|(id, ours)| id == group && ours.may_overlap(shape)))
    }

    /// None: a change that this one needs has failed.
    async fn single(&mut self, change: &Change) -> Option<Result<(), AwsError>> {
        Some(match change {
            Change::CreateGroup { key, vpc, name, description } => {
                match self.store.create_group(vpc, name, description, &self.tags).await {
                    Ok(group) => {
                        self.created.insert(key.clone(), group.id);
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            Change::CreateEndpoint { key, fields, token: planned } => {
                let groups = self.groups(&fields.groups)?;
                let mut new = NewEndpoint {
                    vpc: fields.vpc.clone(),
                    service_name: fields.service_name.clone(),
                    kind: fields.endpoint_type,
                    route_tables: fields.route_tables.clone(),
                    subnets: fields.subnets.clone(),
                    groups,
                    private_dns: fields.private_dns,
                    policy: fields.policy.clone(),
                    ip_address_type: fields.ip_address_type,
                    tags: self.tags.clone(),
                    client_token: planned.clone(),
                };
                self.create_endpoint(&key.to_string(), planned, &mut new).await
            }
            Change::ModifyEndpoint { id, changes, .. } => {
                let diff = self.diff(changes)?;
                self.store.modify_endpoint(id, &diff).await
            }
            Change::ReplaceAclEntry { acl, from, to, .. } => self.store.replace_acl_entry(acl, from.number, to).await,
            Change::ReplaceRoute { table, destination, to, .. } => self.store.replace_route(table, destination, to).await,
            Change::Tag { id, tags, .. } => self.store.tag(std::slice::from_ref(id), tags).await,
            Change::Untag { id, keys, .. } => self.store.untag(std::slice::from_ref(id), keys).await,
            Change::DeleteEndpoint { id, .. } => self.store.delete_endpoint(id).await,
            Change::DeleteGroup { id, .. } => self.store.delete_group(id).await,
            Change::CreateRule { .. }
            | Change::ModifyRule { .. }
            | Change::RevokeRule { .. }
            | Change::RevokeForeign { .. }
            | Change::CreateAclEntry { .. }
            | Change::DeleteAclEntry { .. }
            | Change::CreateRoute { .. }
            | Change::DeleteRoute { .. } => Ok(()),
        })
    }

    /// Entries of one ACL, or routes of one table: first the tags that record them, all in one call, then each by itself.
    async fn make_recorded(&mut self, id: &str, now: &[Change]) {
        let new = now.iter().filter_map(record_tag).filter(|(_, new)| *new);
        let tags: Tags = new.map(|(key, _)| (key, self.owner.to_string())).collect();
        if let Err(error) = self.store.tag(&[id.to_owned()], &tags).await {
            return self.outcome.failed.extend(now.iter().map(|c| (c.clone(), error.clone())));
        }
        for change in now {
            let result = match change {
                Change::CreateAclEntry { acl, number, shape, .. } => self.store.create_acl_entry(acl, *number, shape).await,
                Change::CreateRoute { table, destination, target, .. } => self.store.create_route(table, destination, target).await,
                _ => Ok(()),
            };
            match (result, record_tag(change)) {
                (Ok(()), _) => self.outcome.done.push(change.clone()),
                (Err(error), tag) => {
                    // Somebody else was faster: theirs must not be recorded as ours.
                    if let (AwsErrorKind::Duplicate, Some((key, true))) = (error.kind, tag)
                        && let Err(error) = self.store.untag(&[id.to_owned()], &[key]).await
                    {
                        tracing::warn!(%error, "a tag that records what somebody else made could not be taken off again");
                    }
                    self.outcome.failed.push((change.clone(), error));
                }
            }
        }
    }

    /// Entries of one ACL, or routes of one table: each by itself, then the tags of those that are gone, all in one call.
    async fn delete_recorded(&mut self, id: &str, now: &[Change]) {
        let (mut gone, mut keys) = (Vec::new(), Vec::new());
        for change in now {
            let result = match change {
                Change::DeleteAclEntry { acl, entry, .. } => self.store.delete_acl_entry(acl, entry.direction, entry.number).await,
                Change::DeleteRoute { table, destination, .. } => self.store.delete_route(table, destination).await,
                _ => Ok(()),
            };
            match result {
                Ok(()) => {
                    keys.extend(record_tag(change).map(|(key, _)| key));
                    gone.push(change.clone());
                }
                Err(error) => self.outcome.failed.push((change.clone(), error)),
            }
        }
        match self.store.untag(&[id.to_owned()], &keys).await {
            Ok(()) => self.outcome.done.extend(gone),
            Err(error) => self.outcome.failed.extend(gone.into_iter().map(|c| (c, error.clone()))),
        }
    }

    /// The token is the plan's, and the groups': a repetition after a lost answer or a crash is the same request, while a
    /// group that was made anew means another life. A token that was spent in an earlier life, by an endpoint that is gone
    /// or by another request, makes way for the next of a fixed row: whoever repeats this walks the same row. What another request may
    /// have made is waited for.
    async fn create_endpoint(&self, key: &str, plan: &str, new: &mut NewEndpoint) -> Result<(), AwsError> {
        const LIVES: usize = 4;
        let groups = new.groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let resource = format!("{} in {}", new.service_name, new.vpc);
        let spent = "AWS took other requests with every token that this one may have";
        let mut result = Err(AwsError::new(AwsErrorKind::Transient, "ec2", "CreateVpcEndpoint", resource, spent));
        for life in 0..LIVES {
            new.client_token = token(&[plan, &groups, &life.to_string()]);
            let client_token = new.client_token.clone();
            let asked = Asked { key, plan, token: &client_token };
            if self.unheard.is_spent(asked) {
                continue;
            }
            let is_named = self.named.is_none_or(|named| named.contains(plan));
            if let Some(wait) = if is_named { self.unheard.bars(asked) } else { Some(LOOK) } {
                return self.made_by_another(new).await.unwrap_or_else(|| Err(not_heard(new, wait)));
            }
            let answer = self.store.create_endpoint(new).await;
            let said = |made: &VpcEndpoint| if made.is_going() { Answer::Going } else { Answer::Made };
            self.unheard.answered(asked, answer.as_ref().map(said).map_err(|error| error.kind));
            result = match answer {
                Ok(made) if made.is_going() => {
                    let text = format!("AWS answered with {}, which is {}", made.id, made.state);
                    Err(AwsError::new(AwsErrorKind::Transient, "ec2", "CreateVpcEndpoint", new.service_name.as_str(), text))
                }
                Err(error) if error.kind == AwsErrorKind::IdempotentMismatch => Err(error),
                other => return other.map(drop),
            };
        }
        result
    }

    /// Another request was taken: perhaps for one that is there.
    async fn made_by_another(&self, new: &NewEndpoint) -> Option<Result<(), AwsError>> {
        let need = BTreeSet::from([Need::EndpointsOf(new.vpc.clone())]);
        self.store.ensure(&need, Some(Instant::now())).await;
        let ours = |e: &VpcEndpoint| !e.is_going() && matches!(Ownership::of(&e.tags, self.owner), Ownership::Ours | Ownership::Shared);
        self.store.with(|p| p.endpoints_for(&new.vpc, &new.service_name).any(|e| ours(e))).then_some(Ok(()))
    }

    /// At the quota of rules per group, and only there, what is to go makes room first (design.md 2, Order).
    async fn authorize(&mut self, group: &SecurityGroupId, direction: Direction, now: &[Change], later: &[Change]) -> Result<(), AwsError> {
        let rules: Vec<NewRule> = now
            .iter()
            .filter_map(|c| match c {
                Change::CreateRule { shape, description, .. } => Some(NewRule { shape: shape.clone(), description: description.clone() }),
                _ => None,
            })
            .collect();
        match self.store.authorize(group, direction, &rules, &self.tags).await {
            Err(error) if error.kind == AwsErrorKind::Quota => self.authorize_in_room(group, direction, &rules, later, error).await,
            // Several rules in one call are refused together where one of them is there already.
            Err(error) if error.kind == AwsErrorKind::Duplicate && rules.len() > 1 => {
                for rule in &rules {
                    match self.store.authorize(group, direction, std::slice::from_ref(rule), &self.tags).await {
                        Err(error) if error.kind != AwsErrorKind::Duplicate => return Err(error),
                        _ => {}
                    }
                }
                Ok(())
            }
            Err(error) if error.kind == AwsErrorKind::Duplicate => Ok(()),
            other => other.map(drop),
        }
    }

    /// Our own rules make room first, and only if that is not enough those of others.
    async fn authorize_in_room(
        &mut self,
        group: &SecurityGroupId,
        direction: Direction,
        rules: &[NewRule],
        later: &[Change],
        full: AwsError,
    ) -> Result<(), AwsError> {
        let here = |c: &&Change| c.rule_revoked().is_some_and(|(g, shape)| g == group && shape.direction == direction);
        let (foreign, own): (Vec<Change>, Vec<Change>) =
            later.iter().filter(here).cloned().partition(|c| matches!(c, Change::RevokeForeign { .. }));
        let mut result = Err(full);
        for room in [own, foreign].iter().map(|changes| rule_ids(changes)).filter(|room| !room.is_empty()) {
            self.store.revoke(group, direction, &room).await?;
            self.made_room.extend(room);
            result = self.store.authorize(group, direction, rules, &self.tags).await.map(drop);
            if !matches!(&result, Err(error) if error.kind == AwsErrorKind::Quota) {
                break;
            }
        }
        result
    }

    async fn modify_rules(&self, group: &SecurityGroupId, now: &[Change]) -> Result<(), AwsError> {
        let rules: Vec<_> = now
            .iter()
            .filter_map(|c| match c {
                Change::ModifyRule { id, to, description, .. } => {
                    Some(RuleEdit { id: id.clone(), shape: to.clone(), description: Some(description.clone()) })
                }
                _ => None,
            })
            .collect();
        self.store.modify_rules(group, &rules).await
    }

    fn group(&self, target: &GroupTarget) -> Option<SecurityGroupId> {
        match target {
            GroupTarget::Existing(id) => Some(id.clone()),
            GroupTarget::Created(key) => self.created.get(key).cloned(),
        }
    }

    fn groups(&self, targets: &[GroupTarget]) -> Option<Vec<SecurityGroupId>> {
        targets.iter().map(|t| self.group(t)).collect()
    }

    fn diff(&self, changes: &EndpointChanges) -> Option<EndpointDiff> {
        Some(EndpointDiff {
            add_subnets: changes.add_subnets.clone(),
            remove_subnets: changes.remove_subnets.clone(),
            add_route_tables: changes.add_route_tables.clone(),
            remove_route_tables: changes.remove_route_tables.clone(),
            add_groups: self.groups(&changes.add_groups)?,
            remove_groups: changes.remove_groups.clone(),
            policy: changes.policy.clone(),
            private_dns: changes.private_dns,
            ip_address_type: changes.ip_address_type,
        })
    }
}

/// The refusal to make an endpoint while another request may have made one.
fn not_heard(new: &NewEndpoint, wait: Duration) -> AwsError {
    let resource = format!("{} in {}", new.service_name, new.vpc);
    let text = "AWS did not answer an earlier request, and what that has made may still appear";
    AwsError::new(AwsErrorKind::NoTurn(wait), "ec2", "CreateVpcEndpoint", resource, text)
}

/// Key of the tag that records an entry or a route, and whether it is to be written.
fn record_tag(change: &Change) -> Option<(String, bool)> {
    Some(match change {
        Change::CreateAclEntry { number, shape, record, .. } => (record::entry_tag(shape.direction, *number), *record),
        Change::DeleteAclEntry { entry, .. } => (record::entry_tag(entry.direction, entry.number), false),
        Change::CreateRoute { destination, record, .. } => (record::route_tag(destination), *record),
        Change::DeleteRoute { destination, .. } => (record::route_tag(destination), false),
        _ => return None,
    })
}

fn rule_ids(changes: &[Change]) -> Vec<SecurityGroupRuleId> {
    changes
        .iter()
        .filter_map(|c| match c {
            Change::RevokeRule { id, .. } | Change::RevokeForeign { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect()
}
