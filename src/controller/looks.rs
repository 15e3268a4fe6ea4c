//! Which networks are still to be looked at before anything is removed (design.md 2, Giving up): by account and Region, so that an
//! account that does not answer holds up no other.

use std::collections::{BTreeSet, HashMap, HashSet};

use kube::{ResourceExt, runtime::reflector::ObjectRef};

use super::context::{self, Context};
use crate::{
    api::{DmsNetwork, DmsNetworkClass, DmsNetworkStatus, status::ClassRecord},
    aws::Account,
    plan::{self, Uid},
};

/// Where a network may hold something, or come to want it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Nobody knows its class.
    Anywhere,
    /// AWS has not told whose account its class stands for.
    Region {
        /// `endpointUrl`.
        endpoint_url: Option<String>,
        /// Region.
        region: String,
    },
    /// An account and Region.
    Account(Account),
}

impl Place {
    fn of(record: &ClassRecord) -> Self {
        match record.account_id {
            Some(_) => Self::Account(context::account(record)),
            None => Self::Region { endpoint_url: record.endpoint_url.clone(), region: record.region.clone() },
        }
    }

    fn of_class(class: &DmsNetworkClass) -> Self {
        let told = class.status.as_ref().and_then(|s| s.account_id.clone());
        Self::of(&context::record(class, told.or_else(|| class.spec.account_id.clone())))
    }

    /// Whether it may be in that account and Region.
    fn may_be(&self, account: &Account) -> bool {
        let near = |url: &Option<String>, region: &String| (url, region) == (&account.endpoint_url, &account.region);
        match self {
            Self::Anywhere => true,
            Self::Region { endpoint_url, region } => near(endpoint_url, region),
            Self::Account(here) => here == account || (account.id.is_empty() && near(&here.endpoint_url, &here.region)),
        }
    }
}

impl Context {
    /// Where a network may hold something, or come to want it: by its classes, and by those that its status remembers.
    pub fn places(&self, network: &DmsNetwork) -> BTreeSet<Place> {
        let places = |status: Option<&DmsNetworkStatus>| self.places_with(network, status);
        match network.uid() {
            Some(uid) => self.registry.with_latest_status(&uid.into(), network, places),
            None => places(network.status.as_ref()),
        }
    }

    fn places_with(&self, network: &DmsNetwork, status: Option<&DmsNetworkStatus>) -> BTreeSet<Place> {
        let records = status.map_or(&[][..], |s| &s.classes);
        let mut places: BTreeSet<Place> = records.iter().map(Place::of).collect();
        let home = network.spec.class_name.as_ref().or_else(|| status.and_then(|s| s.default_class.as_ref()));
        if home.is_none() {
            let classes = self.classes.state();
            let class = plan::class::choose(network, classes.iter().map(|c| &**c));
            places.insert(class.map_or(Place::Anywhere, Place::of_class));
        }
        for name in home.into_iter().chain(network.spec.databases.iter().filter_map(|d| d.class_name.as_ref())) {
            match self.classes.get(&ObjectRef::new(name)) {
                Some(class) => drop(places.insert(Place::of_class(&class))),
                None if records.iter().any(|r| r.name == *name) => {}
                None => drop(places.insert(Place::Anywhere)),
            }
        }
        places
    }
}

/// See the module.
#[derive(Default)]
pub struct Looks {
    /// Whether the networks that were there at the start are known.
    started: bool,
    /// Generations that are yet to be tried, and where.
    untried: HashMap<Uid, (i64, BTreeSet<Place>)>,
    /// How many of those there are in each place.
    counts: HashMap<Place, usize>,
    /// Generations that were tried.
    tried: HashMap<Uid, i64>,
    /// Places where all were tried, and that was told.
    opened: HashSet<Place>,
    /// Whether it was told that all were, wherever they are.
    all_opened: bool,
}

/// What a look has opened; each is told once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Places where now every network was tried.
    pub places: BTreeSet<Place>,
    /// Whether every network was, wherever it is.
    pub all: bool,
}

