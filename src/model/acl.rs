//! Network ACLs: stateless, asked only where a packet crosses the border of a subnet (domain.md 1.0).

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};

use super::{Direction, NetworkAclId, Ports, Protocol, SubnetId, VpcId, tags::Tags};

/// A network ACL (EC2 `NetworkAcl`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkAcl {
    /// `acl-…`
    pub id: NetworkAclId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether it is the VPC's default.
    pub is_default: bool,
    /// The subnets that it stands before, sorted. Every subnet has exactly one.
    pub subnets: Vec<SubnetId>,
    /// Its entries by direction, then number; the closing denies (32767, 32768) are left out: what nothing allows is denied.
    pub entries: Vec<AclEntry>,
    /// Its tags: they record which entries are ours (design.md 2).
    pub tags: Tags,
}

/// One numbered entry (EC2 `NetworkAclEntry`). The first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AclEntry {
    /// In or out of the subnet.
    pub direction: Direction,
    /// 1 to 32766.
    pub number: u16,
    /// IP protocol.
    pub protocol: Protocol,
    /// Ports of TCP and UDP (for ICMP: type and code); none: all.
    pub ports: Option<Ports>,
    /// Where packets come from (in) or go to (out).
    pub cidr: IpNet,
    /// Allow or deny.
    pub allow: bool,
}

/// What an entry matches: all of it but its number and whether it allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclShape {
    /// In or out of the subnet.
    pub direction: Direction,
    /// IP protocol.
    pub protocol: Protocol,
    /// Ports of TCP and UDP; none: all.
    pub ports: Option<Ports>,
    /// Where packets come from (in) or go to (out).
    pub cidr: IpNet,
}

impl AclShape {
    /// TCP packets to these ports.
    pub fn tcp(direction: Direction, ports: Ports, cidr: IpNet) -> Self {
        Self { direction, protocol: Protocol::Tcp, ports: Some(ports).filter(|p| *p != Ports::ALL), cidr: cidr.trunc() }
    }
}

/// `in/tcp/5432/10.0.0.0/16`
impl fmt::Display for AclShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.direction, self.protocol)?;
        match self.ports {
            Some(p) => write!(f, "{p}")?,
            None => f.write_str("all")?,
        }
        write!(f, "/{}", self.cidr)
    }
}

impl AclShape {
    /// Whether both match some packets in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let ports = |s: &Self| s.ports.unwrap_or(Ports::ALL);
        let protocols = self.protocol == other.protocol || self.protocol == Protocol::All || other.protocol == Protocol::All;
        self.direction == other.direction
            && protocols
            && ports(self).overlaps(ports(other))
            && (self.cidr.contains(&other.cidr) || other.cidr.contains(&self.cidr))
    }

    /// Whether it matches every packet that the other does.
    pub fn covers(&self, other: &Self) -> bool {
        let (ports, theirs) = (self.ports.unwrap_or(Ports::ALL), other.ports.unwrap_or(Ports::ALL));
        self.direction == other.direction
            && (self.protocol == other.protocol || self.protocol == Protocol::All)
            && ports.from <= theirs.from
            && theirs.to <= ports.to
            && self.cidr.contains(&other.cidr)
    }

    /// Whether its ports are a client's ephemeral ones: it carries answers (domain.md 1.0).
    pub fn is_ephemeral(&self) -> bool {
        self.ports.is_some_and(|p| p.from >= 1024 && p.to == Ports::ALL.to)
    }
}

impl Serialize for AclShape {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// `20003 allow in/tcp/5432/10.0.0.0/16`
impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.number, if self.allow { "allow" } else { "deny" }, self.shape())
    }
}

impl AclEntry {
    /// What it matches, in one spelling: every port is no port.
    pub fn shape(&self) -> AclShape {
        let ports = self.ports.filter(|p| *p != Ports::ALL);
        AclShape { direction: self.direction, protocol: self.protocol, ports, cidr: self.cidr }
    }
}

impl NetworkAcl {
    /// The entry of one direction with this number.
    pub fn entry(&self, direction: Direction, number: u16) -> Option<&AclEntry> {
        self.entries(direction).find(|e| e.number == number)
    }

    /// The entries of one direction, in the order in which AWS asks them.
    pub fn entries(&self, direction: Direction) -> impl Iterator<Item = &AclEntry> {
        self.entries.iter().filter(move |e| e.direction == direction)
    }
}

/// What becomes of the packets of a shape, entry by entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// Numbers of the entries that let a part of them through.
    pub allowed_by: Vec<u16>,
    /// Numbers of the explicit denies that stop a part of them.
    pub denied_by: Vec<u16>,
    /// Whether a part meets no entry at all: the closing deny stops it.
    pub unmatched: bool,
}

impl Passage {
    /// Whether every one of them is let through.
    pub fn is_open(&self) -> bool {
        self.denied_by.is_empty() && !self.unmatched
    }
}

