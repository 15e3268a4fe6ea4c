//! Writes of network ACL entries and routes: one call for each, and none of them has tags. Whoever calls these has recorded
//! them on their ACL or route table before (design.md 2).

use aws_sdk_ec2::types as ec2;
use ipnet::IpNet;

use super::{
    errors::{AwsError, AwsErrorKind},
    expect::Field,
    store::Store,
    writes::{once, patiently, repeatable},
};
use crate::model::{
    AclEntry, AclShape, Destination, Direction, NetworkAclId, Ports, Protocol, Route, RouteOrigin, RouteState, RouteTableId, Target,
};

/// An entry's place as EC2 names it.
fn about(acl: &NetworkAclId, direction: Direction, number: u16) -> String {
    format!("entry {direction} {number} of {acl}")
}

fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "6".to_owned(),
        Protocol::Udp => "17".to_owned(),
        Protocol::Icmp => "1".to_owned(),
        Protocol::Icmpv6 => "58".to_owned(),
        other => other.to_ec2(),
    }
}

/// TCP and UDP need a range even for all ports.
fn port_range(shape: &AclShape) -> Option<ec2::PortRange> {
    let ports = match shape.protocol {
        Protocol::Tcp | Protocol::Udp => shape.ports.unwrap_or(Ports::ALL),
        _ => return None,
    };
    Some(ec2::PortRange::builder().from(ports.from).to(ports.to).build())
}

fn family(cidr: &IpNet) -> (Option<String>, Option<String>) {
    if cidr.addr().is_ipv4() { (Some(cidr.to_string()), None) } else { (None, Some(cidr.to_string())) }
}

fn allowed(number: u16, shape: &AclShape) -> AclEntry {
    let AclShape { direction, protocol, ports, cidr } = shape.clone();
    AclEntry { direction, number, protocol, ports, cidr, allow: true }
}

/// A request about a route, with its target: CreateRoute and ReplaceRoute name it alike, and share no type.
macro_rules! leading {
    ($call:expr, $to:expr) => {{
        let id = Some($to.id.clone());
        match $to.field {
            Way::Gateway => $call.set_gateway_id(id),
            Way::NatGateway => $call.set_nat_gateway_id(id),
            Way::Peering => $call.set_vpc_peering_connection_id(id),
            Way::TransitGateway => $call.set_transit_gateway_id(id),
            Way::Interface => $call.set_network_interface_id(id),
            Way::Endpoint => $call.set_vpc_endpoint_id(id),
        }
    }};
}

impl Store {
    /// Makes an entry that allows (EC2 CreateNetworkAclEntry). [`AwsErrorKind::Duplicate`]: the number is taken.
    pub async fn create_acl_entry(&self, acl: &NetworkAclId, number: u16, shape: &AclShape) -> Result<(), AwsError> {
        self.write_turn("CreateNetworkAclEntry", &about(acl, shape.direction, number)).await?;
        let (v4, v6) = family(&shape.cidr);
        patiently(|| async {
            let call = self.clients.ec2.create_network_acl_entry().network_acl_id(acl.as_str()).rule_number(number.into());
            let call =
                call.egress(shape.direction == Direction::Out).rule_action(ec2::RuleAction::Allow).protocol(protocol(shape.protocol));
            let call = call.set_cidr_block(v4.clone()).set_ipv6_cidr_block(v6.clone()).set_port_range(port_range(shape));
            let answer = call.customize().config_override(once()).send().await;
            answer.map_err(|e| AwsError::from_sdk("ec2", "CreateNetworkAclEntry", about(acl, shape.direction, number), &e))
        })
        .await?;
        self.acl_changed(acl, Field::Entry(shape.direction, number), |a| {
            a.entries.retain(|e| (e.direction, e.number) != (shape.direction, number));
            a.entries.push(allowed(number, shape));
        });
        Ok(())
    }

