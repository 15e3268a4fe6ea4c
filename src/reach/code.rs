//! Stable names of what is found, each with what it means, is about, and asks for: `docs/findings.md` is made from here.

use serde::Serialize;

macro_rules! codes {
    ($($section:literal { $($name:ident: $meaning:literal, $resource:literal, $fix:literal;)+ })+) => {
        /// Names one thing that blocks a path, hides a part of it, or should be known. Part of the API: never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::Display, strum::EnumIter)]
        pub enum Code {
            $($(#[doc = $meaning] $name,)+)+
        }

        impl Code {
            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $($(Self::$name => $meaning,)+)+ }
            }

            /// What kind of thing it is about.
            pub fn section(self) -> &'static str {
                match self { $($(Self::$name => $section,)+)+ }
            }

            /// What its resource is.
            pub fn resource(self) -> &'static str {
                match self { $($(Self::$name => $resource,)+)+ }
            }

            /// What to do about it, in general; a finding says it of its own resource.
            pub fn remedy(self) -> &'static str {
                match self { $($(Self::$name => $fix,)+)+ }
            }
        }
    };
}

codes! {
    "Security groups" {
        EgressMissing: "No rule of the sender's security groups lets the packet out.",
            "security group of the sender", "Add the outbound rule that is printed, or let dmsnet: in `Enforce` it keeps this rule of the replication's group.";
        IngressMissing: "No rule of the receiver's security groups lets the packet in.",
            "security group of the receiver", "Add the inbound rule that is printed. dmsnet keeps it where the spec names the group (`securityGroupId`).";
        ReferenceNotApplicable: "A rule admits the sender by its group, but on this path the packet does not arrive with a private address that AWS knows as that group's member: an address rule is needed.",
            "security group with the rule", "Admit the address or CIDR that is printed: `ingressFrom: Auto` chooses what applies.";
        ReferenceStale: "A rule refers to a security group that exists in neither VPC of the path: it was deleted, or its peering is gone.",
            "security group with the rule", "Add the rule that is printed, and remove the stale one when it suits.";
    }
    "Network ACLs" {
        AclDeniesOut: "A network ACL does not let the packet out of its subnet.",
            "network ACL", "Add the entry that is printed. With `networkAcls: Manage` dmsnet does, but never ahead of an explicit deny.";
        AclDeniesIn: "A network ACL does not let the packet into its subnet.",
            "network ACL", "As for `AclDeniesOut`.";
        AclDeniesReplyOut: "A network ACL does not let the answer out of its subnet: answers go to the client's ephemeral ports.",
            "network ACL", "As for `AclDeniesOut`; the ports are 32768 to 65535.";
        AclDeniesReplyIn: "A network ACL does not let the answer into its subnet: answers come to the client's ephemeral ports.",
            "network ACL", "As for `AclDeniesOut`; the ports are 32768 to 65535.";
        AclNatPortsClosed: "A network ACL leaves some of the ports 1024 to 32767 closed to answers, which a NAT gateway may use too: connections may fail now and then.",
            "network ACL", "Open 1024 to 65535 to answers at the NAT gateway's subnet.";
    }
    "Routes" {
        RouteMissing: "The subnet's route table has no route to the destination.",
            "route table", "Add the route that is printed. With `routes: Manage` dmsnet does.";
        RouteBlackhole: "The route that matches leads to a target that is gone or not ready: AWS drops the packet and tries no other route.",
            "route table", "Mend the target that the message names; where it is gone, replace the route as printed.";
        RouteElsewhere: "The route that matches leads another way than the path says.",
            "route table", "Add the longer route that is printed, remove the one in the way, or correct `path.type`.";
        ReturnRouteMissing: "The route table on the way back has no route to the sender.",
            "route table of the far side", "Add the route that is printed. With `routes: Manage` dmsnet does.";
        ReturnRouteBlackhole: "The route on the way back leads to a target that is gone or not ready.",
            "route table of the far side", "As for `RouteBlackhole`.";
        ReturnRouteElsewhere: "The route on the way back leads another way than the packet came.",
            "route table of the far side", "As for `RouteElsewhere`.";
        RouteAmbiguous: "Two prefix lists match the destination equally well and lead to different targets: AWS takes either.",
            "route table", "Let one of the prefix lists go, or add a route to the CIDR itself.";
    }
    "Places" {
        SubnetNotFound: "A subnet that the path names does not exist.",
            "subnet", "Correct `subnetIds`, or the replication subnet group.";
        SubnetInOtherVpc: "A subnet that the path names lies in another VPC.",
            "subnet", "Correct `subnetIds`, or say by `path.type` that the database is in another VPC.";
        AddressInNoSubnet: "The address lies in the VPC's CIDRs but in none of its subnets: AWS drops the packet.",
            "host of the database", "Correct the address.";
        AddressOutsideVpc: "The path says that the database is in this VPC, but its address is outside the VPC's CIDRs.",
            "host of the database", "Correct `path.type`, or the address.";
        AddressInsideVpc: "The path says that the database is outside the VPC, but its address is within the VPC's CIDRs.",
            "host of the database", "Correct `path.type`, or the address.";
        FamilyMismatch: "The replication and the database have no IP version in common.",
            "host of the database", "Give the database an IPv4 address, or make the replication dual-stack (`NetworkType`).";
        ReservedSourceRange: "The address of the database, or of the replication, is in 192.168.0.0/24, which DMS keeps for itself: the connection fails.",
            "host of the database, or subnet of the replication", "Put a TCP proxy outside 192.168.0.0/24 in front of the database; move a replication to other subnets.";
        SubnetGroupOneZone: "All subnets of the replication are in one Availability Zone: DMS asks for two.",
            "the replication", "Add a subnet in another Availability Zone.";
    }
    "DNS" {
        DnsSupportOff: "The VPC's resolver is switched off (enableDnsSupport), so host names do not resolve.",
            "VPC", "Switch it on as printed.";
        DnsHostnamesOff: "The VPC's DNS host names are switched off (enableDnsHostnames), which private answers to AWS's names depend on.",
            "VPC", "Switch it on as printed.";
        PeeringDnsResolutionOff: "The peering does not resolve the database's name to its private address (AllowDnsResolutionFromRemoteVpc).",
            "peering connection", "Switch it on as printed, from the account of the VPC that owns the name.";
    }
    "The internet" {
        InternetGatewayMissing: "No internet gateway is attached to the VPC, or the route names another.",
            "VPC", "Attach an internet gateway as printed, then let the default route lead to it.";
        NotPubliclyAccessible: "The replication has no public address, without which the internet gateway drops its packets.",
            "the replication", "AWS allows no change: create a publicly accessible instance and move the tasks, or use `NatGateway`.";
        DatabaseNotPublic: "The database has no public address, without which nothing from the internet reaches it.",
            "host of the database", "Make it publicly accessible as printed, or use a private path.";
        BlockPublicAccess: "VPC Block Public Access stops this internet gateway.",
            "subnet", "Exclude the subnet as printed.";
        PrivateAddressOverInternet: "A private address cannot be reached through an internet or NAT gateway.",
            "host of the database", "Name the public address, or correct `path.type`.";
    }
    "NAT gateways" {
        NatGatewayNotFound: "The NAT gateway does not exist.",
            "NAT gateway", "Correct `natGatewayIds`, or create one and let the routes lead to it.";
        NatGatewayNotAvailable: "The NAT gateway is not available.",
            "NAT gateway", "A failed one cannot be mended: create another and let the routes lead to it.";
        NatGatewayNotPublic: "The NAT gateway is a private one, which knows no internet.",
            "NAT gateway", "AWS allows no change: create a public one and let the routes lead to it.";
        NatGatewayWithoutAddress: "The NAT gateway has no public address in use.",
            "NAT gateway", "Associate an Elastic IP address.";
        NatGatewayIpv4Only: "A NAT gateway translates IPv4; this IPv6 address cannot be reached through it.",
            "NAT gateway", "Reach the database over IPv4, or use `Internet` for IPv6.";
    }
    "Peering" {
        PeeringNotFound: "The peering connection does not exist.",
            "peering connection", "Correct `peeringConnectionId`, or create one and name it.";
        PeeringNotActive: "The peering connection is not active.",
            "peering connection", "Accept it as printed if it is pending; else create a new one and name it.";
        PeeringOfOtherVpcs: "The peering connection does not join these two VPCs.",
            "peering connection", "Name the one between these two VPCs.";
        PeeringCidrsOverlap: "The CIDRs of the two VPCs overlap, which a peering connection cannot join.",
            "peering connection", "AWS allows no change: move one side to other CIDRs, or use another path.";
        PeeringOutsideCidrs: "A peering connection forwards only to the other VPC's own CIDRs: nothing that lies behind it.",
            "peering connection", "Peer with the VPC that the database is in.";
    }
    "Transit gateways" {
        TransitGatewayNotAttached: "The VPC has no available attachment to the transit gateway.",
            "transit gateway", "Attach the VPC.";
        TransitGatewayZoneMissing: "The attachment to the transit gateway has no subnet in the sender's Availability Zone: packets from there are dropped.",
            "attachment", "Add a subnet of that zone to the attachment as printed.";
    }
    "Hosts in between" {
        InterfaceNotFound: "The network interface that packets are sent to does not exist.",
            "network interface", "Correct `networkInterfaceId`, or the route.";
        InterfaceNotInUse: "The network interface that packets are sent to is not attached to a running host.",
            "network interface", "Start the host, or attach the interface to one that runs.";
        SourceDestCheckOn: "The host in between checks source and destination, and so drops what it should forward.",
            "network interface", "Switch the check off as printed.";
    }
    "VPC endpoints for other services" {
        ServiceUnreachable: "Nothing leads to this AWS service: neither a VPC endpoint nor a route to the internet.",
            "service", "List it under `spec.vpcEndpoints`, or create an endpoint for it.";
        EndpointNotAvailable: "The VPC endpoint is not available.",
            "VPC endpoint", "Wait, or create it anew.";
        EndpointPrivateDnsOff: "The VPC endpoint does not answer for the service's own name (private DNS), so DMS does not use it.",
            "VPC endpoint", "Switch private DNS on as printed.";
        EndpointNotOnRouteTable: "The gateway endpoint is not associated with the subnet's route table.",
            "VPC endpoint", "Associate it with the route table as printed.";
    }
    "Not known" {
        NotRead: "AWS has not been asked about this yet.",
            "what was to be asked", "Wait for the next pass.";
        NotReadable: "AWS did not answer about this.",
            "what was to be asked", "See the message: a permission, or AWS did not answer.";
        OnPremReturnPathUnknown: "What lies behind the last gateway of AWS (routers, firewalls, the way back) is not shown by AWS: only a connection test tells.",
            "host of the database", "Test the connection: `connectionTest: OnChange`, or `aws dms test-connection`.";
        BeyondInternetUnknown: "What guards the far end on the internet is not shown by AWS: its firewall must admit the address named here.",
            "host of the database", "Let the far firewall admit the address that is named.";
        BeyondTransitGatewayUnknown: "The transit gateway's own route tables are not judged.",
            "transit gateway", "Look at its route tables, then test the connection.";
        BeyondProxyUnknown: "The way from the proxy to the database is not shown by AWS.",
            "host of the proxy", "Test the connection.";
        ApplianceUnknown: "What the appliance in between does with the packet is not shown by AWS.",
            "the appliance", "Look at its rules, then test the connection.";
        FarSideUnknown: "The far side belongs to an account or Region that this path's class does not show.",
            "VPC or peering connection", "Name the class of that account and Region in the database's `className`.";
        DestinationUnknown: "Neither an address nor a subnet of the database is known.",
            "host of the database", "Write `subnetIds`.";
        HostNotResolved: "The host name did not resolve, so checks by address were not made.",
            "host of the database", "Write `subnetIds`, or `cidrs` in the path's block; a private zone is seen only inside its VPC.";
        SenderAddressUnknown: "The public address that packets will come from is not known yet, so what guards the far end cannot be judged.",
            "the replication", "Wait until the instance has its address.";
        MembershipUnknown: "A rule names a security group, and which groups the other end has is not known.",
            "security group with the rule", "Write `securityGroupId`, or admit by CIDR.";
        TargetUnknown: "What this kind of route target does is not judged.",
            "route table", "Test the connection.";
        DnsServersUnknown: "The replication uses DNS servers of its own: how names resolve there is not shown by AWS.",
            "the replication", "Ask those servers, then test the connection.";
    }
    "To be known" {
        AddressMayChange: "A rule admits only the replication's present address, which AWS may change: admit its group or its subnets instead.",
            "security group", "Admit the group or the subnets: `ingressFrom: Auto`.";
        ConfigurationRetired: "AWS has retired ClassicLink: the proxy is the peer, under the same rules as any host.",
            "the path", "Nothing: the proxy is judged as any host.";
        RegionalNatMayGrow: "A regional NAT gateway may add public addresses by itself: the far end must then admit them.",
            "NAT gateway", "Let dmsnet keep the far group's rules, or use a zonal NAT gateway.";
    }
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
