//! VPC endpoints and the services behind them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{NetworkInterfaceId, Policy, RouteTableId, SecurityGroupId, SubnetId, VpcEndpointId, VpcId, tags::Tags};
use crate::api::network::{IpAddressType, VpcEndpointType};

/// State of a VPC endpoint. EC2's model names states in upper camel case and the service answers in lower:
/// it is read case-insensitively (domain.md 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
#[allow(missing_docs)]
pub enum EndpointState {
    PendingAcceptance,
    Pending,
    Available,
    Deleting,
    Deleted,
    Rejected,
    Failed,
    Expired,
    Partial,
    Other(String),
}

impl EndpointState {
    /// Reads EC2's `State`.
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "pendingacceptance" => Self::PendingAcceptance,
            "pending" => Self::Pending,
            "available" => Self::Available,
            "deleting" => Self::Deleting,
            "deleted" => Self::Deleted,
            "rejected" => Self::Rejected,
            "failed" => Self::Failed,
            "expired" => Self::Expired,
            "partial" => Self::Partial,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl From<String> for EndpointState {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<EndpointState> for String {
    fn from(state: EndpointState) -> Self {
        state.to_string()
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingAcceptance => "pendingAcceptance",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Partial => "partial",
            Self::Other(s) => s,
        })
    }
}

/// A VPC endpoint (EC2 `VpcEndpoint`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcEndpoint {
    /// `vpce-…`
    pub id: VpcEndpointId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Full service name, such as `com.amazonaws.us-west-2.dms`.
    pub service_name: String,
    /// `Interface`, `Gateway`, …, as EC2 writes it.
    pub endpoint_type: String,
    /// Its state.
    pub state: EndpointState,
    /// Its subnets, sorted.
    pub subnets: Vec<SubnetId>,
    /// Route tables of a gateway endpoint, sorted.
    pub route_tables: Vec<RouteTableId>,
    /// Its groups, sorted.
    pub groups: Vec<SecurityGroupId>,
    /// Whether the service's public name resolves to it in the VPC.
    pub private_dns: bool,
    /// Its policy, in canonical form.
    pub policy: Policy,
    /// Address families.
    pub ip_address_type: IpAddressType,
    /// DNS names, the Regional one first.
    pub dns_names: Vec<String>,
    /// Its network interfaces.
    pub interfaces: Vec<NetworkInterfaceId>,
    /// Its tags.
    pub tags: Tags,
    /// EC2's last error about it, if any.
    pub last_error: Option<String>,
}

impl VpcEndpoint {
    /// Whether it is of this kind.
    pub fn is_of(&self, kind: VpcEndpointType) -> bool {
        self.endpoint_type.eq_ignore_ascii_case(kind.into())
    }

    /// Whether it is gone, or going.
    pub fn is_going(&self) -> bool {
        matches!(self.state, EndpointState::Deleting | EndpointState::Deleted)
    }
}

/// A service that endpoints can be made for (EC2 `ServiceDetail`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDetail {
    /// Full service name.
    pub name: String,
    /// Zones that can host its endpoints.
    pub zones: Vec<String>,
    /// The public name that private DNS would answer.
    pub private_dns_name: Option<String>,
    /// Kinds of endpoints it offers, as EC2 writes them: `Interface`, `Gateway`, ….
    pub types: Vec<String>,
}

impl ServiceDetail {
    /// One service of both rows: AWS tells of S3 and DynamoDB twice under one name, once for each kind of endpoint. Zones and
    /// private name are those of the interface kind, which alone is tied to them.
    pub fn and(self, other: Self) -> Self {
        let is_interface = |s: &Self| s.types.iter().any(|t| t.eq_ignore_ascii_case(VpcEndpointType::Interface.into()));
        let (mut first, second) = if is_interface(&self) { (self, other) } else { (other, self) };
        first.private_dns_name = first.private_dns_name.or(second.private_dns_name);
        first.types.extend(second.types);
        first.types.sort();
        first.types.dedup();
        first
    }
}

/// Full name of an AWS service's endpoint service: `com.amazonaws.<region>.<service>`.
pub fn service_name(region: &str, service: &str) -> String {
    let prefix = if region.starts_with("cn-") { "cn.com.amazonaws" } else { "com.amazonaws" };
    format!("{prefix}.{region}.{service}")
}

/// Full name of a gateway endpoint's service, which is also the name of its prefix list: in China, too, without `cn.`.
pub fn gateway_service_name(region: &str, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// The public host name of a service: the one that private DNS of its endpoint answers. In China names end in `.cn`.
pub fn service_host(region: &str, service: &str) -> String {
    let label = if service == "kinesis-streams" { "kinesis" } else { service };
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("{label}.{region}.amazonaws.com{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_both_kinds_is_one() {
        let row = |kind: &str, zone: &str| ServiceDetail {
            name: "com.amazonaws.us-east-1.s3".into(),
            zones: vec![zone.into()],
            private_dns_name: (kind == "Interface").then(|| "s3.us-east-1.amazonaws.com".into()),
            types: vec![kind.into()],
        };
        let (gateway, interface) = (row("Gateway", "us-east-1f"), row("Interface", "us-east-1a"));
        let both = gateway.clone().and(interface.clone());
        assert_eq!(both, interface.and(gateway), "in any order");
        assert_eq!((both.types, both.zones), (vec!["Gateway".to_owned(), "Interface".to_owned()], vec!["us-east-1a".to_owned()]));
    }

    #[test]
    fn names_in_china_differ() {
        assert_eq!(service_name("cn-north-1", "s3"), "cn.com.amazonaws.cn-north-1.s3");
        assert_eq!(gateway_service_name("cn-north-1", "s3"), "com.amazonaws.cn-north-1.s3");
        assert_eq!(service_host("cn-north-1", "s3"), "s3.cn-north-1.amazonaws.com.cn");
        assert_eq!(service_host("eu-west-1", "kinesis-streams"), "kinesis.eu-west-1.amazonaws.com");
    }

    #[test]
    fn states_are_read_in_any_case() {
        for text in ["available", "Available", "AVAILABLE"] {
            assert_eq!(EndpointState::parse(text), EndpointState::Available);
        }
        assert_eq!(EndpointState::parse("PendingAcceptance"), EndpointState::parse("pendingAcceptance"));
        assert_eq!(EndpointState::parse("odd").to_string(), "odd");
    }
}
