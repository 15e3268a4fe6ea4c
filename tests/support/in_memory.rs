//! Findings that the fault matrix cannot provoke on real parts, and why. They run on facts in memory: `tests/reach/faults.rs`.

use dmsnet::reach::Code;

pub const ONLY: &[(Code, &str)] = &[
    (Code::ReferenceNotApplicable, "AWS refuses references to another Region; those by gateways are not provoked"),
    (Code::ReturnRouteElsewhere, "the deeds put longer routes into the tables of the replication only"),
    (Code::SubnetNotFound, "AWS deletes no subnet that a replication is in"),
    (Code::SubnetInOtherVpc, "AWS makes no subnet group of two VPCs"),
    (Code::ReservedSourceRange, "the emulator's topology has fixed CIDRs"),
    (Code::SubnetGroupOneZone, "AWS makes no subnet group in one zone"),
    (Code::NotPubliclyAccessible, "it cannot be changed (PubliclyAccessible), only made so"),
    (Code::DatabaseNotPublic, "the far end of the emulator's Internet path is a host, not RDS"),
    (Code::PrivateAddressOverInternet, "the spec is refused first"),
    (Code::NatGatewayNotFound, "a NAT gateway that is deleted leaves a blackhole, which is found first"),
    (Code::NatGatewayNotAvailable, "the same"),
    (Code::NatGatewayNotPublic, "it cannot be changed (ConnectivityType), only made so"),
    (Code::NatGatewayWithoutAddress, "the first address of a NAT gateway cannot be taken away"),
    (Code::NatGatewayIpv4Only, "the emulator's topology has IPv4 only"),
    (Code::PeeringNotFound, "the spec is refused first"),
    (Code::PeeringOfOtherVpcs, "the spec is refused first"),
    (Code::PeeringCidrsOverlap, "AWS makes no such peering active"),
    (Code::PeeringOutsideCidrs, "the emulator's topology has no network behind the peer"),
    (Code::TransitGatewayNotAttached, "the emulator has no transit gateways"),
    (Code::TransitGatewayZoneMissing, "the emulator has no transit gateways"),
    (Code::InterfaceNotFound, "AWS deletes no interface that is in use, and with its host the spec is refused first"),
    (Code::InterfaceNotInUse, "a host that is terminated leaves a blackhole, which is found first"),
];
