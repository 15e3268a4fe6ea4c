//! One network's share of an endpoint against the endpoint that is there.

use std::collections::BTreeSet;

use super::Compare;
use crate::{
    api::{
        conditions::Reason,
        names::TAG_TAKEN_OVER,
        network::{IpAddressType, VpcEndpointType},
        status::VpcEndpointStatus,
    },
    model::{Lookup, Need, Ownership, Policy, RouteTableId, SecurityGroupId, Tags, VpcEndpoint},
    plan::{
        change::{Change, EndpointChanges, EndpointFields, GroupTarget, ip_text, join},
        drift::DriftKind,
        key::{EndpointRef, GroupRef, Key},
        sharing::{Union, left_out, unite},
        wanted::{Share, token},
    },
};

/// How far an endpoint is ours to change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// We made it, or adopt it.
    Made,
    /// Another cluster made it: we use it, and change only our rules on its group.
    OfOtherOwner,
    /// Taken over by ID.
    TakenOver,
}

impl Compare<'_, '_> {
    pub(super) fn endpoint(&mut self, share: &Share) {
        let key = Key::Endpoint(share.endpoint.clone());
        let applied = self.ledger.get(&key).and_then(|e| e.want.as_deref());
        let union = unite(self.input.uid, self.input.created, self.input.label, share, applied, self.input.claims);
        let existing = self.find_endpoint(&key, share);
        self.endpoint_status(share, existing);
        let groups = self.endpoint_groups(share, &union, existing);
        if let Some(disagreement) = union.disagreement.clone() {
            self.problem(Reason::Conflict, &key, disagreement);
            if self.ledger.contains_key(&key) {
                self.keep_or_intend(&key);
            }
            return;
        }
        let Some(groups) = groups else {
            self.keep_or_intend(&key);
            return;
        };
        match existing {
            None => {
                self.plan.unmet = true;
                self.create_endpoint(&key, share, &union, groups);
            }
            Some(going) if going.is_going() => {
                self.plan.unmet = true;
                self.missing(&key, share, &union, format!("{} is {}", going.id, going.state));
                self.keep_or_intend(&key);
                self.plan
                    .waiting
                    .push(format!("{} ({}) is {}: it is made anew once it is gone", going.id, share.service_name, going.state));
            }
            Some(found) => self.endpoint_found(&key, share, &union, groups, found),
        }
    }

    /// The groups that the endpoint is to have; also notes which of our rules have no room. None: a group cannot be had.
    fn endpoint_groups(&mut self, share: &Share, union: &Union, existing: Option<&VpcEndpoint>) -> Option<Vec<GroupTarget>> {
        let EndpointRef::Made(endpoint) = &share.endpoint else {
            return Some(union.groups.iter().cloned().map(GroupTarget::Existing).collect());
        };
        if !share.groups.is_empty() {
            return Some(union.groups.iter().cloned().map(GroupTarget::Existing).collect());
        }
        if endpoint.kind == VpcEndpointType::Gateway {
            return Some(vec![]);
        }
        // With a lead that names groups, ours would hang on nothing.
        let target = if union.groups.is_empty() { self.own_group(endpoint, existing.filter(|e| !e.is_going())) } else { None };
        let key = Key::Group(endpoint.clone());
        if target.is_none() && self.ledger.contains_key(&key) {
            // Not what the lead wants, and still ours to remove one day.
            self.keep_or_intend(&key);
        }
        self.groups.insert(endpoint.clone(), target.clone());
        let group = GroupRef::OfEndpoint(endpoint.clone());
        let mine = self.shapes_on(&group);
        let out = left_out(self.input.uid, self.input.created, &mine, share, &group, self.input.claims, self.facts);
        self.left_out.extend(out.into_iter().map(|s| Key::Rule(group.clone(), s)));
        Some(vec![target?])
    }

    /// By the ledger's ID, else by our tag, else another owner's, else one that was left behind and is exactly what we want.
    fn find_endpoint<'t>(&self, key: &Key, share: &Share) -> Option<&'t VpcEndpoint>
    where
        Self: 't,
    {
        if let EndpointRef::TakenOver(id) = &share.endpoint {
            return match self.facts.endpoint(id, Some(&share.vpc)) {
                Lookup::Found(e) => Some(e),
                _ => None,
            };
        }
        let mut all = self.facts.endpoints(&share.vpc, &share.service_name);
        all.retain(|e| e.is_of(share.kind));
        let entry = self.ledger.get(key).copied();
        let by_id = all.iter().find(|e| entry.is_some_and(|l| l.id.as_deref() == Some(e.id.as_str())));
        let standing = |wanted: Ownership| all.iter().find(|e| !e.is_going() && Ownership::of(&e.tags, self.input.owner) == wanted);
        let live = by_id.filter(|e| !e.is_going());
        live.or_else(|| standing(Ownership::Ours))
            .or_else(|| standing(Ownership::Shared))
            .or_else(|| standing(Ownership::OtherOwner))
            .or_else(|| standing(Ownership::Released).filter(|e| is_exactly(e, share)))
            .or(by_id.filter(|e| e.state != crate::model::EndpointState::Deleted))
            .copied()
    }

