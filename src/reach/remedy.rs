//! What would open a hop: values that plans can act on, and the AWS CLI lines that do the same.

use ipnet::IpNet;

use crate::model::{
    Destination, Direction, NetworkAclId, NetworkInterfaceId, Peer, PeeringConnectionId, Ports, Protocol, RouteTableId, RuleShape,
    SecurityGroupId, SubnetId, Target, VpcEndpointId, VpcId, VpnGatewayId,
};

/// One change of AWS that a finding asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// A rule of a security group.
    AddRule {
        /// Its group.
        group: SecurityGroupId,
        /// What it lets through.
        shape: RuleShape,
    },
    /// An entry of a network ACL that allows.
    AddAclEntry {
        /// Its ACL.
        acl: NetworkAclId,
        /// In or out.
        direction: Direction,
        /// A free number ahead of whatever denies.
        number: u16,
        /// IP protocol.
        protocol: Protocol,
        /// Ports.
        ports: Ports,
        /// Where packets come from or go to.
        cidr: IpNet,
        /// The explicit deny that it has to go ahead of, if one is in the way: that is never done without somebody's asking.
        ahead_of: Option<u16>,
    },
    /// An entry of a network ACL that denies, where no number is free ahead of it.
    RemoveAclEntry {
        /// Its ACL.
        acl: NetworkAclId,
        /// In or out.
        direction: Direction,
        /// Its number.
        number: u16,
    },
    /// A route.
    AddRoute {
        /// Its table.
        table: RouteTableId,
        /// Where packets want to go.
        destination: Destination,
        /// Where they are sent.
        target: Target,
    },
    /// A route that has the destination already, and another target.
    ReplaceRoute {
        /// Its table.
        table: RouteTableId,
        /// Where packets want to go.
        destination: Destination,
        /// Where they are sent from then on.
        target: Target,
    },
    /// A route that is in the way.
    RemoveRoute {
        /// Its table.
        table: RouteTableId,
        /// Where packets want to go.
        destination: Destination,
    },
    /// A virtual private gateway's routes let into a table.
    EnableRoutePropagation {
        /// The table.
        table: RouteTableId,
        /// The gateway.
        gateway: VpnGatewayId,
    },
    /// `SourceDestCheck` off.
    DisableSourceDestCheck {
        /// The interface.
        interface: NetworkInterfaceId,
    },
    /// `enableDnsSupport` on.
    EnableDnsSupport {
        /// The VPC.
        vpc: VpcId,
    },
    /// `enableDnsHostnames` on.
    EnableDnsHostnames {
        /// The VPC.
        vpc: VpcId,
    },
    /// The peering's request accepted.
    AcceptPeering {
        /// The peering.
        peering: PeeringConnectionId,
    },
    /// `AllowDnsResolutionFromRemoteVpc` on, for the VPC that owns the name.
    EnablePeeringDns {
        /// The peering.
        peering: PeeringConnectionId,
        /// Whether the VPC that owns the name is the requester (else the accepter).
        requester: bool,
    },
    /// An internet gateway: a new one, attached.
    AttachInternetGateway {
        /// The VPC.
        vpc: VpcId,
    },
    /// A subnet of a transit gateway's attachment.
    AddTransitGatewaySubnet {
        /// `tgw-attach-…`
        attachment: String,
        /// The subnet.
        subnet: SubnetId,
    },
    /// An exclusion from VPC Block Public Access.
    ExcludeFromBlockPublicAccess {
        /// The subnet.
        subnet: SubnetId,
        /// Whether connections that the internet begins must pass too, or those that are begun inside with a public address.
        bidirectional: bool,
    },
    /// Private DNS of a VPC endpoint on.
    EnablePrivateDns {
        /// The endpoint.
        endpoint: VpcEndpointId,
    },
    /// A route table of a gateway endpoint.
    AddEndpointRouteTable {
        /// The endpoint.
        endpoint: VpcEndpointId,
        /// The table.
        table: RouteTableId,
    },
    /// An RDS database made publicly accessible.
    MakeDatabasePublic {
        /// The DB instance, as its host name begins.
        identifier: String,
    },
}

