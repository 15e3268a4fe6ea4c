//! One database after the other: where it is, and what its path needs.

use ipnet::IpNet;

use super::{Deriver, Location, Replication};
use crate::{
    api::network::{Database, Path, PathType},
    model::{Direction, Peer, RuleShape, SecurityGroupId},
    plan::{
        key::GroupRef,
        view::View,
        wanted::{Purpose, WantedRule},
    },
};

impl Deriver<'_, '_, '_> {
    /// Adds what the path to one database needs.
    pub(super) fn database(&mut self, replication: &Replication, database: &Database) {
        if let Some(message) = misfit(&database.path) {
            let field = format!("database {:?}.path", database.name);
            return self.invalid(field, format!("database {:?}: {message}", database.name));
        }
        let Some((mut located, view)) = self.locate(database) else { return };
        let path = &database.path;
        let place = &mut located;
        // What a problem hides stays hidden: it is told, and nothing of it is given up (`Problem::hides_wants`).
        let _derived = match (path.type_, &path.peered_vpc, &path.classic_link) {
            (PathType::SameVpc, ..) => self.same_vpc(replication, database, place, view),
            (PathType::PeeredVpc, Some(peered), _) => self.peered_vpc(replication, database, place, view, peered),
            (PathType::OnPremises, ..) => self.on_premises(replication, database, place, view),
            (PathType::Internet, ..) => self.internet(replication, database, place, view),
            (PathType::NatGateway, ..) => self.nat_gateway(replication, database, place, view),
            (PathType::ClassicLink, _, Some(link)) => self.classic_link(replication, database, place, view, link),
            (PathType::PeeredVpc | PathType::ClassicLink, ..) => None,
        };
        self.out.far.push(located);
    }

    /// A rule for a path.
    pub(super) fn rule(&mut self, view: View<'_, '_>, to: &Database, group: &SecurityGroupId, direction: Direction, port: u16, peer: Peer) {
        let rule = WantedRule {
            group: GroupRef::Id(group.clone()),
            shape: RuleShape::tcp(direction, port, peer),
            why: self.why(to),
            purpose: Purpose::Database,
        };
        self.wanted(view.class).add(rule);
    }

    /// A group of the replication's side lets out to these ports and peers.
    pub(super) fn let_out(&mut self, group: &SecurityGroupId, to: &Database, peers: &[(u16, Peer)]) {
        for (port, peer) in peers {
            self.rule(self.home, to, group, Direction::Out, *port, peer.clone());
        }
    }

    /// A group of the replication's side lets out to what lies outside its VPC.
    pub(super) fn let_far_out(&mut self, group: &SecurityGroupId, to: &Database, far: &[(u16, IpNet)]) {
        let peers: Vec<(u16, Peer)> = far.iter().map(|(port, cidr)| (*port, Peer::Cidr(*cidr))).collect();
        self.let_out(group, to, &peers);
    }

    /// A group lets these peers in, on every port of the database.
    pub(super) fn let_in(&mut self, view: View<'_, '_>, group: &SecurityGroupId, to: &Database, located: &Location, peers: &[Peer]) {
        for port in located.ports() {
            for peer in peers {
                self.rule(view, to, group, Direction::In, port, peer.clone());
            }
        }
    }

    /// Whom something is for, for people.
    pub(super) fn why(&self, to: &Database) -> String {
        format!("{} {}", self.label, to.name)
    }

    /// CIDRs as the user wrote them; the API server has checked them, files on the command line come without it.
    pub(super) fn cidrs(&mut self, written: &[String], field: &str) -> Option<Vec<IpNet>> {
        let mut cidrs = Vec::new();
        for text in written {
            match text.parse::<IpNet>() {
                Ok(net) if net.trunc() == net => cidrs.push(net),
                Ok(net) => {
                    self.invalid(field, format!("{text} is not in canonical form: write {}", net.trunc()));
                    return None;
                }
                Err(_) => {
                    self.invalid(field, format!("{text:?} is no CIDR"));
                    return None;
                }
            }
        }
        Some(cidrs)
    }
}

/// Why a path's blocks do not fit its type; the CRD's rules say the same.
fn misfit(path: &Path) -> Option<String> {
    let blocks = [
        ("peeredVpc", PathType::PeeredVpc, path.peered_vpc.is_some()),
        ("onPremises", PathType::OnPremises, path.on_premises.is_some()),
        ("internet", PathType::Internet, path.internet.is_some()),
        ("natGateway", PathType::NatGateway, path.nat_gateway.is_some()),
        ("classicLink", PathType::ClassicLink, path.classic_link.is_some()),
    ];
    for (block, of, there) in blocks {
        if there && of != path.type_ {
            return Some(format!("{block} belongs to type {of}: remove the block, or correct type"));
        }
    }
    match path.type_ {
        PathType::PeeredVpc if path.peered_vpc.is_none() => {
            Some("type PeeredVpc needs its block peeredVpc with the peeringConnectionId".to_owned())
        }
        PathType::ClassicLink if path.classic_link.is_none() => {
            Some("type ClassicLink needs its block classicLink with the proxy".to_owned())
        }
        _ => None,
    }
}
