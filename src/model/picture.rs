//! What is known of one account and Region: the objects that were read, and which questions were answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Connection, DmsEndpoint, InternetGateway, NatGateway, NatGatewayId, Need, NetworkAcl, NetworkAclId, NetworkInterface,
    NetworkInterfaceId, PeeringConnection, PeeringConnectionId, PrefixList, PrefixListId, RdsDatabase, ReplicationConfig,
    ReplicationInstance, RouteTable, RouteTableId, Rule, SecurityGroup, SecurityGroupId, ServiceDetail, Subnet, SubnetGroup, SubnetId,
    Table, TransitGatewayAttachment, Vpc, VpcDns, VpcEndpoint, VpcEndpointId, VpcId, dense::repack,
};

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a, T: ?Sized> {
    /// It exists.
    Found(&'a T),
    /// AWS was asked, and it does not exist.
    Absent,
    /// AWS was not asked yet.
    Unread,
    /// AWS was asked and refused, or did not answer.
    Unreadable(&'a ReadFailure),
}

/// A read that AWS refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadFailure {
    /// Whether a permission is missing (then nothing but somebody's action helps).
    pub denied: bool,
    /// What AWS said, with the action that was tried.
    pub message: String,
}

/// What a host name resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resolution {
    /// Addresses, sorted.
    Addresses(Vec<IpAddr>),
    /// The resolver's words.
    Failed(String),
}

/// All that is known of one account and Region. Reads replace parts of it; plans only look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// Questions that were asked: `None` where AWS answered (perhaps with nothing), else why not, one copy for all that a call asked.
    #[serde(with = "asked")]
    pub asked: BTreeMap<Need, Option<Arc<ReadFailure>>>,
    /// Questions that AWS has answered before it failed to: that leaves the answer as it was. What `asked` tells to be answered need not
    /// be among them; files have it so ([`Picture::told`]).
    pub read: BTreeSet<Need>,
    /// By lower-case identifier.
    pub instances: BTreeMap<Arc<str>, Arc<ReplicationInstance>>,
    /// By lower-case identifier.
    pub dms_endpoints: BTreeMap<Arc<str>, Arc<DmsEndpoint>>,
    /// By lower-case identifier.
    pub db_instances: BTreeMap<Arc<str>, Arc<RdsDatabase>>,
    /// By lower-case identifier.
    pub db_clusters: BTreeMap<Arc<str>, Arc<RdsDatabase>>,
    /// By ID.
    pub vpcs: Table<VpcId, Vpc>,
    /// By ID of the VPC.
    pub vpc_dns: BTreeMap<VpcId, Arc<VpcDns>>,
    /// By ID.
    pub subnets: Table<SubnetId, Subnet>,
    /// By ID.
    pub groups: Table<SecurityGroupId, SecurityGroup>,
    /// By group; each list sorted by shape.
    pub rules: BTreeMap<SecurityGroupId, Arc<[Rule]>>,
    /// By ID.
    pub endpoints: Table<VpcEndpointId, VpcEndpoint>,
    /// By full name.
    pub services: BTreeMap<Arc<str>, Arc<ServiceDetail>>,
    /// By lower-case identifier.
    pub configs: BTreeMap<Arc<str>, Arc<ReplicationConfig>>,
    /// By lower-case identifier.
    pub subnet_groups: BTreeMap<Arc<str>, Arc<SubnetGroup>>,
    /// By lower-case name: the VPC and subnets of a DB subnet group.
    pub db_subnet_groups: BTreeMap<Arc<str>, Arc<SubnetGroup>>,
    /// By ARN of the instance; each list sorted.
    pub connections: BTreeMap<Arc<str>, Arc<[Connection]>>,
    /// By ID.
    pub acls: Table<NetworkAclId, NetworkAcl>,
    /// By ID.
    pub route_tables: Table<RouteTableId, RouteTable>,
    /// By ID.
    pub nat_gateways: Table<NatGatewayId, NatGateway>,
    /// By the VPC that it is attached to.
    pub internet_gateways: Table<VpcId, InternetGateway>,
    /// By ID.
    pub peerings: Table<PeeringConnectionId, PeeringConnection>,
    /// By `tgw-attach-…`.
    pub transit_gateway_attachments: Table<Arc<str>, TransitGatewayAttachment>,
    /// By ID.
    pub interfaces: Table<NetworkInterfaceId, NetworkInterface>,
    /// By ID.
    pub prefix_lists: Table<PrefixListId, PrefixList>,
    /// By name.
    pub hosts: BTreeMap<Arc<str>, Resolution>,
}

