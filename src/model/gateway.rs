//! What routes lead to: gateways and peerings.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{InternetGatewayId, NatGatewayId, NetworkInterfaceId, PeeringConnectionId, SubnetId, TransitGatewayId, VpcId};

/// An internet gateway (EC2 `InternetGateway`) that is attached to a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InternetGateway {
    /// `igw-…`
    pub id: InternetGatewayId,
    /// The VPC that it is attached to (state `available` or `attached`).
    pub vpc: VpcId,
}

/// A NAT gateway (EC2 `NatGateway`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NatGateway {
    /// `nat-…`
    pub id: NatGatewayId,
    /// Its VPC.
    pub vpc: VpcId,
    /// The subnet that it stands in; none for a regional one.
    pub subnet: Option<SubnetId>,
    /// `pending`, `failed`, `available`, `deleting` or `deleted`.
    pub state: String,
    /// Why it failed: code and message.
    pub failure: Option<String>,
    /// `ConnectivityType` is `public`; a private one knows no internet.
    pub public: bool,
    /// Regional (`AvailabilityMode`): it serves every zone, and may add addresses by itself.
    pub regional: bool,
    /// Its addresses.
    pub addresses: Vec<NatAddress>,
}

/// One address of a NAT gateway (EC2 `NatGatewayAddress`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NatAddress {
    /// What the far side sees.
    pub public_ip: Option<IpAddr>,
    /// Its address in the VPC.
    pub private_ip: Option<IpAddr>,
    /// Its interface.
    pub interface: Option<NetworkInterfaceId>,
    /// Whether it is in use (`Status` is `succeeded`, or not told).
    pub in_use: bool,
}

/// A VPC peering connection (EC2 `VpcPeeringConnection`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeeringConnection {
    /// `pcx-…`
    pub id: PeeringConnectionId,
    /// `active`, `pending-acceptance`, `expired`, … as EC2 writes it.
    pub status: String,
    /// AWS's words about the status.
    pub message: Option<String>,
    /// Who asked.
    pub requester: PeeringSide,
    /// Who was asked.
    pub accepter: PeeringSide,
}

/// One side of a peering (EC2 `VpcPeeringConnectionVpcInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeeringSide {
    /// Its VPC.
    pub vpc: VpcId,
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its CIDRs; empty while the peering is not active.
    pub cidrs: Vec<IpNet>,
    /// `AllowDnsResolutionFromRemoteVpc`: the other side gets private addresses for names of this one. None where AWS does not tell.
    pub dns_resolution: Option<bool>,
}

impl PeeringConnection {
    /// Whether packets may pass.
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }

    /// The side of a VPC and the other one, in this order; none where it is on neither.
    pub fn sides(&self, vpc: &VpcId) -> Option<(&PeeringSide, &PeeringSide)> {
        if self.requester.vpc == *vpc {
            Some((&self.requester, &self.accepter))
        } else if self.accepter.vpc == *vpc {
            Some((&self.accepter, &self.requester))
        } else {
            None
        }
    }
}

/// A VPC's attachment to a transit gateway (EC2 `TransitGatewayVpcAttachment`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransitGatewayAttachment {
    /// `tgw-attach-…`
    pub id: String,
    /// `tgw-…`
    pub gateway: TransitGatewayId,
    /// The VPC.
    pub vpc: VpcId,
    /// `available`, …
    pub state: String,
    /// Its subnets: a zone without one drops.
    pub subnets: Vec<SubnetId>,
}
