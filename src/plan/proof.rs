//! Whether each path is open: the databases of a spec as questions to the packet engine, and what its answers say in status
//! (design.md 1, PathsOpen).

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    derive::{Derived, Host, Location, Replication, ReplicationKind, services_called},
    view::{View, Views},
};
use crate::{
    api::{
        conditions::{NewCondition, PATHS_OPEN, Reason, Truth},
        network::PathType,
        status::{BlockingHop, DatabaseStatus, PathVerdict, UnknownFact},
    },
    model::{
        Need, Resolution, VpcId,
        endpoint::{service_host, service_name},
        engine::default_port,
    },
    reach::{Code, Explorer, NatHost, Query, Report, Side, Source, SourceKind, State, Target, Way},
};

/// Most hops that status lists of one database.
const HOPS_MAX: usize = 16;
/// Longest sentence in status, in characters.
const SENTENCE_MAX: usize = 400;

/// Asks the engine about every database that is known. Every question that it asks of AWS is noted.
pub(super) fn prove(derived: &Derived, views: &Views<'_, '_>) -> Vec<Report> {
    let Some(near) = &derived.near else { return vec![] };
    let source = source(near);
    let asked: Vec<Asked<'_>> = derived.far.iter().filter_map(|far| Asked::new(near, far, views)).collect();
    let mut explorer = Explorer::noting();
    let mut reports = Vec::new();
    for asked in &asked {
        let query = |path, targets| Query {
            name: &asked.location.name,
            near: side(views.home),
            far: side(asked.view),
            source: &source,
            targets,
            path,
        };
        let mut report = explorer.explain(&query(&asked.way, &asked.targets));
        for (way, target) in &asked.services {
            report.join(explorer.explain(&query(way, std::slice::from_ref(target))));
        }
        reports.push(report);
    }
    for view in views.all() {
        explorer.needs(view.facts.picture()).into_iter().for_each(|need| view.facts.need(need));
        // What is rarely read is looked at every interval while it blocks a path.
        let off = |f: &&crate::reach::Finding| matches!(f.code, Code::DnsSupportOff | Code::DnsHostnamesOff);
        for vpc in reports.iter().flat_map(|r| &r.findings).filter(off).map(|f| VpcId::from(f.resource.as_str())) {
            if view.facts.picture().vpc_dns.contains_key(&vpc) {
                view.facts.keep_fresh(Need::VpcDns(vpc));
            }
        }
    }
    reports
}

/// One database, as the engine is asked about it.
struct Asked<'a> {
    location: &'a Location,
    view: View<'a, 'a>,
    way: Way,
    targets: Vec<Target>,
    services: Vec<(Way, Target)>,
}

