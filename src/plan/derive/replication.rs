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
    plan::{change::join, view::View},
};

/// How much exists of a replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicationKind {
    /// A replication instance.
    #[default]
    Instance,
    /// DMS Serverless: no public address, and its private ones are not told (domain.md 2).
    Serverless,
    /// Nothing exists yet: subnets and groups are planned.
    Placement,
}

/// The DMS side of every path: the end that opens connections (domain.md 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Its identifier; empty for a placement.
    pub name: String,
    /// How much of it exists.
    pub kind: ReplicationKind,
    /// Its ARN; none for a placement.
    pub arn: Option<String>,
    /// Its VPC.
    pub vpc: VpcId,
    /// Every subnet that it may live in.
    pub subnets: Vec<SubnetId>,
    /// All groups on its interfaces: their rules are united.
    pub groups: Vec<SecurityGroupId>,
    /// The one of them that carries our rules.
    pub group: SecurityGroupId,
    /// Its private addresses, as far as they are known.
    pub private_ips: Vec<IpAddr>,
    /// Its public addresses, as far as they are known.
    pub public_ips: Vec<IpAddr>,
    /// `PubliclyAccessible`; none where nothing exists or DMS does not tell.
    pub publicly_accessible: Option<bool>,
    /// Its own DNS servers instead of the VPC's resolver.
    pub dns_servers: Vec<IpAddr>,
    /// DMS's `EngineVersion` of an instance, such as `3.5.4`.
    pub version: Option<String>,
}

impl Deriver<'_, '_, '_> {
    /// Resolves the replication; none where its place is not known.
    pub(super) fn replication(&mut self, spec: &Spec) -> Option<Replication> {
        let chosen = spec.security_group_id.as_deref();
        match (&spec.instance, &spec.serverless, &spec.placement) {
            (Some(name), None, None) => self.instance(name, chosen),
            (None, Some(name), None) => self.serverless(name, chosen),
            (None, None, Some(placement)) => self.placement(placement, chosen),
            _ => {
                self.invalid("spec.replication", "set exactly one of instance, serverless and placement");
                None
            }
        }
    }

    fn instance(&mut self, name: &str, chosen: Option<&str>) -> Option<Replication> {
        let resource = "spec.replication.instance";
        let answer = self.home.facts.instance(name);
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
        Some(Replication {
            name: instance.identifier.clone(),
            kind: ReplicationKind::Instance,
            arn: Some(instance.arn.clone()),
            vpc: instance.vpc.clone(),
            subnets: instance.subnets.clone(),
            groups: instance.groups.clone(),
            group,
            private_ips: instance.private_ips.clone(),
            public_ips: instance.public_ips.clone(),
            publicly_accessible: instance.publicly_accessible,
            dns_servers: instance.dns_servers.clone(),
            version: instance.engine_version.clone(),
        })
    }

    /// DMS Serverless names its subnet group and groups; its interfaces' addresses are not told (domain.md 2).
    fn serverless(&mut self, name: &str, chosen: Option<&str>) -> Option<Replication> {
        let resource = "spec.replication.serverless";
        let answer = self.home.facts.replication_config(name);
        let config = self.found(answer, resource, &format!("DMS replication config {name:?}"))?;
        let answer = self.home.facts.subnet_group(&config.subnet_group);
        let what = format!("replication subnet group {:?} of DMS replication config {name:?}", config.subnet_group);
        let place = self.found(answer, resource, &what)?;
        self.out.replication = Some(ReplicationStatus {
            vpc_id: Some(place.vpc.to_string()),
            subnet_ids: place.subnets.iter().map(ToString::to_string).collect(),
            security_group_ids: config.groups.iter().map(ToString::to_string).collect(),
            ..ReplicationStatus::default()
        });
        if place.subnets.is_empty() {
            self.problem(Reason::ReferenceNotFound, resource, format!("{what} has no subnets"));
            return None;
        }
        let of = format!("replication config {name:?}");
        let group = self.choose("spec.replication.securityGroupId", &of, &config.groups, chosen)?;
        self.known_group(&group, &place.vpc, "spec.replication.securityGroupId")?;
        Some(Replication {
            name: config.identifier.clone(),
            kind: ReplicationKind::Serverless,
            arn: Some(config.arn.clone()),
            vpc: place.vpc.clone(),
            subnets: place.subnets.clone(),
            groups: config.groups.clone(),
            group,
            private_ips: vec![],
            public_ips: vec![],
            publicly_accessible: Some(false),
            dns_servers: vec![],
            version: None,
        })
    }

    fn placement(&mut self, placement: &Placement, chosen: Option<&str>) -> Option<Replication> {
        let mut vpc: Option<VpcId> = None;
        let mut complete = true;
        for id in &placement.subnet_ids {
            let answer = self.home.facts.subnet(&id.into(), vpc.as_ref());
            let Some(subnet) = self.found(answer, "spec.replication.placement.subnetIds", &format!("subnet {id}")) else {
                complete = false;
                continue;
            };
            match &vpc {
                None => vpc = Some(subnet.vpc.clone()),
                Some(first) if *first != subnet.vpc => {
                    let message = format!("subnet {id} is in {}, the others are in {first}: a replication lives in one VPC", subnet.vpc);
                    self.invalid("spec.replication.placement.subnetIds", message);
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
            self.invalid("spec.replication.placement.subnetIds", "name at least one subnet");
            return None;
        };
        let group = self.choose("spec.replication.securityGroupId", "spec.replication.placement", &groups, chosen)?;
        self.known_group(&group, &vpc, "spec.replication.placement.securityGroupIds")?;
        let subnets = placement.subnet_ids.iter().map(Into::into).collect();
        Some(Replication {
            name: String::new(),
            kind: ReplicationKind::Placement,
            arn: None,
            vpc,
            subnets,
            groups,
            group,
            private_ips: vec![],
            public_ips: vec![],
            publicly_accessible: None,
            dns_servers: vec![],
            version: None,
        })
    }

    /// The one group of `of`, or the chosen one among several.
    pub(super) fn choose(&mut self, field: &str, of: &str, groups: &[SecurityGroupId], chosen: Option<&str>) -> Option<SecurityGroupId> {
        match (groups, chosen) {
            (_, Some(id)) => match groups.iter().find(|g| g.as_str() == id) {
                Some(group) => Some(group.clone()),
                None => {
                    self.invalid(field, format!("{id} is not a security group of {of}, which has {}", join(groups)));
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

    /// Checks that a group of the network's own class exists and lies in `vpc`.
    pub(super) fn known_group(&mut self, id: &SecurityGroupId, vpc: &VpcId, resource: &str) -> Option<()> {
        self.known_group_in(self.home, id, vpc, resource)
    }

    /// The same, through any class.
    pub(super) fn known_group_in(&mut self, view: View<'_, '_>, id: &SecurityGroupId, vpc: &VpcId, resource: &str) -> Option<()> {
        let answer = view.facts.group(id, Some(vpc));
        let group = self.found_in(view, answer, resource, &format!("security group {id}"))?;
        if group.vpc != *vpc {
            let message = format!("security group {id} is in {}, but it is needed in {vpc}: name a group of that VPC", group.vpc);
            self.invalid(resource, message);
            return None;
        }
        // The group's rules are compared in every pass.
        view.facts.rules(id);
        Some(())
    }
}
