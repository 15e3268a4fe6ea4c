//! The VPC endpoints that a network asks for: its share of each, and the rules for their callers (domain.md 1.7).

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;

use super::{Deriver, Replication};
use crate::{
    api::{
        conditions::Reason,
        network::{AllowFrom, EndpointPolicyType, IpAddressType, VpcEndpoint as Spec, VpcEndpointType},
    },
    model::{Direction, Peer, Policy, RuleShape, SecurityGroupId, ServiceDetail, SubnetId, VpcId, endpoint::service_name, shared},
    plan::{
        key::{EndpointKey, EndpointRef, GroupRef},
        sorted::Sorted,
        wanted::{Purpose, Share, WantedRule},
    },
};

/// Callers reach every AWS API by HTTPS.
pub(super) const HTTPS: u16 = 443;

impl Deriver<'_, '_, '_> {
    pub(super) fn endpoints(&mut self, replication: &Replication, specs: &[Spec]) {
        for spec in specs {
            let resource = format!("vpcEndpoint {:?}", spec.name);
            let share = match spec.type_ {
                VpcEndpointType::Interface => self.share(replication, spec, &resource),
                VpcEndpointType::Gateway => self.gateway_share(replication, spec, &resource),
            };
            let Some(share) = share else { continue };
            let mut rules = match share.kind {
                VpcEndpointType::Interface => self.callers(replication, spec, &share, &resource).unwrap_or_default(),
                VpcEndpointType::Gateway => vec![],
            };
            rules.extend(self.way_to_service(replication, spec, &share, &resource).unwrap_or_default());
            if let Some(other) = self.wanted(self.home.class).shares.get(&share.endpoint) {
                let message = format!(
                    "vpcEndpoints {:?} and {:?} are both for {}: one endpoint serves a VPC and service, so merge them",
                    other.name, spec.name, share.endpoint
                );
                self.problem(Reason::InvalidSpec, resource, message);
                continue;
            }
            // What a problem hides stays hidden: it is told, and nothing of it is given up (`Problem::hides_wants`).
            let _derived = self.pass_callers(replication, spec, &share, &resource);
            self.wanted(self.home.class).shares.insert(share.endpoint.clone(), share);
            for rule in rules {
                self.wanted(self.home.class).add(rule);
            }
        }
        let _derived = self.reach_services(replication);
    }

    fn share(&mut self, replication: &Replication, spec: &Spec, resource: &str) -> Option<Share> {
        let service_name = service_name(self.home.region, &spec.service);
        let vpc = spec.vpc_id.as_ref().map_or_else(|| replication.vpc.clone(), VpcId::from);
        let endpoint = match &spec.vpc_endpoint_id {
            Some(id) => EndpointRef::TakenOver(id.into()),
            None => EndpointRef::Made(EndpointKey::interface(vpc.clone(), &spec.service)),
        };
        let policy = self.policy(spec, resource)?;
        let explicit: Vec<SubnetId> = spec.subnet_ids.iter().map(Into::into).collect();
        let groups: Sorted<SecurityGroupId> = spec.security_group_ids.iter().map(Into::into).collect();
        for group in &groups {
            self.known_group(group, &vpc, resource)?;
        }
        if let EndpointRef::TakenOver(id) = &endpoint {
            let answer = self.home.facts.endpoint(id, Some(&vpc));
            let existing = self.found(answer, resource, &format!("VPC endpoint {id}"))?;
            self.fits(existing, &vpc, &service_name, spec.type_, resource)?;
            let subnets = if explicit.is_empty() { Sorted::default() } else { self.subnets(&explicit, &vpc, true, None, resource)? };
            let (name, private_dns) = (shared(&spec.name), spec.private_dns);
            return Some(Share {
                endpoint,
                name,
                vpc,
                service_name: shared(&service_name),
                kind: VpcEndpointType::Interface,
                route_tables: Sorted::default(),
                subnets,
                groups,
                private_dns,
                policy,
                ip_address_type: spec.ip_address_type,
            });
        }
        let answer = self.home.facts.service(&service_name);
        let service = self.found(answer, resource, &format!("endpoint service {service_name}"))?;
        self.offers(service, spec.type_, resource)?;
        let subnets = match (explicit.is_empty(), vpc == replication.vpc) {
            (false, _) => self.subnets(&explicit, &vpc, true, Some(service), resource)?,
            (true, true) => self.subnets(&replication.subnets, &vpc, false, Some(service), resource)?,
            (true, false) => {
                let message = format!("{resource} is for {vpc}, where the replication has no subnets: name subnetIds");
                self.problem(Reason::InvalidSpec, resource, message);
                return None;
            }
        };
        if subnets.is_empty() {
            let message = format!("none of the subnets is in a zone that offers {service_name} ({})", service.zones.join(", "));
            self.not_offered(service, resource, message);
            return None;
        }
        let private_dns = spec.private_dns.unwrap_or(!matches!(spec.service.as_str(), "s3" | "dynamodb"));
        Some(Share {
            endpoint,
            name: shared(&spec.name),
            vpc,
            service_name: shared(&service_name),
            kind: VpcEndpointType::Interface,
            route_tables: Sorted::default(),
            subnets,
            groups,
            private_dns: Some(private_dns),
            policy: Some(policy.unwrap_or_else(Policy::full_access)),
            ip_address_type: Some(spec.ip_address_type.unwrap_or(IpAddressType::Ipv4)),
        })
    }

    /// One subnet per zone (`DuplicateSubnetsInSameZone`). Named ones must fit as they are; of the replication's, the first of each zone is taken.
    fn subnets(
        &mut self,
        ids: &[SubnetId],
        vpc: &VpcId,
        named: bool,
        service: Option<&ServiceDetail>,
        resource: &str,
    ) -> Option<Sorted<(SubnetId, Arc<str>)>> {
        let mut by_zone: BTreeMap<String, SubnetId> = BTreeMap::new();
        let mut sorted = ids.to_vec();
        sorted.sort();
        for id in sorted {
            let answer = self.home.facts.subnet(&id, Some(vpc));
            let subnet = self.found(answer, resource, &format!("subnet {id}"))?;
            if subnet.vpc != *vpc {
                self.problem(Reason::InvalidSpec, resource, format!("subnet {id} is in {}, but the endpoint is in {vpc}", subnet.vpc));
                return None;
            }
            if let Some(service) = service.filter(|s| !s.zones.is_empty() && !s.zones.contains(&subnet.zone)) {
                if named {
                    self.not_offered(service, resource, format!("subnet {id} is in {}, where the service is not offered", subnet.zone));
                    return None;
                }
                continue;
            }
            match by_zone.get(&subnet.zone) {
                Some(first) if named => {
                    let message =
                        format!("subnets {first} and {id} are both in {}: an endpoint takes one subnet per Availability Zone", subnet.zone);
                    self.problem(Reason::InvalidSpec, resource, message);
                    return None;
                }
                Some(_) => {}
                None => {
                    by_zone.insert(subnet.zone.clone(), id);
                }
            }
        }
        Some(by_zone.into_iter().map(|(zone, id)| (id, shared(&zone))).collect())
    }

    pub(super) fn policy(&mut self, spec: &Spec, resource: &str) -> Option<Option<Policy>> {
        let Some(policy) = &spec.policy else { return Some(None) };
        match (policy.type_, &policy.document) {
            (EndpointPolicyType::FullAccess, None) => Some(Some(Policy::full_access())),
            (EndpointPolicyType::Document, Some(document)) => match Policy::from_user(document) {
                Ok(policy) => Some(Some(policy)),
                Err(error) => {
                    self.problem(Reason::InvalidSpec, format!("{resource}.policy.document"), format!("the policy document {error}"));
                    None
                }
            },
            (EndpointPolicyType::FullAccess, Some(_)) => {
                self.problem(
                    Reason::InvalidSpec,
                    format!("{resource}.policy"),
                    "policy FullAccess takes no document: leave it out, or use type Document",
                );
                None
            }
            (EndpointPolicyType::Document, None) => {
                self.problem(Reason::InvalidSpec, format!("{resource}.policy"), "policy type Document needs a document");
                None
            }
        }
    }

    /// The endpoint's interfaces receive the calls: their group needs 443 in from the callers.
    /// On an endpoint that is taken over, rules are ours to add only if callers are written.
    fn callers(&mut self, replication: &Replication, spec: &Spec, share: &Share, resource: &str) -> Option<Vec<WantedRule>> {
        let group = match (&share.endpoint, share.groups.first()) {
            (_, Some(first)) => GroupRef::Id(first.clone()),
            (EndpointRef::Made(key), None) => GroupRef::OfEndpoint(key.clone()),
            (EndpointRef::TakenOver(_), None) if spec.allow_from.is_empty() => return None,
            (EndpointRef::TakenOver(id), None) => {
                let answer = self.home.facts.endpoint(id, Some(&share.vpc));
                let existing = self.found(answer, resource, &format!("VPC endpoint {id}"))?;
                let first = existing.groups.first()?.clone();
                self.home.facts.rules(&first);
                GroupRef::Id(first)
            }
        };
        if matches!(share.endpoint, EndpointRef::TakenOver(_)) && spec.allow_from.is_empty() {
            return None;
        }
        let mut peers = Vec::new();
        if spec.allow_from.is_empty() {
            if share.vpc == replication.vpc {
                peers.push(Peer::SecurityGroup(replication.group.clone()));
            }
            peers.extend(self.vpc_cidrs(self.home, &share.vpc, resource)?.into_iter().map(Peer::Cidr));
        }
        for from in &spec.allow_from {
            peers.push(self.caller(from, resource)?);
        }
        let why = format!("{} endpoint {}", self.label, spec.name);
        Some(
            peers
                .into_iter()
                .map(|peer| WantedRule {
                    group: group.clone(),
                    shape: RuleShape::tcp(Direction::In, HTTPS, peer),
                    why: why.clone(),
                    purpose: Purpose::Endpoint,
                })
                .collect(),
        )
    }

    fn caller(&mut self, from: &AllowFrom, resource: &str) -> Option<Peer> {
        let field = format!("{resource}.allowFrom");
        match (&from.cidr, &from.security_group_id, &from.prefix_list_id) {
            (Some(cidr), None, None) => match cidr.parse::<IpNet>() {
                Ok(net) if net.trunc() == net && net.to_string() == *cidr => Some(Peer::Cidr(net)),
                Ok(net) => {
                    self.problem(Reason::InvalidSpec, field, format!("{cidr} is not in canonical form: write {}", net.trunc()));
                    None
                }
                Err(_) => {
                    self.problem(Reason::InvalidSpec, field, format!("{cidr:?} is no CIDR"));
                    None
                }
            },
            (None, Some(group), None) => Some(Peer::SecurityGroup(group.into())),
            (None, None, Some(list)) => Some(Peer::PrefixList(list.as_str().into())),
            _ => {
                self.problem(Reason::InvalidSpec, field, "each entry takes exactly one of cidr, securityGroupId and prefixListId");
                None
            }
        }
    }
}