    /// Puts an entry right, whatever it holds (EC2 ReplaceNetworkAclEntry).
    pub async fn replace_acl_entry(&self, acl: &NetworkAclId, number: u16, shape: &AclShape) -> Result<(), AwsError> {
        self.write_turn("ReplaceNetworkAclEntry", &about(acl, shape.direction, number)).await?;
        let (v4, v6) = family(&shape.cidr);
        let call = self.clients.ec2.replace_network_acl_entry().network_acl_id(acl.as_str()).rule_number(number.into());
        let call = call.egress(shape.direction == Direction::Out).rule_action(ec2::RuleAction::Allow).protocol(protocol(shape.protocol));
        let call = call.set_cidr_block(v4).set_ipv6_cidr_block(v6).set_port_range(port_range(shape));
        let answer = call.customize().config_override(repeatable()).send().await;
        answer.map_err(|e| AwsError::from_sdk("ec2", "ReplaceNetworkAclEntry", about(acl, shape.direction, number), &e))?;
        self.acl_changed(acl, Field::Entry(shape.direction, number), |a| {
            a.entries.retain(|e| (e.direction, e.number) != (shape.direction, number));
            a.entries.push(allowed(number, shape));
        });
        Ok(())
    }

    /// Deletes an entry (EC2 DeleteNetworkAclEntry). One that is not there is done.
    pub async fn delete_acl_entry(&self, acl: &NetworkAclId, direction: Direction, number: u16) -> Result<(), AwsError> {
        self.write_turn("DeleteNetworkAclEntry", &about(acl, direction, number)).await?;
        let call = self.clients.ec2.delete_network_acl_entry().network_acl_id(acl.as_str()).rule_number(number.into());
        let answer = call.egress(direction == Direction::Out).customize().config_override(repeatable()).send().await;
        match answer.map_err(|e| AwsError::from_sdk("ec2", "DeleteNetworkAclEntry", about(acl, direction, number), &e)) {
            Err(e) if e.kind != AwsErrorKind::NotFound => Err(e),
            _ => {
                let is_it = |e: &AclEntry| (e.direction, e.number) == (direction, number);
                self.acl_changed(acl, Field::Entry(direction, number), |a| a.entries.retain(|e| !is_it(e)));
                Ok(())
            }
        }
    }

    /// Makes a route (EC2 CreateRoute). [`AwsErrorKind::Duplicate`]: the table has one for the destination.
    pub async fn create_route(&self, table: &RouteTableId, destination: &Destination, target: &Target) -> Result<(), AwsError> {
        self.write_turn("CreateRoute", table.as_str()).await?;
        const OPERATION: &str = "CreateRoute";
        let resource = format!("{destination} in {table}");
        let to = way(OPERATION, &resource, target)?;
        let (v4, v6, list) = packets_for(destination);
        patiently(|| async {
            let call = self.clients.ec2.create_route().route_table_id(table.as_str()).set_destination_cidr_block(v4.clone());
            let call = call.set_destination_ipv6_cidr_block(v6.clone()).set_destination_prefix_list_id(list.clone());
            let answer = leading!(call, to).customize().config_override(once()).send().await;
            answer.map_err(|e| AwsError::from_sdk("ec2", OPERATION, resource.as_str(), &e))
        })
        .await?;
        self.route_written(table, destination, Some(target));
        Ok(())
    }

    /// Lets a route lead elsewhere (EC2 ReplaceRoute).
    pub async fn replace_route(&self, table: &RouteTableId, destination: &Destination, target: &Target) -> Result<(), AwsError> {
        self.write_turn("ReplaceRoute", table.as_str()).await?;
        const OPERATION: &str = "ReplaceRoute";
        let resource = format!("{destination} in {table}");
        let to = way(OPERATION, &resource, target)?;
        let (v4, v6, list) = packets_for(destination);
        let call = self.clients.ec2.replace_route().route_table_id(table.as_str()).set_destination_cidr_block(v4);
        let call = call.set_destination_ipv6_cidr_block(v6).set_destination_prefix_list_id(list);
        let answer = leading!(call, to).customize().config_override(repeatable()).send().await;
        answer.map_err(|e| AwsError::from_sdk("ec2", OPERATION, resource.as_str(), &e))?;
        self.route_written(table, destination, Some(target));
        Ok(())
    }

