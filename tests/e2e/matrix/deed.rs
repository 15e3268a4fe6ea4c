//! What somebody does behind the controller's back.

use aws_sdk_databasemigration::Client as Dms;
use aws_sdk_ec2::{
    Client as Ec2,
    types::{
        AttributeBooleanValue, Filter, IpPermission, IpRange, PeeringConnectionOptionsRequest, PortRange, RuleAction, UserIdGroupPair,
    },
};
use serde_json::{Value, json};

use super::site::{FAR_REGION, PORT};
use crate::harness::{
    Env,
    emulator::{ACCOUNT, REGION},
    env::SOON,
};

type Id = String;

#[derive(Clone, Debug)]
pub enum Deed {
    /// A group's rules for a port are revoked, in one direction.
    Revoke {
        group: Id,
        egress: bool,
        port: i32,
        far: bool,
    },
    /// The database's port is opened to another peer: a CIDR, or a group.
    Admit {
        group: Id,
        from: String,
    },
    /// An entry that denies: number, and ports of TCP.
    Deny {
        acl: Id,
        egress: bool,
        number: i32,
        ports: (i32, i32),
        cidr: String,
    },
    /// An entry is deleted.
    DeleteEntry {
        acl: Id,
        egress: bool,
        number: i32,
    },
    DeleteRoute {
        table: Id,
        to: String,
        far: bool,
    },
    /// A route to an interface made for it in `subnet`, which is deleted again if it is to be a blackhole.
    RouteToInterface {
        table: Id,
        to: String,
        subnet: Id,
        blackhole: bool,
    },
    /// A route that is there leads elsewhere from now on.
    ReplaceRoute {
        table: Id,
        to: String,
        internet_gateway: Id,
    },
    /// A VPN gateway propagates nothing any more.
    Withdraw {
        table: Id,
        gateway: Id,
    },
    /// A table no longer takes what a VPN gateway propagates; another of the VPC does.
    StopPropagation {
        table: Id,
        gateway: Id,
        vpc: Id,
    },
    /// It propagates again.
    Propagate {
        table: Id,
        gateway: Id,
        cidr: String,
    },
    DetachVpnGateway {
        gateway: Id,
        vpc: Id,
    },
    AttachVpnGateway {
        gateway: Id,
        vpc: Id,
    },
    /// A subnet is associated with another table.
    Associate {
        subnet: Id,
        table: Id,
    },
    Dns {
        vpc: Id,
        support: bool,
        hostnames: bool,
    },
    PeeringDns {
        peering: Id,
        on: bool,
    },
    /// What AWS says of a peering.
    PeeringStatus {
        peering: Id,
        status: &'static str,
    },
    DeletePeering {
        peering: Id,
    },
    /// A group lets in one that is then deleted: AWS leaves such a rule behind, as stale.
    AdmitDeleted {
        group: Id,
        vpc: Id,
    },
    DetachInternetGateway {
        gateway: Id,
        vpc: Id,
    },
    NatGatewayFails {
        gateway: Id,
    },
    /// One of its addresses is exchanged for another.
    NatGatewayAddress {
        gateway: Id,
        address: String,
    },
    DeleteNatGateway {
        gateway: Id,
    },
    /// A public NAT gateway with an address of its own, and the default route to it.
    NewNatGateway {
        subnet: Id,
        table: Id,
    },
    SourceDestCheck {
        interface: Id,
    },
    /// The DMS endpoint names another server or port.
    Server {
        endpoint: Id,
        host: Option<String>,
        port: Option<i32>,
    },
    BlockPublicAccess {
        on: bool,
    },
    /// A VPC endpoint is changed, or is gone.
    Endpoint {
        id: Id,
        becomes: Becomes,
    },
}

