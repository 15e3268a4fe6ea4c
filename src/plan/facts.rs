//! Asks the picture, and remembers every question: the questions of a plan are what the store keeps fresh.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use crate::model::{
    Connection, DmsEndpoint, InternetGateway, Lookup, NatGateway, Need, NetworkAcl, NetworkAclId, NetworkInterface, NetworkInterfaceId,
    PeeringConnection, Picture, PrefixList, PrefixListId, RdsDatabase, ReadFailure, ReplicationConfig, ReplicationInstance, Resolution,
    RouteTable, RouteTableId, Rule, SecurityGroup, SecurityGroupId, ServiceDetail, Subnet, SubnetGroup, SubnetId, TransitGatewayAttachment,
    Vpc, VpcDns, VpcEndpoint, VpcEndpointId, VpcId,
};

/// A picture that notes what it is asked.
pub struct Facts<'a> {
    picture: &'a Picture,
    needs: RefCell<BTreeSet<Need>>,
    fresh: RefCell<BTreeSet<Need>>,
    /// Those whose answers decide what is made now.
    decisive: RefCell<BTreeSet<Need>>,
}

impl<'a> Facts<'a> {
    /// Looks at `picture`.
    pub fn new(picture: &'a Picture) -> Self {
        Self { picture, needs: RefCell::default(), fresh: RefCell::default(), decisive: RefCell::default() }
    }

