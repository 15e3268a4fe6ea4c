//! A picture as packets see it: by VPC and subnet. It notes what it is asked, and tells what was never read apart from what
//! does not exist.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use super::{Code, Side};
use crate::model::{
    NatGateway, NatGatewayId, Need, NetworkAcl, NetworkInterface, NetworkInterfaceId, PeeringConnection, PeeringConnectionId, PrefixList,
    PrefixListId, RouteTable, Rule, SecurityGroupId, Subnet, SubnetId, Target, TransitGatewayAttachment, Vpc, VpcDns, VpcEndpoint, VpcId,
};

/// A fact that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub code: Code,
    /// What was to be asked, in words.
    pub resource: String,
    pub reason: String,
}

/// A fact, unless it is not known.
pub(super) type Fact<T> = Result<T, Gap>;

/// A side of a path, by VPC.
pub(super) struct Atlas<'a> {
    pub side: Side<'a>,
    vpcs: RefCell<Vec<Rc<Area<'a>>>>,
    needs: Option<RefCell<BTreeSet<Need>>>,
}

/// What is known of one VPC.
pub(super) struct Area<'a> {
    pub id: VpcId,
    pub vpc: Fact<Option<&'a Vpc>>,
    pub subnets: Fact<Vec<&'a Subnet>>,
    acls: Fact<Vec<&'a NetworkAcl>>,
    tables: Fact<Vec<&'a RouteTable>>,
}

impl<'a> Atlas<'a> {
    /// Looks at a side; with `noting`, remembers every question.
    pub fn new(side: Side<'a>, noting: bool) -> Self {
        Self { side, vpcs: RefCell::default(), needs: noting.then(RefCell::default) }
    }

    /// All questions so far.
    pub fn needs(&self) -> BTreeSet<Need> {
        self.needs.as_ref().map(|n| n.borrow().clone()).unwrap_or_default()
    }

    /// Whether AWS has answered a question.
    fn read(&self, need: Need) -> Fact<()> {
        let picture = self.side.picture;
        let answer = match picture.asked.get(&need) {
            Some(None) => Ok(()),
            _ if picture.read.contains(&need) => Ok(()),
            None => Err(Gap { code: Code::NotRead, resource: need.to_string(), reason: format!("{need}: not read yet") }),
            Some(Some(failure)) => {
                Err(Gap { code: Code::NotReadable, resource: need.to_string(), reason: format!("{need}: {}", failure.message) })
            }
        };
        if let Some(needs) = &self.needs {
            needs.borrow_mut().insert(need);
        }
        answer
    }

    /// An object, or the certainty that there is none.
    fn one<T>(&self, need: Need, found: Option<&'a T>) -> Fact<Option<&'a T>> {
        let read = self.read(need);
        match found {
            Some(found) => Ok(Some(found)),
            None => read.map(|()| None),
        }
    }

    /// A VPC with all that is in it.
    pub fn area(&self, id: &VpcId) -> Rc<Area<'a>> {
        if let Some(area) = self.vpcs.borrow().iter().find(|v| v.id == *id) {
            return area.clone();
        }
        let p = self.side.picture;
        let area = Rc::new(Area {
            id: id.clone(),
            vpc: self.one(Need::Vpc(id.clone()), p.vpcs.get(id).map(|v| &**v)),
            subnets: self.read(Need::SubnetsOf(id.clone())).map(|()| p.subnets.values().filter(|s| s.vpc == *id).map(|s| &**s).collect()),
            acls: self.read(Need::NetworkAclsOf(id.clone())).map(|()| p.acls.values().filter(|a| a.vpc == *id).map(|a| &**a).collect()),
            tables: self
                .read(Need::RouteTablesOf(id.clone()))
                .map(|()| p.route_tables.values().filter(|t| t.vpc == *id).map(|t| &**t).collect()),
        });
        self.vpcs.borrow_mut().push(area.clone());
        area
    }