impl<'a> Asked<'a> {
    fn new(near: &Replication, location: &'a Location, views: &'a Views<'_, '_>) -> Option<Self> {
        let view = views.of(Some(&location.class))?;
        let path = &location.path;
        let written = |cidrs: Option<&Vec<String>>| -> Vec<IpNet> { cidrs.into_iter().flatten().filter_map(|c| c.parse().ok()).collect() };
        let (way, cidrs) = match (path.type_, &path.peered_vpc, &path.classic_link) {
            (PathType::SameVpc, ..) => (Way::SameVpc, vec![]),
            (PathType::PeeredVpc, Some(peered), _) => (Way::PeeredVpc { peering: peered.peering_connection_id.as_str().into() }, vec![]),
            (PathType::OnPremises, ..) => {
                let block = path.on_premises.as_ref();
                let host = block.and_then(|b| b.nat_host.as_ref());
                let nat_host =
                    host.map(|h| NatHost { group: Some((&h.security_group_id).into()), interface: Some((&h.network_interface_id).into()) });
                (Way::OnPremises { nat_host }, written(block.map(|b| &b.cidrs)))
            }
            (PathType::Internet, ..) => (Way::Internet, written(path.internet.as_ref().map(|b| &b.cidrs))),
            (PathType::NatGateway, ..) => {
                let block = path.nat_gateway.as_ref();
                let gateways = block.map(|b| b.nat_gateway_ids.iter().map(Into::into).collect()).unwrap_or_default();
                (Way::NatGateway { gateways }, written(block.map(|b| &b.cidrs)))
            }
            (PathType::ClassicLink, _, Some(link)) => {
                let proxy = &link.proxy;
                let addresses = match (proxy.host.parse::<IpAddr>(), views.home.facts.host(&proxy.host)) {
                    (Ok(ip), _) => vec![IpNet::from(ip)],
                    (Err(_), Some(Resolution::Addresses(ips))) => ips.iter().copied().map(IpNet::from).collect(),
                    (Err(_), _) => vec![],
                };
                let groups = vec![(&proxy.security_group_id).into()];
                let target = Target { host: proxy.host.clone(), port: proxy.port, addresses, groups, ..Target::default() };
                let services = services(near, location, views);
                return Some(Self { location, view, way: Way::ClassicLink, targets: vec![target], services });
            }
            (PathType::PeeredVpc | PathType::ClassicLink, ..) => return None,
        };
        let vpc = match way {
            Way::SameVpc => Some(near.vpc.clone()),
            Way::OnPremises { .. } => None,
            _ => location.vpc.clone(),
        };
        let targets = location.hosts.iter().map(|h| target(location, h, vpc.as_ref(), &cidrs)).collect();
        Some(Self { location, view, way, targets, services: services(near, location, views) })
    }
}

fn target(location: &Location, host: &Host, vpc: Option<&VpcId>, cidrs: &[IpNet]) -> Target {
    let resolved = || host.addresses.iter().copied().map(IpNet::from).collect();
    Target {
        host: host.host.clone(),
        port: host.port,
        addresses: if cidrs.is_empty() { resolved() } else { cidrs.to_vec() },
        vpc: vpc.cloned(),
        subnets: if vpc.is_some() { location.places().to_vec() } else { vec![] },
        groups: if vpc.is_some() { location.groups.clone() } else { vec![] },
        aws_name: is_aws(&host.host),
        publicly_accessible: location.publicly_accessible,
    }
}