    fn endpoint_found(&mut self, key: &Key, share: &Share, union: &Union, groups: Vec<GroupTarget>, found: &VpcEndpoint) {
        let standing = match (&share.endpoint, self.take_endpoint(key, found)) {
            (EndpointRef::TakenOver(_), _) => Standing::TakenOver,
            (_, Some(true)) => Standing::Made,
            (_, Some(false)) => Standing::OfOtherOwner,
            // By the ledger's ID, but never made by us: leave it alone.
            (_, None) => Standing::OfOtherOwner,
        };
        let mut changes = self.difference(union, &groups, found);
        if share.kind == VpcEndpointType::Gateway || standing == Standing::TakenOver && union.groups.is_empty() {
            (changes.add_groups, changes.remove_groups) = (vec![], vec![]);
        }
        if standing == Standing::OfOtherOwner {
            // Its groups and subnets are its owner's business.
            (changes.add_groups, changes.remove_groups, changes.remove_subnets) = (vec![], vec![], vec![]);
            changes.remove_route_tables.clear();
            if !changes.is_empty() {
                let message = format!(
                    "{} for {} belongs to another owner and differs in {}: agree with it there, or use an endpoint of another VPC",
                    found.id,
                    share.service_name,
                    changes.fields().join(", ")
                );
                self.problem(Reason::Conflict, key, message);
            }
            return self.hold(key, found.id.as_str(), Some(share.text()), false);
        }
        let made = standing == Standing::Made;
        if union.keep_subnets {
            changes.remove_subnets.clear();
        }
        if union.keep_route_tables {
            changes.remove_route_tables.clear();
        }
        let taken = self.taken_tables(key, share, &changes.add_route_tables);
        changes.add_route_tables.retain(|t| !taken.contains(t));
        if let Some(unplanned) = self.input.claims.oldest_unplanned(self.input.uid, &share.endpoint) {
            // Its subnets are among those that nobody seems to want; and if it would lead, all else is its to say.
            changes.remove_subnets.clear();
            changes.remove_route_tables.clear();
            if unplanned < union.seniority {
                let EndpointChanges { add_subnets, add_route_tables, .. } = changes;
                changes = EndpointChanges { add_subnets, add_route_tables, ..EndpointChanges::default() };
            }
        }
        if !changes.is_empty() && !self.input.all_tried {
            self.plan.unmet = true;
            self.plan.waiting.push(format!("{} is compared once every network that may share it was looked at", found.id));
            return self.keep_or_intend(key);
        }
        if changes.is_empty() {
            return self.hold(key, found.id.as_str(), Some(share.text()), made);
        }
        if changes.private_dns == Some(true) && !self.private_dns_possible(key, share, Some(found)) {
            changes.private_dns = None;
        }
        let previous = self.ledger.get(key).and_then(|e| e.want.clone());
        if union.settled {
            self.endpoint_drift(key, union, &groups, found, &changes);
        }
        self.hold(key, found.id.as_str(), previous, made);
        if !changes.is_empty() {
            let (from, to) = changes.texts(found);
            self.change(Change::ModifyEndpoint { key: key.clone(), id: found.id.clone(), changes, from, to });
        }
    }

    /// Tags of an endpoint that is ours, or is taken over.
    fn take_endpoint(&mut self, key: &Key, found: &VpcEndpoint) -> Option<bool> {
        if matches!(key, Key::Endpoint(EndpointRef::TakenOver(_))) {
            if !found.tags.contains_key(TAG_TAKEN_OVER) {
                let tags = Tags::from([(TAG_TAKEN_OVER.to_owned(), self.input.owner.to_string())]);
                self.change(Change::Tag { key: key.clone(), id: found.id.to_string(), tags });
            }
            return Some(false);
        }
        self.take(key, found.id.as_str(), &found.tags)
    }

