//! Whether the paths of the networks are open: every plan proves them, with what it reads.

use super::{Session, UNWANTED};
use crate::{
    cli::{
        diagram::{Places, Subject},
        explain::{Explanation, NetworkPaths},
    },
    plan::Problem,
};

/// One network, and its place in the files.
struct Found {
    place: usize,
    subject: Subject,
}

impl Session {
    /// Explains every path.
    pub async fn explain(&mut self) -> Explanation {
        let found = self.look_at_paths().await;
        Explanation::new(found.into_iter().map(|s| s.network).collect(), self.notes.clone())
    }

    /// What is to be drawn, network by network, and where it is.
    pub async fn diagram(&mut self) -> (Vec<Subject>, Places) {
        let found = self.look_at_paths().await;
        let mut places = Places::default();
        self.sites.iter().for_each(|s| s.store.with(|picture| places.add(picture)));
        (found, places)
    }

    /// Reads all that the paths depend on. The networks, in the order of the files.
    async fn look_at_paths(&mut self) -> Vec<Subject> {
        self.look_around().await;
        let mut all = Vec::new();
        for site in &mut self.sites {
            let plans = site.observe(None).await;
            for (member, plan) in site.members.iter().zip(plans).filter(|(m, _)| m.class == m.home && m.label != UNWANTED) {
                let replication = member.spec.as_ref().map(|s| &s.replication);
                let start = replication.and_then(|r| r.instance.as_deref().or(r.serverless.as_deref()));
                let network = NetworkPaths {
                    name: member.label.clone(),
                    class: member.class.clone(),
                    account: site.account.clone(),
                    region: site.scope.region.clone(),
                    problems: plan.problems.into_iter().filter(Problem::hides_wants).collect(),
                    paths: plan.paths,
                };
                let replication = start.unwrap_or("planned").to_owned();
                let subject = Subject { network, replication, endpoints: plan.vpc_endpoints };
                all.push(Found { place: member.place, subject });
            }
        }
        all.sort_by_key(|f| f.place);
        all.into_iter().map(|f| f.subject).collect()
    }
}
