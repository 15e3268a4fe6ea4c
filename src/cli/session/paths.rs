//! Whether the paths of the networks are open: every plan proves them, with what it reads.

use super::{Session, UNWANTED};
use crate::{
    cli::{
        diagram::{Diagram, Places},
        explain::{Explanation, NetworkPaths},
    },
    plan::Problem,
};

/// The paths of one network, and where they start.
struct Found {
    place: usize,
    start: String,
    paths: NetworkPaths,
}

impl Session {
    /// Explains every path.
    pub async fn explain(&mut self) -> Explanation {
        let found = self.look_at_paths().await;
        Explanation::new(found.into_iter().map(|f| f.paths).collect(), self.notes.clone())
    }

    /// Draws every network.
    pub async fn diagram(&mut self) -> Vec<(NetworkPaths, Diagram)> {
        let found = self.look_at_paths().await;
        let mut places = Places::default();
        self.sites.iter().for_each(|s| s.store.with(|picture| places.add(picture)));
        found
            .into_iter()
            .map(|f| {
                let diagram = Diagram::of(&f.paths, &f.start, &places);
                (f.paths, diagram)
            })
            .collect()
    }

    /// Reads all that the paths depend on. The networks, in the order of the files.
    async fn look_at_paths(&mut self) -> Vec<Found> {
        self.look_around().await;
        let mut all = Vec::new();
        for site in &mut self.sites {
            let plans = site.observe(None).await;
            for (member, plan) in site.members.iter().zip(plans).filter(|(m, _)| m.class == m.home && m.label != UNWANTED) {
                let replication = member.spec.as_ref().map(|s| &s.replication);
                let start = replication.and_then(|r| r.instance.as_deref().or(r.serverless.as_deref()));
                let paths = NetworkPaths {
                    name: member.label.clone(),
                    class: member.class.clone(),
                    account: site.account.clone(),
                    region: site.scope.region.clone(),
                    problems: plan.problems.into_iter().filter(Problem::hides_wants).collect(),
                    paths: plan.paths,
                };
                all.push(Found { place: member.place, start: start.unwrap_or("the planned replication").to_owned(), paths });
            }
        }
        all.sort_by_key(|f| f.place);
        all
    }
}