    fn difference(&self, union: &Union, groups: &[GroupTarget], found: &VpcEndpoint) -> EndpointChanges {
        let mut changes = EndpointChanges::default();
        if let Some(wanted) = &union.subnets {
            let actual: BTreeSet<_> = found.subnets.iter().cloned().collect();
            changes.add_subnets = wanted.difference(&actual).cloned().collect();
            changes.remove_subnets = actual.difference(wanted).cloned().collect();
        }
        if let Some(wanted) = &union.route_tables {
            let actual: BTreeSet<_> = found.route_tables.iter().cloned().collect();
            changes.add_route_tables = wanted.difference(&actual).cloned().collect();
            changes.remove_route_tables = actual.difference(wanted).cloned().collect();
        }
        changes.add_groups =
            groups.iter().filter(|g| !matches!(g, GroupTarget::Existing(id) if found.groups.contains(id))).cloned().collect();
        let wanted = |id: &SecurityGroupId| groups.iter().any(|g| matches!(g, GroupTarget::Existing(w) if w == id));
        changes.remove_groups = found.groups.iter().filter(|id| !wanted(id)).cloned().collect();
        changes.policy = union.policy.clone().filter(|p| *p != found.policy);
        changes.private_dns = union.private_dns.filter(|p| *p != found.private_dns);
        changes.ip_address_type = union.ip_address_type.filter(|t| *t != found.ip_address_type);
        changes
    }

    fn endpoint_drift(&mut self, key: &Key, union: &Union, groups: &[GroupTarget], found: &VpcEndpoint, changes: &EndpointChanges) {
        if !changes.add_subnets.is_empty() || !changes.remove_subnets.is_empty() {
            let wanted = union.subnets.iter().flatten();
            self.drift(key, DriftKind::EndpointSubnets, join(wanted), join(&found.subnets));
        }
        if !changes.add_route_tables.is_empty() || !changes.remove_route_tables.is_empty() {
            let wanted = union.route_tables.iter().flatten();
            self.drift(key, DriftKind::EndpointRouteTables, join(wanted), join(&found.route_tables));
        }
        // A group of ours that is gone is a drift of its own.
        let made_anew = groups.iter().any(|g| matches!(g, GroupTarget::Created(_)));
        if !made_anew && (!changes.add_groups.is_empty() || !changes.remove_groups.is_empty()) {
            let wanted: Vec<_> = groups.iter().filter_map(|g| if let GroupTarget::Existing(id) = g { Some(id) } else { None }).collect();
            self.drift(key, DriftKind::EndpointGroups, join(wanted), join(&found.groups));
        }
        if let Some(policy) = &changes.policy {
            self.drift(key, DriftKind::EndpointPolicy, policy.summary(), found.policy.summary());
        }
        if let Some(private_dns) = changes.private_dns {
            self.drift(
                key,
                DriftKind::EndpointPrivateDns,
                format!("privateDns {private_dns}"),
                format!("privateDns {}", found.private_dns),
            );
        }
        if let Some(t) = changes.ip_address_type {
            self.drift(key, DriftKind::EndpointIpAddressType, ip_text(t), ip_text(found.ip_address_type));
        }
    }

    fn missing(&mut self, key: &Key, share: &Share, union: &Union, found: String) {
        let entry = self.ledger.get(key).copied();
        if entry.is_some_and(|e| e.id.is_some()) && union.settled {
            self.drift(key, DriftKind::EndpointMissing, format!("endpoint for {}", share.service_name), found);
        }
    }

    fn create_endpoint(&mut self, key: &Key, share: &Share, union: &Union, groups: Vec<GroupTarget>) {
        let last_id = self.ledger.get(key).and_then(|e| e.id.clone()).unwrap_or_default();
        self.missing(key, share, union, "no such endpoint".to_owned());
        self.keep_or_intend(key);
        let private_dns = union.private_dns.unwrap_or(false);
        if matches!(share.endpoint, EndpointRef::TakenOver(_)) || (private_dns && !self.private_dns_possible(key, share, None)) {
            return;
        }
        let route_tables: Vec<_> = union.route_tables.iter().flatten().cloned().collect();
        if !self.taken_tables(key, share, &route_tables).is_empty() {
            return;
        }
        let fields = EndpointFields {
            vpc: share.vpc.clone(),
            service_name: share.service_name.to_string(),
            endpoint_type: share.kind,
            route_tables,
            subnets: union.subnets.iter().flatten().cloned().collect(),
            groups,
            private_dns,
            policy: union.policy.clone().unwrap_or_else(Policy::full_access),
            ip_address_type: union.ip_address_type.unwrap_or(IpAddressType::Ipv4),
        };
        // The group that we make counts by its key: a repetition of a call whose answer was lost finds it made, and must
        // still be the same request.
        let request = match &share.endpoint {
            EndpointRef::Made(endpoint) if share.makes_group() => {
                format!("{:?}", EndpointFields { groups: vec![GroupTarget::Created(Key::Group(endpoint.clone()))], ..fields.clone() })
            }
            _ => format!("{fields:?}"),
        };
        let token = token(&[
            self.input.owner.as_str(),
            share.vpc.as_str(),
            &share.service_name,
            share.kind.into(),
            &request,
            &last_id,
            &union.seniority.1,
        ]);
        self.change(Change::CreateEndpoint { key: key.clone(), fields, token });
    }