impl Looks {
    /// All that had to be known is known: from now on what is not expected is not waited for.
    pub fn start(&mut self) {
        self.started = true;
    }

    /// A generation of a network is to be tried, unless it was.
    pub fn expect(&mut self, uid: &Uid, generation: i64, places: BTreeSet<Place>) {
        if self.tried.get(uid).is_none_or(|tried| *tried < generation) {
            self.take(uid);
            self.put(uid, generation, places);
        }
    }

    /// A network must be tried anew, as if it had just come: whoever waits for it hears of it once more.
    pub fn again(&mut self, uid: &Uid, places: &BTreeSet<Place>) {
        self.tried.remove(uid);
        self.opened.retain(|place| !places.contains(place));
        self.all_opened = false;
    }

    /// A network that is yet to be tried may be elsewhere: one of its classes has changed, or AWS has told its account.
    pub fn moved(&mut self, uid: &Uid, places: BTreeSet<Place>) -> Opened {
        let Some((generation, before)) = self.take(uid) else { return Opened::default() };
        self.put(uid, generation, places);
        self.open(before)
    }

    /// A network was tried at a generation.
    pub fn tried(&mut self, uid: &Uid, generation: i64) -> Opened {
        self.tried.insert(uid.clone(), generation);
        if self.untried.get(uid).is_some_and(|(untried, _)| *untried > generation) {
            return Opened::default();
        }
        let before = self.take(uid).map(|(_, places)| places).unwrap_or_default();
        self.open(before)
    }

    /// A network is gone.
    pub fn gone(&mut self, uid: &Uid) -> Opened {
        self.tried.remove(uid);
        match self.take(uid) {
            Some((_, before)) => self.open(before),
            None => Opened::default(),
        }
    }

    /// Whether every other network was tried that may be in that account and Region.
    pub fn all_tried(&self, but: &Uid, account: &Account) -> bool {
        let own = self.untried.get(but).map(|(_, places)| places);
        let others = |(place, count): (&Place, &usize)| *count > usize::from(own.is_some_and(|own| own.contains(place)));
        self.started && !self.counts.iter().any(|entry| entry.0.may_be(account) && others(entry))
    }

    /// Whether a network is yet to be tried.
    pub fn awaits(&self, uid: &Uid) -> bool {
        self.untried.contains_key(uid)
    }

    /// Every network that is known.
    pub fn known(&self) -> impl Iterator<Item = &Uid> {
        self.untried.keys().chain(self.tried.keys())
    }

    fn put(&mut self, uid: &Uid, generation: i64, places: BTreeSet<Place>) {
        for place in &places {
            *self.counts.entry(place.clone()).or_default() += 1;
        }
        self.untried.insert(uid.clone(), (generation, places));
    }

    fn take(&mut self, uid: &Uid) -> Option<(i64, BTreeSet<Place>)> {
        let (generation, places) = self.untried.remove(uid)?;
        for place in &places {
            if let Some(count) = self.counts.get_mut(place) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(place);
                }
            }
        }
        Some((generation, places))
    }

    /// Of these, the places that nobody is waited for any more, and that were not told yet.
    fn open(&mut self, mut places: BTreeSet<Place>) -> Opened {
        places.retain(|place| self.started && !self.counts.contains_key(place) && !self.opened.contains(place));
        self.opened.extend(places.iter().cloned());
        let all = self.started && self.untried.is_empty() && !self.all_opened;
        self.all_opened |= all;
        Opened { places, all }
    }
}

