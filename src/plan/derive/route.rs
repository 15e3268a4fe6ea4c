//! The routes that a path needs, table by table. In `Check` none is wanted: the proof asks whether packets get there.

use ipnet::IpNet;

use super::Deriver;
use crate::{
    api::conditions::Reason,
    model::{Destination, Need, SubnetId, Target, VpcId},
    plan::{view::View, wanted::WantedRoute},
};

impl Deriver<'_, '_, '_> {
    /// Wants `cidrs` to lead to `target` in the tables of all these subnets.
    pub(super) fn routes(
        &mut self,
        view: View<'_, '_>,
        vpc: &VpcId,
        subnets: &[SubnetId],
        cidrs: &[IpNet],
        target: &Target,
        why: &str,
    ) -> Option<()> {
        self.listed(view, Need::RouteTablesOf(vpc.clone()), &format!("route tables of {vpc}"))?;
        for subnet in subnets {
            let Some(table) = view.facts.picture().route_table_of(subnet, vpc).map(|t| t.id.clone()) else {
                let message = format!("no route table of {vpc} serves subnet {subnet}: check that the subnet lies in that VPC");
                self.problem(Reason::ReferenceNotFound, subnet, message);
                return None;
            };
            for cidr in cidrs {
                let route = WantedRoute {
                    table: table.clone(),
                    vpc: vpc.clone(),
                    destination: Destination::Cidr(*cidr),
                    target: target.clone(),
                    why: why.to_owned(),
                };
                self.want_route(view, route);
            }
        }
        Some(())
    }

    fn want_route(&mut self, view: View<'_, '_>, route: WantedRoute) {
        let key = (route.table.clone(), route.destination.clone());
        let clash = self.wanted(view.class).routes.get(&key).filter(|first| first.target != route.target);
        if let Some(first) = clash {
            let message = format!(
                "{} and {} need {} in {} to lead to {} and to {}: one table cannot do both",
                first.why, route.why, route.destination, route.table, first.target, route.target
            );
            return self.invalid(route.key(), message);
        }
        self.wanted(view.class).routes.entry(key).or_insert(route);
    }
}
