//! Every question, asked of the emulator over the wire: each is answered, in as few calls as its kind allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use dmsnet::{
    aws::{Clients, Scope, Store},
    model::{Destination, Need, Picture, RouteOrigin, RouteState, Target},
};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};

use crate::harness::{
    Call, Emulator,
    emulator::{REGION, count},
};

struct Asked {
    store: Arc<Store>,
    _wakes: UnboundedReceiver<Arc<str>>,
}

impl Asked {
    fn of(aws: &Emulator) -> Self {
        let (wakes, _wakes) = unbounded_channel();
        let scope = Scope { endpoint_url: Some(aws.url.clone()), region: REGION.into(), role: None };
        let clients = Clients::of(scope, aws.ec2(), aws.dms(), aws.rds(), aws.sts());
        Self { store: Store::start(clients, wakes), _wakes }
    }

    /// Asks all of these now, and counts the calls.
    async fn ask(&self, aws: &Emulator, needs: &[Need]) -> BTreeMap<String, usize> {
        let mark = aws.mark();
        let needs: BTreeSet<Need> = needs.iter().cloned().collect();
        self.store.ensure(&needs, Some(Instant::now())).await;
        let calls: Vec<Call> = serde_json::from_value(aws.get(&format!("calls?after={mark}"))["calls"].take()).unwrap();
        count(&calls)
    }

