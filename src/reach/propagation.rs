//! Routes that a virtual private gateway brings along: AWS lets it do so table by table (domain.md 1.3).

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Remedy, atlas::Area, report::List};
use crate::model::{Destination, RouteOrigin, RouteState, RouteTable, Target, VpnGatewayId};

/// How a virtual private gateway's routes come into a table that has none to `nets`: a sentence, and what to change. None where no
/// gateway of the VPC is known, or where it is not known to help and there is `another` way.
pub(super) fn propagation(area: &Area<'_>, table: &RouteTable, nets: &[IpNet], another: bool) -> Option<(String, Vec<Remedy>)> {
    let (tables, to) = (area.tables(), List(nets));
    let routes = || tables.iter().flat_map(|t| &t.routes).filter(|r| r.state == RouteState::Active);
    let led = routes().filter_map(|r| if let Target::VpnGateway(id) = &r.target { Some(id) } else { None });
    let gateways: BTreeSet<&VpnGatewayId> = tables.iter().flat_map(|t| &t.propagating).chain(led).collect();
    let brings = |gateway: &VpnGatewayId| {
        let mut of =
            routes().filter(|r| r.origin == RouteOrigin::Propagated && matches!(&r.target, Target::VpnGateway(id) if id == gateway));
        of.any(|r| matches!(&r.destination, Destination::Cidr(c) if nets.iter().any(|n| c.contains(n))))
    };
    let enable = |gateway: &VpnGatewayId| {
        let fix = format!("let {gateway} propagate its routes to {}", table.id);
        (fix, vec![Remedy::EnableRoutePropagation { table: table.id.clone(), gateway: gateway.clone() }])
    };
    if let Some(gateway) = gateways.iter().find(|g| !table.propagating.contains(g) && brings(g)) {
        return Some(enable(gateway));
    }
    if another {
        return None;
    }
    // Where it propagates already, it has no such route to bring.
    if let Some(gateway) = gateways.iter().find(|g| tables.iter().any(|t| t.propagating.contains(g))) {
        let fix = format!(
            "{gateway} propagates routes, but none to {to}: see that the virtual private gateway is attached and its VPN or Direct Connect up, and announce {to} there (BGP), or add it to the VPN connection's static routes"
        );
        return Some((fix, vec![]));
    }
    gateways.first().map(|g| enable(g))
}
