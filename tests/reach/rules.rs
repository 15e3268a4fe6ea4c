//! What AWS's rules mean for a path, and what is not known: one question each.

use std::sync::Arc;

use dmsnet::{
    model::*,
    reach::{Code, HopKind, Report, Source, SourceKind, State, Way, explain, needs},
};

use crate::{
    mend::apply,
    random::{Dice, NEAR, SOURCE_GROUP, TARGET_GROUP, World, net, open, route, rule},
};

fn first(kind: usize, fits: impl Fn(&World) -> bool) -> World {
    (0..200).map(|seed| open(kind, false, &mut Dice::new(seed))).find(fits).expect("a seed that fits")
}

fn same_vpc() -> World {
    first(0, |w| w.targets[0].addresses.is_empty())
}

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|f| f.code).collect()
}

fn hidden(report: &Report) -> Vec<Code> {
    report.unknown.iter().map(|u| u.code).collect()
}

fn only_rule(w: &mut World, group: &str, direction: Direction, peer: Peer) {
    w.near.rules.insert(group.into(), Arc::new([]));
    rule(&mut w.near, group, RuleShape::tcp(direction, 5432, peer));
}

#[test]
fn nothing_read_is_unknown_and_asked_for() {
    let mut w = same_vpc();
    w.near = Picture::default();
    let report = explain(&w.query());
    assert_eq!(report.verdict, State::Unknown);
    assert_eq!(hidden(&report), [Code::NotRead]);
    let (near, far) = needs(&w.query());
    assert!(far.is_empty(), "both sides are one picture");
    for need in [Need::Vpc(NEAR.into()), Need::SubnetsOf(NEAR.into()), Need::NetworkAclsOf(NEAR.into()), Need::RouteTablesOf(NEAR.into())] {
        assert!(near.contains(&need), "{need}");
    }
}

#[test]
fn each_fact_that_is_missing_is_named_once_it_matters() {
    let w = same_vpc();
    for need in [
        Need::NetworkAclsOf(NEAR.into()),
        Need::RouteTablesOf(NEAR.into()),
        Need::RulesOf(SOURCE_GROUP.into()),
        Need::RulesOf(TARGET_GROUP.into()),
    ] {
        let mut w = w.clone();
        let failure = ReadFailure { denied: true, message: "not allowed to do this".into() };
        w.near.asked.insert(need.clone(), Some(failure.into()));
        if let Need::RulesOf(group) = &need {
            w.near.rules.remove(group);
        }
        let report = explain(&w.query());
        assert_eq!((report.verdict, hidden(&report)), (State::Unknown, vec![Code::NotReadable]), "{need}");
        assert!(report.unknown[0].reason.contains("not allowed to do this"));
        // What was read before stays known.
        w.near.read.insert(need.clone());
        if !matches!(need, Need::RulesOf(_)) {
            assert_eq!(explain(&w.query()).verdict, State::Open, "{need}");
        }
    }
}

#[test]
fn a_prefix_list_in_a_rule_is_resolved_or_unknown() {
    let mut w = same_vpc();
    only_rule(&mut w, SOURCE_GROUP, Direction::Out, Peer::PrefixList("pl-a".into()));
    assert_eq!(codes(&explain(&w.query())), [Code::EgressMissing], "the list does not hold the database's subnets");
    let list = PrefixList { id: "pl-a".into(), name: "db".into(), cidrs: vec![net("10.0.0.0/24")], max_entries: None };
    w.near.prefix_lists.insert("pl-a".into(), Arc::new(list));
    assert_eq!(explain(&w.query()).verdict, State::Open);
    w.near.prefix_lists.remove("pl-a");
    w.near.asked.remove(&Need::PrefixList("pl-a".into()));
    assert_eq!(hidden(&explain(&w.query())), [Code::NotRead]);
    assert!(needs(&w.query()).0.contains(&Need::PrefixList("pl-a".into())));
}