impl Opened {
    /// Whether this may let something be removed in that account and Region.
    pub fn concerns(&self, account: &Account) -> bool {
        self.places.iter().any(|place| place.may_be(account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, region: &str) -> Account {
        Account { endpoint_url: None, id: id.into(), region: region.into() }
    }

    fn at(id: &str, region: &str) -> BTreeSet<Place> {
        [Place::Account(account(id, region))].into()
    }

    fn region(region: &str) -> BTreeSet<Place> {
        [Place::Region { endpoint_url: None, region: region.into() }].into()
    }

    fn looks(expected: &[(&str, BTreeSet<Place>)]) -> Looks {
        let mut looks = Looks::default();
        for (uid, places) in expected {
            looks.expect(&Uid::from(*uid), 1, places.clone());
        }
        looks.start();
        looks
    }

    #[test]
    fn a_dead_account_holds_up_no_other() {
        let mut looks = looks(&[("a", at("1", "us-west-2")), ("b", at("1", "us-west-2")), ("dead", at("2", "us-west-2"))]);
        let (a, b, other) = (Uid::from("a"), Uid::from("b"), Uid::from("other"));
        let here = account("1", "us-west-2");
        assert!(!looks.all_tried(&a, &here), "b may want it");
        assert!(looks.tried(&a, 1).places.is_empty());
        assert!(looks.all_tried(&b, &here), "but for itself all were tried");
        assert!(!looks.all_tried(&a, &here));
        let opened = looks.tried(&b, 1);
        assert!(opened.concerns(&here) && !opened.concerns(&account("2", "us-west-2")) && !opened.all);
        assert!(looks.all_tried(&a, &here));
        assert!(!looks.all_tried(&other, &account("2", "us-west-2")), "there it is waited for");
        assert!(looks.all_tried(&other, &account("2", "eu-west-1")), "another Region is another place");
        assert!(looks.tried(&Uid::from("dead"), 1).all);
        assert!(looks.all_tried(&other, &account("2", "us-west-2")));
        assert_eq!(looks.tried(&a, 1), Opened::default(), "told once");
    }

    #[test]
    fn an_account_that_nobody_knows_may_be_any_of_its_region() {
        let mut looks = looks(&[("mute", region("us-west-2")), ("lost", [Place::Anywhere].into())]);
        let (me, mute) = (Uid::from("me"), Uid::from("mute"));
        for anywhere in [account("1", "us-west-2"), account("2", "eu-west-1")] {
            assert!(!looks.all_tried(&me, &anywhere), "{anywhere:?}");
        }
        assert!(looks.gone(&Uid::from("lost")).concerns(&account("2", "eu-west-1")));
        assert!(looks.all_tried(&me, &account("2", "eu-west-1")));
        assert!(!looks.all_tried(&me, &account("1", "us-west-2")));
        // AWS tells whose it is.
        let opened = looks.moved(&mute, at("9", "us-west-2"));
        assert!(opened.concerns(&account("1", "us-west-2")));
        assert!(looks.all_tried(&me, &account("1", "us-west-2")));
        assert!(!looks.all_tried(&me, &account("9", "us-west-2")));
    }

    #[test]
    fn what_changes_or_comes_again_is_waited_for() {
        let mut looks = looks(&[("a", at("1", "us-west-2"))]);
        let (a, me, here) = (Uid::from("a"), Uid::from("me"), account("1", "us-west-2"));
        assert!(looks.tried(&a, 1).all);
        looks.expect(&a, 1, at("1", "us-west-2"));
        assert!(looks.all_tried(&me, &here), "this generation was tried");
        looks.expect(&a, 2, at("1", "us-west-2"));
        assert!(!looks.all_tried(&me, &here));
        assert_eq!(looks.tried(&a, 1), Opened::default(), "a pass over the one before was under way");
        assert!(!looks.all_tried(&me, &here));
        looks.tried(&a, 2);
        assert!(looks.all_tried(&me, &here));
        looks.again(&a, &at("1", "us-west-2"));
        looks.expect(&a, 2, at("1", "us-west-2"));
        assert!(!looks.all_tried(&me, &here));
        assert!(looks.tried(&a, 2).concerns(&here), "whoever waits for it hears of it once more");
    }

    #[test]
    fn before_the_start_nothing_was_tried() {
        let mut looks = Looks::default();
        let (a, here) = (Uid::from("a"), account("1", "us-west-2"));
        assert!(!looks.all_tried(&a, &here));
        assert_eq!(looks.tried(&a, 1), Opened::default());
        looks.start();
        assert!(looks.all_tried(&a, &here));
    }
}
