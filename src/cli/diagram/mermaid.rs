//! A diagram as a Mermaid flowchart, which GitHub and GitLab draw.

use std::fmt::Write;

use super::{Diagram, Node, Shape};
use crate::reach::State;

impl Diagram {
    /// As Mermaid text. Colours are those of lines alone, so that it reads on light and dark.
    pub fn mermaid(&self) -> String {
        // Hosts are long, and have no good place to break.
        let config = "config:\n  flowchart:\n    wrappingWidth: 480";
        let mut out = format!("---\ntitle: {}\n{config}\n---\nflowchart LR\n", text(&self.title));
        for vpc in self.vpcs() {
            let _ = writeln!(out, "  subgraph {}[\"{}\"]", vpc.replace('-', "_"), text(vpc));
            // Where no line leaves it, it does not follow the chart's own.
            out.push_str("    direction LR\n");
            for (i, node) in self.nodes.iter().enumerate().filter(|(_, n)| n.vpc.as_deref() == Some(vpc)) {
                let _ = writeln!(out, "    {}", declared(i, node));
            }
            out.push_str("  end\n");
        }
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, n)| n.vpc.is_none()) {
            let _ = writeln!(out, "  {}", declared(i, node));
        }
        for edge in &self.edges {
            let arrow = match edge.state {
                State::Blocked => "-. blocked .->",
                State::Unknown => "-.->",
                State::Open | State::NotAsked => "-->",
            };
            let _ = writeln!(out, "  n{} {arrow} n{}", edge.from, edge.to);
        }
        for (name, state, colour) in
            [("open", State::Open, "#1a7f37"), ("unknown", State::Unknown, "#bf8700"), ("blocked", State::Blocked, "#cf222e")]
        {
            let links: Vec<String> = indices(self.edges.iter().map(|e| e.state), state);
            if !links.is_empty() {
                let _ = writeln!(out, "  linkStyle {} stroke:{colour},stroke-width:2px", links.join(","));
            }
            let nodes: Vec<String> = indices(self.nodes.iter().map(|n| n.state), state).into_iter().map(|i| format!("n{i}")).collect();
            if !nodes.is_empty() {
                let width = if state == State::Blocked { 3 } else { 1 };
                let _ = writeln!(out, "  classDef {name} stroke:{colour},stroke-width:{width}px\n  class {} {name}", nodes.join(","));
            }
        }
        out
    }
}

fn indices(states: impl Iterator<Item = State>, state: State) -> Vec<String> {
    states.enumerate().filter(|(_, s)| *s == state).map(|(i, _)| i.to_string()).collect()
}

fn declared(at: usize, node: &Node) -> String {
    let mark = if node.state == State::Blocked { "✗ " } else { "" };
    let lines: Vec<String> = node.label.iter().filter(|l| !l.is_empty()).map(|l| text(l)).collect();
    let label = format!("\"{mark}{}\"", lines.join("<br/>"));
    match node.shape {
        Shape::Replication => format!("n{at}[[{label}]]"),
        Shape::Database => format!("n{at}[({label})]"),
        Shape::Check => format!("n{at}[{label}]"),
        Shape::Gateway => format!("n{at}{{{{{label}}}}}"),
    }
}

/// Text in which Mermaid reads nothing of its own.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('#', "&num;")
}