#[test]
fn cidrs_that_cover_a_part_do_not_cover_the_subnet() {
    let mut w = same_vpc();
    only_rule(&mut w, TARGET_GROUP, Direction::In, Peer::Cidr(net("10.0.0.0/32")));
    let report = explain(&w.query());
    assert_eq!(codes(&report), [Code::IngressMissing]);
    assert!(report.findings[0].found.starts_with("no rule of sg-db admits tcp/5432 from 10.0.0.1/32;"), "{}", report.findings[0].found);
    assert!(report.findings[0].fix.ends_with("from sg-dms"), "the narrowest rule that holds: {}", report.findings[0].fix);
    rule(&mut w.near, TARGET_GROUP, RuleShape::tcp(Direction::In, 5432, Peer::Cidr(net("10.0.0.1/32"))));
    rule(&mut w.near, TARGET_GROUP, RuleShape::tcp(Direction::In, 5432, Peer::Cidr(net("10.0.0.2/31"))));
    assert_eq!(explain(&w.query()).verdict, State::Open);
}

#[test]
fn a_shared_group_needs_a_rule_for_itself() {
    let mut w = same_vpc();
    w.targets[0].groups = vec![SOURCE_GROUP.into()];
    w.near.rules.insert(SOURCE_GROUP.into(), Arc::new([]));
    assert_eq!(codes(&explain(&w.query())), [Code::EgressMissing, Code::IngressMissing]);
    for direction in [Direction::In, Direction::Out] {
        rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(direction, 5432, Peer::SecurityGroup(SOURCE_GROUP.into())));
    }
    assert_eq!(explain(&w.query()).verdict, State::Open);
}

#[test]
fn a_present_address_is_enough_now_and_warned_about() {
    let mut w = same_vpc();
    w.source.private_ips = vec!["10.0.0.1".parse().unwrap()];
    only_rule(&mut w, TARGET_GROUP, Direction::In, Peer::Cidr(net("10.0.0.1/32")));
    let report = explain(&w.query());
    assert_eq!(report.verdict, State::Open);
    assert_eq!(report.warnings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::AddressMayChange]);
    w.source.private_ips = vec!["10.0.0.0".parse().unwrap()];
    assert_eq!(codes(&explain(&w.query())), [Code::IngressMissing], "AWS moved it");
}

#[test]
fn an_acl_is_not_asked_within_a_subnet() {
    let mut w = same_vpc();
    w.source.subnets = vec!["subnet-1".into()];
    w.targets[0].subnets = vec!["subnet-1".into()];
    let acl = Arc::make_mut(w.near.acls.get_mut("acl-subnet-1").unwrap());
    acl.entries.clear();
    let report = explain(&w.query());
    assert_eq!(report.verdict, State::Open);
    assert!(report.walks[0].out.iter().any(|h| h.kind == HopKind::NetworkAcl && h.state == State::NotAsked));
    w.targets[0].subnets.push("subnet-2".into());
    assert_eq!(codes(&explain(&w.query())), [Code::AclDeniesOut, Code::AclDeniesReplyIn], "it may move to the other subnet");
}

#[test]
fn subnets_that_are_alike_are_told_once() {
    let mut w = same_vpc();
    w.targets[0].subnets = vec!["subnet-2".into()];
    let shared = Arc::make_mut(w.near.acls.get_mut("acl-subnet-0").unwrap());
    shared.subnets.push("subnet-1".into());
    w.near.acls.remove("acl-subnet-1");
    let report = explain(&w.query());
    assert_eq!(report.walks.len(), 1);
    assert_eq!(report.walks[0].between.len(), 2);
    assert!(report.walks[0].out.iter().any(|h| h.asked.to_string().contains("from 10.0.0.0/31, 10.0.0.2/31")));
}

#[test]
fn an_appliance_in_between_is_unknown_and_hides_groups() {
    let mut w = same_vpc();
    w.targets[0].subnets = vec!["subnet-2".into()];
    route(&mut w.near, "rtb-own", "10.0.0.4/31", Target::NetworkInterface(Some("eni-fw".into())));
    let report = explain(&w.query());
    assert!(hidden(&report).contains(&Code::ApplianceUnknown));
    assert_eq!(codes(&report), [Code::ReferenceNotApplicable, Code::ReferenceNotApplicable]);
}

