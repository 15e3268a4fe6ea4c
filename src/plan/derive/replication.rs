//! Where the replication lives, and which of its groups carries our rules.

use std::net::IpAddr;

use super::Deriver;
use crate::{
    api::{
        conditions::Reason,
        network::{Placement, Replication as Spec},
        status::ReplicationStatus,
    },
    model::{SecurityGroupId, SubnetId, VpcId},
    plan::change::join,
};

/// The DMS side of every path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Its VPC.
    pub vpc: VpcId,
    /// Every subnet that it may live in.
    pub subnets: Vec<SubnetId>,
    /// The group that carries our rules.
    pub group: SecurityGroupId,
    /// Its private addresses; none before it exists.
    pub private_ips: Vec<IpAddr>,
}

impl Deriver<'_, '_> {
    /// Resolves the replication; none where its place is not known.
    pub(super) fn replication(&mut self, spec: &Spec) -> Option<Replication> {
        match (&spec.instance, &spec.placement) {
            (Some(name), None) => self.instance(name, spec.security_group_id.as_deref()),
            (None, Some(placement)) => self.placement(placement, spec.security_group_id.as_deref()),
            _ => {
                self.problem(Reason::InvalidSpec, "spec.replication", "set exactly one of instance and placement");
                None
            }
        }
    }

    fn instance(&mut self, name: &str, chosen: Option<&str>) -> Option<Replication> {
        let resource = "spec.replication.instance";
        let answer = self.facts.instance(name);
        let instance = self.found(answer, resource, &format!("DMS replication instance {name:?}"))?;
        self.out.replication = Some(ReplicationStatus {
            vpc_id: Some(instance.vpc.to_string()),
            subnet_ids: instance.subnets.iter().map(ToString::to_string).collect(),
            security_group_ids: instance.groups.iter().map(ToString::to_string).collect(),
            private_ips: instance.private_ips.iter().map(ToString::to_string).collect(),
            public_ips: instance.public_ips.iter().map(ToString::to_string).collect(),
            status: Some(instance.status.clone()),
        });
        if matches!(instance.status.as_str(), "deleting" | "deleted") {
            self.problem(
                Reason::ReferenceNotFound,
                resource,
                format!("DMS replication instance {name:?} is {}: name another, or delete this network", instance.status),
            );
            return None;
        }
        if instance.subnets.is_empty() {
            self.problem(
                Reason::ReferenceNotFound,
                resource,
                format!("DMS replication instance {name:?} ({}) shows no subnet group yet", instance.status),
            );
            return None;
        }
        let group = self.choose("spec.replication.securityGroupId", &format!("replication instance {name:?}"), &instance.groups, chosen)?;
        self.known_group(&group, &instance.vpc, "spec.replication.securityGroupId")?;
        Some(Replication { vpc: instance.vpc.clone(), subnets: instance.subnets.clone(), group, private_ips: instance.private_ips.clone() })
    }

    fn placement(&mut self, placement: &Placement, chosen: Option<&str>) -> Option<Replication> {
        let mut vpc: Option<VpcId> = None;
        let mut complete = true;
        for id in &placement.subnet_ids {
            let answer = self.facts.subnet(&id.into(), vpc.as_ref());
            let Some(subnet) = self.found(answer, "spec.replication.placement.subnetIds", &format!("subnet {id}")) else {
                complete = false;
                continue;
            };
            match &vpc {
                None => vpc = Some(subnet.vpc.clone()),
                Some(first) if *first != subnet.vpc => {
                    let message = format!("subnet {id} is in {}, the others are in {first}: a replication lives in one VPC", subnet.vpc);
                    self.problem(Reason::InvalidSpec, "spec.replication.placement.subnetIds", message);
                    complete = false;
                }
                Some(_) => {}
            }
        }
        let groups: Vec<SecurityGroupId> = placement.security_group_ids.iter().map(Into::into).collect();
        self.out.replication = Some(ReplicationStatus {
            vpc_id: vpc.as_ref().map(ToString::to_string),
            subnet_ids: placement.subnet_ids.clone(),
            security_group_ids: placement.security_group_ids.clone(),
            ..ReplicationStatus::default()
        });
        if !complete {
            return None;
        }
        let Some(vpc) = vpc else {
            self.problem(Reason::InvalidSpec, "spec.replication.placement.subnetIds", "name at least one subnet");
            return None;
        };
        let group = self.choose("spec.replication.securityGroupId", "spec.replication.placement", &groups, chosen)?;
        self.known_group(&group, &vpc, "spec.replication.placement.securityGroupIds")?;
        let subnets = placement.subnet_ids.iter().map(Into::into).collect();
        Some(Replication { vpc, subnets, group, private_ips: Vec::new() })
    }

    /// The one group of `of`, or the chosen one among several.
    pub(super) fn choose(&mut self, field: &str, of: &str, groups: &[SecurityGroupId], chosen: Option<&str>) -> Option<SecurityGroupId> {
        match (groups, chosen) {
            (_, Some(id)) => match groups.iter().find(|g| g.as_str() == id) {
                Some(group) => Some(group.clone()),
                None => {
                    self.problem(Reason::InvalidSpec, field, format!("{id} is not a security group of {of}, which has {}", join(groups)));
                    None
                }
            },
            ([one], None) => Some(one.clone()),
            ([], None) => {
                self.problem(Reason::ReferenceNotFound, field, format!("{of} has no security group"));
                None
            }
            (several, None) => {
                let message =
                    format!("{of} has several security groups ({}): say in {field} which of them carries our rules", join(several));
                self.problem(Reason::AmbiguousSecurityGroup, field, message);
                None
            }
        }
    }

    /// Checks that a group exists and lies in `vpc`.
    pub(super) fn known_group(&mut self, id: &SecurityGroupId, vpc: &VpcId, resource: &str) -> Option<()> {
        let answer = self.facts.group(id, Some(vpc));
        let group = self.found(answer, resource, &format!("security group {id}"))?;
        if group.vpc != *vpc {
            let message = format!("security group {id} is in {}, but it is needed in {vpc}: name a group of that VPC", group.vpc);
            self.problem(Reason::InvalidSpec, resource, message);
            return None;
        }
        // The group's rules are compared in every pass.
        self.facts.rules(id);
        Some(())
    }
}
