//! The group that we make for an endpoint.

use super::Compare;
use crate::{
    api::conditions::Reason,
    model::{SecurityGroup, VpcEndpoint, tags::is_managed},
    plan::{
        change::{Change, GroupTarget},
        drift::DriftKind,
        key::{EndpointKey, Key},
        wanted::group_name,
    },
};

impl Compare<'_, '_> {
    /// Finds or plans the group of an endpoint. None where a stranger's group is in the way.
    pub(super) fn own_group(&mut self, endpoint: &EndpointKey, existing: Option<&VpcEndpoint>) -> Option<GroupTarget> {
        let key = Key::Group(endpoint.clone());
        let name = group_name(self.input.owner, endpoint);
        let want = format!("in {}", endpoint.vpc);
        let Some(group) = self.find_group(&key, endpoint, &name, existing) else {
            let entry = self.ledger.get(&key).copied();
            if entry.is_some_and(|e| e.id.is_some() && e.want.is_some()) {
                let id = entry.and_then(|e| e.id.clone()).unwrap_or_default();
                self.drift(&key, DriftKind::GroupMissing, format!("{name} ({id})"), "no such group");
            }
            self.keep_or_intend(&key);
            let description = format!("dmsnet: callers of the {} endpoint", endpoint.service);
            self.change(Change::CreateGroup { key: key.clone(), vpc: endpoint.vpc.clone(), name, description });
            return Some(GroupTarget::Created(key));
        };
        match self.take(&key, group.id.as_str(), &group.tags) {
            Some(made) => {
                self.facts.rules(&group.id);
                self.hold(&key, group.id.as_str(), Some(want), made);
                Some(GroupTarget::Existing(group.id.clone()))
            }
            None => {
                let message = format!(
                    "a security group named {name} exists in {} ({}) and carries no tag of dmsnet: rename or delete it",
                    endpoint.vpc, group.id
                );
                self.problem(Reason::Conflict, &key, message);
                None
            }
        }
    }

    fn find_group<'t>(&self, key: &Key, endpoint: &EndpointKey, name: &str, existing: Option<&VpcEndpoint>) -> Option<&'t SecurityGroup>
    where
        Self: 't,
    {
        let groups = self.facts.groups_of(&endpoint.vpc);
        let by_ledger = || {
            let id = self.ledger.get(key)?.id.as_deref()?;
            groups.iter().find(|g| g.id.as_str() == id).copied()
        };
        // An endpoint of another cluster, or one that was left behind, comes with its own group.
        let by_endpoint = || {
            let on = existing?.groups.iter();
            on.filter_map(|id| groups.iter().find(|g| g.id == *id)).find(|g| is_managed(&g.tags)).copied()
        };
        let by_name = || groups.iter().find(|g| g.name == name).copied();
        by_ledger().or_else(by_endpoint).or_else(by_name)
    }
}