#[test]
fn own_dns_servers_are_unknown() {
    let mut w = same_vpc();
    w.source.dns_servers = vec!["10.0.0.53".parse().unwrap()];
    assert_eq!(hidden(&explain(&w.query())), [Code::DnsServersUnknown]);
}

#[test]
fn nothing_known_of_a_database_is_unknown() {
    let mut w = same_vpc();
    (w.targets[0].subnets, w.targets[0].addresses) = (vec![], vec![]);
    let report = explain(&w.query());
    assert_eq!(report.verdict, State::Unknown);
    assert!(hidden(&report).contains(&Code::DestinationUnknown));
    // The interfaces that carry its group tell where it is.
    let interface = NetworkInterface {
        id: "eni-db".into(),
        vpc: NEAR.into(),
        subnet: "subnet-2".into(),
        description: "RDSNetworkInterface".into(),
        status: "in-use".into(),
        addresses: vec!["10.0.0.5".parse().unwrap()],
        public_ips: vec![],
        groups: vec![TARGET_GROUP.into()],
        source_dest_check: true,
    };
    w.near.interfaces.insert("eni-db".into(), Arc::new(interface));
    assert_eq!(explain(&w.query()).verdict, State::Open);
}

#[test]
fn the_far_side_of_strangers_is_unknown() {
    let mut w = first(1, |w| w.far.is_none() && !w.targets[0].addresses.is_empty());
    w.far_account = "444455556666";
    let report = explain(&w.query());
    assert_eq!(hidden(&report), [Code::FarSideUnknown]);
    assert!(report.unknown[0].reason.contains("className"));
}

#[test]
fn a_nat_gateway_may_use_low_ports() {
    let mut w = first(4, |w| w.targets[0].vpc.is_none());
    assert!(explain(&w.query()).warnings.is_empty());
    let acl = Arc::make_mut(w.near.acls.get_mut("acl-subnet-2").unwrap());
    let ports = Some(Ports { from: 1024, to: 20_000 });
    acl.entries
        .insert(0, AclEntry { direction: Direction::In, number: 5, protocol: Protocol::Tcp, ports, cidr: net("0.0.0.0/0"), allow: false });
    w.targets[0].port = 443;
    rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Direction::Out, 443, Peer::Cidr(net("0.0.0.0/0"))));
    let report = explain(&w.query());
    assert_ne!(report.verdict, State::Blocked, "{:#?}", report.findings);
    assert_eq!(report.warnings[0].code, Code::AclNatPortsClosed);
}

#[test]
fn serverless_has_no_public_address() {
    let mut w = first(3, |w| w.targets[0].vpc.is_none());
    w.source = Source { kind: SourceKind::Serverless, publicly_accessible: None, public_ips: vec![], ..w.source };
    let report = explain(&w.query());
    assert_eq!(codes(&report), [Code::NotPubliclyAccessible]);
    assert!(report.findings[0].fix.contains("NatGateway"));
}

#[test]
fn a_full_acl_is_said_to_be_full() {
    let mut w = same_vpc();
    let acl = Arc::make_mut(w.near.acls.get_mut("acl-subnet-0").unwrap());
    acl.entries = (1..=19)
        .map(|number| AclEntry {
            direction: Direction::Out,
            number,
            protocol: Protocol::Udp,
            ports: None,
            cidr: net("0.0.0.0/0"),
            allow: true,
        })
        .collect();
    let report = explain(&w.query());
    assert!(report.findings[0].fix.contains("19 entries out, and AWS allows 20"), "{}", report.findings[0].fix);
}

