//! What is broken: an open path of one configuration, in a VPC of its own.

use aws_sdk_ec2::{
    operation::create_vpc_endpoint::CreateVpcEndpointOutput,
    types::{IpPermission, ManagedPrefixList, PrefixListId, UserIdGroupPair, VpcEndpointType, builders::IpPermissionBuilder},
};
use serde_json::{Value, json};

use crate::harness::{
    Env, Topology,
    emulator::{REGION, merge},
};

/// The configurations, and the variants that have hops of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    SameVpc,
    /// The database is found by its RDS name.
    SameVpcRds,
    PeeredVpc,
    /// The far VPC is in another Region, which another class stands for.
    PeeredRegion,
    /// A publicly accessible RDS database: its name must resolve to the private address.
    PeeredRds,
    /// A VPN gateway in the replication's own tables.
    Vpn,
    /// A host in between.
    NatHost,
    Internet,
    NatGateway,
    /// The spec says which NAT gateways; otherwise they are those that the routes lead to.
    NamedNatGateway,
    /// A proxy stands for the retired ClassicLink.
    ClassicLink,
    /// Neptune, which DMS loads through S3: a gateway endpoint.
    Gateway,
    /// Kinesis: an interface endpoint.
    Interface,
    /// DMS Serverless instead of an instance.
    Serverless,
}

pub const FAR_REGION: &str = "eu-west-1";
pub const PORT: i32 = 5432;
pub const HTTPS: i32 = 443;

impl Kind {
    /// Parameters of the emulator's topology.
    pub fn wish(self, prefix: &str) -> Value {
        let mut wish = json!({ "prefix": prefix, "open": true, "path": "SameVpc" });
        let own = match self {
            Self::SameVpc | Self::SameVpcRds | Self::Gateway | Self::Interface | Self::Serverless => json!({}),
            Self::PeeredVpc | Self::PeeredRds => json!({ "path": "PeeredVpc" }),
            Self::PeeredRegion => json!({ "path": "PeeredVpc", "peer_region": FAR_REGION }),
            Self::Vpn => json!({ "path": "OnPremises" }),
            Self::NatHost => json!({ "path": "OnPremises", "nat_host": true }),
            Self::Internet => json!({ "path": "Internet" }),
            Self::NatGateway | Self::NamedNatGateway => json!({ "path": "NatGateway", "addresses": 2 }),
            Self::ClassicLink => json!({ "path": "ClassicLink" }),
        };
        merge(&mut wish, own);
        wish
    }

