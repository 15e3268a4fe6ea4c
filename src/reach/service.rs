//! To AWS services: by a gateway endpoint, an interface endpoint, or a public route (domain.md 1.7, 2).

use std::rc::Rc;

use ipnet::IpNet;

use super::{
    Asked, Code, Decided, HopKind, Query, Remedy, Way,
    atlas::Atlas,
    explain::{Between, pair, walk},
    group::Membership,
    notes::Notes,
    route::Choice,
    trip::{Fault, Spot, Want},
    ways::Start,
};
use crate::model::{
    Destination, Direction, EndpointState, Ports, Route, RouteState, RouteTable, Subnet, Target as RouteTarget, VpcEndpoint,
};

static ANY_NAT_GATEWAY: Way = Way::NatGateway { gateways: Vec::new() };

/// Explains the way to a service from every subnet.
pub(super) fn explain<'a>(between: &Between<'_, 'a>, service: &str, near: &[Spot<'a>], notes: &mut Notes, walks: &mut Vec<super::Walk>) {
    let Some(first) = near.first() else { return };
    // In China a gateway endpoint's service has another name than an interface endpoint's.
    let gateway_service = service.strip_prefix("cn.").unwrap_or(service);
    let mut endpoints = match first.atlas.endpoints(&between.here.id, service) {
        Ok(found) => found,
        Err(gap) => return notes.unknown((false, 0), gap.code, gap.resource, gap.reason),
    };
    if gateway_service != service {
        endpoints.extend(first.atlas.endpoints(&between.here.id, gateway_service).unwrap_or_default());
    }
    for spot in near.iter().filter(|s| s.nets.iter().any(|n| n.addr().is_ipv4())) {
        let Some(from) = spot.subnet else { continue };
        let table = match between.here.table(&from.id) {
            Ok(table) => table,
            Err(gap) => {
                notes.unknown((false, 0), gap.code, gap.resource, gap.reason);
                continue;
            }
        };
        let usable = |e: &&&'a VpcEndpoint| matches!(e.state, EndpointState::Available);
        let gateway = endpoints.iter().filter(usable).find(|e| is_gateway(e) && table.is_some_and(|t| e.route_tables.contains(&t.id)));
        let interface = endpoints.iter().filter(usable).find(|e| !is_gateway(e) && e.private_dns);
        match (gateway, interface, table.and_then(default_route)) {
            (Some(endpoint), _, _) => through_gateway(between, spot, from, endpoint, gateway_service, notes, walks),
            (None, Some(endpoint), _) => through_interface(between, spot, endpoint, notes, walks),
            (None, None, Some(route)) => public(between, spot, table, route, notes, walks),
            (None, None, None) => notes.finding((false, 1), unreachable(&spot.atlas, service, &endpoints, from, table)),
        }
    }
}

fn is_gateway(endpoint: &VpcEndpoint) -> bool {
    endpoint.endpoint_type.eq_ignore_ascii_case("gateway")
}

/// A default route to the internet that works.
fn default_route(table: &RouteTable) -> Option<&Route> {
    let everywhere = |r: &&Route| matches!(&r.destination, Destination::Cidr(IpNet::V4(c)) if c.prefix_len() == 0);
    let public =
        |r: &&Route| matches!(r.target, RouteTarget::InternetGateway(_) | RouteTarget::NatGateway(_)) && r.state == RouteState::Active;
    table.routes.iter().filter(everywhere).find(public)
}

fn through_interface<'a>(
    between: &Between<'_, 'a>,
    near: &Spot<'a>,
    endpoint: &VpcEndpoint,
    notes: &mut Notes,
    walks: &mut Vec<super::Walk>,
) {
    let picture = near.atlas.side.picture;
    for id in &endpoint.subnets {
        let Ok(Some(subnet)) = between.here.subnet(id) else { continue };
        let own = endpoint.interfaces.iter().filter_map(|i| picture.interfaces.get(i)).filter(|i| i.subnet == *id);
        let known: Vec<IpNet> = own.flat_map(|i| &i.addresses).filter(|ip| ip.is_ipv4()).map(|ip| IpNet::from(*ip)).collect();
        let all = || subnet.cidrs.iter().filter(|c| c.addr().is_ipv4()).copied().collect();
        let nets: Vec<IpNet> = if known.is_empty() { all() } else { known };
        let far = Spot {
            atlas: near.atlas.clone(),
            area: Some(between.here.clone()),
            subnet: Some(subnet),
            seen: nets.clone(),
            nets,
            groups: endpoint.groups.clone(),
        };
        pair(between, near, &far, notes, walks);
    }
}

