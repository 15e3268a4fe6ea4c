//! `diagram`: the paths of networks as a picture: VPCs, what packets meet in them, and which way is open. Pure: reports in,
//! text out.

mod lanes;
mod layout;
mod mermaid;
mod places;
mod scene;
mod svg;

use std::collections::BTreeMap;

use crate::{
    api::status::VpcEndpointStatus,
    cli::explain::{NetworkPaths, kind},
    reach::{Hop, HopKind, Report, State, Walk},
};

use lanes::{Stage, stages};
pub use places::Places;

/// What a picture is made of.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The network and its paths.
    pub network: NetworkPaths,
    /// What starts them: the replication's name.
    pub replication: String,
    /// The VPC endpoints that the network asks for.
    pub endpoints: Vec<VpcEndpointStatus>,
}

/// Networks as Mermaid flowcharts, one after the other.
pub fn mermaid(subjects: &[Subject], places: &Places) -> String {
    subjects.iter().map(|s| Diagram::of(&s.network, &s.replication, places).mermaid()).collect::<Vec<_>>().join("\n")
}

/// Networks as one SVG picture, one below the other.
pub fn svg(subjects: &[Subject], places: &Places) -> String {
    svg::write(&layout::arrange(subjects, places))
}

/// What is drawn of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagram {
    /// `namespace/name`.
    pub title: String,
    /// Boxes, in the order in which packets meet them.
    pub nodes: Vec<Node>,
    /// Lines between them.
    pub edges: Vec<Edge>,
}

/// One thing that packets meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its lines of text: what it is, its ID.
    pub label: Vec<String>,
    /// Its VPC, if it is in one.
    pub vpc: Option<String>,
    /// What it is drawn as.
    pub shape: Shape,
    /// The worst that it does to any packet.
    pub state: State,
}

/// What a node is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The replication.
    Replication,
    /// A database, or an AWS service.
    Database,
    /// What decides about packets: groups, ACLs, route tables.
    Check,
    /// What carries packets elsewhere.
    Gateway,
}

/// The way of packets from one node to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index of a node.
    pub from: usize,
    /// Index of a node.
    pub to: usize,
    /// Whether packets pass: the best that happens to any.
    pub state: State,
}

impl Diagram {
    /// Draws the paths of a network. `replication` names where they start.
    pub fn of(network: &NetworkPaths, replication: &str, places: &Places) -> Self {
        let mut drawing = Drawing { diagram: Self { title: network.name.clone(), ..Self::default() }, places, known: BTreeMap::new() };
        let start = network.paths.iter().flat_map(|p| &p.walks).flat_map(|w| &w.between).find_map(|p| places.vpc(p.from.as_str()));
        let label = vec!["DMS replication".to_owned(), replication.to_owned()];
        drawing.node("replication".to_owned(), Node { label, vpc: start, shape: Shape::Replication, state: State::Open });
        for path in &network.paths {
            drawing.path(path);
        }
        drawing.diagram
    }

    /// Its VPCs, in the order in which packets meet them.
    fn vpcs(&self) -> Vec<&str> {
        let mut vpcs: Vec<&str> = Vec::new();
        for vpc in self.nodes.iter().filter_map(|n| n.vpc.as_deref()) {
            if !vpcs.contains(&vpc) {
                vpcs.push(vpc);
            }
        }
        vpcs
    }
}

struct Drawing<'a> {
    diagram: Diagram,
    places: &'a Places,
    /// Indices of nodes by what they stand for.
    known: BTreeMap<String, usize>,
}

impl Drawing<'_> {
    fn node(&mut self, key: String, node: Node) -> usize {
        let nodes = &mut self.diagram.nodes;
        let at = *self.known.entry(key).or_insert_with(|| {
            nodes.push(node.clone());
            nodes.len() - 1
        });
        nodes[at].state = nodes[at].state.max(node.state);
        at
    }

    fn edge(&mut self, from: usize, to: usize, state: State) {
        match self.diagram.edges.iter_mut().find(|e| (e.from, e.to) == (from, to)) {
            Some(edge) => edge.state = edge.state.min(state),
            None => self.diagram.edges.push(Edge { from, to, state }),
        }
    }

    fn path(&mut self, path: &Report) {
        for walk in &path.walks {
            self.walk(path, walk);
        }
        if path.walks.is_empty() {
            let end = self.end(path, None);
            self.edge(0, end, path.verdict);
        }
    }

    fn walk(&mut self, path: &Report, walk: &Walk) {
        let (mut at, mut state, mut forwarded) = (0, State::Open, false);
        let met = stages(walk);
        for (stage, hop, _) in met.iter().filter(|(.., back)| !back) {
            let next = self.hop(*stage, hop, forwarded);
            forwarded |= *stage == Stage::Device && shape(hop.kind) == Shape::Gateway;
            // What lies behind a hop that blocks is not reached.
            state = state.max(hop.state);
            // The groups of a host are asked twice, on the way in and on the way out.
            if at != next {
                self.edge(at, next, state);
            }
            at = next;
        }
        // An answer may meet what the packet did not: it is drawn only where it is in the way.
        let in_the_way = met.iter().filter(|(_, hop, back)| *back && hop.state != State::Open);
        let in_the_way: Vec<_> = in_the_way.map(|(stage, hop, _)| (self.hop(*stage, hop, false), hop.state)).collect();
        let end = self.end(path, Some(walk));
        self.edge(at, end, walk.verdict.max(State::Open));
        // A hop in the way of answers alone hangs on the database.
        for (node, state) in in_the_way {
            if !self.diagram.edges.iter().any(|e| e.from == node || e.to == node) {
                self.edge(end, node, state);
            }
        }
    }

    fn hop(&mut self, stage: Stage, hop: &Hop, forwarded: bool) -> usize {
        let label = vec![kind(hop.kind).to_owned(), hop.resource.clone()];
        let node = Node { label, vpc: self.places.vpc(&hop.resource), shape: shape(hop.kind), state: hop.state.max(State::Open) };
        self.node(key(stage, hop, forwarded), node)
    }

    fn end(&mut self, path: &Report, walk: Option<&Walk>) -> usize {
        let vpc = walk.and_then(|w| w.between.iter().find_map(|p| self.places.vpc(p.to.as_ref()?.as_str())));
        let mut label = vec![path.name.clone()];
        label.extend(walk.map(|w| format!("{}:{}", w.host, w.port)));
        let key = format!("end {}", label.join(" "));
        self.node(key, Node { label, vpc, shape: Shape::Database, state: path.verdict.max(State::Open) })
    }
}

/// One ACL may stand before several subnets, and one table lead on from two: each is drawn where packets meet it, so that the way
/// leads on.
fn key(stage: Stage, hop: &Hop, forwarded: bool) -> String {
    let side = match (hop.kind, stage) {
        (HopKind::NetworkAcl, Stage::FarAcl) => " far",
        (HopKind::NetworkAcl | HopKind::RouteTable, Stage::Device) if forwarded => " on",
        (HopKind::NetworkAcl | HopKind::RouteTable, Stage::Device) => " in",
        _ => "",
    };
    format!("{} {}{side}", hop.kind, hop.resource)
}

fn shape(kind: HopKind) -> Shape {
    match kind {
        HopKind::Host | HopKind::Dns | HopKind::SecurityGroups | HopKind::NetworkAcl | HopKind::RouteTable | HopKind::Subnet => {
            Shape::Check
        }
        _ => Shape::Gateway,
    }
}

#[cfg(test)]
mod svg_tests;
#[cfg(test)]
mod tests;
