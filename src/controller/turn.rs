//! Whether a pass over a network is this replica's to make, before it begins.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::time::Instant;

use super::{class, context::Context, leadership::Term, serving::InUse, shards};
use crate::{
    api::{DmsNetwork, DmsNetworkClass, DmsNetworkStatus},
    plan::{self, Uid},
};

/// How soon a network is looked at again whose shard may be gone.
const AGAIN: Duration = Duration::from_secs(10);

/// What this replica does about a network.
pub enum Turn {
    /// It makes the pass, in this term; its classes are kept meanwhile.
    Serve(Term, Vec<InUse>),
    /// It keeps its caches warm, and writes nothing.
    StandBy,
    /// It is not decided who serves the class: until then nothing is removed that the network might want.
    Undecided(Option<Duration>),
    /// Another shard's.
    Leave,
}

impl Context {
    /// Decides.
    pub async fn turn(&self, network: &DmsNetwork, uid: &Uid) -> Turn {
        let Some(term) = self.leadership.term() else { return Turn::StandBy };
        let status = self.registry.latest_status(uid, network);
        let name = self.home(network, &status);
        match name.as_deref().and_then(|name| self.known_class(name)) {
            Some(class) => match self.serving.enter(&class.name_any()) {
                Some(in_use) => self.beside(network, &status, term, in_use),
                None if self.is_elsewhere(&class) => Turn::Leave,
                None => Turn::Undecided(None),
            },
            None => self.without_class(network, uid, &status, name.as_deref(), term).await,
        }
    }

    /// The class does not exist, or none can be told: the shard that had it goes on, else the one that serves classes without labels.
    async fn without_class(&self, network: &DmsNetwork, uid: &Uid, status: &DmsNetworkStatus, class: Option<&str>, term: Term) -> Turn {
        let speaks = self.serving.selects_unlabelled();
        let last = status.classes.iter().find(|r| Some(r.name.as_str()) == class).and_then(|r| r.shard.as_deref());
        match last {
            Some(shard) if shard == self.serving.shard => Turn::Serve(term, vec![]),
            Some(shard) if speaks => match self.others.may_be_at_work(shard).await {
                Ok(false) => Turn::Serve(term, vec![]),
                Ok(true) => Turn::Undecided(Some(AGAIN)),
                Err(error) => {
                    tracing::warn!(%error, shard, "the Lease of another shard could not be read");
                    Turn::Undecided(Some(AGAIN))
                }
            },
            Some(_) => Turn::Leave,
            // Nobody holds anything for it: any shard may let it go.
            None if speaks || self.registry.serves(uid) => Turn::Serve(term, vec![]),
            None if network.metadata.deletion_timestamp.is_some() && status.owned.is_empty() => Turn::Serve(term, vec![]),
            None => Turn::Leave,
        }
    }

    /// Keeps the other classes of a network as well, those that only its ledger names included.
    fn beside(&self, network: &DmsNetwork, status: &DmsNetworkStatus, term: Term, home: InUse) -> Turn {
        let named = network.spec.databases.iter().filter_map(|d| d.class_name.as_ref());
        let names: BTreeSet<&String> = named.chain(status.classes.iter().map(|r| &r.name)).collect();
        let mut in_use = vec![home];
        for class in names.into_iter().filter_map(|name| self.known_class(name)) {
            match self.serving.enter(&class.name_any()) {
                Some(one) => in_use.push(one),
                // The pass says so.
                None if self.is_elsewhere(&class) => {}
                None => return Turn::Undecided(None),
            }
        }
        Turn::Serve(term, in_use)
    }

    /// Whether a class is for another shard, or none. What is in its account and Region is not in question here.
    fn is_elsewhere(&self, class: &DmsNetworkClass) -> bool {
        let of_another = || shards::shard(class).is_some_and(|shard| shard != self.serving.shard);
        !self.serving.selects(class) || class::is_refused(class) || of_another()
    }

    /// Why nothing is done through a class that exists, where another shard serves it.
    pub fn elsewhere(&self, name: &str) -> Option<String> {
        self.leadership.term()?;
        let class = self.known_class(name).filter(|_| self.serving.since(name).is_none())?;
        let who = shards::shard(&class).map_or_else(|| "no shard".to_owned(), |shard| format!("shard {shard:?}"));
        let me = &self.serving.shard;
        Some(format!("{who} serves class {name:?}, but this network is shard {me:?}'s: give all classes of a network to one shard"))
    }

    /// The name of the class where a network's objects live, or are to live.
    pub fn home(&self, network: &DmsNetwork, status: &DmsNetworkStatus) -> Option<String> {
        let known = || {
            let network = DmsNetwork { status: Some(status.clone()), ..network.clone() };
            plan::class::choose(&network, self.classes.state().iter().map(|c| &**c)).ok().map(ResourceExt::name_any)
        };
        status.default_class.clone().or_else(|| network.spec.class_name.clone()).or_else(known)
    }

    /// The class of that name, whoever serves it.
    pub fn known_class(&self, name: &str) -> Option<Arc<DmsNetworkClass>> {
        self.classes.get(&ObjectRef::new(name))
    }

    /// The class of that name, if it is ours to work with: a leader serves it, whoever stands by may come to serve it.
    pub fn class(&self, name: &str) -> Option<Arc<DmsNetworkClass>> {
        let ours = |class: &Arc<DmsNetworkClass>| match self.leadership.term() {
            Some(_) => self.serving.since(name).is_some(),
            None => self.serving.selects(class),
        };
        self.known_class(name).filter(ours)
    }

    /// When this process began to work on what is in a class: calls of whoever was there before may still show for a while.
    pub fn began(&self, class: &str) -> Instant {
        let term = self.leadership.term().map_or(self.begun, |t| t.began);
        self.serving.since(class).map_or(term, |since| since.max(term))
    }
}
