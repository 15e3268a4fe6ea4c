//! All in one VPC: the replication's group lets out, the database's group lets in (domain.md 1.1). Routes are the VPC's own.

use super::{Deriver, Location, Replication};
use crate::{
    api::network::{Database, IngressFrom},
    plan::view::View,
};

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    pub(super) fn same_vpc(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &mut Location,
        view: View<'v, 'p>,
    ) -> Option<()> {
        let field = |f: &str| format!("database {:?}{f}", database.name);
        let vpc = &replication.vpc;
        if let Some(other) = located.vpc.as_ref().filter(|v| *v != vpc) {
            let message = format!(
                "database {:?} is in {other}, the replication in {vpc}: path SameVpc needs both in one VPC (for two, see PeeredVpc)",
                database.name
            );
            self.invalid(field(".path"), message);
            return None;
        }
        located.vpc = Some(vpc.clone());
        if let Some(group) = &located.group {
            self.known_group_in(view, group, vpc, &field(".securityGroupId"))?;
        }
        let out = match &located.group {
            Some(group) => self.group_peers(located, group),
            None => {
                let widest = self.vpc_cidrs(self.home, vpc, "replication VPC")?;
                self.address_peers(view, database, located, vpc, &widest)?
            }
        };
        self.let_out(&replication.group, database, &out);
        if let Some(group) = located.group.clone() {
            let peers = self.ingress_peers(replication, database, IngressFrom::SecurityGroup)?;
            self.let_in(view, &group, database, located, &peers);
        }
        self.find_subnets(located, view, vpc);
        self.stands_in_its_subnets(database, located, view, vpc)?;
        self.pass_between(replication, database, located, view, vpc)
    }
}
