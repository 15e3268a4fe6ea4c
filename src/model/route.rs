//! Route tables (domain.md 1.8).

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    InternetGatewayId, NatGatewayId, NetworkInterfaceId, PeeringConnectionId, PrefixListId, RouteTableId, SubnetId, TransitGatewayId,
    VpcEndpointId, VpcId, VpnGatewayId, tags::Tags,
};

/// A route table (EC2 `RouteTable`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteTable {
    /// `rtb-…`
    pub id: RouteTableId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether subnets without a table of their own use it.
    pub main: bool,
    /// Subnets that name it, sorted. A subnet that none names uses the main table: AWS returns no implicit association.
    pub subnets: Vec<SubnetId>,
    /// Its routes, sorted.
    pub routes: Vec<Route>,
    /// Virtual private gateways that may put routes into it (EC2 `PropagatingVgws`), sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub propagating: Vec<VpnGatewayId>,
    /// Its tags: they record which routes are ours (design.md 2).
    pub tags: Tags,
}

impl RouteTable {
    /// The route for exactly this destination that is not a propagated one, which would give way to it (domain.md 1.8).
    pub fn written(&self, destination: &Destination) -> Option<&Route> {
        self.routes.iter().find(|r| r.destination == *destination && r.origin != RouteOrigin::Propagated)
    }
}

/// One route (EC2 `Route`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Where packets want to go.
    pub destination: Destination,
    /// Where they are sent.
    pub target: Target,
    /// Whether they arrive there.
    pub state: RouteState,
    /// Who put it there.
    pub origin: RouteOrigin,
}

/// What a route matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Destination {
    /// Addresses.
    Cidr(IpNet),
    /// A managed prefix list.
    PrefixList(PrefixListId),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(c) => c.fmt(f),
            Self::PrefixList(p) => p.fmt(f),
        }
    }
}

/// Where a route sends packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// Within the VPC.
    Local,
    /// `igw-…`
    InternetGateway(InternetGatewayId),
    /// `nat-…`
    NatGateway(NatGatewayId),
    /// `pcx-…`
    PeeringConnection(PeeringConnectionId),
    /// `tgw-…`
    TransitGateway(TransitGatewayId),
    /// `vgw-…`
    VpnGateway(VpnGatewayId),
    /// `eni-…`, of an instance or an appliance; none where the instance has none (a blackhole).
    NetworkInterface(Option<NetworkInterfaceId>),
    /// A gateway endpoint (S3, DynamoDB) or a Gateway Load Balancer's.
    VpcEndpoint(VpcEndpointId),
    /// `eigw-…`, `lgw-…`, `cagw-…`, a core network …: the ID as AWS writes it.
    Other(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::InternetGateway(id) => id.fmt(f),
            Self::NatGateway(id) => id.fmt(f),
            Self::PeeringConnection(id) => id.fmt(f),
            Self::TransitGateway(id) => id.fmt(f),
            Self::VpnGateway(id) => id.fmt(f),
            Self::NetworkInterface(Some(id)) => id.fmt(f),
            Self::NetworkInterface(None) => f.write_str("an instance without an interface"),
            Self::VpcEndpoint(id) => id.fmt(f),
            Self::Other(id) => f.write_str(id),
        }
    }
}

/// EC2 `Route.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RouteState {
    /// Packets arrive at the target.
    Active,
    /// The target is gone or not ready: packets are dropped, and fall through to no other route.
    Blackhole,
    /// AWS has taken the route out of use: as if it were not there.
    Filtered,
}

impl fmt::Display for RouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Blackhole => "blackhole",
            Self::Filtered => "filtered",
        })
    }
}

/// EC2 `Route.Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RouteOrigin {
    /// Came with the table (`local`).
    CreateRouteTable,
    /// Somebody wrote it.
    CreateRoute,
    /// A virtual private gateway propagated it.
    Propagated,
}