/// Sends the packets of `shape` past `entries` of its direction, in their order: the first that matches decides.
pub fn passage<'e>(entries: impl IntoIterator<Item = &'e AclEntry>, shape: &AclShape) -> Passage {
    let mut passage = Passage::default();
    let mut left: Vec<(Ports, IpNet)> = vec![(shape.ports.unwrap_or(Ports::ALL), shape.cidr)];
    for entry in entries.into_iter().filter(|e| e.direction == shape.direction) {
        // A deny of one protocol stops a part of all protocols; an allow of one lets only that part through.
        let partly = shape.protocol == Protocol::All && entry.protocol != Protocol::All;
        if !(entry.protocol == Protocol::All || entry.protocol == shape.protocol || (partly && !entry.allow)) {
            continue;
        }
        let (mut next, mut hit) = (Vec::new(), false);
        for (ports, cidr) in left {
            let Some((common, at)) = overlap((ports, cidr), entry) else {
                next.push((ports, cidr));
                continue;
            };
            hit = true;
            if partly {
                next.push((ports, cidr));
                continue;
            }
            next.extend(around(cidr, at).into_iter().map(|c| (ports, c)));
            if ports.from < common.from {
                next.push((Ports { from: ports.from, to: common.from - 1 }, at));
            }
            if common.to < ports.to {
                next.push((Ports { from: common.to + 1, to: ports.to }, at));
            }
        }
        left = next;
        if hit {
            if entry.allow { &mut passage.allowed_by } else { &mut passage.denied_by }.push(entry.number);
        }
    }
    passage.unmatched = !left.is_empty();
    passage
}

/// What packets to these ports and of this CIDR have in common with an entry.
fn overlap((ports, cidr): (Ports, IpNet), entry: &AclEntry) -> Option<(Ports, IpNet)> {
    let theirs = entry.ports.filter(|_| entry.protocol != Protocol::All).unwrap_or(Ports::ALL);
    let common = Ports { from: ports.from.max(theirs.from), to: ports.to.min(theirs.to) };
    let at = if entry.cidr.contains(&cidr) {
        cidr
    } else if cidr.contains(&entry.cidr) {
        entry.cidr
    } else {
        return None;
    };
    (common.from <= common.to).then_some((common, at))
}

/// `outer` without `inner`, which lies in it: one sibling for each bit between them.
fn around(outer: IpNet, inner: IpNet) -> Vec<IpNet> {
    let mut pieces = Vec::new();
    let mut rest = outer;
    while rest.prefix_len() < inner.prefix_len() {
        let Ok(halves) = rest.subnets(rest.prefix_len() + 1) else { break };
        let (mine, others): (Vec<_>, Vec<_>) = halves.partition(|h| h.contains(&inner));
        pieces.extend(others);
        let Some(half) = mine.first() else { break };
        rest = *half;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u16, allow: bool, protocol: Protocol, ports: Option<(i32, i32)>, cidr: &str) -> AclEntry {
        let ports = ports.map(|(from, to)| Ports { from, to });
        AclEntry { direction: Direction::In, number, protocol, ports, cidr: cidr.parse().unwrap(), allow }
    }

    fn wanted(from: i32, to: i32, cidr: &str) -> AclShape {
        AclShape::tcp(Direction::In, Ports { from, to }, cidr.parse().unwrap())
    }

    #[test]
    fn the_first_that_matches_decides_for_its_part() {
        let all = entry(100, true, Protocol::All, None, "0.0.0.0/0");
        assert!(passage([&all], &wanted(5432, 5432, "10.0.1.0/24")).is_open());
        assert!(passage([&all], &wanted(5432, 5432, "2001:db8::/64")).unmatched, "families are apart");
        let deny = entry(50, false, Protocol::Tcp, Some((3389, 3389)), "10.0.1.7/32");
        let udp = entry(40, false, Protocol::Udp, None, "0.0.0.0/0");
        let found = passage([&udp, &deny, &all], &wanted(1024, 65_535, "10.0.1.0/24"));
        assert_eq!(found, Passage { allowed_by: vec![100], denied_by: vec![50], unmatched: false });
        assert!(passage([&deny, &all], &wanted(32_768, 65_535, "10.0.1.0/24")).is_open(), "it is about another port");
    }

    #[test]
    fn parts_add_up() {
        let low = entry(10, true, Protocol::Tcp, Some((0, 40_000)), "10.0.0.0/17");
        let high = entry(20, true, Protocol::Tcp, Some((40_001, 65_535)), "10.0.0.0/16");
        let rest = entry(30, true, Protocol::Tcp, Some((1, 50_000)), "10.0.128.0/17");
        let shape = wanted(32_768, 65_535, "10.0.0.0/16");
        assert!(passage([&low, &high, &rest], &shape).is_open());
        assert!(passage([&low, &high], &shape).unmatched);
        let everything = AclShape { protocol: Protocol::All, ports: None, ..shape };
        assert!(passage([&low, &high, &rest], &everything).unmatched, "they let only TCP through");
    }
}