    /// Deletes a route (EC2 DeleteRoute). One that is not there is done.
    pub async fn delete_route(&self, table: &RouteTableId, destination: &Destination) -> Result<(), AwsError> {
        self.write_turn("DeleteRoute", table.as_str()).await?;
        let (v4, v6, list) = packets_for(destination);
        let call = self.clients.ec2.delete_route().route_table_id(table.as_str()).set_destination_cidr_block(v4);
        let call = call.set_destination_ipv6_cidr_block(v6).set_destination_prefix_list_id(list);
        let answer = call.customize().config_override(repeatable()).send().await;
        match answer.map_err(|e| AwsError::from_sdk("ec2", "DeleteRoute", format!("{destination} in {table}"), &e)) {
            Err(e) if e.kind != AwsErrorKind::NotFound => Err(e),
            _ => {
                self.route_written(table, destination, None);
                Ok(())
            }
        }
    }

    fn route_written(&self, table: &RouteTableId, destination: &Destination, target: Option<&Target>) {
        self.route_table_changed(table, Field::Route(destination.clone()), |t| {
            t.routes.retain(|r| r.destination != *destination || r.origin == RouteOrigin::Propagated);
            let made = |target: &Target| Route {
                destination: destination.clone(),
                target: target.clone(),
                state: RouteState::Active,
                origin: RouteOrigin::CreateRoute,
            };
            t.routes.extend(target.map(made));
        });
    }
}

/// The three fields of a destination, of which one is set.
fn packets_for(destination: &Destination) -> (Option<String>, Option<String>, Option<String>) {
    match destination {
        Destination::Cidr(cidr) => {
            let (v4, v6) = family(cidr);
            (v4, v6, None)
        }
        Destination::PrefixList(list) => (None, None, Some(list.to_string())),
    }
}

/// Which field of a request names a target.
#[derive(Clone, Copy)]
enum Way {
    Gateway,
    NatGateway,
    Peering,
    TransitGateway,
    Interface,
    Endpoint,
}

struct To {
    field: Way,
    id: String,
}

fn way(operation: &'static str, resource: &str, target: &Target) -> Result<To, AwsError> {
    let to = |field, id: &dyn ToString| Ok(To { field, id: id.to_string() });
    match target {
        Target::InternetGateway(id) => to(Way::Gateway, id),
        Target::VpnGateway(id) => to(Way::Gateway, id),
        Target::NatGateway(id) => to(Way::NatGateway, id),
        Target::PeeringConnection(id) => to(Way::Peering, id),
        Target::TransitGateway(id) => to(Way::TransitGateway, id),
        Target::NetworkInterface(Some(id)) => to(Way::Interface, id),
        Target::VpcEndpoint(id) => to(Way::Endpoint, id),
        Target::Local | Target::NetworkInterface(None) | Target::Other(_) => {
            let text = format!("dmsnet writes no routes to {target}");
            Err(AwsError::new(AwsErrorKind::InvalidRequest, "ec2", operation, resource, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ec2_is_told_of_an_entry() {
        let shape = AclShape::tcp(Direction::In, Ports::ALL, "10.0.0.0/16".parse().unwrap());
        assert_eq!(protocol(shape.protocol), "6");
        let range = port_range(&shape).unwrap();
        assert_eq!((range.from(), range.to()), (Some(0), Some(65_535)), "TCP needs a range");
        assert!(port_range(&AclShape { protocol: Protocol::All, ..shape }).is_none());
        assert_eq!(family(&"2001:db8::/32".parse().unwrap()), (None, Some("2001:db8::/32".to_owned())));
    }

    #[test]
    fn a_route_names_its_target_or_is_refused() {
        let gateway = way("CreateRoute", "x", &Target::VpnGateway("vgw-1".into())).unwrap();
        assert!(matches!(gateway.field, Way::Gateway) && gateway.id == "vgw-1");
        for odd in [Target::Local, Target::NetworkInterface(None), Target::Other("eigw-1".into())] {
            assert_eq!(way("CreateRoute", "x", &odd).err().map(|e| e.kind), Some(AwsErrorKind::InvalidRequest), "{odd}");
        }
    }
}