impl Remedy {
    /// As an AWS CLI line for `region`.
    pub fn cli(&self, region: &str) -> Vec<String> {
        let ec2 = |rest: String| vec![format!("aws ec2 {rest} --region {region}")];
        match self {
            Self::AddRule { group, shape } => {
                let verb = match shape.direction {
                    Direction::In => "ingress",
                    Direction::Out => "egress",
                };
                ec2(format!("authorize-security-group-{verb} --group-id {group} --ip-permissions '{}'", permission(shape)))
            }
            Self::AddAclEntry { acl, direction, number, protocol, ports, cidr, .. } => {
                let side = side(*direction);
                let family = if cidr.addr().is_ipv4() { "--cidr-block" } else { "--ipv6-cidr-block" };
                let ports = match protocol {
                    Protocol::Tcp | Protocol::Udp => format!(" --port-range From={},To={}", ports.from, ports.to),
                    _ => String::new(),
                };
                let protocol = protocol.to_ec2();
                ec2(format!(
                    "create-network-acl-entry --network-acl-id {acl} {side} --rule-number {number} --protocol {protocol}{ports} {family} {cidr} --rule-action allow"
                ))
            }
            Self::RemoveAclEntry { acl, direction, number } => {
                ec2(format!("delete-network-acl-entry --network-acl-id {acl} {} --rule-number {number}", side(*direction)))
            }
            Self::AddRoute { table, destination, target } => {
                ec2(format!("create-route --route-table-id {table} {} {}", to(destination), via(target, destination)))
            }
            Self::ReplaceRoute { table, destination, target } => {
                ec2(format!("replace-route --route-table-id {table} {} {}", to(destination), via(target, destination)))
            }
            Self::RemoveRoute { table, destination } => ec2(format!("delete-route --route-table-id {table} {}", to(destination))),
            Self::EnableRoutePropagation { table, gateway } => {
                ec2(format!("enable-vgw-route-propagation --route-table-id {table} --gateway-id {gateway}"))
            }
            Self::DisableSourceDestCheck { interface } => {
                ec2(format!("modify-network-interface-attribute --network-interface-id {interface} --no-source-dest-check"))
            }
            Self::EnableDnsSupport { vpc } => ec2(format!("modify-vpc-attribute --vpc-id {vpc} --enable-dns-support")),
            Self::EnableDnsHostnames { vpc } => ec2(format!("modify-vpc-attribute --vpc-id {vpc} --enable-dns-hostnames")),
            Self::AcceptPeering { peering } => ec2(format!("accept-vpc-peering-connection --vpc-peering-connection-id {peering}")),
            Self::EnablePeeringDns { peering, requester } => {
                let side = if *requester { "requester" } else { "accepter" };
                ec2(format!(
                    "modify-vpc-peering-connection-options --vpc-peering-connection-id {peering} --{side}-peering-connection-options AllowDnsResolutionFromRemoteVpc=true"
                ))
            }
            Self::AttachInternetGateway { vpc } => vec![
                format!("IGW=$(aws ec2 create-internet-gateway --query InternetGateway.InternetGatewayId --output text --region {region})"),
                format!("aws ec2 attach-internet-gateway --internet-gateway-id \"$IGW\" --vpc-id {vpc} --region {region}"),
            ],
            Self::AddTransitGatewaySubnet { attachment, subnet } => {
                ec2(format!("modify-transit-gateway-vpc-attachment --transit-gateway-attachment-id {attachment} --add-subnet-ids {subnet}"))
            }
            Self::ExcludeFromBlockPublicAccess { subnet, bidirectional } => {
                let mode = if *bidirectional { "allow-bidirectional" } else { "allow-egress" };
                ec2(format!("create-vpc-block-public-access-exclusion --subnet-id {subnet} --internet-gateway-exclusion-mode {mode}"))
            }
            Self::EnablePrivateDns { endpoint } => ec2(format!("modify-vpc-endpoint --vpc-endpoint-id {endpoint} --private-dns-enabled")),
            Self::AddEndpointRouteTable { endpoint, table } => {
                ec2(format!("modify-vpc-endpoint --vpc-endpoint-id {endpoint} --add-route-table-ids {table}"))
            }
            Self::MakeDatabasePublic { identifier } => vec![format!(
                "aws rds modify-db-instance --db-instance-identifier {identifier} --publicly-accessible --apply-immediately --region {region}"
            )],
        }
    }
}

/// One element of `--ip-permissions`, as JSON.
fn permission(shape: &RuleShape) -> String {
    let ports = match (shape.protocol, shape.ports) {
        (Protocol::All, _) | (_, None) => String::new(),
        (_, Some(p)) => format!(",\"FromPort\":{},\"ToPort\":{}", p.from, p.to),
    };
    let peer = match &shape.peer {
        Peer::Cidr(IpNet::V4(c)) => format!("\"IpRanges\":[{{\"CidrIp\":\"{c}\"}}]"),
        Peer::Cidr(IpNet::V6(c)) => format!("\"Ipv6Ranges\":[{{\"CidrIpv6\":\"{c}\"}}]"),
        Peer::SecurityGroup(g) => format!("\"UserIdGroupPairs\":[{{\"GroupId\":\"{g}\"}}]"),
        Peer::PrefixList(p) => format!("\"PrefixListIds\":[{{\"PrefixListId\":\"{p}\"}}]"),
    };
    format!("[{{\"IpProtocol\":\"{}\"{ports},{peer}}}]", shape.protocol.to_ec2())
}

fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "--ingress",
        Direction::Out => "--egress",
    }
}

fn to(destination: &Destination) -> String {
    match destination {
        Destination::Cidr(IpNet::V4(c)) => format!("--destination-cidr-block {c}"),
        Destination::Cidr(IpNet::V6(c)) => format!("--destination-ipv6-cidr-block {c}"),
        Destination::PrefixList(p) => format!("--destination-prefix-list-id {p}"),
    }
}

fn via(target: &Target, destination: &Destination) -> String {
    match target {
        Target::Local => "--local-target".into(),
        Target::InternetGateway(id) => format!("--gateway-id {id}"),
        Target::VpnGateway(id) => format!("--gateway-id {id}"),
        Target::NatGateway(id) => format!("--nat-gateway-id {id}"),
        Target::PeeringConnection(id) => format!("--vpc-peering-connection-id {id}"),
        Target::TransitGateway(id) => format!("--transit-gateway-id {id}"),
        Target::NetworkInterface(Some(id)) => format!("--network-interface-id {id}"),
        Target::NetworkInterface(None) => "--network-interface-id eni-…".into(),
        Target::VpcEndpoint(id) => format!("--vpc-endpoint-id {id}"),
        Target::Other(id) if matches!(destination, Destination::Cidr(IpNet::V6(_))) && id.starts_with("eigw-") => {
            format!("--egress-only-internet-gateway-id {id}")
        }
        Target::Other(id) if id.starts_with("lgw-") => format!("--local-gateway-id {id}"),
        Target::Other(id) if id.starts_with("cagw-") => format!("--carrier-gateway-id {id}"),
        Target::Other(id) => format!("--core-network-arn {id}"),
    }
}