impl Picture {
    /// As files have it: `read` names all questions that AWS has answered at least once.
    pub fn told(mut self) -> Self {
        let answered = self.asked.iter().filter(|(need, failure)| failure.is_none() && !need.is_dns());
        self.read.extend(answered.map(|(need, _)| need.clone()));
        self
    }

    /// The answer to `need`, given the object where it was found.
    pub fn answer<'a, T: ?Sized>(&'a self, need: &Need, found: Option<&'a T>) -> Lookup<'a, T> {
        match (found, self.asked.get(need)) {
            (Some(t), _) => Lookup::Found(t),
            (None, None) => Lookup::Unread,
            (None, Some(None)) => Lookup::Absent,
            (None, Some(Some(failure))) => Lookup::Unreadable(failure),
        }
    }

    /// How much it holds of what there is most of.
    pub fn size(&self) -> usize {
        self.asked.len() + self.rules.len() + self.groups.len() + self.subnets.len()
    }

    /// See [`repack`]: for a picture that grew and will now stay as large as it is.
    pub fn repack(&mut self) {
        repack(&mut self.asked);
        repack(&mut self.instances);
        repack(&mut self.dms_endpoints);
        repack(&mut self.db_instances);
        repack(&mut self.db_clusters);
        self.vpcs.repack();
        repack(&mut self.vpc_dns);
        self.subnets.repack();
        self.groups.repack();
        repack(&mut self.rules);
        self.endpoints.repack();
        repack(&mut self.configs);
        repack(&mut self.subnet_groups);
        repack(&mut self.db_subnet_groups);
        repack(&mut self.connections);
        self.acls.repack();
        self.route_tables.repack();
        self.nat_gateways.repack();
        self.internet_gateways.repack();
        self.peerings.repack();
        self.interfaces.repack();
        repack(&mut self.hosts);
    }

    /// Rules of a group; empty where it was not read.
    pub fn rules_of(&self, group: &SecurityGroupId) -> &[Rule] {
        self.rules.get(group).map_or(&[], |r| r)
    }

    /// The network ACL before a subnet.
    pub fn acl_of(&self, subnet: &SubnetId) -> Option<&Arc<NetworkAcl>> {
        let holds = |a: &&Arc<NetworkAcl>| a.subnets.binary_search(subnet).is_ok();
        match self.subnets.get(subnet) {
            Some(s) => self.acls.within(s.vpc.as_str()).find(holds),
            None => self.acls.values().find(holds),
        }
    }

    /// The route table of a subnet: the one that names it, else the VPC's main table (domain.md 1.8).
    pub fn route_table_of(&self, subnet: &SubnetId, vpc: &VpcId) -> Option<&Arc<RouteTable>> {
        let tables = || self.route_tables.within(vpc.as_str());
        tables().find(|t| t.subnets.binary_search(subnet).is_ok()).or_else(|| tables().find(|t| t.main))
    }

    /// Endpoints of a VPC for a service, by full name.
    pub fn endpoints_for<'a>(&'a self, vpc: &VpcId, service_name: &str) -> impl Iterator<Item = &'a Arc<VpcEndpoint>> {
        self.endpoints.within(vpc.as_str()).filter(move |e| e.service_name == service_name)
    }
}

/// Questions as a list: JSON's keys are texts.
mod asked {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Asked<N, F> {
        need: N,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<F>,
    }

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Need, Option<Arc<ReadFailure>>>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(map.iter().map(|(need, failure)| Asked { need, failure: failure.as_ref() }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<Need, Option<Arc<ReadFailure>>>, D::Error> {
        let list = Vec::<Asked<Need, Arc<ReadFailure>>>::deserialize(d)?;
        Ok(list.into_iter().map(|a| (a.need, a.failure)).collect())
    }
}
