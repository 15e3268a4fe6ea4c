//! What VPC endpoints need of network ACLs: their callers in (domain.md 1.7), and the replication's own way to the services that it
//! calls, whoever made their endpoints (domain.md 2); to the endpoints of others also the rules of its group.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{
    Deriver, Replication,
    acl::{Border, Opened, Passing},
    endpoint::HTTPS,
    service::{is_called_by_dms, services_called},
};
use crate::{
    api::network::{AllowFrom, IpAddressType, VpcEndpoint as Spec, VpcEndpointType},
    model::{
        Direction, Lookup, Need, Ownership, Peer, RouteTableId, RuleShape, SecurityGroupId, SubnetId, VpcEndpoint, VpcId,
        endpoint::{gateway_service_name, service_name},
        shared,
    },
    plan::{
        key::{EndpointKey, EndpointRef, GroupRef},
        sharing::Union,
        view::View,
        wanted::{Purpose, Serves, Share, WantedRule},
    },
};

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    /// Callers of an interface endpoint: 443 into its subnets, and the answers out. Where a caller is named by its group, its own
    /// subnets are known, and get the mirror of it; whoever is named by a CIDR may be anywhere in it.
    pub(super) fn pass_callers(&mut self, replication: &Replication, spec: &Spec, share: &Share, resource: &str) -> Option<()> {
        // Of an endpoint that is taken over only what is written is changed.
        let kept = matches!(share.endpoint, EndpointRef::TakenOver(_)) && spec.allow_from.is_empty();
        if !self.manages_acls() || share.kind != VpcEndpointType::Interface || kept {
            return Some(());
        }
        let (subnets, family) = self.interfaces_of(share, resource)?;
        let ends = self.ends(&share.vpc, &subnets, family)?;
        let passing = self.to_endpoint(share, Serves::Endpoint);
        let (nets, subnets) = self.callers_from(replication, spec, share, resource)?;
        for end in &ends {
            // Within one subnet no ACL is asked.
            let outside: Vec<IpNet> = nets.iter().filter(|n| !end.cidrs.iter().any(|c| c.contains(*n))).copied().collect();
            self.cross(end, Opened::FromOutside, &https(&outside), &passing)?;
        }
        let callers = self.borders(self.home, &share.vpc, &subnets)?;
        self.between(&callers, &ends, &passing)
    }

    /// The replication's own way to the services that it calls: by the endpoints of the spec, and for what its databases need by
    /// whatever endpoint of others the proof goes through.
    pub(super) fn reach_services(&mut self, replication: &Replication) -> Option<()> {
        let shares: Vec<Share> = match self.out.wanted.get(self.home.class) {
            Some(wanted) => wanted.shares.values().cloned().collect(),
            None => vec![],
        };
        let near = if self.manages_acls() { self.borders(self.home, &replication.vpc, &replication.subnets)? } else { vec![] };
        if self.manages_acls() {
            self.pass_to_shares(replication, &near, &shares)?;
        }
        let needed: BTreeSet<&str> = self.out.far.iter().flat_map(|far| services_called(replication, far)).collect();
        for service in needed {
            self.reach_found(replication, &near, &shares, service)?;
        }
        Some(())
    }

    /// By the endpoints of the spec: their rules are wanted with them.
    fn pass_to_shares(&mut self, replication: &Replication, near: &[Border<'_, 'v, 'p>], shares: &[Share]) -> Option<()> {
        let own = |s: &&Share| s.vpc == replication.vpc && is_called_by_dms(&s.service_name);
        for share in shares.iter().filter(own) {
            let resource = format!("vpcEndpoint {:?}", share.name);
            match share.kind {
                VpcEndpointType::Interface => {
                    let (subnets, family) = self.interfaces_of(share, &resource)?;
                    let ends = self.ends(&share.vpc, &subnets, family)?;
                    let passing = self.to_endpoint(share, Serves::Endpoint);
                    self.between(near, &ends, &passing)?;
                }
                VpcEndpointType::Gateway => {
                    let passing = self.to_endpoint(share, Serves::Gateway);
                    let tables = self.tables_of(share);
                    self.pass_to_prefixes(near, &tables, &share.service_name, &passing)?;
                }
            }
        }
        Some(())
    }

    /// The way to a service through endpoints that the network does not ask for, as the proof takes it. One that other networks ask
    /// for counts as they want it: it is put right again if somebody changes it.
    fn reach_found(&mut self, replication: &Replication, near: &[Border<'_, 'v, 'p>], shares: &[Share], service: &str) -> Option<()> {
        let vpc = &replication.vpc;
        self.listed(self.home, Need::EndpointsOf(vpc.clone()), &format!("VPC endpoints of {vpc}"))?;
        let (interface, gateway) = (service_name(self.home.region, service), gateway_service_name(self.home.region, service));
        let key = |kind| EndpointRef::Made(EndpointKey { vpc: vpc.clone(), service: shared(service), kind });
        let theirs = |kind| (!shares.iter().any(|s| s.endpoint == key(kind))).then(|| (self.joint.others)(&key(kind))).flatten();
        let (their_interface, their_gateway) = (theirs(VpcEndpointType::Interface), theirs(VpcEndpointType::Gateway));
        let is_shared = |e: &VpcEndpoint| {
            let wanted =
                |kind, theirs: &Option<Union>| e.is_of(kind) && (theirs.is_some() || shares.iter().any(|s| s.endpoint == key(kind)));
            Ownership::of(&e.tags, self.joint.owner) == Ownership::Ours
                && (wanted(VpcEndpointType::Interface, &their_interface) || wanted(VpcEndpointType::Gateway, &their_gateway))
        };
        let mut found = self.home.facts.endpoints(vpc, &interface);
        if gateway != interface {
            found.extend(self.home.facts.endpoints(vpc, &gateway));
        }
        found.retain(|e| !e.is_going() && !is_shared(e));
        let (gateways, interfaces): (Vec<_>, Vec<_>) = found.into_iter().partition(|e| e.is_of(VpcEndpointType::Gateway));
        let why = format!("{} {service}", self.label);
        let mut tables: BTreeSet<RouteTableId> = gateways.iter().flat_map(|e| e.route_tables.iter().cloned()).collect();
        tables.extend(their_gateway.and_then(|u| u.route_tables).into_iter().flatten());
        let passing = Passing::service(why.clone(), Serves::Gateway(None));
        self.pass_to_prefixes(near, &tables, &gateway, &passing)?;
        let mut answering: Vec<(Vec<SubnetId>, IpAddressType, Option<SecurityGroupId>)> = interfaces
            .iter()
            .filter(|e| e.private_dns)
            .map(|e| (e.subnets.clone(), e.ip_address_type, e.groups.first().cloned()))
            .collect();
        if let Some(union) = their_interface.filter(|u| u.private_dns == Some(true)) {
            let subnets = union.subnets.into_iter().flatten().collect();
            answering.push((subnets, union.ip_address_type.unwrap_or(IpAddressType::Ipv4), union.groups.first().cloned()));
        }
        let groups = answering.iter().map(|(_, _, group)| group.clone()).collect();
        self.rules_to_found(replication, &tables, groups, &gateway, &why)?;
        let (home, passing) = (self.home, Passing::service(why, Serves::Endpoint(None)));
        for (subnets, family, _) in answering {
            let ends = self.ends(vpc, &subnets, family)?;
            for border in near.iter().filter(|b| !is_served(home, b, &tables)) {
                self.between(std::slice::from_ref(border), &ends, &passing)?;
            }
        }
        Some(())
    }

    /// What the replication's group lets out to endpoints of others: to the service's prefix list where a subnet's table leads to a
    /// gateway endpoint; from the others to the interfaces' group, or, where that is not known, to the VPC.
    fn rules_to_found(
        &mut self,
        replication: &Replication,
        tables: &BTreeSet<RouteTableId>,
        groups: Vec<Option<SecurityGroupId>>,
        service_name: &str,
        why: &str,
    ) -> Option<()> {
        let vpc = &replication.vpc;
        if tables.is_empty() && groups.is_empty() {
            return Some(());
        }
        self.listed(self.home, Need::RouteTablesOf(vpc.clone()), &format!("route tables of {vpc}"))?;
        let picture = self.home.facts.picture();
        let served = |subnet: &SubnetId| picture.route_table_of(subnet, vpc).is_some_and(|t| tables.contains(&t.id));
        let by_gateway = replication.subnets.iter().any(served);
        let by_interface = !replication.subnets.iter().all(served);
        let mut peers = BTreeSet::new();
        if by_gateway {
            match self.home.facts.prefix_list_named(service_name) {
                // A gateway endpoint that the Region has no list for: the proof tells of it.
                Lookup::Absent => {}
                answer => {
                    let list = self.found(answer, service_name, &format!("prefix list {service_name}"))?;
                    peers.insert(Peer::PrefixList(list.id.clone()));
                }
            }
        }
        for group in groups.into_iter().filter(|_| by_interface) {
            match group {
                Some(group) => drop(peers.insert(Peer::SecurityGroup(group))),
                None => peers.extend(self.vpc_cidrs(self.home, vpc, why)?.into_iter().map(Peer::Cidr)),
            }
        }
        for peer in peers {
            let shape = RuleShape::tcp(Direction::Out, HTTPS, peer);
            let rule =
                WantedRule { group: GroupRef::Id(replication.group.clone()), shape, why: why.to_owned(), purpose: Purpose::Endpoint };
            self.wanted(self.home.class).add(rule);
        }
        Some(())
    }

    /// From the subnets whose tables lead to a gateway endpoint to the service's own addresses: ACLs take no prefix lists.
    fn pass_to_prefixes(
        &mut self,
        near: &[Border<'_, 'v, 'p>],
        tables: &BTreeSet<RouteTableId>,
        service_name: &str,
        passing: &Passing,
    ) -> Option<()> {
        let (Some(first), false) = (near.first(), tables.is_empty()) else { return Some(()) };
        self.listed(self.home, Need::RouteTablesOf(first.vpc.clone()), &format!("route tables of {}", first.vpc))?;
        let list = match self.home.facts.prefix_list_named(service_name) {
            // The rule that names the list tells of it.
            Lookup::Absent => return Some(()),
            answer => self.found(answer, service_name, &format!("prefix list {service_name}"))?,
        };
        // The proof asks for IPv4, by which DMS reaches services.
        let nets: Vec<IpNet> = list.cidrs.iter().filter(|c| c.addr().is_ipv4()).copied().collect();
        let home = self.home;
        for border in near.iter().filter(|b| is_served(home, b, tables)) {
            self.cross(border, Opened::FromWithin, &https(&nets), passing)?;
        }
        Some(())
    }

    /// Every pair of a caller's subnet and an endpoint's.
    fn between(&mut self, callers: &[Border<'_, 'v, 'p>], ends: &[Border<'_, 'v, 'p>], passing: &Passing) -> Option<()> {
        for caller in callers {
            for end in ends.iter().filter(|e| e.subnet != caller.subnet) {
                self.cross(caller, Opened::FromWithin, &https(&end.cidrs), passing)?;
                self.cross(end, Opened::FromOutside, &https(&caller.cidrs), passing)?;
            }
        }
        Some(())
    }

    /// Subnets of an endpoint, with the addresses that its interfaces may have there.
    fn ends<'b>(&mut self, vpc: &'b VpcId, subnets: &'b [SubnetId], family: IpAddressType) -> Option<Vec<Border<'b, 'v, 'p>>> {
        let mut ends = self.borders(self.home, vpc, subnets)?;
        for end in &mut ends {
            end.cidrs.retain(|c| match family {
                IpAddressType::Ipv4 => c.addr().is_ipv4(),
                IpAddressType::Ipv6 => c.addr().is_ipv6(),
                IpAddressType::Dualstack => true,
            });
        }
        Some(ends)
    }

    /// Subnets and address families that an endpoint is to have: by all networks that share it, and by whoever else owns it.
    fn interfaces_of(&mut self, share: &Share, resource: &str) -> Option<(Vec<SubnetId>, IpAddressType)> {
        let mut subnets = (self.joint.subnets)(share);
        let mut family = share.ip_address_type;
        match &share.endpoint {
            EndpointRef::TakenOver(id) => {
                let answer = self.home.facts.endpoint(id, Some(&share.vpc));
                let existing = self.found(answer, resource, &format!("VPC endpoint {id}"))?;
                subnets.extend(existing.subnets.iter().cloned());
                family = family.or(Some(existing.ip_address_type));
            }
            EndpointRef::Made(_) => {
                let theirs = |e: &&&VpcEndpoint| {
                    let other = matches!(Ownership::of(&e.tags, self.joint.owner), Ownership::OtherOwner | Ownership::Shared);
                    e.is_of(share.kind) && !e.is_going() && other
                };
                let found = self.home.facts.endpoints(&share.vpc, &share.service_name);
                subnets.extend(found.iter().filter(theirs).flat_map(|e| e.subnets.iter().cloned()));
            }
        }
        Some((subnets.into_iter().collect(), family.unwrap_or(IpAddressType::Ipv4)))
    }

    /// Route tables of a gateway endpoint.
    fn tables_of(&self, share: &Share) -> BTreeSet<RouteTableId> {
        let mut tables: BTreeSet<RouteTableId> = share.route_tables.iter().cloned().collect();
        if let EndpointRef::TakenOver(id) = &share.endpoint
            && let Some(existing) = self.home.facts.picture().endpoints.get(id)
        {
            tables.extend(existing.route_tables.iter().cloned());
        }
        tables
    }

    /// Where callers are, and the subnets of those that are named by their group.
    fn callers_from(
        &mut self,
        replication: &Replication,
        spec: &Spec,
        share: &Share,
        resource: &str,
    ) -> Option<(BTreeSet<IpNet>, Vec<SubnetId>)> {
        let (mut nets, mut subnets) = (BTreeSet::new(), BTreeSet::new());
        if spec.allow_from.is_empty() {
            nets.extend(self.vpc_cidrs(self.home, &share.vpc, resource)?);
            if share.vpc == replication.vpc {
                subnets.extend(replication.subnets.iter().cloned());
            }
        }
        for from in &spec.allow_from {
            match from {
                AllowFrom { cidr: Some(cidr), .. } => nets.extend(cidr.parse::<IpNet>().ok()),
                AllowFrom { security_group_id: Some(group), .. } => {
                    let group = SecurityGroupId::from(group);
                    if group == replication.group && share.vpc == replication.vpc {
                        subnets.extend(replication.subnets.iter().cloned());
                        continue;
                    }
                    self.listed(self.home, Need::InterfacesWith(group.clone()), resource)?;
                    for interface in self.home.facts.interfaces_with(&group) {
                        nets.extend(self.subnet_cidrs(self.home, &interface.subnet, &interface.vpc, resource)?);
                        subnets.extend((interface.vpc == share.vpc).then(|| interface.subnet.clone()));
                    }
                }
                AllowFrom { prefix_list_id: Some(list), .. } => {
                    let id = list.as_str().into();
                    let answer = self.home.facts.prefix_list(&id);
                    nets.extend(self.found(answer, resource, &format!("prefix list {id}"))?.cidrs.iter().copied());
                }
                _ => {}
            }
        }
        Some((nets, subnets.into_iter().collect()))
    }

    fn to_endpoint(&self, share: &Share, serves: fn(Option<EndpointRef>) -> Serves) -> Passing {
        Passing::service(format!("{} endpoint {}", self.label, share.name), serves(Some(share.endpoint.clone())))
    }
}

/// Whether one of these is the subnet's route table.
fn is_served(home: View<'_, '_>, border: &Border<'_, '_, '_>, tables: &BTreeSet<RouteTableId>) -> bool {
    home.facts.picture().route_table_of(border.subnet, border.vpc).is_some_and(|t| tables.contains(&t.id))
}

fn https(nets: &[IpNet]) -> Vec<(u16, IpNet)> {
    nets.iter().map(|n| (HTTPS, *n)).collect()
}
