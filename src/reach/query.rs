//! What is asked: whether one replication reaches one database, and which way its packets are said to take.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::{NatGatewayId, NetworkInterfaceId, PeeringConnectionId, Picture, SecurityGroupId, SubnetId, VpcId};

/// An account and Region, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The account; empty where it is not known yet.
    pub account: &'a str,
    /// The Region.
    pub region: &'a str,
    /// What is known of it.
    pub picture: &'a Picture,
}

/// One question: can `source` open connections to every one of `targets`?
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The database's name in the spec, or the service's.
    pub name: &'a str,
    /// Where the replication is.
    pub near: Side<'a>,
    /// Where the database is: often the very same, the class's of `databases[].className` otherwise.
    pub far: Side<'a>,
    /// Where packets start.
    pub source: &'a Source,
    /// Hosts and ports that they go to.
    pub targets: &'a [Target],
    /// Which way they are said to take.
    pub path: &'a Way,
}

/// How much exists of the replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum SourceKind {
    /// A replication instance.
    #[default]
    Instance,
    /// DMS Serverless: no public address; its addresses are not told (domain.md 2).
    Serverless,
    /// Nothing exists yet: subnets and groups are planned.
    Placement,
}

/// The replication: the end that opens connections (domain.md 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// How much of it exists.
    pub kind: SourceKind,
    /// Its VPC.
    pub vpc: VpcId,
    /// Every subnet that it may live in.
    pub subnets: Vec<SubnetId>,
    /// All groups on its interface: their rules are united.
    pub groups: Vec<SecurityGroupId>,
    /// Its private addresses, as far as they are known. In a subnet that holds none of them every address of the subnet is tried.
    pub private_ips: Vec<IpAddr>,
    /// Its public addresses.
    pub public_ips: Vec<IpAddr>,
    /// `PubliclyAccessible`; none where DMS does not tell or nothing exists.
    pub publicly_accessible: Option<bool>,
    /// Whether it has IPv6 addresses too (`NetworkType` is `DUAL`); known addresses tell it as well.
    pub dual_stack: bool,
    /// Its own DNS servers instead of the VPC's resolver.
    pub dns_servers: Vec<IpAddr>,
}

/// One host and port of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Host name or address, as it is written.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Its addresses as far as they are known: as written, as resolved, or the CIDRs of `path`.
    pub addresses: Vec<IpNet>,
    /// Its VPC, if it lives in one that is known.
    pub vpc: Option<VpcId>,
    /// Every subnet that it may live in.
    pub subnets: Vec<SubnetId>,
    /// All groups on its interface.
    pub groups: Vec<SecurityGroupId>,
    /// Whether AWS owns the name (RDS, Redshift, …): inside its VPC it is answered with private addresses, outside with public
    /// ones where the database is publicly accessible (domain.md 1.2).
    pub aws_name: bool,
    /// `PubliclyAccessible` of an RDS database; none for others.
    pub publicly_accessible: Option<bool>,
}

/// Which way packets are said to take: `path.type` and its block, or the way to an AWS service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// All in one VPC (domain.md 1.1).
    SameVpc,
    /// Through a peering connection (1.2).
    PeeredVpc {
        /// `pcx-…`
        peering: PeeringConnectionId,
    },
    /// Direct Connect or VPN (1.3).
    OnPremises {
        /// The host in between, if one bridges the traffic.
        nat_host: Option<NatHost>,
    },
    /// Internet gateway and public address (1.4).
    Internet,
    /// Through NAT gateways (1.5).
    NatGateway {
        /// The gateways that may be used; empty: whichever the routes name.
        gateways: Vec<NatGatewayId>,
    },
    /// ClassicLink is retired: the targets are the proxy that is left of it (1.6).
    ClassicLink,
    /// To an AWS service on 443, by a VPC endpoint or a public route (1.7, 2).
    Service {
        /// Full service name, such as `com.amazonaws.us-west-2.s3`.
        service: String,
    },
}

/// The host that bridges traffic to on-premises networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatHost {
    /// Its group.
    pub group: Option<SecurityGroupId>,
    /// Its interface; none: the one that the routes name.
    pub interface: Option<NetworkInterfaceId>,
}