/// By a route to the internet: the far end is AWS's own, and admits everybody.
fn public<'a>(
    between: &Between<'_, 'a>,
    near: &Spot<'a>,
    table: Option<&'a RouteTable>,
    route: &'a Route,
    notes: &mut Notes,
    walks: &mut Vec<super::Walk>,
) {
    let path = match route.target {
        RouteTarget::NatGateway(_) => &ANY_NAT_GATEWAY,
        _ => &Way::Internet,
    };
    let query = Query { path, ..*between.query };
    let between = Between { query: &query, target: between.target, here: between.here.clone(), far_gap: None, aws_service: true };
    let nets: Vec<IpNet> = between.target.addresses.iter().filter(|n| n.addr().is_ipv4()).copied().collect();
    let far = Spot { atlas: near.atlas.clone(), area: None, subnet: None, seen: nets.clone(), nets, groups: vec![] };
    match table {
        Some(table) if far.nets.is_empty() => walk(&between, near, &far, Start::Route(table, Choice::Route(route)), notes, walks),
        _ => pair(&between, near, &far, notes, walks),
    }
}

fn through_gateway<'a>(
    between: &Between<'_, 'a>,
    near: &Spot<'a>,
    from: &'a Subnet,
    endpoint: &VpcEndpoint,
    service: &str,
    notes: &mut Notes,
    walks: &mut Vec<super::Walk>,
) {
    let list = match near.atlas.prefix_list_named(service) {
        Ok(Some(list)) => list.cidrs.iter().filter(|c| c.addr().is_ipv4()).copied().collect(),
        Ok(None) => vec![],
        Err(gap) => return notes.unknown((false, 0), gap.code, gap.resource, gap.reason),
    };
    let far = Spot { atlas: near.atlas.clone(), area: None, subnet: None, nets: list.clone(), seen: list, groups: vec![] };
    let mut trip = between.trip(near, from, &far, false, notes);
    trip.dns();
    trip.groups(&near.atlas, &near.groups, Direction::Out, &far.nets, Membership::Hidden(&[]));
    let here = between.here.clone();
    trip.acl(&near.atlas, &here, from, Direction::Out, &far.nets, Ports::one(between.target.port));
    let target = RouteTarget::VpcEndpoint(endpoint.id.clone());
    let words = endpoint.id.to_string();
    let otherwise = format!("take {words} off the route table and associate it again");
    trip.routes(
        &near.atlas,
        &here,
        from,
        &far.nets,
        &Want { fits: &|t| *t == target, words: &words, target: None, destination: vec![], by_vpn: false, otherwise: &otherwise },
    );
    trip.open(HopKind::VpcEndpoint, &endpoint.id, Asked::State, Decided::Words(endpoint.state.to_string()));
    trip.arrive();
    between.finish(trip, from, &far, walks);
}

fn unreachable(
    atlas: &Rc<Atlas<'_>>,
    service: &str,
    endpoints: &[&VpcEndpoint],
    from: &Subnet,
    table: Option<&RouteTable>,
) -> super::Finding {
    let needed = "a VPC endpoint for the service, or a route to the internet".to_owned();
    let broken = endpoints.iter().find(|e| !matches!(e.state, EndpointState::Available));
    let gateway = endpoints.iter().find(|e| is_gateway(e) && matches!(e.state, EndpointState::Available));
    let nameless = endpoints.iter().find(|e| !is_gateway(e) && !e.private_dns && matches!(e.state, EndpointState::Available));
    let fault = match (gateway, nameless, broken, table) {
        (Some(endpoint), _, _, Some(table)) => Fault {
            code: Code::EndpointNotOnRouteTable,
            resource: endpoint.id.to_string(),
            found: format!("{} is not associated with {}, the route table of {}", endpoint.id, table.id, from.id),
            needed,
            fix: format!("associate {} with {}", endpoint.id, table.id),
            remedies: vec![Remedy::AddEndpointRouteTable { endpoint: endpoint.id.clone(), table: table.id.clone() }],
        },
        (_, Some(endpoint), _, _) => Fault {
            code: Code::EndpointPrivateDnsOff,
            resource: endpoint.id.to_string(),
            found: format!("{} does not answer for the name of {service}", endpoint.id),
            needed,
            fix: format!("switch private DNS of {} on, or give its own DNS name to the DMS endpoint", endpoint.id),
            remedies: vec![Remedy::EnablePrivateDns { endpoint: endpoint.id.clone() }],
        },
        (_, _, Some(endpoint), _) => Fault {
            code: Code::EndpointNotAvailable,
            resource: endpoint.id.to_string(),
            found: format!(
                "{} is {}{}",
                endpoint.id,
                endpoint.state,
                endpoint.last_error.as_ref().map(|e| format!(" ({e})")).unwrap_or_default()
            ),
            needed,
            fix: format!("wait until {} is available, or create the endpoint anew", endpoint.id),
            remedies: vec![],
        },
        _ => Fault {
            code: Code::ServiceUnreachable,
            resource: service.to_owned(),
            found: format!("{} reaches {service} neither by a VPC endpoint nor by a route to the internet", from.id),
            needed,
            fix: format!("list the service under spec.vpcEndpoints, or create a VPC endpoint for {service}"),
            remedies: vec![],
        },
    };
    fault.finding(atlas.side.region)
}
