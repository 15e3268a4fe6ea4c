//! What is answered: a verdict, every hop, and what blocks with its fix.

use std::fmt;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::{code::Code, remedy::Remedy};
use crate::model::{Destination, Direction, Ports, RouteState, SecurityGroupId, SecurityGroupRuleId, SubnetId, Target as RouteTarget};

/// What can be said of one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The database's name in the spec, or the service's.
    pub name: String,
    /// The last word.
    pub verdict: State,
    /// Each way that packets may take, hop by hop; pairs of subnets between which all hops are the same are told once.
    pub walks: Vec<Walk>,
    /// Every hop that blocks, in the order in which packets meet them.
    pub findings: Vec<Finding>,
    /// Every hop that AWS does not show, in the same order.
    pub unknown: Vec<Unknown>,
    /// What blocks nothing now, and should be known.
    pub warnings: Vec<Finding>,
}

impl Report {
    /// Adds another path that must be open, too.
    pub fn join(&mut self, other: Self) {
        self.verdict = self.verdict.max(other.verdict);
        self.walks.extend(other.walks);
        let new = |f: &Finding, list: &[Finding]| !list.iter().any(|k| k.code == f.code && k.resource == f.resource);
        for finding in other.findings {
            if new(&finding, &self.findings) {
                self.findings.push(finding);
            }
        }
        for warning in other.warnings {
            if new(&warning, &self.warnings) {
                self.warnings.push(warning);
            }
        }
        for unknown in other.unknown {
            if !self.unknown.contains(&unknown) {
                self.unknown.push(unknown);
            }
        }
    }
}

/// The state of a hop, and of a path: `Blocked` if one hop is, else `Unknown` if one is, else `Open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum State {
    /// Not asked here, as an ACL within one subnet.
    NotAsked,
    /// It lets the packet through.
    Open,
    /// AWS does not show it.
    Unknown,
    /// It drops the packet.
    Blocked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "NotAsked",
            Self::Open => "Open",
            Self::Unknown => "Unknown",
            Self::Blocked => "Blocked",
        })
    }
}

/// One way there and back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Walk {
    /// Host and port that it goes to.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Between which places; several where all hops are the same.
    pub between: Vec<Pair>,
    /// The last word about these.
    pub verdict: State,
    /// The packet that opens the connection, hop by hop.
    pub out: Vec<Hop>,
    /// Its answer, hop by hop.
    pub back: Vec<Hop>,
}

/// Where packets start and where they go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// The replication's subnet.
    pub from: SubnetId,
    /// The database's subnet; none outside AWS, or where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<SubnetId>,
}

/// What a packet meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::Display)]
pub enum HopKind {
    /// The replication or the database itself: its addresses.
    Host,
    /// How the name resolves: attributes of the VPCs, options of the peering.
    Dns,
    /// The groups of an interface, united.
    SecurityGroups,
    /// A subnet's network ACL.
    NetworkAcl,
    /// A subnet's route table.
    RouteTable,
    /// A subnet, as the place of an address.
    Subnet,
    /// An internet gateway, egress-only ones included.
    InternetGateway,
    /// A NAT gateway.
    NatGateway,
    /// A peering connection.
    PeeringConnection,
    /// A transit gateway and the VPC's attachment to it.
    TransitGateway,
    /// A virtual private gateway.
    VpnGateway,
    /// An interface that forwards for others: a NAT host, an appliance.
    NetworkInterface,
    /// A VPC endpoint.
    VpcEndpoint,
    /// What lies behind the last hop that AWS shows.
    Beyond,
}

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// What it is.
    pub kind: HopKind,
    /// Its ID; several groups are joined by commas.
    pub resource: String,
    /// What the packet asks of it.
    pub asked: Asked,
    /// What decided.
    pub decided: Decided,
    /// What it does.
    pub state: State,
    /// Why it does not let the packet through, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

/// What a packet asks of a hop; written as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing about a single packet.
    State,
    /// TCP to these addresses and ports.
    To(Vec<IpNet>, Ports),
    /// TCP from these addresses to these ports.
    From(Vec<IpNet>, Ports),
    /// A route to these addresses.
    RouteTo(Vec<IpNet>),
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State => f.write_str("its state"),
            Self::To(nets, ports) => write!(f, "tcp/{ports} to {}", List(nets)),
            Self::From(nets, ports) => write!(f, "tcp/{ports} from {}", List(nets)),
            Self::RouteTo(nets) => write!(f, "a route to {}", List(nets)),
        }
    }
}

impl Serialize for Asked {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// What decided a hop; written as a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Rules of a group.
    Rules(Vec<(SecurityGroupId, SecurityGroupRuleId)>),
    /// No rule.
    NoRule,
    /// An entry of an ACL.
    Entry(Direction, u16, bool),
    /// Several entries of an ACL, all of which allow.
    Entries(Direction, Vec<u16>),
    /// No entry: the closing deny.
    NoEntry(Direction),
    /// A route.
    Route(Destination, RouteTarget, RouteState),
    /// No route.
    NoRoute,
    /// Both ends are in the same subnet.
    SameSubnet,
    /// A word or two, such as a state.
    Words(String),
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules(rules) => {
                for (i, (group, rule)) in rules.iter().enumerate() {
                    write!(f, "{}{rule} of {group}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::NoRule => f.write_str("no rule"),
            Self::Entry(direction, number, allow) => {
                write!(f, "entry {number} ({direction}, {})", if *allow { "allow" } else { "deny" })
            }
            Self::Entries(direction, numbers) => write!(f, "entries {} ({direction}, allow)", List(numbers)),
            Self::NoEntry(direction) => write!(f, "no entry ({direction}): the closing deny"),
            Self::Route(destination, target, RouteState::Active) => write!(f, "{destination} to {target}"),
            Self::Route(destination, target, state) => write!(f, "{destination} to {target} ({state})"),
            Self::NoRoute => f.write_str("no route"),
            Self::SameSubnet => f.write_str("both ends are in this subnet"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl Serialize for Decided {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// A hop that blocks, with its fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable name.
    pub code: Code,
    /// The object to look at, by its AWS ID where it has one.
    pub resource: String,
    /// What was found, in a sentence.
    pub found: String,
    /// What is needed, in a sentence.
    pub needed: String,
    /// What to do, in a sentence; where AWS allows no change, what takes its place.
    pub fix: String,
    /// What to do as values, for plans; empty where AWS allows no change.
    #[serde(skip)]
    pub remedies: Vec<Remedy>,
    /// What to do as AWS CLI lines.
    pub cli: Vec<String>,
}

/// A hop that AWS does not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// Stable name.
    pub code: Code,
    /// What it is about.
    pub resource: String,
    /// Why it is not known.
    pub reason: String,
}

/// Values joined by commas.
pub(super) struct List<'a, T>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