#[derive(Clone, Debug)]
pub enum Becomes {
    Deleted,
    /// No longer associated with a route table.
    OffTable(Id),
    WithoutPrivateDns,
    /// What AWS says of it.
    State(&'static str),
}

impl Deed {
    pub async fn carry_out(&self, env: &Env) {
        let (ec2, far) = (env.aws.ec2(), env.aws.ec2_in(FAR_REGION));
        let here = |is_far: bool| if is_far { &far } else { &ec2 };
        match self {
            Self::Revoke { group, egress, port, far } => revoke(here(*far), group, *egress, *port).await,
            Self::Admit { group, from } => admit(&ec2, group, from).await,
            Self::Deny { acl, egress, number, ports, cidr } => {
                let ports = PortRange::builder().from(ports.0).to(ports.1).build();
                let call = ec2.create_network_acl_entry().network_acl_id(acl).egress(*egress).rule_number(*number).protocol("6");
                call.port_range(ports).cidr_block(cidr).rule_action(RuleAction::Deny).send().await.unwrap();
            }
            Self::DeleteEntry { acl, egress, number } => {
                ec2.delete_network_acl_entry().network_acl_id(acl).egress(*egress).rule_number(*number).send().await.unwrap();
            }
            Self::DeleteRoute { table, to, far } => {
                here(*far).delete_route().route_table_id(table).destination_cidr_block(to).send().await.unwrap();
            }
            Self::RouteToInterface { table, to, subnet, blackhole } => {
                let made = ec2.create_network_interface().subnet_id(subnet).send().await.unwrap().network_interface.unwrap();
                let id = made.network_interface_id.unwrap();
                ec2.create_route().route_table_id(table).destination_cidr_block(to).network_interface_id(&id).send().await.unwrap();
                if *blackhole {
                    ec2.delete_network_interface().network_interface_id(&id).send().await.unwrap();
                }
            }
            Self::ReplaceRoute { table, to, internet_gateway } => {
                let call = ec2.replace_route().route_table_id(table).destination_cidr_block(to);
                call.gateway_id(internet_gateway).send().await.unwrap();
            }
            Self::Withdraw { table, gateway } => {
                control(env, &format!("route-tables/{table}/propagated"), json!({ "gateway": gateway, "cidrs": [] }));
            }
            Self::StopPropagation { table, gateway, vpc } => {
                let other = ec2.create_route_table().vpc_id(vpc).send().await.unwrap().route_table.unwrap();
                let other = other.route_table_id.unwrap();
                ec2.enable_vgw_route_propagation().route_table_id(other).gateway_id(gateway).send().await.unwrap();
                ec2.disable_vgw_route_propagation().route_table_id(table).gateway_id(gateway).send().await.unwrap();
            }
            Self::Propagate { table, gateway, cidr } => {
                control(env, &format!("route-tables/{table}/propagated"), json!({ "gateway": gateway, "cidrs": [cidr] }));
            }
            Self::AttachVpnGateway { gateway, vpc } => {
                ec2.attach_vpn_gateway().vpn_gateway_id(gateway).vpc_id(vpc).send().await.unwrap();
            }
            Self::DetachVpnGateway { gateway, vpc } => {
                ec2.detach_vpn_gateway().vpn_gateway_id(gateway).vpc_id(vpc).send().await.unwrap();
            }
            Self::Associate { subnet, table } => {
                let filter = Filter::builder().name("association.subnet-id").values(subnet).build();
                let tables = ec2.describe_route_tables().filters(filter).send().await.unwrap();
                let of = |a: &&aws_sdk_ec2::types::RouteTableAssociation| a.subnet_id() == Some(subnet);
                let association = tables.route_tables()[0].associations().iter().find(of).unwrap().route_table_association_id().unwrap();
                ec2.replace_route_table_association().association_id(association).route_table_id(table).send().await.unwrap();
            }
            Self::Dns { vpc, support, hostnames } => {
                let value = |on: &bool| AttributeBooleanValue::builder().value(*on).build();
                // One attribute a call.
                ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(value(hostnames)).send().await.unwrap();
                ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_support(value(support)).send().await.unwrap();
            }
            Self::PeeringDns { peering, on } => {
                let options = PeeringConnectionOptionsRequest::builder().allow_dns_resolution_from_remote_vpc(*on).build();
                let call = ec2.modify_vpc_peering_connection_options().vpc_peering_connection_id(peering);
                call.accepter_peering_connection_options(options).send().await.unwrap();
            }
            Self::PeeringStatus { peering, status } => control(env, &format!("peerings/{peering}"), json!({ "status": status })),
            Self::DeletePeering { peering } => {
                ec2.delete_vpc_peering_connection().vpc_peering_connection_id(peering).send().await.unwrap();
            }
            Self::AdmitDeleted { group, vpc } => {
                let made = ec2.create_security_group().group_name("gone").description("gone soon").vpc_id(vpc).send().await.unwrap();
                let id = made.group_id.unwrap();
                admit(&ec2, group, &id).await;
                ec2.delete_security_group().group_id(&id).send().await.unwrap();
            }
            Self::DetachInternetGateway { gateway, vpc } => {
                ec2.detach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc).send().await.unwrap();
            }
            Self::NatGatewayFails { gateway } => {
                let failure = json!({ "Code": "InternalError", "Message": "Network vpc has no Internet gateway attached" });
                control(env, &format!("nat-gateways/{gateway}"), json!({ "state": "failed", "failure": failure }));
            }
            Self::NatGatewayAddress { gateway, address } => exchange(env, &ec2, gateway, address).await,
            Self::DeleteNatGateway { gateway } => {
                ec2.delete_nat_gateway().nat_gateway_id(gateway).send().await.unwrap();
            }
            Self::NewNatGateway { subnet, table } => {
                let ip = ec2.allocate_address().send().await.unwrap().allocation_id.unwrap();
                let made = ec2.create_nat_gateway().subnet_id(subnet).allocation_id(ip).send().await.unwrap().nat_gateway.unwrap();
                let id = made.nat_gateway_id.unwrap();
                env.eventually("a NAT gateway", SOON, async || {
                    let shown = ec2.describe_nat_gateways().nat_gateway_ids(&id).send().await.unwrap();
                    let state = shown.nat_gateways()[0].state().unwrap().as_str();
                    if state == "available" { Ok(()) } else { Err(state.to_owned()) }
                })
                .await;
                let call = ec2.replace_route().route_table_id(table).destination_cidr_block("0.0.0.0/0");
                call.nat_gateway_id(&id).send().await.unwrap();
            }
            Self::SourceDestCheck { interface } => {
                let on = AttributeBooleanValue::builder().value(true).build();
                ec2.modify_network_interface_attribute().network_interface_id(interface).source_dest_check(on).send().await.unwrap();
            }
            Self::Server { endpoint, host, port } => server(&env.aws.dms(), endpoint, host.clone(), *port).await,
            Self::BlockPublicAccess { on } => {
                use aws_sdk_ec2::types::InternetGatewayBlockMode::{BlockBidirectional, Off};
                let mode = if *on { BlockBidirectional } else { Off };
                ec2.modify_vpc_block_public_access_options().internet_gateway_block_mode(mode).send().await.unwrap();
            }
            Self::Endpoint { id, becomes } => endpoint(env, &ec2, id, becomes).await,
        }
    }
}