    fn look<R>(&self, look: impl FnOnce(&Picture) -> R) -> R {
        self.store.with(look)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn built(aws: &Emulator, wish: Value) -> Value {
    let mut body = json!({ "account": crate::harness::emulator::ACCOUNT, "region": REGION });
    crate::harness::emulator::merge(&mut body, wish);
    aws.post("topology", body)
}

fn of_vpc(vpc: &str) -> [Need; 8] {
    [
        Need::NetworkAclsOf(vpc.into()),
        Need::RouteTablesOf(vpc.into()),
        Need::NatGatewaysOf(vpc.into()),
        Need::InternetGatewayOf(vpc.into()),
        Need::PeeringConnectionsOf(vpc.into()),
        Need::TransitGatewayAttachmentsOf(vpc.into()),
        Need::Vpc(vpc.into()),
        Need::VpcDns(vpc.into()),
    ]
}

fn emulator() -> (tempfile::TempDir, Emulator) {
    let dir = tempfile::tempdir().unwrap();
    let aws = Emulator::start(Path::new(dir.path()));
    (dir, aws)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_between_is_read_for_many_vpcs_at_once() {
    let (_dir, aws) = emulator();
    let nat = built(&aws, json!({ "path": "NatGateway", "nat_gateways": 2, "addresses": 2 }));
    let peered = built(&aws, json!({ "path": "PeeredVpc", "prefix": "p-", "cidr": "10.20.0.0/16" }));
    let (first, second, far) = (text(&nat["vpcId"]), text(&peered["vpcId"]), text(&peered["path"]["vpcId"]));
    let asked = Asked::of(&aws);
    let needs: Vec<Need> = [first, second, far].iter().flat_map(|v| of_vpc(v)).collect();
    let counts = asked.ask(&aws, &needs).await;
    let once = [
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNatGateways",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeTransitGatewayVpcAttachments",
        "ec2:DescribeVpcs",
    ];
    let mut expected: BTreeMap<String, usize> = once.iter().map(|o| ((*o).to_owned(), 1)).collect();
    expected.insert("ec2:DescribeVpcAttribute".into(), 6);
    assert_eq!(counts, expected);

    asked.look(|p| {
        assert!(needs.iter().all(|n| p.asked[n].is_none()), "{:?}", p.asked);
        // NAT: two gateways of two addresses each, all in use; the private tables lead there.
        let gateways: Vec<_> = p.nat_gateways.values().collect();
        let mut ips: Vec<String> = gateways.iter().flat_map(|n| &n.addresses).map(|a| a.public_ip.unwrap().to_string()).collect();
        let mut told: Vec<String> = nat["path"]["publicIps"].as_array().unwrap().iter().map(|v| text(v).to_owned()).collect();
        ips.sort();
        told.sort();
        assert_eq!(ips, told);
        assert!(gateways.iter().all(|n| n.public && n.state == "available" && n.addresses.iter().all(|a| a.in_use)));
        for subnet in nat["subnetIds"].as_array().unwrap() {
            let table = p.route_table_of(&text(subnet).into(), &first.into()).unwrap();
            let default = table.routes.iter().find(|r| r.destination == Destination::Cidr("0.0.0.0/0".parse().unwrap())).unwrap();
            assert!(matches!(&default.target, Target::NatGateway(id) if p.nat_gateways.contains_key(id)), "{default:?}");
            assert!(table.routes.iter().any(|r| r.target == Target::Local && r.origin == RouteOrigin::CreateRouteTable));
            assert!(p.acl_of(&text(subnet).into()).unwrap().is_default);
        }
        assert_eq!(p.internet_gateways[first].id.as_str(), text(&nat["path"]["internetGatewayId"]));
        assert!(!p.internet_gateways.contains_key(second));
        // Peering: one, seen from both of its VPCs.
        let pcx = &p.peerings[text(&peered["path"]["peeringConnectionId"])];
        let (here, there) = pcx.sides(&second.into()).unwrap();
        assert!(pcx.is_active() && there.vpc.as_str() == far);
        assert_eq!((here.dns_resolution, there.dns_resolution), (Some(true), Some(true)));
        assert_eq!(there.cidrs, ["10.9.0.0/16".parse().unwrap()]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_turns_into_a_blackhole_and_whoever_asks_hears_of_it() {
    let (_dir, aws) = emulator();
    let net = built(&aws, json!({ "path": "Internet" }));
    let (vpc, gateway) = (text(&net["vpcId"]), text(&net["path"]["internetGatewayId"]));
    let mut asked = Asked::of(&aws);
    let needs = [Need::RouteTablesOf(vpc.into()), Need::InternetGatewayOf(vpc.into())];
    asked.ask(&aws, &needs).await;
    asked.store.subscribe(&"me".into(), needs.iter().cloned().collect(), BTreeSet::new(), std::time::Duration::from_secs(600));
    while asked._wakes.try_recv().is_ok() {}
    aws.ec2().detach_internet_gateway().vpc_id(vpc).internet_gateway_id(gateway).send().await.unwrap();
    asked.ask(&aws, &needs).await;
    assert_eq!(asked._wakes.recv().await.as_deref(), Some("me"));
    asked.look(|p| {
        let table = &p.route_tables[text(&net["routeTableIds"]["private"])];
        let default = table.routes.iter().find(|r| r.destination == Destination::Cidr("0.0.0.0/0".parse().unwrap())).unwrap();
        assert_eq!((default.state, default.origin), (RouteState::Blackhole, RouteOrigin::CreateRoute));
        assert!(p.internet_gateways.is_empty());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn interfaces_and_prefix_lists_are_read_together_and_entries_only_when_they_changed() {
    let (_dir, aws) = emulator();
    let net = built(&aws, json!({ "path": "OnPremises", "nat_host": true }));
    let (group, host) = (text(&net["securityGroupIds"]["replication"]), &net["path"]["natHost"]);
    let list = aws.ec2().create_managed_prefix_list().prefix_list_name("offices").address_family("IPv4").max_entries(5);
    let entry = aws_sdk_ec2::types::AddPrefixListEntry::builder().cidr("172.20.0.0/16").build();
    let list = list.entries(entry).send().await.unwrap().prefix_list.unwrap().prefix_list_id.unwrap();
    let asked = Asked::of(&aws);
    let s3 = Need::PrefixListNamed(format!("com.amazonaws.{REGION}.s3").into());
    let (mine, eni) = (Need::PrefixList(list.as_str().into()), Need::Interface(text(&host["networkInterfaceId"]).into()));
    let with = [Need::InterfacesWith(group.into()), Need::InterfacesWith(text(&host["securityGroupId"]).into())];
    let mut needs = vec![s3.clone(), mine, eni];
    needs.extend(with);
    let counts = asked.ask(&aws, &needs).await;
    assert_eq!(counts["ec2:DescribeNetworkInterfaces"], 1, "the host's interface comes with its group");
    assert_eq!(counts["ec2:GetManagedPrefixListEntries"], 2);
    asked.look(|p| {
        let of_dms = p.interfaces.values().find(|i| i.description == "DMSNetworkInterface").unwrap();
        assert_eq!((of_dms.groups.as_slice(), of_dms.source_dest_check), ([group.into()].as_slice(), true));
        assert!(!p.interfaces[text(&host["networkInterfaceId"])].source_dest_check);
        assert_eq!(p.prefix_lists[list.as_str()].cidrs, ["172.20.0.0/16".parse().unwrap()]);
        let of_s3 = p.prefix_lists.values().find(|l| l.name.ends_with(".s3")).unwrap();
        assert!(!of_s3.cidrs.is_empty());
    });
    // AWS's own lists have no version; a customer's has, and it did not change.
    assert_eq!(asked.ask(&aws, &needs).await["ec2:GetManagedPrefixListEntries"], 1);
    let more = aws_sdk_ec2::types::AddPrefixListEntry::builder().cidr("172.21.0.0/16").build();
    aws.ec2().modify_managed_prefix_list().prefix_list_id(&list).current_version(1).add_entries(more).send().await.unwrap();
    assert_eq!(asked.ask(&aws, &needs).await["ec2:GetManagedPrefixListEntries"], 2);
    asked.look(|p| assert_eq!(p.prefix_lists[list.as_str()].cidrs.len(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn dms_and_rds_tell_where_both_ends_are() {
    use aws_sdk_databasemigration::types::{ComputeConfig, KafkaSettings, MigrationTypeValue, ReplicationEndpointTypeValue};
    let (_dir, aws) = emulator();
    let net = aws.topology(json!({ "instances": 3 }));
    let dms = aws.dms();
    let compute = ComputeConfig::builder()
        .replication_subnet_group_id(&net.subnet_group)
        .vpc_security_group_ids(&net.security_group_ids.replication)
        .max_capacity_units(2)
        .build();
    dms.create_replication_config()
        .replication_config_identifier("orders-cfg")
        .source_endpoint_arn(&net.endpoints.source.arn)
        .target_endpoint_arn(&net.endpoints.target.arn)
        .compute_config(compute)
        .replication_type(MigrationTypeValue::Cdc)
        .table_mappings("{}")
        .send()
        .await
        .unwrap();
    dms.create_endpoint()
        .endpoint_identifier("orders-stream")
        .endpoint_type(ReplicationEndpointTypeValue::Target)
        .engine_name("kafka")
        .kafka_settings(KafkaSettings::builder().broker("b-2:9094,b-1:9094").build())
        .send()
        .await
        .unwrap();
    let asked = Asked::of(&aws);
    let mut needs = vec![
        Need::ReplicationConfig("Orders-cfg".into()),
        Need::ReplicationConfig("nowhere".into()),
        Need::SubnetGroup(net.subnet_group.as_str().into()),
        Need::DbSubnetGroup("orders-db-subnets".into()),
        Need::DbSubnetGroup("nowhere".into()),
        Need::DmsEndpoint("orders-stream".into()),
    ];
    needs.extend(net.instances.iter().map(|i| Need::ConnectionsOf(i.arn.as_str().into())));
    let counts = asked.ask(&aws, &needs).await;
    let singles = ["dms:DescribeReplicationConfigs", "dms:DescribeReplicationSubnetGroups", "rds:DescribeDBSubnetGroups"];
    assert!(singles.iter().all(|o| counts[*o] == 1), "{counts:?}");
    assert!(counts["dms:DescribeConnections"] <= 2, "nothing was tested yet: {counts:?}");
    asked.look(|p| {
        assert!(needs.iter().all(|n| p.asked[n].is_none()), "{:?}", p.asked);
        let config = &p.configs["orders-cfg"];
        assert_eq!((config.subnet_group.as_str(), config.endpoints.len()), (net.subnet_group.as_str(), 2));
        let mut subnets: Vec<&str> = p.subnet_groups[net.subnet_group.as_str()].subnets.iter().map(|s| s.as_str()).collect();
        let mut told: Vec<&str> = net.subnet_ids.iter().map(String::as_str).collect();
        subnets.sort_unstable();
        told.sort_unstable();
        assert_eq!(subnets, told);
        assert_eq!(p.db_subnet_groups["orders-db-subnets"].subnets.len(), 2);
        assert!(!p.db_subnet_groups.contains_key("nowhere") && !p.configs.contains_key("nowhere"));
        assert_eq!(p.dms_endpoints["orders-stream"].more_hosts, [("b-1".into(), Some(9094)), ("b-2".into(), Some(9094))]);
        assert!(p.connections.values().all(|list| list.is_empty()) && p.connections.len() == 3);
    });

    let wish = json!({ "account": net.account, "region": net.region, "instance": net.instance.id, "endpoint": "orders-src",
        "status": "failed", "message": "Test Endpoint failed: timeout expired" });
    aws.post("dms/connections", wish);
    dms.test_connection().replication_instance_arn(&net.instance.arn).endpoint_arn(&net.endpoints.source.arn).send().await.unwrap();
    asked.store.subscribe(&"me".into(), needs.iter().cloned().collect(), BTreeSet::new(), std::time::Duration::from_secs(600));
    assert_eq!(asked.ask(&aws, &needs).await["dms:DescribeConnections"], 1);
    // A test under way is looked at again soon, though its kind is slow.
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    while asked.look(|p| p.connections[net.instance.arn.as_str()][0].status == "testing") {
        assert!(Instant::now() < deadline, "the test's end is not seen");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    asked.look(|p| {
        let test = &p.connections[net.instance.arn.as_str()][0];
        assert_eq!((test.status.as_str(), test.endpoint.as_str()), ("failed", net.endpoints.source.arn.as_str()));
        assert!(test.failure.as_deref().unwrap().contains("timeout expired"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_misses_for_one_kind_hides_no_other() {
    let (_dir, aws) = emulator();
    let net = aws.topology(json!({}));
    aws.fault(json!({ "kind": "denied", "operation": "DescribeTransitGatewayVpcAttachments" }));
    let (asked, needs) = (Asked::of(&aws), of_vpc(&net.vpc_id));
    asked.ask(&aws, &needs).await;
    asked.look(|p| {
        for need in &needs {
            let failure = p.asked[need].as_ref();
            match need {
                Need::TransitGatewayAttachmentsOf(_) => {
                    let failure = failure.unwrap();
                    assert!(failure.denied && failure.message.contains("ec2:DescribeTransitGatewayVpcAttachments"), "{failure:?}");
                }
                other => assert_eq!(failure, None, "{other}"),
            }
        }
        assert!(!p.acls.is_empty() && !p.route_tables.is_empty());
    });
}
