//! VPCs, subnets, tables, gateways and peerings for the six configurations, and networks in two classes.

use std::{collections::BTreeMap, sync::Arc};

use dmsnet::{
    api::network::DeletionPolicy,
    model::*,
    plan::{Elsewhere, Plan},
};
use serde_json::{Value, json};

use crate::world::{ACCOUNT, Network, REPLICATION, VPC, World};

pub const NEAR_TABLE: &str = "rtb-0a000001";
pub const NEAR_ACL: &str = "acl-0a000001";
pub const FAR_VPC: &str = "vpc-0b000001";
pub const FAR_TABLE: &str = "rtb-0b000001";
pub const FAR_ACL: &str = "acl-0b000001";
pub const FAR_SUBNET: &str = "subnet-0b000001";
pub const FAR_GROUP: &str = "sg-0b000001";
pub const PEERING: &str = "pcx-0a000001";
pub const OTHER_ACCOUNT: &str = "222233334444";

pub fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

pub fn ip(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

pub fn group(world: &mut World, id: &str, vpc: &str) {
    let group = SecurityGroup { id: id.into(), name: id.into(), vpc: vpc.into(), owner: world.account.clone(), tags: Tags::new() };
    world.picture.groups.insert(id.into(), Arc::new(group));
}

pub fn subnet(world: &mut World, id: &str, vpc: &str, zone: &str, cidrs: &[&str]) {
    let cidrs = cidrs.iter().map(|c| net(c)).collect();
    let subnet = Subnet { id: id.into(), vpc: vpc.into(), zone: zone.into(), cidrs, block_public_access: BlockPublicAccess::Off };
    world.picture.subnets.insert(id.into(), Arc::new(subnet));
}

/// A VPC's main table and default ACL, in front of these subnets.
pub fn borders(world: &mut World, vpc: &str, table: &str, acl: &str, subnets: &[&str]) {
    let mut subnets: Vec<SubnetId> = subnets.iter().map(|s| SubnetId::from(*s)).collect();
    subnets.sort();
    let local = |c: &ipnet::IpNet| Route {
        destination: Destination::Cidr(*c),
        target: Target::Local,
        state: RouteState::Active,
        origin: RouteOrigin::CreateRouteTable,
    };
    let routes = world.picture.vpcs[&VpcId::from(vpc)].cidrs.iter().map(local).collect();
    let table =
        RouteTable { id: table.into(), vpc: vpc.into(), main: true, subnets: vec![], routes, propagating: vec![], tags: Tags::new() };
    world.picture.route_tables.insert(table.id.clone(), Arc::new(table));
    let acl = NetworkAcl { id: acl.into(), vpc: vpc.into(), is_default: true, subnets, entries: vec![], tags: Tags::new() };
    world.picture.acls.insert(acl.id.clone(), Arc::new(acl));
}

/// The reference world with tables and ACLs, in a class that allows all.
pub fn near() -> World {
    let mut world = World::reference("cluster");
    borders(&mut world, VPC, NEAR_TABLE, NEAR_ACL, &["subnet-0a000001", "subnet-0a000002", "subnet-0a000003"]);
    open(&mut world);
    world
}

fn open(world: &mut World) {
    world.guardrails = serde_json::from_value(json!({
        "vpcIds": ["*"], "foreignRules": "Revoke", "networkAcls": "Manage", "routes": "Manage",
        "networkAclRuleNumbers": {"from": 20_000, "to": 20_099}, "peerCidrs": ["0.0.0.0/0", "::/0"],
    }))
    .unwrap();
}

/// The far VPC with one subnet and a group, put into `world`.
pub fn far_vpc(world: &mut World) {
    let vpc = Vpc {
        id: FAR_VPC.into(),
        cidrs: vec![net("10.1.0.0/16")],
        owner: world.account.clone(),
        block_public_access: BlockPublicAccess::Off,
    };
    world.picture.vpc_dns.insert(vpc.id.clone(), Arc::new(VpcDns { support: true, hostnames: true }));
    world.picture.vpcs.insert(vpc.id.clone(), Arc::new(vpc));
    subnet(world, FAR_SUBNET, FAR_VPC, "us-east-1a", &["10.1.1.0/24"]);
    group(world, FAR_GROUP, FAR_VPC);
    borders(world, FAR_VPC, FAR_TABLE, FAR_ACL, &[FAR_SUBNET]);
}

/// The peering between both VPCs, in this state; the far one belongs to this account and Region.
pub fn peering(world: &mut World, status: &str, account: &str, region: &str) {
    let side = |vpc: &str, account: &str, region: &str, cidr: &str| PeeringSide {
        vpc: vpc.into(),
        account: account.into(),
        region: region.into(),
        cidrs: vec![net(cidr)],
        dns_resolution: Some(true),
    };
    let peering = PeeringConnection {
        id: PEERING.into(),
        status: status.into(),
        message: None,
        requester: side(VPC, ACCOUNT, "us-east-1", "10.0.0.0/16"),
        accepter: side(FAR_VPC, account, region, "10.1.0.0/16"),
    };
    world.picture.peerings.insert(PEERING.into(), Arc::new(peering));
}

/// A class of another account or Region, with the far VPC in it.
pub fn far_class(account: &str, region: &str) -> World {
    let mut world = World::reference("cluster");
    world.picture = Picture::default();
    (world.class, world.account, world.region) = ("far".into(), account.into(), region.into());
    open(&mut world);
    far_vpc(&mut world);
    world
}

pub fn nat(world: &mut World, id: &str, subnet: &str, state: &str, addresses: &[(&str, bool)]) {
    let address = |(a, in_use): &(&str, bool)| NatAddress { public_ip: Some(ip(a)), private_ip: None, interface: None, in_use: *in_use };
    let gateway = NatGateway {
        id: id.into(),
        vpc: VPC.into(),
        subnet: Some(subnet.into()),
        state: state.into(),
        failure: (state == "failed").then(|| "Gateway.NotAttached: no internet gateway".into()),
        public: true,
        regional: false,
        addresses: addresses.iter().map(address).collect(),
    };
    world.picture.nat_gateways.insert(id.into(), Arc::new(gateway));
}

pub fn default_route(world: &mut World, table: &str, target: Target) {
    world.edit_table(&table.into(), |t| {
        t.routes.push(crate::world::route(Destination::Cidr(net("0.0.0.0/0")), target));
    });
}

pub fn public(world: &mut World, ips: &[&str]) {
    let instance = Arc::make_mut(world.picture.instances.get_mut("orders-ri").unwrap());
    instance.publicly_accessible = Some(true);
    instance.public_ips = ips.iter().map(|i| ip(i)).collect();
}

/// A network with one database `db`, reached by `path`, in Manage.
pub fn spec(database: Value, path: Value) -> Value {
    let mut db = json!({"name": "db", "path": path});
    db.as_object_mut().unwrap().extend(database.as_object().unwrap().clone());
    json!({"replication": {"instance": "orders-ri"}, "databases": [db], "routes": "Manage", "networkAcls": "Manage"})
}

pub fn at(host: &str) -> Value {
    json!({"address": {"engine": "postgres", "endpoints": [{"host": host}]}})
}

pub fn with(mut value: Value, key: &str, to: Value) -> Value {
    value[key] = to;
    value
}

/// What a plan wants, as ledger keys, without the rules of these prefixes.
pub fn wants(plan: &Plan) -> Vec<String> {
    let mut keys: Vec<String> = plan.claim.wants.iter().map(ToString::to_string).collect();
    keys.sort();
    keys
}

pub fn problems(plan: &Plan) -> Vec<String> {
    plan.problems.iter().map(|p| format!("{}: {}: {}", p.reason, p.resource, p.message)).collect()
}

/// A network whose database is in a class of its own.
pub struct Two {
    pub home: World,
    pub far: World,
}

impl Two {
    /// Both plans, with every question answered.
    pub fn plans(&mut self, network: &Network, deleting: Option<DeletionPolicy>) -> (Plan, Plan) {
        loop {
            let plan = |here: &World, there: &World| {
                let other = Elsewhere {
                    region: &there.region,
                    account: &there.account,
                    guardrails: &there.guardrails,
                    picture: &there.picture,
                    same_place: false,
                };
                here.plan_among(network, deleting, &self.home.class, &BTreeMap::from([(there.class.clone(), other)]))
            };
            let (a, b) = (plan(&self.home, &self.far), plan(&self.far, &self.home));
            if !a.unread && !b.unread {
                return (a, b);
            }
            self.home.answer(&a);
            self.far.answer(&b);
        }
    }

    /// A whole pass through both; returns the plans that were carried out.
    pub fn pass(&mut self, network: &mut Network, deleting: Option<DeletionPolicy>) -> (Plan, Plan) {
        let (a, b) = self.plans(network, deleting);
        self.home.apply(network, &a.changes);
        self.far.apply(network, &b.changes);
        let (after_a, after_b) = self.plans(network, deleting);
        network.ledger = after_a.ledger.iter().chain(&after_b.ledger).cloned().collect();
        self.home.claims.put(&network.uid, after_a.claim);
        self.far.claims.put(&network.uid, after_b.claim);
        (a, b)
    }
}

/// The rules of a path's two ends, as keys.
pub fn out(port: u16, peer: &str) -> String {
    format!("rule/{REPLICATION}/out/tcp/{port}/{peer}")
}