#[test]
fn an_explicit_deny_is_named_and_the_fix_goes_ahead_of_it() {
    let mut w = same_vpc();
    let acl = Arc::make_mut(w.near.acls.get_mut("acl-subnet-0").unwrap());
    acl.entries.push(AclEntry {
        direction: Direction::Out,
        number: 40,
        protocol: Protocol::All,
        ports: None,
        cidr: net("10.0.0.4/31"),
        allow: false,
    });
    acl.entries.sort();
    let report = explain(&w.query());
    let finding = &report.findings[0];
    assert_eq!(finding.code, Code::AclDeniesOut);
    assert!(finding.found.contains("entry 40 denies"), "{}", finding.found);
    assert_eq!(
        finding.cli,
        [
            "aws ec2 create-network-acl-entry --network-acl-id acl-subnet-0 --egress --rule-number 39 --protocol tcp --port-range From=5432,To=5432 --cidr-block 10.0.0.4/31 --rule-action allow --region eu-central-1"
        ]
    );
}

const S3: &str = "com.amazonaws.eu-central-1.s3";

fn endpoint(kind: &str, service: &str) -> VpcEndpoint {
    let interface = kind == "Interface";
    VpcEndpoint {
        id: "vpce-1".into(),
        vpc: NEAR.into(),
        service_name: service.into(),
        endpoint_type: kind.into(),
        state: EndpointState::Available,
        subnets: if interface { vec!["subnet-1".into(), "subnet-2".into()] } else { vec![] },
        route_tables: if interface { vec![] } else { vec!["rtb-own".into()] },
        groups: if interface { vec![TARGET_GROUP.into()] } else { vec![] },
        private_dns: interface,
        policy: Policy::full_access(),
        ip_address_type: Default::default(),
        dns_names: vec![],
        interfaces: vec![],
        tags: Tags::new(),
        last_error: None,
    }
}

fn to_service(service: &str) -> World {
    let mut w = same_vpc();
    w.targets[0].host = "s3.eu-central-1.amazonaws.com".into();
    w.targets[0].port = 443;
    (w.targets[0].subnets, w.targets[0].groups) = (vec![], vec![]);
    w.way = Way::Service { service: service.into() };
    let list = PrefixList { id: "pl-s3".into(), name: S3.into(), cidrs: vec![net("52.219.0.0/16")], max_entries: None };
    w.near.prefix_lists.insert("pl-s3".into(), Arc::new(list));
    w.near.asked.insert(Need::PrefixListNamed(S3.into()), None);
    for direction in [Direction::In, Direction::Out] {
        let group = if direction == Direction::Out { SOURCE_GROUP } else { TARGET_GROUP };
        rule(&mut w.near, group, RuleShape::tcp(direction, 443, Peer::Cidr(net("10.0.0.0/24"))));
    }
    w
}

#[test]
fn a_service_is_reached_by_a_gateway_endpoint() {
    let mut w = to_service(S3);
    assert_eq!(codes(&explain(&w.query())), [Code::ServiceUnreachable]);
    w.near.endpoints.insert("vpce-1".into(), Arc::new(endpoint("Gateway", S3)));
    route(&mut w.near, "rtb-own", "pl-s3", Target::VpcEndpoint("vpce-1".into()));
    assert_eq!(codes(&explain(&w.query())), [Code::EgressMissing], "egress to the prefix list is missing");
    rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Direction::Out, 443, Peer::PrefixList("pl-s3".into())));
    assert_eq!(explain(&w.query()).verdict, State::Open);
    // The other subnet's table lacks it.
    w.source.subnets.push("subnet-2".into());
    let report = explain(&w.query());
    assert_eq!(codes(&report), [Code::EndpointNotOnRouteTable]);
    apply(&mut w, &report.findings[0].remedies[0]);
    assert_eq!(explain(&w.query()).verdict, State::Open);
}