    /// The picture itself, for what needs no note.
    pub fn picture(&self) -> &'a Picture {
        self.picture
    }

    /// All questions so far, and those among them whose answers must not grow older than the interval.
    pub fn into_needs(self) -> (BTreeSet<Need>, BTreeSet<Need>) {
        (self.needs.into_inner(), self.fresh.into_inner())
    }

    /// Questions so far that AWS was never asked; DNS does not count, nor does what no pass waits for.
    pub fn unread(&self) -> bool {
        self.needs.borrow().iter().any(|n| !n.is_dns() && !self.picture.asked.contains_key(n) && !self.is_later(n))
    }

    /// Questions so far that no pass waits for: AWS answers them for one VPC at a time, so that a start with many would take minutes,
    /// and they hardly ever change. Until they are answered, what hangs on them is as it was last known.
    pub fn later(&self) -> BTreeSet<Need> {
        self.needs.borrow().iter().filter(|n| self.is_later(n)).cloned().collect()
    }

    fn is_later(&self, need: &Need) -> bool {
        matches!(need, Need::VpcDns(_)) && !self.decisive.borrow().contains(need)
    }

    /// Whether AWS was asked this.
    pub fn was_asked(&self, need: &Need) -> bool {
        self.picture.asked.contains_key(need)
    }

    /// Lists of what is there that AWS refused and never gave: what cannot be seen may well be there.
    pub fn unseen(&self) -> Vec<(Need, &'a ReadFailure)> {
        let fresh = self.fresh.borrow();
        let is_list = |n: &&Need| match n {
            Need::RulesOf(_) | Need::GroupsOf(_) | Need::EndpointsOf(_) => true,
            Need::NetworkAclsOf(_) | Need::NetworkAcl(_) | Need::RouteTablesOf(_) | Need::RouteTable(_) => fresh.contains(*n),
            _ => false,
        };
        let refused = |n: &Need| Some((n.clone(), self.picture.asked.get(n)?.as_deref().filter(|_| !self.picture.read.contains(n))?));
        self.needs.borrow().iter().filter(is_list).filter_map(refused).collect()
    }

    /// Other facts that we may no longer read. What is known of them still serves, but somebody should know. The condition
    /// Connected tells by itself what DMS's tests lack.
    pub fn denied(&self) -> Vec<(Need, &'a ReadFailure)> {
        let failure = |n: &Need| Some((n.clone(), self.picture.asked.get(n)?.as_deref().filter(|f| f.denied)?));
        self.needs.borrow().iter().filter(|n| !matches!(n, Need::ConnectionsOf(_))).filter_map(failure).collect()
    }

    /// Notes a question without looking at the answer.
    pub fn need(&self, need: Need) {
        self.needs.borrow_mut().insert(need);
    }

    /// Notes that this is read every interval, though its kind is slow: it is ours to keep (design.md 2, Freshness).
    pub fn keep_fresh(&self, need: Need) {
        self.need(need.clone());
        self.decisive.borrow_mut().insert(need.clone());
        self.fresh.borrow_mut().insert(need);
    }

    fn ask<T: ?Sized>(&self, need: Need, found: Option<&'a Arc<T>>) -> Lookup<'a, T> {
        let answer = self.picture.answer(&need, found.map(|a| &**a));
        self.need(need);
        answer
    }

    /// A replication instance.
    pub fn instance(&self, identifier: &str) -> Lookup<'a, ReplicationInstance> {
        let id: Arc<str> = identifier.to_ascii_lowercase().into();
        self.ask(Need::ReplicationInstance(id.clone()), self.picture.instances.get(&id))
    }

    /// A DMS endpoint.
    pub fn dms_endpoint(&self, identifier: &str) -> Lookup<'a, DmsEndpoint> {
        let id: Arc<str> = identifier.to_ascii_lowercase().into();
        self.ask(Need::DmsEndpoint(id.clone()), self.picture.dms_endpoints.get(&id))
    }

    /// An RDS instance.
    pub fn db_instance(&self, identifier: &str) -> Lookup<'a, RdsDatabase> {
        let id: Arc<str> = identifier.to_ascii_lowercase().into();
        self.ask(Need::DbInstance(id.clone()), self.picture.db_instances.get(&id))
    }

    /// An RDS cluster.
    pub fn db_cluster(&self, identifier: &str) -> Lookup<'a, RdsDatabase> {
        let id: Arc<str> = identifier.to_ascii_lowercase().into();
        self.ask(Need::DbCluster(id.clone()), self.picture.db_clusters.get(&id))
    }

    /// A VPC.
    pub fn vpc(&self, id: &VpcId) -> Lookup<'a, Vpc> {
        self.ask(Need::Vpc(id.clone()), self.picture.vpcs.get(id))
    }

    /// The DNS attributes of a VPC, for something that is made now.
    pub fn vpc_dns(&self, id: &VpcId) -> Lookup<'a, VpcDns> {
        self.decisive.borrow_mut().insert(Need::VpcDns(id.clone()));
        self.ask(Need::VpcDns(id.clone()), self.picture.vpc_dns.get(id))
    }

    /// A subnet; with its VPC where that is known, so that one read answers for all.
    pub fn subnet(&self, id: &SubnetId, vpc: Option<&VpcId>) -> Lookup<'a, Subnet> {
        let found = self.picture.subnets.get(id);
        match (found, vpc) {
            (Some(s), _) => self.ask(Need::SubnetsOf(s.vpc.clone()), found),
            (None, Some(vpc)) if !self.picture.asked.contains_key(&Need::SubnetsOf(vpc.clone())) => {
                self.ask(Need::SubnetsOf(vpc.clone()), None)
            }
            _ => self.ask(Need::Subnet(id.clone()), None),
        }
    }

    /// A security group; with its VPC where that is known, so that one read answers for all.
    pub fn group(&self, id: &SecurityGroupId, vpc: Option<&VpcId>) -> Lookup<'a, SecurityGroup> {
        let found = self.picture.groups.get(id);
        match (found, vpc) {
            (Some(g), _) => self.ask(Need::GroupsOf(g.vpc.clone()), found),
            (None, Some(vpc)) if !self.picture.asked.contains_key(&Need::GroupsOf(vpc.clone())) => {
                self.ask(Need::GroupsOf(vpc.clone()), None)
            }
            _ => self.ask(Need::Group(id.clone()), None),
        }
    }

    /// The groups of a VPC; none where they were not read.
    pub fn groups_of(&self, vpc: &VpcId) -> Vec<&'a SecurityGroup> {
        self.need(Need::GroupsOf(vpc.clone()));
        self.picture.groups.within(vpc.as_str()).map(|g| &**g).collect()
    }

    /// The rules of a group; none where they were not read.
    pub fn rules(&self, group: &SecurityGroupId) -> &'a [Rule] {
        self.need(Need::RulesOf(group.clone()));
        self.picture.rules_of(group)
    }

    /// The endpoints of a VPC for a service.
    pub fn endpoints(&self, vpc: &VpcId, service_name: &str) -> Vec<&'a VpcEndpoint> {
        self.need(Need::EndpointsOf(vpc.clone()));
        self.picture.endpoints_for(vpc, service_name).map(|e| &**e).collect()
    }

    /// An endpoint by ID; with its VPC where that is known.
    pub fn endpoint(&self, id: &VpcEndpointId, vpc: Option<&VpcId>) -> Lookup<'a, VpcEndpoint> {
        let found = self.picture.endpoints.get(id);
        match (found, vpc) {
            (Some(e), _) => self.ask(Need::EndpointsOf(e.vpc.clone()), found),
            (None, Some(vpc)) if !self.picture.asked.contains_key(&Need::EndpointsOf(vpc.clone())) => {
                self.ask(Need::EndpointsOf(vpc.clone()), None)
            }
            _ => self.ask(Need::Endpoint(id.clone()), None),
        }
    }

    /// An endpoint service by full name.
    pub fn service(&self, name: &str) -> Lookup<'a, ServiceDetail> {
        let name: Arc<str> = name.into();
        self.ask(Need::Service(name.clone()), self.picture.services.get(&name))
    }

    /// A DMS Serverless replication.
    pub fn replication_config(&self, identifier: &str) -> Lookup<'a, ReplicationConfig> {
        let id: Arc<str> = identifier.to_ascii_lowercase().into();
        self.ask(Need::ReplicationConfig(id.clone()), self.picture.configs.get(&id))
    }

    /// A replication subnet group.
    pub fn subnet_group(&self, identifier: &str) -> Lookup<'a, SubnetGroup> {
        let id: Arc<str> = identifier.to_ascii_lowercase().into();
        self.ask(Need::SubnetGroup(id.clone()), self.picture.subnet_groups.get(&id))
    }

    /// A DB subnet group of RDS.
    pub fn db_subnet_group(&self, name: &str) -> Lookup<'a, SubnetGroup> {
        let name: Arc<str> = name.to_ascii_lowercase().into();
        self.ask(Need::DbSubnetGroup(name.clone()), self.picture.db_subnet_groups.get(&name))
    }

    /// DMS's last connection tests of an instance, by its ARN; none where they were not read.
    pub fn connections_of(&self, arn: &str) -> &'a [Connection] {
        let arn: Arc<str> = arn.into();
        let found = self.picture.connections.get(&arn);
        self.need(Need::ConnectionsOf(arn));
        found.map_or(&[], |c| c)
    }

    /// The network ACLs of a VPC; none where they were not read.
    pub fn acls_of(&self, vpc: &VpcId) -> Vec<&'a NetworkAcl> {
        self.need(Need::NetworkAclsOf(vpc.clone()));
        self.picture.acls.within(vpc.as_str()).map(|a| &**a).collect()
    }

    /// The route tables of a VPC; none where they were not read.
    pub fn route_tables_of(&self, vpc: &VpcId) -> Vec<&'a RouteTable> {
        self.need(Need::RouteTablesOf(vpc.clone()));
        self.picture.route_tables.within(vpc.as_str()).map(|t| &**t).collect()
    }

    /// A network ACL whose entries are ours to keep; with its VPC where that is known, so that one read answers for all.
    pub fn managed_acl(&self, id: &NetworkAclId, vpc: Option<&VpcId>) -> Lookup<'a, NetworkAcl> {
        let found = self.picture.acls.get(id);
        let need = match found.map(|a| &a.vpc).or(vpc) {
            Some(vpc) => Need::NetworkAclsOf(vpc.clone()),
            None => Need::NetworkAcl(id.clone()),
        };
        self.keep_fresh(need.clone());
        self.picture.answer(&need, found.map(|a| &**a))
    }

    /// A route table whose routes are ours to keep; with its VPC where that is known, so that one read answers for all.
    pub fn managed_route_table(&self, id: &RouteTableId, vpc: Option<&VpcId>) -> Lookup<'a, RouteTable> {
        let found = self.picture.route_tables.get(id);
        let need = match found.map(|t| &t.vpc).or(vpc) {
            Some(vpc) => Need::RouteTablesOf(vpc.clone()),
            None => Need::RouteTable(id.clone()),
        };
        self.keep_fresh(need.clone());
        self.picture.answer(&need, found.map(|t| &**t))
    }

    /// The NAT gateways of a VPC; none where they were not read.
    pub fn nat_gateways_of(&self, vpc: &VpcId) -> Vec<&'a NatGateway> {
        self.need(Need::NatGatewaysOf(vpc.clone()));
        self.picture.nat_gateways.within(vpc.as_str()).map(|n| &**n).collect()
    }

    /// The internet gateway that is attached to a VPC.
    pub fn internet_gateway_of(&self, vpc: &VpcId) -> Lookup<'a, InternetGateway> {
        self.ask(Need::InternetGatewayOf(vpc.clone()), self.picture.internet_gateways.get(vpc))
    }

    /// The peering connections of a VPC, on either side; none where they were not read.
    pub fn peerings_of(&self, vpc: &VpcId) -> Vec<&'a PeeringConnection> {
        self.need(Need::PeeringConnectionsOf(vpc.clone()));
        self.picture.peerings.within(vpc.as_str()).map(|p| &**p).collect()
    }

    /// A VPC's attachments to transit gateways; none where they were not read.
    pub fn transit_gateway_attachments_of(&self, vpc: &VpcId) -> Vec<&'a TransitGatewayAttachment> {
        self.need(Need::TransitGatewayAttachmentsOf(vpc.clone()));
        self.picture.transit_gateway_attachments.within(vpc.as_str()).map(|a| &**a).collect()
    }

    /// The network interfaces that carry a group; none where they were not read.
    pub fn interfaces_with(&self, group: &SecurityGroupId) -> Vec<&'a NetworkInterface> {
        self.need(Need::InterfacesWith(group.clone()));
        self.picture.interfaces.within(group.as_str()).map(|i| &**i).collect()
    }

    /// A network interface.
    pub fn interface(&self, id: &NetworkInterfaceId) -> Lookup<'a, NetworkInterface> {
        self.ask(Need::Interface(id.clone()), self.picture.interfaces.get(id))
    }

    /// A managed prefix list with its entries.
    pub fn prefix_list(&self, id: &PrefixListId) -> Lookup<'a, PrefixList> {
        self.ask(Need::PrefixList(id.clone()), self.picture.prefix_lists.get(id))
    }

    /// A managed prefix list by its name, such as AWS's own for S3 in this Region.
    pub fn prefix_list_named(&self, name: &str) -> Lookup<'a, PrefixList> {
        self.ask(Need::PrefixListNamed(name.into()), self.picture.prefix_lists.within(name).next())
    }

    /// Addresses of a host name, if they are known by now.
    pub fn host(&self, name: &str) -> Option<&'a Resolution> {
        let name: Arc<str> = name.into();
        self.need(Need::Host(name.clone()));
        self.picture.hosts.get(&name)
    }
}
