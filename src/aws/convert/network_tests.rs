use super::*;

fn entry(number: i32, protocol: &str, egress: bool) -> ec2::builders::NetworkAclEntryBuilder {
    ec2::NetworkAclEntry::builder()
        .rule_number(number)
        .protocol(protocol)
        .egress(egress)
        .cidr_block("10.0.0.9/16")
        .rule_action(ec2::RuleAction::Allow)
}

#[test]
fn acl_entries_have_one_form_and_order_and_the_closing_denies_are_left_out() {
    let port = |from, to| ec2::PortRange::builder().from(from).to(to).build();
    let row = ec2::NetworkAcl::builder()
        .network_acl_id("acl-1")
        .vpc_id("vpc-1")
        .entries(entry(32_767, "-1", true).build())
        .entries(entry(200, "6", true).port_range(port(0, 65_535)).build())
        .entries(entry(100, "6", true).port_range(port(5432, 5432)).rule_action("DENY".into()).build())
        .entries(entry(100, "1", false).icmp_type_code(ec2::IcmpTypeCode::builder().r#type(-1).code(-1).build()).build())
        .entries(entry(32_768, "-1", false).build())
        .build();
    let acl = network_acl(row).unwrap();
    let shown: Vec<_> = acl.entries.iter().map(|e| (e.direction, e.number, e.protocol, e.ports, e.allow)).collect();
    assert_eq!(
        shown,
        [
            (Direction::In, 100, Protocol::Icmp, None, true),
            (Direction::Out, 100, Protocol::Tcp, Some(Ports::one(5432)), false),
            (Direction::Out, 200, Protocol::Tcp, None, true),
        ]
    );
    assert_eq!(acl.entries[0].cidr.to_string(), "10.0.0.0/16");
}

#[test]
fn every_target_of_a_route_is_known() {
    let base = || ec2::Route::builder().destination_cidr_block("0.0.0.0/0").state(ec2::RouteState::Active);
    for (row, expected) in [
        (base().gateway_id("local"), Target::Local),
        (base().gateway_id("igw-1"), Target::InternetGateway("igw-1".into())),
        (base().gateway_id("vgw-1"), Target::VpnGateway("vgw-1".into())),
        (base().gateway_id("vpce-1"), Target::VpcEndpoint("vpce-1".into())),
        (base().nat_gateway_id("nat-1"), Target::NatGateway("nat-1".into())),
        (base().vpc_peering_connection_id("pcx-1"), Target::PeeringConnection("pcx-1".into())),
        (base().transit_gateway_id("tgw-1"), Target::TransitGateway("tgw-1".into())),
        (base().instance_id("i-1").network_interface_id("eni-1"), Target::NetworkInterface(Some("eni-1".into()))),
        (base().instance_id("i-1"), Target::NetworkInterface(None)),
        (base().egress_only_internet_gateway_id("eigw-1"), Target::Other("eigw-1".into())),
        (
            base().core_network_arn("arn:aws:networkmanager::1:core-network/x"),
            Target::Other("arn:aws:networkmanager::1:core-network/x".into()),
        ),
    ] {
        assert_eq!(target(&row.build()), expected);
    }
}

#[test]
fn states_and_origins_are_read_in_any_case() {
    let row = |state: &str, origin: &str| {
        let row = ec2::Route::builder().destination_ipv6_cidr_block("2001:DB8::1/32").gateway_id("vgw-1");
        route(&row.state(state.into()).origin(origin.into()).build()).unwrap()
    };
    let read = row("Blackhole", "enableVgwRoutePropagation");
    assert_eq!((read.state, read.origin), (RouteState::Blackhole, RouteOrigin::Propagated));
    assert_eq!(read.destination.to_string(), "2001:db8::/32");
    assert_eq!(row("filtered", "CreateRoute").state, RouteState::Filtered);
    assert_eq!(row("active", "createRouteTable").origin, RouteOrigin::CreateRouteTable);
    let list = ec2::Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1").build();
    assert_eq!(route(&list).unwrap().destination, Destination::PrefixList("pl-1".into()));
}

#[test]
fn a_table_knows_its_subnets_and_whether_it_is_the_main_one() {
    let state = |s: &str| ec2::RouteTableAssociationState::builder().state(s.into()).build();
    let row = ec2::RouteTable::builder()
        .route_table_id("rtb-1")
        .vpc_id("vpc-1")
        .associations(ec2::RouteTableAssociation::builder().main(true).build())
        .associations(ec2::RouteTableAssociation::builder().subnet_id("subnet-2").association_state(state("associated")).build())
        .associations(ec2::RouteTableAssociation::builder().subnet_id("subnet-1").build())
        .associations(ec2::RouteTableAssociation::builder().subnet_id("subnet-3").association_state(state("disassociated")).build())
        .build();
    let table = route_table(row).unwrap();
    assert!(table.main);
    assert_eq!(table.subnets, ["subnet-1".into(), "subnet-2".into()]);
}

#[test]
fn a_nat_gateway_shows_which_of_its_addresses_are_in_use() {
    let address = |ip: &str, s: Option<&str>| ec2::NatGatewayAddress::builder().public_ip(ip).set_status(s.map(Into::into)).build();
    let row = ec2::NatGateway::builder()
        .nat_gateway_id("nat-1")
        .vpc_id("vpc-1")
        .state("AVAILABLE".into())
        .nat_gateway_addresses(address("203.0.113.9", Some("succeeded")))
        .nat_gateway_addresses(address("203.0.113.5", Some("failed")))
        .nat_gateway_addresses(address("203.0.113.7", None))
        .failure_message("no free address")
        .build();
    let nat = nat_gateway(row).unwrap();
    let shown: Vec<_> = nat.addresses.iter().map(|a| (a.public_ip.unwrap().to_string(), a.in_use)).collect();
    assert_eq!(shown, [("203.0.113.5".into(), false), ("203.0.113.7".into(), true), ("203.0.113.9".into(), true)]);
    assert_eq!((nat.state.as_str(), nat.public, nat.regional), ("available", true, false));
    assert_eq!(nat.failure.as_deref(), Some("no free address"));
}

#[test]
fn only_an_attached_internet_gateway_counts() {
    let row = |s: &str| {
        let attachment = ec2::InternetGatewayAttachment::builder().vpc_id("vpc-1").state(s.into()).build();
        ec2::InternetGateway::builder().internet_gateway_id("igw-1").attachments(attachment).build()
    };
    assert!(internet_gateway(row("available")).is_some());
    assert!(internet_gateway(row("Attached")).is_some());
    assert!(internet_gateway(row("detaching")).is_none());
    assert!(internet_gateway(ec2::InternetGateway::builder().internet_gateway_id("igw-2").build()).is_none());
}

#[test]
fn a_peering_keeps_both_sides_with_all_their_cidrs() {
    let side = |vpc: &str, dns: Option<bool>| {
        let options = dns.map(|d| ec2::VpcPeeringConnectionOptionsDescription::builder().allow_dns_resolution_from_remote_vpc(d).build());
        ec2::VpcPeeringConnectionVpcInfo::builder()
            .vpc_id(vpc)
            .cidr_block("10.1.0.0/16")
            .cidr_block_set(ec2::CidrBlock::builder().cidr_block("10.1.0.0/16").build())
            .cidr_block_set(ec2::CidrBlock::builder().cidr_block("10.2.0.0/16").build())
            .set_peering_options(options)
            .build()
    };
    let row = ec2::VpcPeeringConnection::builder()
        .vpc_peering_connection_id("pcx-1")
        .requester_vpc_info(side("vpc-1", Some(true)))
        .accepter_vpc_info(side("vpc-2", None))
        .status(ec2::VpcPeeringConnectionStateReason::builder().code("Pending-Acceptance".into()).message("Pending").build())
        .build();
    let peering = peering(row).unwrap();
    assert_eq!((peering.status.as_str(), peering.is_active()), ("pending-acceptance", false));
    assert_eq!(peering.requester.cidrs.len(), 2);
    assert_eq!((peering.requester.dns_resolution, peering.accepter.dns_resolution), (Some(true), None));
}

#[test]
fn an_interface_has_all_its_addresses() {
    let public = |ip: &str| ec2::NetworkInterfaceAssociation::builder().public_ip(ip).build();
    let private =
        |ip: &str, p: &str| ec2::NetworkInterfacePrivateIpAddress::builder().private_ip_address(ip).association(public(p)).build();
    let row = ec2::NetworkInterface::builder()
        .network_interface_id("eni-1")
        .vpc_id("vpc-1")
        .subnet_id("subnet-1")
        .private_ip_address("10.0.0.4")
        .private_ip_addresses(private("10.0.0.4", "203.0.113.4"))
        .private_ip_addresses(private("10.0.0.3", "203.0.113.3"))
        .ipv6_addresses(ec2::NetworkInterfaceIpv6Address::builder().ipv6_address("2001:db8::4").build())
        .association(public("203.0.113.4"))
        .source_dest_check(false)
        .build();
    let eni = network_interface(row).unwrap();
    let texts = |ips: &[std::net::IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&eni.addresses), ["10.0.0.3", "10.0.0.4", "2001:db8::4"]);
    assert_eq!(texts(&eni.public_ips), ["203.0.113.3", "203.0.113.4"]);
    assert!(!eni.source_dest_check);
}
