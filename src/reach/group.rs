//! Security groups: all groups of an interface together, rules that allow and none that denies (domain.md 1.0).

use ipnet::IpNet;

use super::{
    atlas::{Atlas, Gap},
    nets::uncovered,
};
use crate::model::{Direction, Peer, Ports, SecurityGroupId, SecurityGroupRuleId, VpcId};

/// The other end of a packet, as rules may name it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Membership<'x> {
    /// It has a private address, and these are its groups: references to them match.
    Members(&'x [SecurityGroupId]),
    /// It has these groups, but the packet does not show their private address: no reference matches.
    Hidden(&'x [SecurityGroupId]),
    /// Its groups are not known, or whether references hold on this path.
    Unknown,
}

/// What groups say about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These rules let it through.
    Open(Vec<(SecurityGroupId, SecurityGroupRuleId)>),
    /// No rule does, for these addresses.
    Missing {
        uncovered: Vec<IpNet>,
        /// A reference that would admit it if the path kept its address.
        reference: Option<SecurityGroupId>,
        /// A reference to a group that is gone.
        stale: Option<SecurityGroupId>,
    },
    /// A rule may let it through, but the other end's groups are not known: the group that it names.
    Membership(SecurityGroupId),
    /// Rules or lists were not read.
    Gap(Gap),
}

/// One question to the groups of an interface.
pub(super) struct Ask<'x, 'a> {
    pub atlas: &'x Atlas<'a>,
    pub groups: &'x [SecurityGroupId],
    pub direction: Direction,
    pub port: u16,
    /// The other end's addresses; empty where they are not known: then only a reference or everything will do.
    pub nets: &'x [IpNet],
    pub other: Membership<'x>,
    /// Where references may point: the VPCs of both ends.
    pub vpcs: &'x [(&'x Atlas<'a>, &'x VpcId)],
}

impl Ask<'_, '_> {
    /// The answer.
    pub fn answer(&self) -> Verdict {
        let everywhere: [IpNet; 1] = [IpNet::V4(ipnet::Ipv4Net::default())];
        let nets = if self.nets.is_empty() { &everywhere[..] } else { self.nets };
        let (mut covers, mut used): (Vec<IpNet>, Vec<(SecurityGroupId, SecurityGroupRuleId)>) = Default::default();
        let (mut gap, mut reference, mut unknown, mut stale) = (None, None, None, None);
        let port = Ports::one(self.port);
        for group in self.groups {
            let rules = match self.atlas.rules(group) {
                Ok(rules) => rules,
                Err(unread) => {
                    gap = Some(unread);
                    continue;
                }
            };
            let fits = |r: &&crate::model::Rule| {
                r.shape.direction == self.direction && r.shape.tcp_ports().is_some_and(|p| p.from <= port.from && port.to <= p.to)
            };
            for rule in rules.iter().filter(fits) {
                match &rule.shape.peer {
                    Peer::Cidr(cidr) => {
                        if nets.iter().any(|n| cidr.contains(n) || n.contains(cidr)) {
                            covers.push(*cidr);
                            used.push((group.clone(), rule.id.clone()));
                        }
                    }
                    Peer::SecurityGroup(named) => match self.other {
                        Membership::Members(groups) if groups.contains(named) => {
                            return Verdict::Open(vec![(group.clone(), rule.id.clone())]);
                        }
                        Membership::Hidden(groups) if groups.contains(named) => reference = Some(named.clone()),
                        Membership::Unknown => unknown = Some(named.clone()),
                        _ if self.vpcs.iter().all(|(atlas, vpc)| atlas.lacks_group(named, vpc)) => stale = Some(named.clone()),
                        _ => {}
                    },
                    Peer::PrefixList(list) => match self.atlas.prefix_list(list) {
                        Ok(list) => {
                            let before = covers.len();
                            let near = |c: &&IpNet| nets.iter().any(|n| c.contains(n) || n.contains(*c));
                            covers.extend(list.iter().flat_map(|l| &l.cidrs).filter(near));
                            if covers.len() > before {
                                used.push((group.clone(), rule.id.clone()));
                            }
                        }
                        Err(unread) => gap = Some(unread),
                    },
                }
            }
        }
        let uncovered = uncovered(nets, covers.iter());
        if uncovered.is_empty() {
            return Verdict::Open(used);
        }
        match (gap, unknown) {
            (Some(gap), _) => Verdict::Gap(gap),
            (None, Some(group)) => Verdict::Membership(group),
            (None, None) => Verdict::Missing { uncovered: if self.nets.is_empty() { vec![] } else { uncovered }, reference, stale },
        }
    }
}
