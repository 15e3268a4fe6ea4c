//! Stable names of what is found, each with what it means: the docs' list is made from here.

use serde::Serialize;

macro_rules! codes {
    ($($name:ident: $meaning:literal,)+) => {
        /// Names one thing that blocks a path, hides a part of it, or should be known. Part of the API: never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::Display, strum::EnumIter)]
        pub enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

codes! {
    // Security groups
    EgressMissing: "No rule of the sender's security groups lets the packet out.",
    IngressMissing: "No rule of the receiver's security groups lets the packet in.",
    ReferenceNotApplicable: "A rule admits the sender by its group, but on this path the packet does not arrive with a private address that AWS knows as that group's member: an address rule is needed.",
    ReferenceStale: "A rule refers to a security group that exists in neither VPC of the path: it was deleted, or its peering is gone.",
    SecurityGroupNotFound: "A security group that the path names does not exist.",
    // Network ACLs
    AclDeniesOut: "A network ACL does not let the packet out of its subnet.",
    AclDeniesIn: "A network ACL does not let the packet into its subnet.",
    AclDeniesReplyOut: "A network ACL does not let the answer out of its subnet: answers go to the client's ephemeral ports.",
    AclDeniesReplyIn: "A network ACL does not let the answer into its subnet: answers come to the client's ephemeral ports.",
    AclNatPortsClosed: "A network ACL leaves some of the ports 1024 to 32767 closed to answers, which a NAT gateway may use too: connections may fail now and then.",
    // Routes
    RouteMissing: "The subnet's route table has no route to the destination.",
    RouteBlackhole: "The route that matches leads to a target that is gone or not ready: AWS drops the packet and tries no other route.",
    RouteElsewhere: "The route that matches leads another way than the path says.",
    ReturnRouteMissing: "The route table on the way back has no route to the sender.",
    ReturnRouteBlackhole: "The route on the way back leads to a target that is gone or not ready.",
    ReturnRouteElsewhere: "The route on the way back leads another way than the packet came.",
    RouteAmbiguous: "Two prefix lists match the destination equally well and lead to different targets: AWS takes either.",
    // Places
    SubnetNotFound: "A subnet that the path names does not exist.",
    SubnetInOtherVpc: "A subnet that the path names lies in another VPC.",
    AddressInNoSubnet: "The address lies in the VPC's CIDRs but in none of its subnets: AWS drops the packet.",
    AddressOutsideVpc: "The path says that the database is in this VPC, but its address is outside the VPC's CIDRs.",
    AddressInsideVpc: "The path says that the database is outside the VPC, but its address is within the VPC's CIDRs.",
    FamilyMismatch: "The replication and the database have no IP version in common.",
    ReservedSourceRange: "The replication's address is in 192.168.0.0/24, which DMS keeps for itself: connections from there fail.",
    SubnetGroupOneZone: "All subnets of the replication are in one Availability Zone: DMS asks for two.",
    // DNS
    DnsSupportOff: "The VPC's resolver is switched off (enableDnsSupport), so host names do not resolve.",
    DnsHostnamesOff: "The VPC's DNS host names are switched off (enableDnsHostnames), which private answers to AWS's names depend on.",
    PeeringDnsResolutionOff: "The peering does not resolve the database's name to its private address (AllowDnsResolutionFromRemoteVpc).",
    // The internet
    InternetGatewayMissing: "No internet gateway is attached to the VPC, or the route names another.",
    NotPubliclyAccessible: "The replication has no public address, without which the internet gateway drops its packets.",
    DatabaseNotPublic: "The database has no public address, without which nothing from the internet reaches it.",
    BlockPublicAccess: "VPC Block Public Access stops this internet gateway.",
    PrivateAddressOverInternet: "A private address cannot be reached through an internet or NAT gateway.",
    // NAT gateways
    NatGatewayNotFound: "The NAT gateway does not exist.",
    NatGatewayNotAvailable: "The NAT gateway is not available.",
    NatGatewayNotPublic: "The NAT gateway is a private one, which knows no internet.",
    NatGatewayWithoutAddress: "The NAT gateway has no public address in use.",
    NatGatewayIpv4Only: "A NAT gateway translates IPv4; this IPv6 address cannot be reached through it.",
    // Peering
    PeeringNotFound: "The peering connection does not exist.",
    PeeringNotActive: "The peering connection is not active.",
    PeeringOfOtherVpcs: "The peering connection does not join these two VPCs.",
    PeeringCidrsOverlap: "The CIDRs of the two VPCs overlap, which a peering connection cannot join.",
    PeeringOutsideCidrs: "A peering connection forwards only to the other VPC's own CIDRs: nothing that lies behind it.",
    // Transit gateways
    TransitGatewayNotAttached: "The VPC has no available attachment to the transit gateway.",
    TransitGatewayZoneMissing: "The attachment to the transit gateway has no subnet in the sender's Availability Zone: packets from there are dropped.",
    // Hosts in between
    InterfaceNotFound: "The network interface that packets are sent to does not exist.",
    InterfaceNotInUse: "The network interface that packets are sent to is not attached to a running host.",
    SourceDestCheckOn: "The host in between checks source and destination, and so drops what it should forward.",
    // VPC endpoints for other services
    ServiceUnreachable: "Nothing leads to this AWS service: neither a VPC endpoint nor a route to the internet.",
    EndpointNotAvailable: "The VPC endpoint is not available.",
    EndpointPrivateDnsOff: "The VPC endpoint does not answer for the service's own name (private DNS), so DMS does not use it.",
    EndpointNotOnRouteTable: "The gateway endpoint is not associated with the subnet's route table.",
    // Not known
    NotRead: "AWS has not been asked about this yet.",
    NotReadable: "AWS did not answer about this.",
    OnPremReturnPathUnknown: "What lies behind the last gateway of AWS (routers, firewalls, the way back) is not shown by AWS: only a connection test tells.",
    BeyondInternetUnknown: "What guards the far end on the internet is not shown by AWS: its firewall must admit the address named here.",
    BeyondTransitGatewayUnknown: "The transit gateway's own route tables are not judged.",
    BeyondProxyUnknown: "The way from the proxy to the database is not shown by AWS.",
    ApplianceUnknown: "What the appliance in between does with the packet is not shown by AWS.",
    FarSideUnknown: "The far side belongs to an account or Region that this path's class does not show.",
    DestinationUnknown: "Neither an address nor a subnet of the database is known.",
    HostNotResolved: "The host name did not resolve, so checks by address were not made.",
    SenderAddressUnknown: "The public address that packets will come from is not known yet, so what guards the far end cannot be judged.",
    MembershipUnknown: "A rule names a security group, and which groups the other end has is not known.",
    TargetUnknown: "What this kind of route target does is not judged.",
    DnsServersUnknown: "The replication uses DNS servers of its own: how names resolve there is not shown by AWS.",
    // To be known
    AddressMayChange: "A rule admits only the replication's present address, which AWS may change: admit its group or its subnets instead.",
    ConfigurationRetired: "AWS has retired ClassicLink: the proxy is the peer, under the same rules as any host.",
    RegionalNatMayGrow: "A regional NAT gateway may add public addresses by itself: the far end must then admit them.",
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_code_has_a_sentence_of_its_own() {
        let meanings: std::collections::BTreeSet<_> = Code::iter().map(Code::meaning).collect();
        assert_eq!(meanings.len(), Code::iter().count());
        assert!(meanings.iter().all(|m| m.ends_with('.') && m.len() > 20));
        assert_eq!(Code::OnPremReturnPathUnknown.to_string(), "OnPremReturnPathUnknown");
    }
}
