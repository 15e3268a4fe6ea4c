//! The network as plain values, each in one canonical form, so that equal things compare equal
//! (domain.md 3.3). Nothing here knows AWS's SDK, Kubernetes' client, a runtime or a clock.

pub mod acl;
pub mod dense;
pub mod dms;
pub mod endpoint;
pub mod engine;
pub mod event;
pub mod gateway;
pub mod group;
pub mod ids;
pub mod interface;
pub mod intern;
pub mod need;
pub mod picture;
pub mod policy;
pub mod route;
pub mod rule;
pub mod table;
pub mod tags;
pub mod vpc;

pub use acl::{AclEntry, AclShape, NetworkAcl};
pub use dms::{Connection, DmsEndpoint, RdsDatabase, ReplicationConfig, ReplicationInstance, SubnetGroup};
pub use endpoint::{EndpointState, ServiceDetail, VpcEndpoint};
pub use event::{Cause, ChangeEvent};
pub use gateway::{InternetGateway, NatAddress, NatGateway, PeeringConnection, PeeringSide, TransitGatewayAttachment};
pub use group::SecurityGroup;
pub use ids::*;
pub use interface::{NetworkInterface, PrefixList};
pub use need::{Need, Pace};
pub use picture::{Lookup, Picture, ReadFailure, Resolution};
pub use policy::Policy;
pub use route::{Destination, Route, RouteOrigin, RouteState, RouteTable, Target};
pub use rule::{Direction, Peer, Ports, Protocol, Rule, RuleShape};
pub use table::{Table, Within};
pub use tags::{Owner, Ownership, Tags};
pub use vpc::{BlockPublicAccess, Subnet, Vpc, VpcDns};