    /// The DNS attributes of a VPC.
    pub fn dns(&self, vpc: &VpcId) -> Fact<Option<&'a VpcDns>> {
        self.one(Need::VpcDns(vpc.clone()), self.side.picture.vpc_dns.get(vpc).map(|d| &**d))
    }

    /// The rules of a group.
    pub fn rules(&self, group: &SecurityGroupId) -> Fact<&'a [Rule]> {
        match (self.read(Need::RulesOf(group.clone())), self.side.picture.rules.get(group)) {
            (_, Some(rules)) => Ok(rules),
            (read, None) => read.map(|()| [].as_slice()),
        }
    }

    /// Whether a group is known not to exist in a VPC.
    pub fn lacks_group(&self, group: &SecurityGroupId, vpc: &VpcId) -> bool {
        !self.side.picture.groups.contains_key(group) && self.read(Need::GroupsOf(vpc.clone())).is_ok()
    }

    /// A prefix list.
    pub fn prefix_list(&self, id: &PrefixListId) -> Fact<Option<&'a PrefixList>> {
        self.one(Need::PrefixList(id.clone()), self.side.picture.prefix_lists.get(id).map(|l| &**l))
    }

    /// The prefix list of a service.
    pub fn prefix_list_named(&self, name: &str) -> Fact<Option<&'a PrefixList>> {
        let found = self.side.picture.prefix_lists.values().find(|l| l.name == name);
        self.one(Need::PrefixListNamed(name.into()), found.map(|l| &**l))
    }

    /// A peering of a VPC.
    pub fn peering(&self, id: &PeeringConnectionId, vpc: &VpcId) -> Fact<Option<&'a PeeringConnection>> {
        self.one(Need::PeeringConnectionsOf(vpc.clone()), self.side.picture.peerings.get(id).map(|p| &**p))
    }

    /// The NAT gateways of a VPC.
    pub fn nat_gateways(&self, vpc: &VpcId) -> Fact<Vec<&'a NatGateway>> {
        self.read(Need::NatGatewaysOf(vpc.clone()))
            .map(|()| self.side.picture.nat_gateways.values().filter(|n| n.vpc == *vpc).map(|n| &**n).collect())
    }

    /// A NAT gateway of a VPC.
    pub fn nat_gateway(&self, id: &NatGatewayId, vpc: &VpcId) -> Fact<Option<&'a NatGateway>> {
        self.one(Need::NatGatewaysOf(vpc.clone()), self.side.picture.nat_gateways.get(id).filter(|n| n.vpc == *vpc).map(|n| &**n))
    }

    /// The internet gateway that is attached to a VPC.
    pub fn internet_gateway(&self, vpc: &VpcId) -> Fact<Option<&'a crate::model::InternetGateway>> {
        self.one(Need::InternetGatewayOf(vpc.clone()), self.side.picture.internet_gateways.get(vpc).map(|g| &**g))
    }

    /// The attachments of a VPC to transit gateways.
    pub fn attachments(&self, vpc: &VpcId) -> Fact<Vec<&'a TransitGatewayAttachment>> {
        self.read(Need::TransitGatewayAttachmentsOf(vpc.clone()))
            .map(|()| self.side.picture.transit_gateway_attachments.values().filter(|a| a.vpc == *vpc).map(|a| &**a).collect())
    }

    /// A network interface.
    pub fn interface(&self, id: &NetworkInterfaceId) -> Fact<Option<&'a NetworkInterface>> {
        self.one(Need::Interface(id.clone()), self.side.picture.interfaces.get(id).map(|i| &**i))
    }

    /// The interfaces of a VPC that carry a group.
    pub fn interfaces_with(&self, group: &SecurityGroupId, vpc: &VpcId) -> Fact<Vec<&'a NetworkInterface>> {
        let found = self.side.picture.interfaces.values().filter(|i| i.vpc == *vpc && i.groups.contains(group)).map(|i| &**i);
        self.read(Need::InterfacesWith(group.clone())).map(|()| found.collect())
    }

    /// What is wrong with a route's target, as far as it happens to be known: nothing is asked for it.
    pub fn trouble(&self, target: &Target) -> Option<String> {
        let picture = self.side.picture;
        match target {
            Target::NatGateway(id) => {
                let nat = picture.nat_gateways.get(id).filter(|n| n.state != "available")?;
                let why = nat.failure.as_ref().map(|f| format!(" ({f})")).unwrap_or_default();
                Some(format!("{}{why}", nat.state))
            }
            Target::PeeringConnection(id) => {
                picture.peerings.get(id).filter(|p| !p.status.eq_ignore_ascii_case("active")).map(|p| p.status.clone())
            }
            Target::NetworkInterface(Some(id)) => {
                let idle = picture.interfaces.get(id).is_some_and(|i| i.status != "in-use");
                idle.then(|| "not attached to a running host".to_owned())
            }
            _ => None,
        }
    }

    /// The endpoints of a VPC for a service that are not going away.
    pub fn endpoints(&self, vpc: &VpcId, service: &str) -> Fact<Vec<&'a VpcEndpoint>> {
        let found = self.side.picture.endpoints.values().filter(|e| e.vpc == *vpc && e.service_name == service && !e.is_going());
        self.read(Need::EndpointsOf(vpc.clone())).map(|()| found.map(|e| &**e).collect())
    }
}

impl<'a> Area<'a> {
    /// One of its subnets.
    pub fn subnet(&self, id: &SubnetId) -> Fact<Option<&'a Subnet>> {
        self.subnets.as_ref().map(|all| all.iter().find(|s| s.id == *id).copied()).map_err(Clone::clone)
    }

    /// The network ACL before a subnet.
    pub fn acl(&self, subnet: &SubnetId) -> Fact<Option<&'a NetworkAcl>> {
        self.acls.as_ref().map(|all| all.iter().find(|a| a.subnets.binary_search(subnet).is_ok()).copied()).map_err(Clone::clone)
    }

    /// The route table of a subnet: the one that names it, else the main one (domain.md 1.8).
    pub fn table(&self, subnet: &SubnetId) -> Fact<Option<&'a RouteTable>> {
        let tables = self.tables.as_ref().map_err(Clone::clone)?;
        let own = tables.iter().find(|t| t.subnets.binary_search(subnet).is_ok());
        Ok(own.or_else(|| tables.iter().find(|t| t.main)).copied())
    }

    /// All its route tables, as far as they are known.
    pub fn tables(&self) -> &[&'a RouteTable] {
        self.tables.as_deref().unwrap_or_default()
    }

    /// Whether an address is within the VPC's CIDRs; none where they are not known.
    pub fn holds(&self, net: &ipnet::IpNet) -> Option<bool> {
        match &self.vpc {
            Ok(Some(vpc)) => Some(vpc.cidrs.iter().any(|c| c.contains(net))),
            _ => None,
        }
    }
}