/// Names that AWS answers with private addresses inside the VPC: those of RDS, Redshift and their like.
fn is_aws(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

/// Other AWS services that DMS must reach for this database (domain.md 2).
fn services(near: &Replication, location: &Location, views: &Views<'_, '_>) -> Vec<(Way, Target)> {
    let region = views.home.region;
    let one = |service: &str| {
        let host = service_host(region, service);
        let port = default_port("s3").unwrap_or(443);
        (Way::Service { service: service_name(region, service) }, Target { host, port, aws_name: true, ..Target::default() })
    };
    services_called(near, location).into_iter().map(one).collect()
}

fn source(near: &Replication) -> Source {
    Source {
        name: if near.name.is_empty() { "the planned replication".into() } else { near.name.clone() },
        kind: match near.kind {
            ReplicationKind::Instance => SourceKind::Instance,
            ReplicationKind::Serverless => SourceKind::Serverless,
            ReplicationKind::Placement => SourceKind::Placement,
        },
        vpc: near.vpc.clone(),
        subnets: near.subnets.clone(),
        groups: near.groups.clone(),
        private_ips: near.private_ips.clone(),
        public_ips: near.public_ips.clone(),
        publicly_accessible: near.publicly_accessible,
        dual_stack: near.private_ips.iter().any(|ip| ip.is_ipv6()),
        dns_servers: near.dns_servers.clone(),
    }
}

fn side<'p>(view: View<'p, 'p>) -> Side<'p> {
    Side { account: view.account, region: view.region, picture: view.facts.picture() }
}

/// Writes what the engine says into the status of the databases.
pub(super) fn tell(databases: &mut [DatabaseStatus], reports: &[Report]) {
    for database in databases {
        let Some(report) = reports.iter().find(|r| r.name == database.name) else { continue };
        database.verdict = Some(match report.verdict {
            State::Open | State::NotAsked => PathVerdict::Open,
            State::Blocked => PathVerdict::Blocked,
            State::Unknown => PathVerdict::Unknown,
        });
        let hop = |f: &crate::reach::Finding| BlockingHop {
            code: f.code.to_string(),
            resource: f.resource.clone(),
            message: short(&f.found),
            fix: short(&f.fix),
            commands: f.cli.iter().take(HOPS_MAX).cloned().collect(),
        };
        database.blocked_by = report.findings.iter().take(HOPS_MAX).map(hop).collect();
        for unknown in report.unknown.iter().take(HOPS_MAX) {
            let fact = UnknownFact { code: unknown.code.to_string(), resource: unknown.resource.clone(), message: short(&unknown.reason) };
            if !database.unknown.iter().any(|u| (&u.code, &u.resource) == (&fact.code, &fact.resource)) {
                database.unknown.push(fact);
            }
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SENTENCE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The paths as they were last known, where nothing is against them but that something was not read yet: after a start what AWS tells
/// of one VPC at a time comes last.
pub fn as_known(mut now: Vec<DatabaseStatus>, before: &[DatabaseStatus]) -> Vec<DatabaseStatus> {
    let unread = Code::NotRead.to_string();
    for database in now.iter_mut().filter(|d| d.blocked_by.is_empty() && d.unknown.iter().any(|u| u.code == unread)) {
        if let Some(known) = before.iter().find(|b| b.name == database.name && b.verdict.is_some()) {
            database.verdict = known.verdict;
            database.blocked_by.clone_from(&known.blocked_by);
            database.unknown.clone_from(&known.unknown);
        }
    }
    now
}

/// Open paths, and all paths.
pub fn counts(databases: &[DatabaseStatus]) -> (usize, usize) {
    (databases.iter().filter(|d| d.verdict == Some(PathVerdict::Open)).count(), databases.len())
}

/// The condition PathsOpen.
pub fn paths_open(databases: &[DatabaseStatus]) -> NewCondition {
    let of = |status, reason, message| NewCondition { type_: PATHS_OPEN, status, reason, message };
    let names = |list: &[&DatabaseStatus]| list.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ");
    let with = |verdict| databases.iter().filter(|d| d.verdict == verdict).collect::<Vec<_>>();
    if let Some(first) = databases.iter().find_map(|d| Some((d, d.blocked_by.first()?))) {
        let (database, hop) = first;
        let mut message = format!("{}: {} {}: {}; fix: {}", database.name, hop.code, hop.resource, hop.message, hop.fix);
        let more = databases.iter().map(|d| d.blocked_by.len()).sum::<usize>() - 1;
        if more > 0 {
            message.push_str(&format!("; and {more} more, see status.databases"));
        }
        return of(Truth::False, Reason::PathBlocked, message);
    }
    let retired = Code::ConfigurationRetired.to_string();
    let retired: Vec<&DatabaseStatus> = databases.iter().filter(|d| d.unknown.iter().any(|u| u.code == retired)).collect();
    if !retired.is_empty() {
        let message = format!("{}: ClassicLink is retired; the way to its proxy is open as far as AWS shows", names(&retired));
        return of(Truth::True, Reason::ConfigurationRetired, message);
    }
    let (unseen, unknown) = (with(None), with(Some(PathVerdict::Unknown)));
    if let Some(first) = unknown.first() {
        let why = first.unknown.first().map(|u| format!(": {} {}: {}", u.code, u.resource, u.message)).unwrap_or_default();
        let more = if unknown.len() > 1 { format!("; and {} more", unknown.len() - 1) } else { String::new() };
        return of(Truth::Unknown, Reason::PathUnknown, format!("nothing blocks, but AWS does not show all of {}{why}{more}", first.name));
    }
    if databases.is_empty() || !unseen.is_empty() {
        let message = if unseen.is_empty() { "no database is known yet".into() } else { format!("not known yet: {}", names(&unseen)) };
        return of(Truth::Unknown, Reason::PathUnknown, message);
    }
    of(Truth::True, Reason::AllOpen, format!("open there and back: {}", databases.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(name: &str, verdict: Option<PathVerdict>) -> DatabaseStatus {
        DatabaseStatus { name: name.into(), verdict, ..DatabaseStatus::default() }
    }

    fn said(databases: &[DatabaseStatus]) -> (Truth, Reason, String) {
        let condition = paths_open(databases);
        (condition.status, condition.reason, condition.message)
    }

    #[test]
    fn what_was_not_read_yet_is_as_it_was_known() {
        let unknown = |code: Code| UnknownFact { code: code.to_string(), resource: "vpc-1".into(), message: "why".into() };
        let unread = DatabaseStatus { unknown: vec![unknown(Code::NotRead)], ..database("a", Some(PathVerdict::Unknown)) };
        let open = database("a", Some(PathVerdict::Open));
        assert_eq!(as_known(vec![unread.clone()], std::slice::from_ref(&open)), [open.clone()]);
        assert_eq!(as_known(vec![unread.clone()], &[database("b", Some(PathVerdict::Open)), database("a", None)]), [unread.clone()]);
        let refused = DatabaseStatus { unknown: vec![unknown(Code::NotReadable)], ..unread.clone() };
        assert_eq!(as_known(vec![refused.clone()], std::slice::from_ref(&open)), [refused], "AWS was asked");
        let hop = BlockingHop { code: "AclOut".into(), ..BlockingHop::default() };
        let blocked = DatabaseStatus { blocked_by: vec![hop], ..unread };
        assert_eq!(as_known(vec![blocked.clone()], &[open]), [blocked], "what blocks is known");
    }

    #[test]
    fn what_blocks_outranks_what_is_unknown_and_that_what_is_open() {
        let mut blocked = database("orders", Some(PathVerdict::Blocked));
        let hop = |code: &str| BlockingHop {
            code: code.into(),
            resource: "sg-1".into(),
            message: "no rule".into(),
            fix: "add one".into(),
            commands: vec![],
        };
        blocked.blocked_by = vec![hop("EgressMissing"), hop("IngressMissing")];
        let mut unknown = database("ledger", Some(PathVerdict::Unknown));
        unknown.unknown =
            vec![UnknownFact { code: "OnPremReturnPathUnknown".into(), resource: "h".into(), message: "behind the VPN".into() }];
        let open = database("audit", Some(PathVerdict::Open));
        let (status, reason, message) = said(&[open.clone(), unknown.clone(), blocked]);
        assert_eq!((status, reason), (Truth::False, Reason::PathBlocked));
        assert_eq!(message, "orders: EgressMissing sg-1: no rule; fix: add one; and 1 more, see status.databases");
        let (status, reason, message) = said(&[open.clone(), unknown]);
        assert_eq!((status, reason), (Truth::Unknown, Reason::PathUnknown));
        assert!(message.contains("ledger: OnPremReturnPathUnknown h: behind the VPN"), "{message}");
        assert_eq!(said(&[open.clone(), database("new", None)]).2, "not known yet: new");
        assert_eq!(counts(&[open.clone(), database("new", None)]), (1, 2));
        let (status, reason, _) = said(&[open]);
        assert_eq!((status, reason), (Truth::True, Reason::AllOpen));
        assert_eq!(said(&[]).0, Truth::Unknown);
    }

    #[test]
    fn sentences_are_cut_at_a_character() {
        assert_eq!(short("ü"), "ü");
        assert_eq!(short(&"ü".repeat(500)).chars().count(), SENTENCE_MAX + 1);
    }
}
