//! Writes of VPC endpoints. AWS allows very few of them (domain.md 3.5), so they wait for their turn.

use aws_sdk_ec2::types as ec2;

use super::{
    convert,
    errors::{AwsError, AwsErrorKind},
    expect::Field,
    store::Store,
    writes::{once, tag_spec},
};
use crate::{
    api::network::{IpAddressType, VpcEndpointType},
    model::{Policy, RouteTableId, SecurityGroupId, SubnetId, Tags, VpcEndpoint, VpcEndpointId, VpcId},
};

/// An endpoint to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEndpoint {
    /// Its VPC.
    pub vpc: VpcId,
    /// Full service name.
    pub service_name: String,
    /// Interface or gateway; what is of the other kind is not looked at.
    pub kind: VpcEndpointType,
    /// Route tables of a gateway endpoint.
    pub route_tables: Vec<RouteTableId>,
    /// Its subnets, at most one per Availability Zone.
    pub subnets: Vec<SubnetId>,
    /// Its groups.
    pub groups: Vec<SecurityGroupId>,
    /// Whether the service's public name resolves to it in the VPC.
    pub private_dns: bool,
    /// Its policy.
    pub policy: Policy,
    /// Address families.
    pub ip_address_type: IpAddressType,
    /// Its tags.
    pub tags: Tags,
    /// The same token with the same request makes no second endpoint.
    pub client_token: String,
}

/// What to change of an endpoint; empty lists and `None` leave it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct EndpointDiff {
    pub add_subnets: Vec<SubnetId>,
    pub remove_subnets: Vec<SubnetId>,
    pub add_route_tables: Vec<RouteTableId>,
    pub remove_route_tables: Vec<RouteTableId>,
    pub add_groups: Vec<SecurityGroupId>,
    pub remove_groups: Vec<SecurityGroupId>,
    pub policy: Option<Policy>,
    pub private_dns: Option<bool>,
    pub ip_address_type: Option<IpAddressType>,
}

impl EndpointDiff {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn texts<T: ToString>(ids: &[T]) -> Option<Vec<String>> {
    (!ids.is_empty()).then(|| ids.iter().map(ToString::to_string).collect())
}

fn sorted<T: Ord + Clone>(ids: &[T]) -> Vec<T> {
    let mut list = ids.to_vec();
    list.sort();
    list
}

fn merge<T: Ord + Clone>(list: &mut Vec<T>, add: &[T], remove: &[T]) {
    list.extend_from_slice(add);
    list.retain(|id| !remove.contains(id));
    list.sort();
    list.dedup();
}

impl Store {
    /// Makes an endpoint (EC2 CreateVpcEndpoint). [`AwsErrorKind::PrivateDnsConflict`]: another one answers for the
    /// name; [`AwsErrorKind::IdempotentMismatch`]: the token was used for another request. An endpoint that is going: the token
    /// made it once, and nothing was made now.
    pub async fn create_endpoint(&self, new: &NewEndpoint) -> Result<VpcEndpoint, AwsError> {
        const OPERATION: &str = "CreateVpcEndpoint";
        let resource = format!("{} in {}", new.service_name, new.vpc);
        self.write_turn(OPERATION, &resource).await?;
        let call = self.clients.ec2.create_vpc_endpoint();
        let call = call.vpc_id(new.vpc.as_str()).service_name(&new.service_name);
        let call = match new.kind {
            VpcEndpointType::Interface => call
                .vpc_endpoint_type(ec2::VpcEndpointType::Interface)
                .set_subnet_ids(texts(&new.subnets))
                .set_security_group_ids(texts(&new.groups))
                .private_dns_enabled(new.private_dns)
                .ip_address_type(convert::ip_address_type_to_ec2(new.ip_address_type)),
            VpcEndpointType::Gateway => call.vpc_endpoint_type(ec2::VpcEndpointType::Gateway).set_route_table_ids(texts(&new.route_tables)),
        };
        // Without one AWS puts full access on it.
        let policy = (new.policy != Policy::full_access()).then(|| new.policy.as_str().to_owned());
        let call = call.set_policy_document(policy).client_token(&new.client_token);
        let call = call.set_tag_specifications(tag_spec(ec2::ResourceType::VpcEndpoint, &new.tags));
        let answer = call.customize().config_override(once()).send().await;
        let answer = answer.map_err(|e| AwsError::from_sdk("ec2", OPERATION, resource.as_str(), &e))?;
        let Some(made) = answer.vpc_endpoint.and_then(convert::endpoint) else {
            return Err(AwsError::new(AwsErrorKind::Transient, "ec2", OPERATION, resource, "the answer names no endpoint"));
        };
        if made.is_going() {
            // The token's earlier life: nothing was made.
            return Ok(made);
        }
        let mut groups = if new.groups.is_empty() { made.groups.clone() } else { new.groups.clone() };
        groups.sort();
        let made = VpcEndpoint {
            subnets: sorted(&new.subnets),
            route_tables: sorted(&new.route_tables),
            groups,
            private_dns: new.private_dns,
            policy: new.policy.clone(),
            ip_address_type: new.ip_address_type,
            tags: made.tags.clone().into_iter().chain(new.tags.clone()).collect(),
            ..made
        };
        self.endpoint_made(&made);
        Ok(made)
    }