    /// Route tables that another gateway endpoint for the service has: AWS lets no two share one (domain.md 2).
    fn taken_tables(&mut self, key: &Key, share: &Share, tables: &[RouteTableId]) -> Vec<RouteTableId> {
        let mut taken = Vec::new();
        let own = self.ledger.get(key).and_then(|e| e.id.clone());
        for other in self.facts.endpoints(&share.vpc, &share.service_name) {
            let common: Vec<_> = other.route_tables.iter().filter(|t| tables.contains(t)).cloned().collect();
            let is_own = own.as_deref() == Some(other.id.as_str()) || Ownership::of(&other.tags, self.input.owner) == Ownership::Ours;
            if common.is_empty() || other.is_going() || is_own || share.endpoint == EndpointRef::TakenOver(other.id.clone()) {
                continue;
            }
            let message = format!(
                "{} serves {} in {} already, and two gateway endpoints for one service cannot share a route table: take it over with \
                 vpcEndpointId, delete it, or leave this entry out, since these tables reach the service already",
                other.id,
                share.service_name,
                join(&common)
            );
            self.problem(Reason::Conflict, key, message);
            taken.extend(common);
        }
        taken
    }

    /// Private DNS needs both VPC DNS attributes, and no other endpoint of the VPC that answers for the name (domain.md 1.7).
    fn private_dns_possible(&mut self, key: &Key, share: &Share, own: Option<&VpcEndpoint>) -> bool {
        let facts = self.facts;
        // Until the VPC's endpoints are read it is not known whether one is made, and nothing is made before.
        if !facts.was_asked(&Need::EndpointsOf(share.vpc.clone())) {
            return true;
        }
        let mut possible = true;
        if let Lookup::Found(dns) = facts.vpc_dns(&share.vpc) {
            let off: Vec<&str> = [("enableDnsSupport", dns.support), ("enableDnsHostnames", dns.hostnames)]
                .into_iter()
                .filter(|(_, on)| !on)
                .map(|(name, _)| name)
                .collect();
            if !off.is_empty() {
                facts.keep_fresh(Need::VpcDns(share.vpc.clone()));
                let message = format!(
                    "private DNS needs {} of {}, which is off: turn it on (aws ec2 modify-vpc-attribute), or set privateDns: false",
                    off.join(" and "),
                    share.vpc
                );
                self.problem(Reason::Failed, key, message);
                possible = false;
            }
        }
        let mut others = facts.endpoints(&share.vpc, &share.service_name).into_iter();
        if let Some(other) = others.find(|e| e.private_dns && !e.is_going() && own.is_none_or(|o| o.id != e.id)) {
            let message = format!(
                "{} in {} already answers for the private DNS name of {}: take it over with vpcEndpointId, delete it, or set privateDns: false",
                other.id, share.vpc, share.service_name
            );
            self.problem(Reason::PrivateDnsConflict, key, message);
            possible = false;
        }
        possible
    }

    fn endpoint_status(&mut self, share: &Share, found: Option<&VpcEndpoint>) {
        let mut status =
            VpcEndpointStatus { name: share.name.to_string(), service: share.service_name.to_string(), ..VpcEndpointStatus::default() };
        if let Some(e) = found {
            status.id = Some(e.id.to_string());
            status.state = Some(e.state.to_string());
            status.url = e.dns_names.first().map(|n| format!("https://{n}"));
            status.dns_names = e.dns_names.clone();
            status.owned = matches!(share.endpoint, EndpointRef::Made(_))
                && matches!(Ownership::of(&e.tags, self.input.owner), Ownership::Ours | Ownership::Released);
        }
        self.plan.vpc_endpoints.push(status);
    }
}

/// Whether an endpoint that was left behind is just what the share asks for.
fn is_exactly(e: &VpcEndpoint, share: &Share) -> bool {
    if share.kind == VpcEndpointType::Gateway {
        return e.route_tables.iter().eq(&share.route_tables) && Some(&e.policy) == share.policy.as_ref();
    }
    e.subnets.iter().collect::<BTreeSet<_>>() == share.subnet_ids().collect()
        && Some(&e.policy) == share.policy.as_ref()
        && Some(e.private_dns) == share.private_dns
        && Some(e.ip_address_type) == share.ip_address_type
        && (share.groups.is_empty() || e.groups.iter().collect::<BTreeSet<_>>() == share.groups.iter().collect())
}
