//! Carries out remedies on pictures, as AWS would carry out the CLI lines.

use std::sync::Arc;

use dmsnet::{model::*, reach::Remedy};

use crate::random::{World, rule};

/// Carries out one remedy, in the picture that holds its object.
pub fn apply(w: &mut World, remedy: &Remedy) {
    let in_far = |w: &World, holds: &dyn Fn(&Picture) -> bool| w.far.as_ref().is_some_and(holds);
    match remedy {
        Remedy::AddRule { group, shape } => {
            let far = in_far(w, &|p| p.groups.contains_key(group));
            rule(if far { w.far_mut() } else { &mut w.near }, group.as_str(), shape.clone());
        }
        Remedy::AddAclEntry { acl, direction, number, protocol, ports, cidr, .. } => {
            let far = in_far(w, &|p| p.acls.contains_key(acl));
            let p = if far { w.far_mut() } else { &mut w.near };
            let acl = Arc::make_mut(p.acls.get_mut(acl).unwrap());
            assert!(!acl.entries.iter().any(|e| (e.direction, e.number) == (*direction, *number)), "AWS refuses a number that is taken");
            acl.entries.push(AclEntry {
                direction: *direction,
                number: *number,
                protocol: *protocol,
                ports: Some(*ports),
                cidr: *cidr,
                allow: true,
            });
            acl.entries.sort();
        }
        Remedy::RemoveAclEntry { acl, direction, number } => {
            let far = in_far(w, &|p| p.acls.contains_key(acl));
            let p = if far { w.far_mut() } else { &mut w.near };
            Arc::make_mut(p.acls.get_mut(acl).unwrap()).entries.retain(|e| (e.direction, e.number) != (*direction, *number));
        }
        Remedy::AddRoute { table, destination, target } => {
            let routes = routes(w, table);
            let same = |r: &Route| r.destination == *destination && r.origin != RouteOrigin::Propagated;
            assert!(!routes.iter().any(same), "AWS refuses a second static route {destination}");
            routes.push(Route {
                destination: destination.clone(),
                target: target.clone(),
                state: RouteState::Active,
                origin: RouteOrigin::CreateRoute,
            });
        }
        Remedy::ReplaceRoute { table, destination, target } => {
            let same = |r: &&mut Route| r.destination == *destination && r.origin != RouteOrigin::Propagated;
            let route = routes(w, table).iter_mut().find(same).expect("AWS replaces only what is there");
            (route.target, route.state) = (target.clone(), RouteState::Active);
        }
        Remedy::RemoveRoute { table, destination } => routes(w, table).retain(|r| r.destination != *destination),
        Remedy::EnableRoutePropagation { table, gateway } => {
            let of = |r: &&Route| r.origin == RouteOrigin::Propagated && r.target == Target::VpnGateway(gateway.clone());
            let announced: Vec<Route> = w.near.route_tables.values().flat_map(|t| &t.routes).filter(of).cloned().collect();
            let table = Arc::make_mut(w.near.route_tables.get_mut(table).unwrap());
            table.propagating.push(gateway.clone());
            for route in announced {
                if !table.routes.iter().any(|r| r.destination == route.destination) {
                    table.routes.push(route);
                }
            }
        }
        Remedy::DisableSourceDestCheck { interface } => {
            Arc::make_mut(w.near.interfaces.get_mut(interface).unwrap()).source_dest_check = false
        }
        Remedy::EnableDnsSupport { vpc } => each_dns(w, vpc, |d| d.support = true),
        Remedy::EnableDnsHostnames { vpc } => each_dns(w, vpc, |d| d.hostnames = true),
        Remedy::AcceptPeering { peering } => Arc::make_mut(w.near.peerings.get_mut(peering).unwrap()).status = "active".into(),
        Remedy::EnablePeeringDns { peering, requester } => {
            let peering = Arc::make_mut(w.near.peerings.get_mut(peering).unwrap());
            if *requester { peering.requester.dns_resolution = Some(true) } else { peering.accepter.dns_resolution = Some(true) }
        }
        Remedy::AttachInternetGateway { vpc } => {
            let far = in_far(w, &|p| p.vpcs.contains_key(vpc));
            let p = if far { w.far_mut() } else { &mut w.near };
            assert!(!p.internet_gateways.contains_key(vpc), "AWS attaches one gateway to a VPC");
            p.internet_gateways.insert(vpc.clone(), Arc::new(InternetGateway { id: "igw-new".into(), vpc: vpc.clone() }));
        }
        Remedy::AddTransitGatewaySubnet { attachment, subnet } => {
            Arc::make_mut(w.near.transit_gateway_attachments.get_mut(attachment.as_str()).unwrap()).subnets.push(subnet.clone());
        }
        Remedy::ExcludeFromBlockPublicAccess { subnet, bidirectional } => {
            let far = in_far(w, &|p| p.subnets.contains_key(subnet));
            let p = if far { w.far_mut() } else { &mut w.near };
            let to = if *bidirectional { BlockPublicAccess::Off } else { BlockPublicAccess::Ingress };
            Arc::make_mut(p.subnets.get_mut(subnet).unwrap()).block_public_access = to;
        }
        Remedy::EnablePrivateDns { endpoint } => Arc::make_mut(w.near.endpoints.get_mut(endpoint).unwrap()).private_dns = true,
        Remedy::AddEndpointRouteTable { endpoint, table } => {
            let e = Arc::make_mut(w.near.endpoints.get_mut(endpoint).unwrap());
            e.route_tables.push(table.clone());
            let list = w.near.prefix_lists.values().find(|l| l.name == e.service_name).unwrap().id.clone();
            let target = Target::VpcEndpoint(endpoint.clone());
            routes(w, table).push(Route {
                destination: Destination::PrefixList(list),
                target,
                state: RouteState::Active,
                origin: RouteOrigin::CreateRoute,
            });
        }
        Remedy::MakeDatabasePublic { .. } => w.targets.iter_mut().for_each(|t| t.publicly_accessible = Some(true)),
    }
}

fn routes<'w>(w: &'w mut World, table: &RouteTableId) -> &'w mut Vec<Route> {
    let far = w.far.as_ref().is_some_and(|p| p.route_tables.contains_key(table));
    let p = if far { w.far_mut() } else { &mut w.near };
    &mut Arc::make_mut(p.route_tables.get_mut(table).unwrap()).routes
}

fn each_dns(w: &mut World, id: &VpcId, edit: impl Fn(&mut VpcDns)) {
    if let Some(v) = w.near.vpc_dns.get_mut(id) {
        edit(Arc::make_mut(v));
    }
    if let Some(v) = w.far.as_mut().and_then(|p| p.vpc_dns.get_mut(id)) {
        edit(Arc::make_mut(v));
    }
}