    /// Changes an endpoint in one call (EC2 ModifyVpcEndpoint).
    pub async fn modify_endpoint(&self, id: &VpcEndpointId, diff: &EndpointDiff) -> Result<(), AwsError> {
        const OPERATION: &str = "ModifyVpcEndpoint";
        if diff.is_empty() {
            return Ok(());
        }
        self.write_turn(OPERATION, id.as_str()).await?;
        let call = self.clients.ec2.modify_vpc_endpoint().vpc_endpoint_id(id.as_str());
        let call = call.set_add_subnet_ids(texts(&diff.add_subnets)).set_remove_subnet_ids(texts(&diff.remove_subnets));
        let call = call.set_add_route_table_ids(texts(&diff.add_route_tables)).set_remove_route_table_ids(texts(&diff.remove_route_tables));
        let call = call.set_add_security_group_ids(texts(&diff.add_groups)).set_remove_security_group_ids(texts(&diff.remove_groups));
        let call = call.set_policy_document(diff.policy.as_ref().map(|p| p.as_str().to_owned()));
        let call = call.set_private_dns_enabled(diff.private_dns);
        let call = call.set_ip_address_type(diff.ip_address_type.map(convert::ip_address_type_to_ec2));
        let answer = call.customize().config_override(once()).send().await;
        answer.map_err(|e| AwsError::from_sdk("ec2", OPERATION, id.as_str(), &e))?;
        let written = [
            (!diff.add_subnets.is_empty() || !diff.remove_subnets.is_empty()).then_some(Field::Subnets),
            (!diff.add_route_tables.is_empty() || !diff.remove_route_tables.is_empty()).then_some(Field::RouteTables),
            (!diff.add_groups.is_empty() || !diff.remove_groups.is_empty()).then_some(Field::Groups),
            diff.policy.as_ref().map(|_| Field::Policy),
            diff.private_dns.map(|_| Field::PrivateDns),
            diff.ip_address_type.map(|_| Field::AddressType),
        ];
        let written: Vec<Field> = written.into_iter().flatten().collect();
        self.endpoint_changed(id, &written, |e| {
            merge(&mut e.subnets, &diff.add_subnets, &diff.remove_subnets);
            merge(&mut e.route_tables, &diff.add_route_tables, &diff.remove_route_tables);
            merge(&mut e.groups, &diff.add_groups, &diff.remove_groups);
            if let Some(policy) = &diff.policy {
                e.policy = policy.clone();
            }
            e.private_dns = diff.private_dns.unwrap_or(e.private_dns);
            e.ip_address_type = diff.ip_address_type.unwrap_or(e.ip_address_type);
        });
        Ok(())
    }

    /// Deletes an endpoint (EC2 DeleteVpcEndpoints). One that is not there is done. Until AWS no longer lists it the
    /// picture shows it as `deleting`.
    pub async fn delete_endpoint(&self, id: &VpcEndpointId) -> Result<(), AwsError> {
        const OPERATION: &str = "DeleteVpcEndpoints";
        self.write_turn(OPERATION, id.as_str()).await?;
        let answer = self.clients.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id.as_str()).customize().config_override(once()).send().await;
        let refused = match answer {
            Ok(answer) => answer.unsuccessful.into_iter().flatten().find_map(|item| {
                let error = item.error?;
                let (code, message) = (error.code.unwrap_or_default(), error.message.unwrap_or_default());
                Some(AwsError::from_code("ec2", OPERATION, id.as_str(), &code, &message))
            }),
            Err(e) => Some(AwsError::from_sdk("ec2", OPERATION, id.as_str(), &e)),
        };
        match refused {
            Some(e) if e.kind != AwsErrorKind::NotFound => Err(e),
            _ => {
                self.endpoint_gone(id);
                Ok(())
            }
        }
    }
}
