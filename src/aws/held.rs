//! Objects of the picture that are kept by ID, and the questions whose answers include them.

use std::{borrow::Borrow, sync::Arc};

use crate::model::{
    InternetGateway, NatGateway, NatGatewayId, Need, NetworkAcl, NetworkAclId, NetworkInterface, NetworkInterfaceId, PeeringConnection,
    PeeringConnectionId, Picture, PrefixList, PrefixListId, RouteTable, RouteTableId, SecurityGroup, SecurityGroupId, Subnet, SubnetId,
    Table, TransitGatewayAttachment, Vpc, VpcEndpoint, VpcEndpointId, VpcId, Within,
};

/// A kind of objects that the picture holds by ID.
pub(super) trait Held: PartialEq + Within + Sized {
    /// Its ID.
    type Key: Ord + Clone + Borrow<str>;
    fn key(&self) -> Self::Key;
    /// The questions whose answers include it.
    fn needs(&self) -> Vec<Need>;
    /// The one that asks for it alone, where it may also come with what it belongs to.
    fn alone(&self) -> Option<Need> {
        None
    }
    fn map(picture: &mut Picture) -> &mut Table<Self::Key, Self>;
}

macro_rules! held {
    ($($kind:ty: $key:ty, $map:ident, |$o:ident| $id:expr, [$($need:expr),+] $(, alone $alone:expr)?;)+) => {$(
        impl Held for $kind {
            type Key = $key;
            fn key(&self) -> $key {
                let $o = self;
                $id.clone()
            }
            fn needs(&self) -> Vec<Need> {
                let $o = self;
                vec![$($need),+]
            }
            $(fn alone(&self) -> Option<Need> {
                let $o = self;
                Some($alone)
            })?
            fn map(picture: &mut Picture) -> &mut Table<$key, Self> {
                &mut picture.$map
            }
        }
    )+};
}

held! {
    Vpc: VpcId, vpcs, |o| o.id, [Need::Vpc(o.id.clone())];
    Subnet: SubnetId, subnets, |o| o.id, [Need::Subnet(o.id.clone()), Need::SubnetsOf(o.vpc.clone())], alone Need::Subnet(o.id.clone());
    SecurityGroup: SecurityGroupId, groups, |o| o.id, [Need::Group(o.id.clone()), Need::GroupsOf(o.vpc.clone())],
        alone Need::Group(o.id.clone());
    VpcEndpoint: VpcEndpointId, endpoints, |o| o.id, [Need::Endpoint(o.id.clone()), Need::EndpointsOf(o.vpc.clone())],
        alone Need::Endpoint(o.id.clone());
    NetworkAcl: NetworkAclId, acls, |o| o.id, [Need::NetworkAcl(o.id.clone()), Need::NetworkAclsOf(o.vpc.clone())],
        alone Need::NetworkAcl(o.id.clone());
    RouteTable: RouteTableId, route_tables, |o| o.id, [Need::RouteTable(o.id.clone()), Need::RouteTablesOf(o.vpc.clone())],
        alone Need::RouteTable(o.id.clone());
    NatGateway: NatGatewayId, nat_gateways, |o| o.id, [Need::NatGatewaysOf(o.vpc.clone())];
    InternetGateway: VpcId, internet_gateways, |o| o.vpc, [Need::InternetGatewayOf(o.vpc.clone())];
    PeeringConnection: PeeringConnectionId, peerings, |o| o.id,
        [Need::PeeringConnectionsOf(o.requester.vpc.clone()), Need::PeeringConnectionsOf(o.accepter.vpc.clone())];
    TransitGatewayAttachment: Arc<str>, transit_gateway_attachments, |o| Arc::<str>::from(o.id.as_str()),
        [Need::TransitGatewayAttachmentsOf(o.vpc.clone())];
    PrefixList: PrefixListId, prefix_lists, |o| o.id, [Need::PrefixList(o.id.clone()), Need::PrefixListNamed(o.name.as_str().into())],
        alone Need::PrefixList(o.id.clone());
}

impl Held for NetworkInterface {
    type Key = NetworkInterfaceId;

    fn key(&self) -> NetworkInterfaceId {
        self.id.clone()
    }

    fn needs(&self) -> Vec<Need> {
        let with = self.groups.iter().cloned().map(Need::InterfacesWith);
        with.chain([Need::Interface(self.id.clone())]).collect()
    }

    fn alone(&self) -> Option<Need> {
        Some(Need::Interface(self.id.clone()))
    }

    fn map(picture: &mut Picture) -> &mut Table<NetworkInterfaceId, Self> {
        &mut picture.interfaces
    }
}
