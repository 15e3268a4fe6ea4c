//! Security group rules in one canonical form: one row per rule, names for protocol numbers, masked CIDRs.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{PrefixListId, SecurityGroupId, SecurityGroupRuleId, tags::Tags};

/// Which way a rule lets traffic through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Ingress.
    In,
    /// Egress.
    Out,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Out => "out",
        })
    }
}

/// IP protocol. EC2 answers with names or numbers; here it is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 1
    Icmp,
    /// 58
    Icmpv6,
    /// -1: every protocol, every port.
    All,
    /// Another protocol number.
    Other(u8),
}

impl Protocol {
    /// Reads EC2's `IpProtocol`, a name or a number.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "tcp" | "6" => Self::Tcp,
            "udp" | "17" => Self::Udp,
            "icmp" | "1" => Self::Icmp,
            "icmpv6" | "58" => Self::Icmpv6,
            "-1" | "all" => Self::All,
            other => Self::Other(other.parse().ok()?),
        })
    }

    /// As EC2 takes it.
    pub fn to_ec2(self) -> String {
        match self {
            Self::All => "-1".into(),
            Self::Other(n) => n.to_string(),
            named => named.to_string(),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Icmp => f.write_str("icmp"),
            Self::Icmpv6 => f.write_str("icmpv6"),
            Self::All => f.write_str("all"),
            Self::Other(n) => write!(f, "{n}"),
        }
    }
}

/// A range of ports (for ICMP: type and code), both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// First port.
    pub from: i32,
    /// Last port.
    pub to: i32,
}

impl Ports {
    /// Every TCP or UDP port.
    pub const ALL: Self = Self { from: 0, to: 65_535 };

    /// One port.
    pub fn one(port: u16) -> Self {
        Self { from: port.into(), to: port.into() }
    }

    /// Whether both have a port in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// Reads `5432` or `27017-27020`.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to): (u16, u16) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (1 <= from && from <= to).then_some(Self { from: from.into(), to: to.into() })
    }

    /// Reads what is displayed; ICMP's types and codes may be -1.
    fn read(text: &str) -> Option<Self> {
        match text.get(1..).and_then(|rest| rest.find('-')) {
            Some(at) => Some(Self { from: text.get(..=at)?.parse().ok()?, to: text.get(at + 2..)?.parse().ok()? }),
            None => text.parse().ok().map(|port| Self { from: port, to: port }),
        }
    }

    /// Whether every one of these ports is in `ranges`.
    pub fn covered_by(self, ranges: &[Self]) -> bool {
        let mut sorted: Vec<_> = ranges.iter().filter(|r| r.overlaps(self)).collect();
        sorted.sort();
        let mut next = self.from;
        for r in sorted {
            if r.from > next {
                return false;
            }
            next = next.max(r.to + 1);
        }
        next > self.to
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Addresses, without host bits.
    Cidr(IpNet),
    /// Members of a group, by their private addresses.
    SecurityGroup(SecurityGroupId),
    /// A managed prefix list.
    PrefixList(PrefixListId),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(c) => write!(f, "{c}"),
            Self::SecurityGroup(g) => write!(f, "{g}"),
            Self::PrefixList(p) => write!(f, "{p}"),
        }
    }
}

/// What a rule lets through: all that makes two rules of one group the same to AWS.
/// Description and tags are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleShape {
    /// In or out.
    pub direction: Direction,
    /// IP protocol.
    pub protocol: Protocol,
    /// Ports; none where the protocol has none.
    pub ports: Option<Ports>,
    /// The other end.
    pub peer: Peer,
}

impl RuleShape {
    /// A TCP rule for one port.
    pub fn tcp(direction: Direction, port: u16, peer: Peer) -> Self {
        Self { direction, protocol: Protocol::Tcp, ports: Some(Ports::one(port)), peer }
    }

    /// The ports of a protocol that lets TCP through; all ports where it names none.
    pub fn tcp_ports(&self) -> Option<Ports> {
        match self.protocol {
            Protocol::Tcp => Some(self.ports.unwrap_or(Ports::ALL)),
            Protocol::All => Some(Ports::ALL),
            _ => None,
        }
    }

    /// Whether some packet may pass by both. Who is in a group or a prefix list is not looked at.
    pub fn may_overlap(&self, other: &Self) -> bool {
        let ports = |s: &Self| s.ports.unwrap_or(Ports::ALL);
        let protocols = self.protocol == other.protocol || self.protocol == Protocol::All || other.protocol == Protocol::All;
        let peers = match (&self.peer, &other.peer) {
            (Peer::Cidr(a), Peer::Cidr(b)) => a.contains(b) || b.contains(a),
            _ => true,
        };
        self.direction == other.direction && protocols && ports(self).overlaps(ports(other)) && peers
    }