#[test]
fn a_service_is_reached_by_an_interface_endpoint() {
    let secrets = "com.amazonaws.eu-central-1.secretsmanager";
    let mut w = to_service(secrets);
    w.near.endpoints.insert("vpce-1".into(), Arc::new(endpoint("Interface", secrets)));
    assert_eq!(explain(&w.query()).verdict, State::Open);
    let change = |w: &World, edit: fn(&mut VpcEndpoint)| {
        let mut w = w.clone();
        edit(Arc::make_mut(w.near.endpoints.get_mut("vpce-1").unwrap()));
        codes(&explain(&w.query()))
    };
    assert_eq!(change(&w, |e| e.private_dns = false), [Code::EndpointPrivateDnsOff]);
    assert_eq!(change(&w, |e| e.state = EndpointState::Pending), [Code::EndpointNotAvailable]);
    assert_eq!(change(&w, |e| e.state = EndpointState::Deleting), [Code::ServiceUnreachable]);
    assert_eq!(change(&w, |e| e.groups = vec![SOURCE_GROUP.into()]), [Code::IngressMissing]);
    Arc::make_mut(w.near.vpc_dns.get_mut(NEAR).unwrap()).hostnames = false;
    assert_eq!(codes(&explain(&w.query())), [Code::DnsHostnamesOff]);
}

/// In China a gateway endpoint's service, and so its prefix list, has another name than an interface endpoint's.
#[test]
fn in_china_a_gateway_endpoint_is_found_by_its_own_name() {
    let plain = "com.amazonaws.cn-north-1.s3";
    let mut w = to_service("cn.com.amazonaws.cn-north-1.s3");
    w.near.endpoints.insert("vpce-1".into(), Arc::new(endpoint("Gateway", plain)));
    Arc::make_mut(w.near.prefix_lists.get_mut("pl-s3").unwrap()).name = plain.into();
    let list = w.near.prefix_lists.remove("pl-s3").unwrap();
    w.near.prefix_lists.insert("pl-s3".into(), list);
    w.near.asked.insert(Need::PrefixListNamed(plain.into()), None);
    route(&mut w.near, "rtb-own", "pl-s3", Target::VpcEndpoint("vpce-1".into()));
    rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Direction::Out, 443, Peer::PrefixList("pl-s3".into())));
    let report = explain(&w.query());
    assert_eq!(report.verdict, State::Open, "{:#?} {:#?}", report.findings, report.unknown);
}

#[test]
fn closed_acls_on_the_way_to_a_service_are_found_both_ways_and_the_fixes_open_them() {
    use Code::{AclDeniesIn, AclDeniesOut, AclDeniesReplyIn, AclDeniesReplyOut};
    let secrets = "com.amazonaws.eu-central-1.secretsmanager";
    let mut gateway = to_service(S3);
    gateway.near.endpoints.insert("vpce-1".into(), Arc::new(endpoint("Gateway", S3)));
    route(&mut gateway.near, "rtb-own", "pl-s3", Target::VpcEndpoint("vpce-1".into()));
    rule(&mut gateway.near, SOURCE_GROUP, RuleShape::tcp(Direction::Out, 443, Peer::PrefixList("pl-s3".into())));
    let mut interface = to_service(secrets);
    interface.near.endpoints.insert("vpce-1".into(), Arc::new(endpoint("Interface", secrets)));
    let all = vec![AclDeniesOut, AclDeniesIn, AclDeniesReplyOut, AclDeniesReplyIn];
    for (mut w, expected) in [(gateway, vec![AclDeniesOut, AclDeniesReplyIn]), (interface, all)] {
        assert_eq!(explain(&w.query()).verdict, State::Open);
        let acls: Vec<NetworkAclId> = w.near.acls.values().map(|a| a.id.clone()).collect();
        for acl in acls {
            Arc::make_mut(w.near.acls.get_mut(&acl).unwrap()).entries.clear();
        }
        let report = explain(&w.query());
        let found: std::collections::BTreeSet<Code> = codes(&report).into_iter().collect();
        assert_eq!(found, expected.into_iter().collect(), "{:#?}", report.findings);
        for remedy in report.findings.iter().flat_map(|f| &f.remedies) {
            apply(&mut w, remedy);
        }
        let report = explain(&w.query());
        assert_eq!(report.verdict, State::Open, "{:#?}", report.findings);
    }
}