    /// The network with this path alone.
    pub fn spec(self, class: &str, t: &Topology) -> Value {
        let p = &t.path;
        let mut database = json!({
            "name": "source", "path": { "type": "SameVpc" }, "dmsEndpoint": t.endpoints.source.id,
            "securityGroupId": t.security_group_ids.source, "subnetIds": t.database_subnet_ids,
        });
        let peered = json!({
            "path": { "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": p["peeringConnectionId"] } },
            "securityGroupId": p["securityGroupId"], "subnetIds": p["subnetIds"],
        });
        let premises = json!({ "securityGroupId": null, "subnetIds": null });
        match self {
            Self::SameVpc | Self::Serverless => {}
            Self::SameVpcRds => {
                let own = json!({ "dmsEndpoint": null, "rds": { "instance": t.rds.as_ref().unwrap().id }, "securityGroupId": null, "subnetIds": null });
                merge(&mut database, own);
            }
            Self::PeeredVpc => merge(&mut database, peered),
            Self::PeeredRegion => {
                merge(&mut database, peered);
                database["className"] = json!(far_class(class));
            }
            Self::PeeredRds => {
                merge(&mut database, peered);
                merge(&mut database, json!({ "dmsEndpoint": null, "rds": { "instance": p["rds"]["id"] }, "subnetIds": null }));
            }
            Self::Vpn => {
                merge(&mut database, premises);
                database["path"] = json!({ "type": "OnPremises", "onPremises": { "cidrs": p["cidrs"] } });
            }
            Self::NatHost => {
                merge(&mut database, premises);
                let host =
                    json!({ "securityGroupId": p["natHost"]["securityGroupId"], "networkInterfaceId": p["natHost"]["networkInterfaceId"] });
                database["path"] = json!({ "type": "OnPremises", "onPremises": { "cidrs": p["cidrs"], "natHost": host } });
            }
            Self::Internet => {
                database["subnetIds"] = Value::Null;
                database["path"] = json!({ "type": "Internet", "internet": { "cidrs": p["cidrs"] } });
                database["securityGroupId"] = Value::Null;
            }
            Self::NatGateway | Self::NamedNatGateway => {
                let mut block = json!({ "cidrs": p["cidrs"] });
                if self == Self::NamedNatGateway {
                    block["natGatewayIds"] = p["natGatewayIds"].clone();
                }
                database["subnetIds"] = Value::Null;
                database["path"] = json!({ "type": "NatGateway", "natGateway": block });
            }
            Self::ClassicLink => {
                merge(&mut database, premises);
                let proxy =
                    json!({ "securityGroupId": p["proxy"]["securityGroupId"], "host": p["proxy"]["host"], "port": p["proxy"]["port"] });
                database["path"] = json!({ "type": "ClassicLink", "classicLink": { "proxy": proxy } });
            }
            Self::Gateway | Self::Interface => {
                let engine = if self == Self::Gateway { "neptune" } else { "kinesis" };
                let host = json!({ "host": t.endpoints.source.host, "port": PORT });
                merge(&mut database, json!({ "dmsEndpoint": null, "address": { "engine": engine, "endpoints": [host] } }));
            }
        }
        let database: Value =
            database.as_object().unwrap().iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
        let replication =
            if self == Self::Serverless { json!({ "serverless": serverless(t) }) } else { json!({ "instance": t.instance.id }) };
        json!({ "className": class, "replication": replication, "databases": [database] })
    }

    /// Makes what the topology lacks.
    pub async fn finish(self, env: &Env, t: &mut Topology) {
        let ec2 = env.aws.ec2();
        match self {
            Self::PeeredRds => {
                let call = env.aws.rds().modify_db_instance().db_instance_identifier(at(t, "/rds/id"));
                call.publicly_accessible(true).apply_immediately(true).send().await.unwrap();
            }
            Self::Gateway => {
                let call = ec2.create_vpc_endpoint().vpc_id(&t.vpc_id).service_name(format!("com.amazonaws.{REGION}.s3"));
                let call = call.vpc_endpoint_type(VpcEndpointType::Gateway).route_table_ids(&t.route_table_ids["private"]);
                t.path["vpcEndpointId"] = made_id(call.send().await.unwrap());
                let lists = ec2.describe_managed_prefix_lists().send().await.unwrap();
                let of = |l: &&ManagedPrefixList| l.prefix_list_name() == Some(&format!("com.amazonaws.{REGION}.s3"));
                let list = lists.prefix_lists().iter().find(of).unwrap().prefix_list_id().unwrap();
                let peer = https().prefix_list_ids(PrefixListId::builder().prefix_list_id(list).build()).build();
                ec2.authorize_security_group_egress()
                    .group_id(&t.security_group_ids.replication)
                    .ip_permissions(peer)
                    .send()
                    .await
                    .unwrap();
            }
            Self::Interface => {
                let (caller, group) = (&t.security_group_ids.replication, &t.security_group_ids.target);
                let call = ec2.create_vpc_endpoint().vpc_id(&t.vpc_id).service_name(format!("com.amazonaws.{REGION}.kinesis-streams"));
                let call = call.vpc_endpoint_type(VpcEndpointType::Interface).set_subnet_ids(Some(t.subnet_ids.clone()));
                let made = call.security_group_ids(group).private_dns_enabled(true).send().await.unwrap();
                let peer = |id: &str| https().user_id_group_pairs(UserIdGroupPair::builder().group_id(id).build()).build();
                ec2.authorize_security_group_egress().group_id(caller).ip_permissions(peer(group)).send().await.unwrap();
                ec2.authorize_security_group_ingress().group_id(group).ip_permissions(peer(caller)).send().await.unwrap();
                t.path["vpcEndpointId"] = made_id(made);
            }
            Self::Serverless => {
                use aws_sdk_databasemigration::types::{ComputeConfig, MigrationTypeValue};
                let compute = ComputeConfig::builder().replication_subnet_group_id(&t.subnet_group).max_capacity_units(4);
                let compute = compute.vpc_security_group_ids(&t.security_group_ids.replication).build();
                let call = env.aws.dms().create_replication_config().replication_config_identifier(serverless(t));
                let call = call.source_endpoint_arn(&t.endpoints.source.arn).target_endpoint_arn(&t.endpoints.target.arn);
                let call = call.replication_type(MigrationTypeValue::FullLoad).table_mappings("{}").compute_config(compute);
                call.send().await.unwrap();
            }
            _ => {}
        }
    }
}

fn made_id(made: CreateVpcEndpointOutput) -> Value {
    json!(made.vpc_endpoint.unwrap().vpc_endpoint_id.unwrap())
}

fn https() -> IpPermissionBuilder {
    IpPermission::builder().ip_protocol("tcp").from_port(HTTPS).to_port(HTTPS)
}

fn serverless(t: &Topology) -> String {
    format!("{}-serverless", t.instance.id)
}

/// The class of the far Region.
pub fn far_class(class: &str) -> String {
    format!("{class}-far")
}

pub async fn make_far_class(env: &Env, change: impl Fn(&mut Value)) {
    let mut class = env.class_spec();
    change(&mut class);
    class["region"] = json!(FAR_REGION);
    env.apply_class(&far_class(&env.name), class).await;
}

/// A member of the topology's `path`, which must be there.
pub fn at<'t>(t: &'t Topology, pointer: &str) -> &'t str {
    t.path.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {}", t.path))
}