    /// The rule that AWS puts into every new group: everything out to everywhere.
    pub fn is_default_egress(&self) -> bool {
        self.direction == Direction::Out && self.protocol == Protocol::All && matches!(&self.peer, Peer::Cidr(c) if c.prefix_len() == 0)
    }
}

/// `in/tcp/5432/sg-0a1b2c3d`
impl fmt::Display for RuleShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.direction, self.protocol)?;
        match self.ports {
            Some(p) => write!(f, "{p}")?,
            None => f.write_str("all")?,
        }
        write!(f, "/{}", self.peer)
    }
}

impl RuleShape {
    /// Reads `in/tcp/5432/sg-0a1b2c3d`, as it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '/');
        let (direction, protocol, ports, peer) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            direction: match direction {
                "in" => Direction::In,
                "out" => Direction::Out,
                _ => return None,
            },
            protocol: Protocol::parse(protocol)?,
            ports: if ports == "all" { None } else { Some(Ports::read(ports)?) },
            peer: match peer {
                g if g.starts_with("sg-") => Peer::SecurityGroup(g.into()),
                p if p.starts_with("pl-") => Peer::PrefixList(p.into()),
                cidr => Peer::Cidr(cidr.parse().ok()?),
            },
        })
    }
}

/// A value that is written as its text.
macro_rules! as_text {
    ($($type:ident: $read:expr, $what:literal;)+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                $read(&text).ok_or_else(|| D::Error::custom(format_args!("{text:?} is no {}", $what)))
            }
        }
    )+};
}

as_text! {
    Protocol: Protocol::parse, "IP protocol";
    Ports: Ports::read, "range of ports";
    RuleShape: RuleShape::parse, "rule, such as in/tcp/5432/sg-0a1b2c3d";
}

/// A rule as AWS holds it (EC2 `SecurityGroupRule`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `sgr-…`
    pub id: SecurityGroupRuleId,
    /// The group it belongs to.
    pub group: SecurityGroupId,
    /// What it lets through.
    pub shape: RuleShape,
    /// Free text; never compared.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_one_spelling() {
        for (given, expected) in [("6", "tcp"), ("TCP", "tcp"), ("17", "udp"), ("58", "icmpv6"), ("-1", "all"), ("50", "50")] {
            assert_eq!(Protocol::parse(given).unwrap().to_string(), expected);
        }
        assert_eq!(Protocol::parse("tpc"), None);
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        for text in
            ["in/tcp/5432/sg-0a1b2c3d", "out/all/all/0.0.0.0/0", "in/icmp/8--1/10.0.0.0/8", "in/icmpv6/-1/2001:db8::/32", "out/50/all/pl-1"]
        {
            assert_eq!(RuleShape::parse(text).unwrap().to_string(), text);
        }
        for broken in ["", "in/tcp/5432", "up/tcp/1/sg-1", "in/tcp/x/sg-1", "in/tcp/1-/sg-1", "in/tcp/1/10.0.0.0"] {
            assert_eq!(RuleShape::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn rules_overlap_where_a_packet_may_pass_by_both() {
        let overlap = |a, b| RuleShape::parse(a).unwrap().may_overlap(&RuleShape::parse(b).unwrap());
        let group = "in/tcp/5432/sg-1";
        assert!(overlap(group, "in/tcp/5432/10.0.0.0/16") && overlap(group, "in/tcp/5000-6000/sg-2") && overlap(group, "in/all/all/pl-1"));
        assert!(overlap("in/tcp/5432/10.0.0.0/8", "in/tcp/5432/10.1.0.0/16"));
        for other in ["out/tcp/5432/sg-1", "in/udp/5432/sg-1", "in/tcp/5433/sg-1"] {
            assert!(!overlap(group, other), "{other}");
        }
        assert!(!overlap("in/tcp/5432/10.1.0.0/16", "in/tcp/5432/10.2.0.0/16"));
    }

    #[test]
    fn ports_are_covered_by_neighbouring_ranges() {
        let r = |f, t| Ports { from: f, to: t };
        assert!(r(10, 20).covered_by(&[r(15, 30), r(1, 14)]));
        assert!(!r(10, 20).covered_by(&[r(16, 30), r(1, 14)]));
        assert!(!r(10, 20).covered_by(&[]));
        assert_eq!(Ports::parse("27017-27020"), Some(r(27_017, 27_020)));
        for bad in ["0", "70000", "20-10", "x", ""] {
            assert_eq!(Ports::parse(bad), None, "{bad}");
        }
    }
}