#[test]
fn a_service_is_reached_over_the_internet() {
    let mut w = to_service(S3);
    let nat = first(4, |w| w.targets[0].vpc.is_none());
    w.near.nat_gateways = nat.near.nat_gateways.clone();
    w.near.internet_gateways = nat.near.internet_gateways.clone();
    w.near.route_tables = nat.near.route_tables.clone();
    rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Direction::Out, 443, Peer::Cidr(net("0.0.0.0/0"))));
    let report = explain(&w.query());
    assert_eq!(report.verdict, State::Open, "{:#?} {:#?}", report.findings, report.unknown);
    Arc::make_mut(w.near.nat_gateways.get_mut("nat-1").unwrap()).state = "failed".into();
    assert_eq!(codes(&explain(&w.query())), [Code::NatGatewayNotAvailable]);
}

#[test]
fn a_report_is_written_for_machines() {
    let mut w = same_vpc();
    w.near.rules.insert(SOURCE_GROUP.into(), Arc::new([]));
    let json = serde_json::to_value(explain(&w.query())).unwrap();
    assert_eq!(json["verdict"], "Blocked");
    assert_eq!(json["findings"][0]["code"], "EgressMissing");
    assert!(json["findings"][0]["cli"][0].as_str().unwrap().starts_with("aws ec2 authorize-security-group-egress --group-id sg-dms "));
    assert_eq!(json["walks"][0]["out"][1]["decided"], "no rule");
}

fn edit_table(w: &mut World, id: &str, edit: impl FnOnce(&mut RouteTable)) {
    edit(Arc::make_mut(w.near.route_tables.get_mut(id).unwrap()));
}

fn fails(w: &mut World, id: &str) {
    edit_table(w, id, |t| t.routes.iter_mut().filter(|r| r.target != Target::Local).for_each(|r| r.state = RouteState::Blackhole));
}

#[test]
fn a_blackhole_tells_what_is_wrong_with_its_target() {
    let mut w = first(4, |_| true);
    let nat = Arc::make_mut(w.near.nat_gateways.get_mut("nat-1").unwrap());
    (nat.state, nat.failure) = ("failed".into(), Some("Gateway.NotAttached: Network vpc-near has no Internet gateway attached".into()));
    fails(&mut w, "rtb-own");
    let finding = explain(&w.query()).findings.remove(0);
    assert_eq!(finding.code, Code::RouteBlackhole);
    assert!(
        finding.found.ends_with("is a blackhole: nat-1 is failed (Gateway.NotAttached: Network vpc-near has no Internet gateway attached)")
    );
    assert!(finding.fix.starts_with("create a public NAT gateway") && finding.cli.is_empty(), "{}", finding.fix);

    let mut w = first(1, |w| w.far.is_none());
    Arc::make_mut(w.near.peerings.get_mut("pcx-1").unwrap()).status = "pending-acceptance".into();
    fails(&mut w, "rtb-own");
    let report = explain(&w.query());
    assert_eq!(codes(&report)[..2], [Code::RouteBlackhole, Code::PeeringNotActive]);
    let finding = &report.findings[0];
    assert!(finding.fix.starts_with("mend pcx-1, which is pending-acceptance") && finding.cli.is_empty(), "{}", finding.fix);
}

/// A NAT gateway in a subnet whose table it would have to be the default of, too.
#[test]
fn one_table_that_would_need_two_default_routes_is_told_and_no_line_printed() {
    let mut w = first(4, |w| w.targets[0].vpc.is_none());
    edit_table(&mut w, "rtb-own", |t| drop(t.subnets.pop()));
    edit_table(&mut w, "rtb-public", |t| drop(t.subnets.pop()));
    let report = explain(&w.query());
    let finding = report.findings.iter().find(|f| f.resource == "rtb-main").unwrap();
    assert!(finding.fix.contains("nat-1") && finding.fix.contains("igw-1"), "{}", finding.fix);
    assert!(finding.fix.ends_with("give the subnets that differ a route table of their own"), "{}", finding.fix);
    assert!(finding.cli.is_empty() && finding.remedies.is_empty());
}