async fn revoke(ec2: &Ec2, group: &str, egress: bool, port: i32) {
    let filter = Filter::builder().name("group-id").values(group).build();
    let rules = ec2.describe_security_group_rules().filters(filter).send().await.unwrap();
    let of = rules.security_group_rules().iter().filter(|r| (r.is_egress(), r.from_port()) == (Some(egress), Some(port)));
    let ids: Vec<String> = of.map(|r| r.security_group_rule_id().unwrap().to_owned()).collect();
    assert!(!ids.is_empty(), "{group} has no such rule");
    if egress {
        ec2.revoke_security_group_egress().group_id(group).set_security_group_rule_ids(Some(ids)).send().await.unwrap();
    } else {
        ec2.revoke_security_group_ingress().group_id(group).set_security_group_rule_ids(Some(ids)).send().await.unwrap();
    }
}

async fn admit(ec2: &Ec2, group: &str, from: &str) {
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(PORT).to_port(PORT);
    let permission = if from.starts_with("sg-") {
        permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(from).build())
    } else {
        permission.ip_ranges(IpRange::builder().cidr_ip(from).build())
    };
    ec2.authorize_security_group_ingress().group_id(group).ip_permissions(permission.build()).send().await.unwrap();
}

async fn exchange(env: &Env, ec2: &Ec2, gateway: &str, address: &str) {
    let shown = ec2.describe_nat_gateways().nat_gateway_ids(gateway).send().await.unwrap();
    let of = |a: &&aws_sdk_ec2::types::NatGatewayAddress| a.public_ip() == Some(address);
    let old = shown.nat_gateways()[0].nat_gateway_addresses().iter().find(of).unwrap().association_id().unwrap().to_owned();
    ec2.disassociate_nat_gateway_address().nat_gateway_id(gateway).association_ids(old).send().await.unwrap();
    control(env, &format!("nat-gateways/{gateway}"), json!({ "add_addresses": 1 }));
}

async fn endpoint(env: &Env, ec2: &Ec2, id: &str, becomes: &Becomes) {
    let modify = ec2.modify_vpc_endpoint().vpc_endpoint_id(id);
    match becomes {
        Becomes::Deleted => {
            ec2.delete_vpc_endpoints().vpc_endpoint_ids(id).send().await.unwrap();
        }
        Becomes::OffTable(table) => {
            modify.remove_route_table_ids(table).send().await.unwrap();
        }
        Becomes::WithoutPrivateDns => {
            modify.private_dns_enabled(false).send().await.unwrap();
        }
        Becomes::State(state) => control(env, &format!("vpc-endpoints/{id}"), json!({ "state": state })),
    }
}

async fn server(dms: &Dms, id: &str, host: Option<String>, port: Option<i32>) {
    let filter = aws_sdk_databasemigration::types::Filter::builder().name("endpoint-id").values(id).build().unwrap();
    let found = dms.describe_endpoints().filters(filter).send().await.unwrap();
    let arn = found.endpoints()[0].endpoint_arn().unwrap();
    dms.modify_endpoint().endpoint_arn(arn).set_server_name(host).set_port(port).send().await.unwrap();
}

fn control(env: &Env, path: &str, mut body: Value) {
    body["account"] = json!(ACCOUNT);
    body["region"] = json!(REGION);
    env.aws.post(path, body);
}
