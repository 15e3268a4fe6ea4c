//! Whether each path is open: the databases of a spec as questions to the packet engine, and what its answers say in status
//! (design.md 1, PathsOpen).

use super::{
    derive::{Derived, Location},
    paths::{self, Path},
    view::{View, Views},
};
use crate::{
    api::{
        conditions::{NewCondition, PATHS_OPEN, Reason, Truth},
        status::{BlockingHop, DatabaseStatus, PathVerdict, UnknownFact},
    },
    reach::{Code, Explorer, Query, Report, Side, State},
};

/// Most hops that status lists of one database.
const HOPS_MAX: usize = 16;
/// Longest sentence in status, in characters.
const SENTENCE_MAX: usize = 400;

/// Asks the engine about every database that is known, and about the AWS services that DMS must reach for it. Every question that
/// it asks of AWS is noted.
pub(super) fn prove(label: &str, derived: &Derived, views: &Views<'_, '_>) -> Vec<Report> {
    let Some(near) = &derived.near else { return vec![] };
    let source = paths::source(near, label);
    let home = views.home;
    let asked: Vec<_> =
        derived.far.iter().filter_map(|far| Some((far, paths::path(far, home.facts.picture())?, views.of(Some(&far.class))?))).collect();
    let services: Vec<Vec<Path>> = asked.iter().map(|(far, ..)| services(far, home)).collect();
    let mut explorer = Explorer::noting();
    let mut reports = Vec::new();
    for ((far, path, view), services) in asked.iter().zip(&services) {
        let first = Query { name: &far.name, near: side(home), far: side(*view), source: &source, targets: &path.targets, path: &path.way };
        let mut report = explorer.explain(&first);
        for service in services {
            report.join(explorer.explain(&Query { targets: &service.targets, path: &service.way, ..first }));
        }
        reports.push(report);
        if let Some(link) = &far.path.classic_link {
            home.facts.host(&link.proxy.host);
        }
    }
    for view in views.all() {
        explorer.needs(view.facts.picture()).into_iter().for_each(|need| view.facts.need(need));
    }
    reports
}

fn services(far: &Location, home: View<'_, '_>) -> Vec<Path> {
    paths::called_for(far).map(|service| paths::to_service(service, false, home.region, home.class)).collect()
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
