//! Properties over random networks, breakages and orders.

use dmsnet::{
    api::{
        conditions::Reason,
        network::{DeletionPolicy, VpcEndpointType},
    },
    model::*,
    plan::{Problem, record},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::world::{
    DATABASE_ACL, FAR_ACL, FAR_SUBNET, FAR_TABLE, NEAR_ACL, NEAR_TABLE, Network, OTHER_PEERING, PEERING, REPLICATION, SECOND_TABLE, SOURCE,
    TARGET, World, route, settable,
};

/// Few ports: an ACL has 19 places, and which entries get them where that is too few is a matter of turns.
fn database() -> impl Strategy<Value = Value> {
    let group = select(vec![None, Some(SOURCE), Some(TARGET), Some(REPLICATION)]);
    let ingress = select(vec!["Auto", "SecurityGroup", "SubnetCidrs", "VpcCidr", "PrivateIp"]);
    // Neptune is loaded through S3, and Kinesis is a service itself.
    let engine = select(vec!["postgres", "postgres", "neptune", "kinesis"]);
    let places = (any::<bool>(), any::<bool>(), engine);
    (group, ingress, 1024u16..1027, vec(1024u16..1027, 0..2), places).prop_map(|(group, ingress, port, extra, (ip, peered, engine))| {
        if peered {
            let path = json!({"type": "PeeredVpc", "peeredVpc": {"peeringConnectionId": PEERING}});
            return json!({"address": {"engine": "postgres", "endpoints": [{"host": "10.1.1.9", "port": port}]}, "path": path,
                "subnetIds": [FAR_SUBNET]});
        }
        let host = if ip { "10.0.2.9" } else { "db.example.com" };
        let mut d = json!({
            "address": {"engine": engine, "endpoints": [{"host": host, "port": port}]},
            "extraEndpoints": extra.iter().map(|p| json!({"host": "10.0.3.3", "port": p})).collect::<Vec<_>>(),
            "ingressFrom": ingress, "path": {"type": "SameVpc"}, "subnetIds": ["subnet-0a000002", "subnet-0a000003"],
        });
        if let Some(group) = group {
            d["securityGroupId"] = json!(group);
        }
        d
    })
}

fn spec(peerings: Vec<&'static str>) -> impl Strategy<Value = Value> {
    let endpoint = prop_oneof![
        Just(None),
        Just(Some(json!({"name": "dms", "service": "dms"}))),
        Just(Some(json!({"name": "dms", "service": "dms", "subnetIds": ["subnet-0a000002"], "allowFrom": [{"cidr": "10.0.0.0/16"}]}))),
    ];
    let gateway = prop_oneof![
        Just(None),
        Just(Some(json!({"name": "s3", "service": "s3", "type": "Gateway"}))),
        Just(Some(json!({"name": "s3", "service": "s3", "type": "Gateway", "routeTableIds": [SECOND_TABLE]}))),
    ];
    let kinesis = prop_oneof![
        Just(None),
        Just(Some(json!({"name": "kinesis", "service": "kinesis-streams"}))),
        Just(Some(json!({"name": "kinesis", "service": "kinesis-streams", "subnetIds": ["subnet-0a000003"]}))),
    ];
    let upkeep = || select(vec!["Check", "Manage", "Manage"]);
    let settings = (select(vec!["Ignore", "Report"]), upkeep(), upkeep(), select(peerings));
    let endpoints = (endpoint, gateway, kinesis);
    (vec(database(), 1..4), endpoints, settings).prop_map(|(mut databases, endpoints, (foreign, acls, routes, peering))| {
        for (i, d) in databases.iter_mut().enumerate() {
            d["name"] = json!(format!("db-{i}"));
            if d["path"]["type"] == "PeeredVpc" {
                d["path"]["peeredVpc"]["peeringConnectionId"] = json!(peering);
            }
        }
        let endpoints: Vec<Value> = [endpoints.0, endpoints.1, endpoints.2].into_iter().flatten().collect();
        json!({"replication": {"instance": "orders-ri"}, "databases": databases, "vpcEndpoints": endpoints, "foreignRules": foreign,
            "networkAcls": acls, "routes": routes})
    })
}

fn networks() -> impl Strategy<Value = Vec<Network>> {
    networks_over(vec![PEERING, PEERING, OTHER_PEERING])
}

fn networks_over(peerings: Vec<&'static str>) -> impl Strategy<Value = Vec<Network>> {
    vec(spec(peerings), 1..4).prop_map(|specs| specs.into_iter().zip(1..).map(|(s, n)| Network::new(n, s)).collect())
}

/// What somebody else put there.
#[derive(Clone, Debug, Default)]
struct Strangers {
    rules: Vec<(&'static str, RuleShape)>,
    entries: Vec<(&'static str, AclEntry)>,
    routes: Vec<(&'static str, Route)>,
}

fn strangers() -> impl Strategy<Value = Strangers> {
    (strange_rules(), strange_entries(), strange_routes()).prop_map(|(rules, entries, routes)| Strangers { rules, entries, routes })
}

/// Allows and denies ahead of our numbers, among them and behind them.
fn strange_entries() -> impl Strategy<Value = Vec<(&'static str, AclEntry)>> {
    let acl = select(vec![NEAR_ACL, DATABASE_ACL, FAR_ACL]);
    let number = select(vec![50u16, 100, 20_000, 20_002, 30_000]);
    let cidr = select(vec!["10.0.0.0/8", "10.0.1.0/24", "10.0.3.9/32", "10.1.1.0/25", "0.0.0.0/0"]);
    let ports = select(vec![None, Some((1024, 1027)), Some((1026, 65_535)), Some((40_000, 40_000))]);
    let entry = (acl, number, cidr, ports, any::<bool>(), any::<bool>()).prop_map(|(acl, number, cidr, ports, inward, allow)| {
        let direction = if inward { Direction::In } else { Direction::Out };
        let protocol = if ports.is_some() { Protocol::Tcp } else { Protocol::All };
        let ports = ports.map(|(from, to)| Ports { from, to });
        (acl, AclEntry { direction, number, protocol, ports, cidr: cidr.parse().unwrap(), allow })
    });
    vec(entry, 0..4)
}

fn strange_routes() -> impl Strategy<Value = Vec<(&'static str, Route)>> {
    let table = select(vec![NEAR_TABLE, SECOND_TABLE, FAR_TABLE]);
    let cidr = select(vec!["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.0.0.0/15", "0.0.0.0/0"]);
    let one = (table, cidr, select(vec![PEERING, OTHER_PEERING]), any::<bool>()).prop_map(|(table, cidr, peering, learned)| {
        let target = if learned { Target::VpnGateway("vgw-1".into()) } else { Target::PeeringConnection(peering.into()) };
        let origin = if learned { RouteOrigin::Propagated } else { RouteOrigin::CreateRoute };
        (table, Route { origin, ..route(Destination::Cidr(cidr.parse().unwrap()), target) })
    });
    vec(one, 0..3)
}

/// Rules of somebody else, on any of the groups.
fn strange_rules() -> impl Strategy<Value = Vec<(&'static str, RuleShape)>> {
    let group = select(vec![REPLICATION, SOURCE, TARGET]);
    let cidr = select(vec!["10.9.0.0/16", "10.0.0.0/16", "192.168.0.0/24", "0.0.0.0/0"]);
    let shape = (any::<bool>(), 1024u16..1030, cidr).prop_map(|(inward, port, cidr)| {
        let direction = if inward { Direction::In } else { Direction::Out };
        RuleShape::tcp(direction, port, Peer::Cidr(cidr.parse().unwrap()))
    });
    vec((group, shape), 0..6)
}

fn world(strangers: &Strangers) -> World {
    let mut world = World::with_borders("cluster");
    for (acl, entry) in &strangers.entries {
        world.edit_acl(&(*acl).into(), |a| {
            if a.entry(entry.direction, entry.number).is_none() {
                a.entries.push(entry.clone());
            }
        });
    }
    for (table, route) in &strangers.routes {
        world.edit_table(&(*table).into(), |t| {
            if t.routes.iter().all(|r| r.destination != route.destination) {
                t.routes.push(route.clone());
            }
        });
    }
    for (group, shape) in &strangers.rules {
        if !world.picture.rules_of(&(*group).into()).iter().any(|r| r.shape == *shape) {
            world.add_rule(&(*group).into(), shape.clone(), Tags::new());
        }
    }
    world
}

type Foreign = (Vec<Rule>, Vec<(NetworkAclId, AclEntry)>, Vec<(RouteTableId, Route)>);

/// All that nobody of ours made: rules by ID, entries, routes.
fn foreign(world: &World) -> Foreign {
    let all = world.picture.rules.values().flat_map(|r| r.iter());
    let mut rules: Vec<Rule> = all.filter(|r| !tags::is_managed(&r.tags)).cloned().collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let entries = world.picture.acls.values().flat_map(|a| a.entries.iter().map(move |e| (a, e)));
    let entries = entries.filter(|(a, e)| !record::is_entry_of(&a.tags, e.direction, e.number, &world.owner));
    let routes = world.picture.route_tables.values().flat_map(|t| t.routes.iter().map(move |r| (t, r)));
    let routes = routes.filter(|(t, r)| r.origin == RouteOrigin::Propagated || !record::is_route_of(&t.tags, &r.destination, &world.owner));
    (rules, entries.map(|(a, e)| (a.id.clone(), e.clone())).collect(), routes.map(|(t, r)| (t.id.clone(), r.clone())).collect())
}

fn settle(world: &mut World, networks: &mut [Network]) {
    for _ in 0..3 {
        for network in networks.iter_mut() {
            world.pass(network, None);
        }
    }
}

/// Whether an entry cannot be made, since a stranger's deny would come behind it.
fn denied(world: &mut World, networks: &[Network]) -> bool {
    let is_entry = |p: &Problem| p.reason == Reason::Conflict && p.resource.starts_with("acl-entry/");
    networks.iter().any(|network| world.plan(network, None).problems.iter().any(is_entry))
}

/// How many ways there are to break something.
const WAYS: u8 = 12;

/// One way to break what is there. Only what carries our tags is touched, so that strangers' rules can be compared.
fn break_something(world: &mut World, which: usize, how: u8) {
    let managed: Vec<Rule> = world.picture.rules.values().flat_map(|r| r.iter()).filter(|r| tags::is_managed(&r.tags)).cloned().collect();
    let endpoint = world.picture.endpoints.values().find(|e| e.is_of(VpcEndpointType::Interface)).map(|e| e.id.clone());
    let gateway = world.picture.endpoints.values().find(|e| e.is_of(VpcEndpointType::Gateway)).map(|e| e.id.clone());
    let owner = world.owner.clone();
    let entries = world.picture.acls.values().flat_map(|a| record::entries_of(&a.tags, &owner).map(move |(d, n)| (a.id.clone(), d, n)));
    let entries: Vec<_> = entries.collect();
    let routes = world.picture.route_tables.values().flat_map(|t| t.routes.iter().map(move |r| (t, r)));
    let routes = routes.filter(|(t, r)| r.origin == RouteOrigin::CreateRoute && record::is_route_of(&t.tags, &r.destination, &owner));
    let routes: Vec<_> = routes.map(|(t, r)| (t.id.clone(), r.destination.clone())).collect();
    if let (6..=8, Some((acl, direction, number))) = (how % WAYS, entries.get(which % entries.len().max(1))) {
        let is_it = |e: &AclEntry| (e.direction, e.number) == (*direction, *number);
        return world.edit_acl(acl, |a| match how % WAYS {
            6 => a.entries.retain(|e| !is_it(e)),
            7 => a.entries.iter_mut().filter(|e| is_it(e)).for_each(|e| e.ports = Some(Ports::one(7))),
            _ => a.entries.iter_mut().filter(|e| is_it(e)).for_each(|e| e.allow = false),
        });
    }
    if let (9..=10, Some((table, destination))) = (how % WAYS, routes.get(which % routes.len().max(1))) {
        let is_it = |r: &Route| r.destination == *destination && r.origin == RouteOrigin::CreateRoute;
        return world.edit_table(table, |t| match how % WAYS {
            9 => t.routes.retain(|r| !is_it(r)),
            _ => t.routes.iter_mut().filter(|r| is_it(r)).for_each(|r| r.target = Target::PeeringConnection("pcx-9".into())),
        });
    }
    if let (11, Some(id)) = (how % WAYS, gateway) {
        return world.edit_endpoint(&id, |e| e.route_tables = vec![]);
    }
    match (how % WAYS, managed.get(which % managed.len().max(1)), endpoint) {
        (0, Some(rule), _) => world.edit_rules(&rule.group, |r| r.retain(|x| x.id != rule.id)),
        (1, Some(rule), _) => {
            world.edit_rules(&rule.group, |r| r.iter_mut().filter(|x| x.id == rule.id).for_each(|x| x.shape.ports = Some(Ports::one(7))))
        }
        (2, _, Some(id)) => drop(world.picture.endpoints.remove(&id)),
        (3, _, Some(id)) => world.edit_endpoint(&id, |e| e.private_dns = !e.private_dns),
        (4, _, Some(id)) => world.edit_endpoint(&id, |e| e.groups = vec![SOURCE.into()]),
        (5, _, Some(id)) => world.edit_endpoint(&id, |e| e.subnets = vec!["subnet-0a000003".into()]),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_a_plan_leaves_an_empty_plan(mut networks in networks(), strangers in strangers()) {
        let mut world = world(&strangers);
        settle(&mut world, &mut networks);
        for network in &networks {
            let plan = world.plan(network, None);
            prop_assert_eq!(plan.changes, vec![]);
            prop_assert_eq!(plan.drift, vec![]);
            prop_assert!(plan.rules.0 == plan.rules.1, "all that is wanted is there");
        }
    }

    #[test]
    // Where networks disagree, a route that the older one replaced may be one that it would not have made.
    fn order_does_not_matter(networks in networks_over(vec![PEERING]), strangers in strangers(), turn in 0usize..3) {
        let (mut one, mut other) = (world(&strangers), world(&strangers));
        let mut forward = networks.clone();
        let mut backward = networks;
        for network in &mut backward {
            network.spec.databases.reverse();
        }
        backward.reverse();
        let turn = turn % backward.len();
        backward.rotate_left(turn);
        settle(&mut one, &mut forward);
        settle(&mut other, &mut backward);
        // Where a stranger's deny keeps a wider entry from being made, a narrower one stays that was made when less was wanted.
        let in_the_way = denied(&mut one, &forward) || denied(&mut other, &backward);
        let shape = |world: &World| world.shape().into_iter().filter(|line| !in_the_way || !line.starts_with("acl-")).collect::<Vec<_>>();
        prop_assert_eq!(shape(&one), shape(&other));
    }

    #[test]
    fn nothing_foreign_is_touched(mut networks in networks(), strangers in strangers(), breaks in vec((0usize..40, 0u8..WAYS), 0..4)) {
        let mut world = world(&strangers);
        let theirs = foreign(&world);
        settle(&mut world, &mut networks);
        for (which, how) in breaks {
            break_something(&mut world, which, how);
        }
        settle(&mut world, &mut networks);
        for _ in 0..3 {
            for network in &mut networks {
                world.pass(network, Some(DeletionPolicy::Delete));
            }
        }
        prop_assert_eq!(foreign(&world), theirs);
    }

    #[test]
    fn what_is_broken_is_mended_and_never_worsened(mut networks in networks(), which in 0usize..40, how in 0u8..WAYS) {
        let mut world = world(&Strangers::default());
        settle(&mut world, &mut networks);
        let whole = world.shape();
        break_something(&mut world, which, how);
        let broken = world.shape();
        for network in &mut networks {
            world.pass(network, None);
            let now = world.shape();
            prop_assert!(broken.iter().filter(|l| whole.contains(l)).all(|l| now.contains(l)), "what was whole stays whole");
        }
        settle(&mut world, &mut networks);
        prop_assert_eq!(world.shape(), whole);
    }

    #[test]
    // Two peerings to one VPC cannot both have the route.
    fn nothing_stays_blocked_by_what_dmsnet_may_set(mut networks in networks_over(vec![PEERING]), which in 0usize..40, how in 0u8..WAYS) {
        let mut world = world(&Strangers::default());
        settle(&mut world, &mut networks);
        break_something(&mut world, which, how);
        settle(&mut world, &mut networks);
        world.lead_to_gateway_endpoints();
        for network in &networks {
            let plan = world.plan(network, None);
            prop_assert!(plan.problems.is_empty(), "{:?}", plan.problems);
            let blocked = settable(network, &plan);
            prop_assert!(blocked.is_empty(), "{blocked:#?}");
        }
    }

    #[test]
    fn when_all_are_gone_aws_is_as_before(mut networks in networks(), strangers in strangers(), retain in any::<bool>()) {
        let mut world = world(&strangers);
        let before = world.shape();
        settle(&mut world, &mut networks);
        let last = networks.len() - 1;
        for (i, network) in networks.iter_mut().enumerate() {
            // An earlier leaver's Retain only drops its entries where others need the same.
            let policy = if retain && i < last { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
            for _ in 0..3 {
                world.pass(network, Some(policy));
            }
            prop_assert_eq!(&network.ledger, &vec![]);
        }
        if !retain {
            prop_assert_eq!(world.shape(), before);
        }
        prop_assert!(world.picture.acls.values().all(|a| a.tags.is_empty()), "no record stays behind");
        prop_assert!(world.picture.route_tables.values().all(|t| t.tags.is_empty()));
    }
}
