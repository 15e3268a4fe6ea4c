//! ClassicLink is retired; what is left is a proxy in the VPC, and the proxy is the peer (domain.md 1.6).

use super::{Deriver, Location, Replication, location};
use crate::{
    api::network::{ClassicLink, Database, IngressFrom},
    model::{Direction, Peer, SecurityGroupId},
    plan::view::View,
};

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    pub(super) fn classic_link(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &mut Location,
        view: View<'v, 'p>,
        link: &ClassicLink,
    ) -> Option<()> {
        let field = |f: &str| format!("database {:?}.{f}", database.name);
        let proxy = SecurityGroupId::from(&link.proxy.security_group_id);
        let vpc = &replication.vpc;
        self.known_group(&proxy, vpc, &field("path.classicLink.proxy.securityGroupId"))?;
        self.rule(self.home, database, &replication.group, Direction::Out, link.proxy.port, Peer::SecurityGroup(proxy.clone()));
        for peer in self.ingress_peers(replication, database, IngressFrom::SecurityGroup)? {
            self.rule(self.home, database, &proxy, Direction::In, link.proxy.port, peer);
        }
        // The proxy's own way to the database is ours to keep where the database's group is ours to open.
        if let Some(group) = located.group.clone() {
            let answer = view.facts.group(&group, located.vpc.as_ref().or(Some(vpc)));
            let found = self.found_in(view, answer, &field("securityGroupId"), &format!("security group {group}"))?;
            located.vpc.get_or_insert_with(|| found.vpc.clone());
            view.facts.rules(&group);
            for port in located.ports() {
                self.rule(self.home, database, &proxy, Direction::Out, port, Peer::SecurityGroup(group.clone()));
                self.rule(view, database, &group, Direction::In, port, Peer::SecurityGroup(proxy.clone()));
            }
        }
        if !self.manages_acls() {
            return Some(());
        }
        let mut place = located.clone();
        place.hosts = vec![location::host(self.home, &link.proxy.host, link.proxy.port)];
        (place.subnets, place.found_in, place.group) = (vec![], vec![], Some(proxy));
        self.find_subnets(&mut place, self.home, vpc);
        self.pass_between(replication, database, &place, self.home, vpc)
    }
}
