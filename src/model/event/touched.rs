//! Which questions to ask again after an event: those whose answers may include what it names.

use std::{collections::BTreeSet, sync::Arc};

use super::{ChangeEvent, Name, NameKind};
use crate::model::{Need, Picture, VpcId};

impl ChangeEvent {
    /// Needs that may be answered otherwise than before, by what is known of the objects that it names. Whether somebody asks
    /// them is not looked at.
    pub fn needs(&self, picture: &Picture) -> BTreeSet<Need> {
        let mut needs = Needs { event: self, picture, all: BTreeSet::new() };
        self.names.ids.iter().for_each(|id| needs.of_id(id));
        self.names.others.iter().for_each(|name| needs.of_name(name));
        needs.all
    }

    /// Whether only rules of a group were touched, not the group itself.
    fn is_about_rules(&self) -> bool {
        ["SecurityGroupIngress", "SecurityGroupEgress", "SecurityGroupRule"].iter().any(|part| self.operation.contains(part))
    }
}

struct Needs<'a> {
    event: &'a ChangeEvent,
    picture: &'a Picture,
    all: BTreeSet<Need>,
}

impl Needs<'_> {
    fn of_id(&mut self, id: &Arc<str>) {
        let p = self.picture;
        let prefix = id.rsplit_once('-').map_or("", |(prefix, _)| prefix);
        match prefix {
            "sg" => {
                self.all.insert(Need::RulesOf((&**id).into()));
                if !self.event.is_about_rules() {
                    self.all.insert(Need::Group((&**id).into()));
                    self.in_vpcs(p.groups.get(&**id).map(|g| &g.vpc), Need::GroupsOf);
                }
            }
            "sgr" => {
                let groups = p.rules.iter().filter(|(_, rules)| rules.iter().any(|r| r.id.as_str() == &**id));
                self.all.extend(groups.map(|(group, _)| Need::RulesOf(group.clone())));
            }
            "vpce" => {
                self.all.insert(Need::Endpoint((&**id).into()));
                self.in_vpcs(p.endpoints.get(&**id).map(|e| &e.vpc), Need::EndpointsOf);
                // A gateway endpoint is a route, too.
                self.in_vpcs(p.endpoints.get(&**id).map(|e| &e.vpc), Need::RouteTablesOf);
            }
            "subnet" => {
                self.all.insert(Need::Subnet((&**id).into()));
                self.in_vpcs(p.subnets.get(&**id).map(|s| &s.vpc), Need::SubnetsOf);
            }
            "acl" => {
                self.all.insert(Need::NetworkAcl((&**id).into()));
                self.in_vpcs(p.acls.get(&**id).map(|a| &a.vpc), Need::NetworkAclsOf);
            }
            "rtb" => {
                self.all.insert(Need::RouteTable((&**id).into()));
                self.in_vpcs(p.route_tables.get(&**id).map(|t| &t.vpc), Need::RouteTablesOf);
            }
            // Only the association is named where a table is taken off a subnet.
            "rtbassoc" if self.event.names.of("rtb-").next().is_none() => {
                let vpcs: BTreeSet<&VpcId> = p.route_tables.values().map(|t| &t.vpc).collect();
                self.all.extend(vpcs.into_iter().cloned().map(Need::RouteTablesOf));
            }
            "nat" => self.in_vpcs(p.nat_gateways.get(&**id).map(|n| &n.vpc), Need::NatGatewaysOf),
            "igw" => {
                let vpc = p.internet_gateways.values().find(|g| g.id.as_str() == &**id).map(|g| &g.vpc);
                self.in_vpcs(vpc, Need::InternetGatewayOf);
            }
            "tgw-attach" => self.in_vpcs(p.transit_gateway_attachments.get(&**id).map(|a| &a.vpc), Need::TransitGatewayAttachmentsOf),
            "pcx" => match p.peerings.get(&**id) {
                Some(known) => {
                    self.all.extend([&known.requester, &known.accepter].map(|side| Need::PeeringConnectionsOf(side.vpc.clone())));
                }
                None => self.in_vpcs(None, Need::PeeringConnectionsOf),
            },
            "eni" => {
                self.all.insert(Need::Interface((&**id).into()));
                let groups = p.interfaces.get(&**id).map(|i| i.groups.clone()).unwrap_or_default();
                self.all.extend(groups.into_iter().map(Need::InterfacesWith));
            }
            "pl" => {
                self.all.insert(Need::PrefixList((&**id).into()));
                self.all.extend(p.prefix_lists.get(&**id).map(|l| Need::PrefixListNamed(l.name.as_str().into())));
            }
            // A VPC that is named beside something else only tells where that is.
            "vpc" if self.event.names.ids.iter().all(|id| id.starts_with("vpc-")) => {
                self.all.insert(Need::Vpc((&**id).into()));
            }
            _ => {}
        }
    }

    /// What is asked by VPC: the object's own, or, of an object that is not known, those that the event names.
    fn in_vpcs(&mut self, known: Option<&VpcId>, need: impl Fn(VpcId) -> Need) {
        match known {
            Some(vpc) => {
                self.all.insert(need(vpc.clone()));
            }
            None => self.all.extend(self.event.names.of("vpc-").map(|vpc| need((&**vpc).into()))),
        }
    }

    fn of_name(&mut self, name: &Name) {
        let p = self.picture;
        match name {
            Name::Identifier(kind, name) => {
                self.all.insert(match kind {
                    NameKind::ReplicationInstance => Need::ReplicationInstance(name.clone()),
                    NameKind::DmsEndpoint => Need::DmsEndpoint(name.clone()),
                    NameKind::ReplicationConfig => Need::ReplicationConfig(name.clone()),
                    NameKind::SubnetGroup => Need::SubnetGroup(name.clone()),
                    NameKind::DbInstance => Need::DbInstance(name.clone()),
                    NameKind::DbCluster => Need::DbCluster(name.clone()),
                    NameKind::DbSubnetGroup => Need::DbSubnetGroup(name.clone()),
                });
            }
            Name::Arn(arn) => {
                let by_arn = p.instances.iter().filter(|(_, i)| i.arn == **arn).map(|(id, _)| Need::ReplicationInstance(id.clone()));
                let endpoints = p.dms_endpoints.iter().filter(|(_, e)| e.arn == **arn).map(|(id, _)| Need::DmsEndpoint(id.clone()));
                let configs = p.configs.iter().filter(|(_, c)| c.arn == **arn).map(|(id, _)| Need::ReplicationConfig(id.clone()));
                self.all.extend(by_arn.chain(endpoints).chain(configs));
                self.all.insert(Need::ConnectionsOf(arn.clone()));
            }
        }
    }
}
