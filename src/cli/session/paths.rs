//! Whether the paths of the networks are open: asks what `reach` asks, until nothing new comes up.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::{ROUNDS, Session, UNWANTED};
use crate::{
    aws::Scope,
    cli::{
        diagram::{Diagram, Places},
        explain::{Explanation, NetworkPaths},
    },
    model::{Need, Picture},
    plan::paths::{Paths, paths},
    reach::{Explorer, Query, Report, Side, needs},
};

/// The paths of one network, and where its classes' facts are.
pub(super) struct Asked {
    site: usize,
    member: usize,
    place: usize,
    paths: Paths,
    /// Sites by class.
    sites: BTreeMap<String, usize>,
}

impl Session {
    /// Explains every path.
    pub async fn explain(&mut self) -> Explanation {
        let (asked, pictures) = self.look_at_paths().await;
        let networks = asked.iter().map(|a| self.network_paths(a, &pictures)).collect();
        Explanation::new(networks, self.notes.clone())
    }

    /// Draws every network.
    pub async fn diagram(&mut self) -> Vec<(NetworkPaths, Diagram)> {
        let (asked, pictures) = self.look_at_paths().await;
        let mut places = Places::default();
        pictures.iter().for_each(|p| places.add(p));
        let draw = |a: &Asked| {
            let network = self.network_paths(a, &pictures);
            let start = a.paths.source.as_ref().map_or("not known", |s| s.name.as_str());
            let diagram = Diagram::of(&network, start, &places);
            (network, diagram)
        };
        asked.iter().map(draw).collect()
    }

    /// Reads all that the paths depend on. The networks, in the order of the files, and the pictures by site.
    pub(super) async fn look_at_paths(&mut self) -> (Vec<Asked>, Vec<Picture>) {
        self.plan(false).await;
        let mut seen = 0;
        for _ in 0..ROUNDS {
            let pictures = self.pictures();
            let asked = self.asked(&pictures);
            let mut wanted: BTreeMap<usize, BTreeSet<Need>> = BTreeMap::new();
            for a in &asked {
                self.queries(a, &pictures, |query, far| {
                    let (near_needs, far_needs) = needs(query);
                    wanted.entry(a.site).or_default().extend(near_needs);
                    wanted.entry(far).or_default().extend(far_needs);
                });
            }
            let count = wanted.values().map(BTreeSet::len).sum();
            if count == seen {
                return (asked, pictures);
            }
            seen = count;
            for (site, needs) in wanted {
                self.sites[site].store.ensure(&needs, None).await;
            }
        }
        let pictures = self.pictures();
        (self.asked(&pictures), pictures)
    }

    fn pictures(&self) -> Vec<Picture> {
        self.sites.iter().map(|s| s.store.with(Clone::clone)).collect()
    }

    fn asked(&self, pictures: &[Picture]) -> Vec<Asked> {
        let mut all = Vec::new();
        for (site_at, site) in self.sites.iter().enumerate() {
            for (member_at, member) in site.members.iter().enumerate().filter(|(_, m)| m.class == m.home && m.label != UNWANTED) {
                let found = member.with_input(site, &member.guardrails, &pictures[site_at], paths);
                let mut sites = BTreeMap::from([(member.class.clone(), site_at)]);
                for class in &member.others {
                    let scope = Scope::from(&class.spec);
                    sites.extend(self.sites.iter().position(|s| s.scope == scope).map(|at| (class.name_any(), at)));
                }
                all.push(Asked { site: site_at, member: member_at, place: member.place, paths: found, sites });
            }
        }
        all.sort_by_key(|a| a.place);
        all
    }

    /// Each path as a question, and the site of its far side.
    fn queries<'a>(&'a self, asked: &'a Asked, pictures: &'a [Picture], mut each: impl FnMut(&Query<'a>, usize)) {
        let Some(source) = &asked.paths.source else { return };
        let side = |at: usize| {
            let site = &self.sites[at];
            Side { account: &site.account, region: &site.scope.region, picture: &pictures[at] }
        };
        for path in &asked.paths.paths {
            let far = asked.sites.get(&path.class).copied().unwrap_or(asked.site);
            let query = Query { name: &path.name, near: side(asked.site), far: side(far), source, targets: &path.targets, path: &path.way };
            each(&query, far);
        }
    }

    fn network_paths(&self, asked: &Asked, pictures: &[Picture]) -> NetworkPaths {
        let site = &self.sites[asked.site];
        let member = &site.members[asked.member];
        let mut reports: Vec<Report> = Vec::new();
        let mut explorer = Explorer::new();
        self.queries(asked, pictures, |query, _| reports.push(explorer.explain(query)));
        NetworkPaths {
            name: member.label.clone(),
            class: member.class.clone(),
            account: site.account.clone(),
            region: site.scope.region.clone(),
            problems: asked.paths.problems.clone(),
            paths: reports,
        }
    }
}
