//! What must hold whatever happens: looked at after each write of the controller, and once the faults have stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    clock::Clock,
    cluster::{Cluster, Key, Kind},
    replica::Life,
    stub::{Ids, Rule, World},
    trace::Trace,
    wants::{OWN, Shape, Way, Wish},
};

/// Under which name these runs own AWS objects.
pub const OWNER: &str = "sim";
/// A controller may act on a wish that is so old: late watches, outages of the API server, and a slow pass.
const OLD_NEWS: Duration = Duration::from_secs(180);

#[derive(Default)]
struct Known {
    wishes: BTreeMap<String, Wish>,
    /// Since when each rule is wanted without a break; zero: from the first moment on.
    wanted: BTreeMap<Shape, Duration>,
    ever: BTreeSet<Shape>,
    /// Likewise each way, whatever rule opens it.
    ways: BTreeMap<Way, Duration>,
    ever_ways: BTreeSet<Way>,
    /// Rules that a write of the controller has left in place.
    shown: BTreeSet<Shape>,
    /// IDs of all that the controller has made.
    made: BTreeSet<String>,
    /// IDs whose tags somebody took off: until they are on again, they may pass for a stranger's.
    stripped: BTreeSet<String>,
    broken: Vec<String>,
    writes: usize,
}

/// See the module.
pub struct Checker {
    clock: Clock,
    trace: Trace,
    places: usize,
    cluster: Arc<Cluster>,
    known: Mutex<Known>,
}

/// IDs and contents of all objects, to compare.
pub fn objects(world: &World) -> BTreeMap<String, String> {
    let groups = world.groups.values().map(|g| (g.id.clone(), format!("{g:?}")));
    let rules = world.rules.values().flatten().map(|r| (r.id.clone(), format!("{r:?}")));
    let endpoints = world.endpoints.values().map(|e| (e.id.clone(), format!("{e:?}")));
    groups.chain(rules).chain(endpoints).collect()
}

impl Checker {
    pub fn new(clock: Clock, trace: Trace, places: usize, cluster: Arc<Cluster>) -> Self {
        Self { clock, trace, places, cluster, known: Mutex::default() }
    }

    /// Only the one that the API server knows as the Lease's holder writes: until another has it, nobody else may.
    pub fn may_write(&self, life: &Life, what: &str) {
        let holder = self.holder();
        if holder != *life.name {
            self.breaks(format!("{} wrote ({what}) though the Lease is {holder:?}'s", life.name));
        }
    }

    /// Whom the API server knows as the Lease's holder.
    pub fn holder(&self) -> String {
        let lease = self.cluster.get(&Key::new(Kind::Lease, "dmsnet-system", "dmsnet-default")).unwrap_or_default();
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    /// A network was made or changed, or is wanted no more.
    pub fn wished(&self, name: &str, wish: Option<Wish>) {
        let mut known = self.known.lock().unwrap();
        match wish {
            Some(wish) => known.wishes.insert(name.to_owned(), wish),
            None => known.wishes.remove(name),
        };
        let now: BTreeSet<Shape> = known.wishes.values().flat_map(Wish::shapes).collect();
        known.wanted.retain(|shape, _| now.contains(shape));
        let ways: BTreeSet<Way> = now.iter().filter_map(Shape::way).collect();
        known.ways.retain(|way, _| ways.contains(way));
        for way in ways {
            let since = if known.ever_ways.insert(way.clone()) { Duration::ZERO } else { self.clock.elapsed() + OLD_NEWS };
            known.ways.entry(way).or_insert(since);
        }
        for shape in now {
            let since = if known.ever.insert(shape.clone()) { Duration::ZERO } else { self.clock.elapsed() + OLD_NEWS };
            known.wanted.entry(shape).or_insert(since);
        }
    }

    pub fn wishes(&self) -> BTreeMap<String, Wish> {
        self.known.lock().unwrap().wishes.clone()
    }

    /// Somebody takes the tags off an object of ours.
    pub fn stripped(&self, id: &str) {
        self.known.lock().unwrap().stripped.insert(id.to_owned());
    }

    /// IDs in the ledgers of all networks.
    pub fn ledger(&self) -> BTreeSet<String> {
        let networks = self.cluster.list(Kind::Network);
        let owned = networks.iter().filter_map(|n| n["status"]["owned"].as_array()).flatten();
        owned.filter_map(|e| e["id"].as_str().map(str::to_owned)).collect()
    }

    /// What the controller has made and is there.
    pub fn made(&self, world: &World) -> Vec<String> {
        let known = self.known.lock().unwrap();
        let passes = |(id, text): &(String, String)| known.stripped.contains(id) && text.contains("tags: {}");
        objects(world).into_iter().filter(|o| known.made.contains(&o.0) && !passes(o)).map(|(id, _)| id).collect()
    }

    /// Writes of the controller so far.
    pub fn writes(&self) -> usize {
        self.known.lock().unwrap().writes
    }

    pub fn broken(&self) -> Vec<String> {
        self.known.lock().unwrap().broken.clone()
    }

    /// Notes that something must not be.
    pub fn breaks(&self, what: String) {
        self.trace.add(|| format!("!!! {what}"));
        self.known.lock().unwrap().broken.push(what);
    }

    /// A write of the controller reached AWS.
    pub fn written(&self, life: &Life, operation: &str, before: &World, after: &World) {
        self.may_write(life, operation);
        let mut broken = Vec::new();
        let (old, new) = (objects(before), objects(after));
        let was = self.present(before);
        let is = self.present(after);
        {
            let mut known = self.known.lock().unwrap();
            known.writes += 1;
            for (id, text) in &old {
                // What a stranger puts into a group of ours goes with it.
                let inside = || before.rules.iter().any(|(g, rules)| known.made.contains(g) && rules.iter().any(|r| r.id == *id));
                if new.get(id) != Some(text) && !known.made.contains(id) && !(operation == "DeleteSecurityGroup" && inside()) {
                    broken.push(format!("{} {operation} touched {id}, which is another's: {text} -> {:?}", life.name, new.get(id)));
                }
            }
            known.made.extend(new.keys().filter(|id| !old.contains_key(*id)).cloned());
            let now = self.clock.elapsed();
            for shape in known.wanted.iter().filter(|(_, since)| **since <= now).map(|(s, _)| s) {
                if was.contains(shape) && !is.contains(shape) {
                    broken.push(format!("{} {operation} took a needed rule away: {shape:?}", life.name));
                }
            }
            // One rule for a way may make room for another, once that is there.
            let open = |shapes: &BTreeSet<Shape>| shapes.iter().filter_map(Shape::way).collect::<BTreeSet<Way>>();
            let (was_open, is_open) = (open(&was), open(&is));
            // Where a stranger has taken away the rule that was to keep it open, another's, which goes, kept it open by chance.
            let taken = |way: &Way| {
                let gone = |s: &Shape| known.shown.contains(s) && !was.contains(s);
                known.wanted.iter().any(|(shape, since)| *since <= now && shape.way().as_ref() == Some(way) && gone(shape))
            };
            for way in known.ways.iter().filter(|(_, since)| **since <= now).map(|(w, _)| w) {
                if was_open.contains(way) && !is_open.contains(way) && !taken(way) {
                    broken.push(format!("{} {operation} closed a way that is needed: {way:?}", life.name));
                }
            }
            known.shown.extend(is);
            for place in 0..self.places {
                let vpc = Ids(place).vpc();
                let ours = |id: &String| known.made.contains(id);
                let endpoints = after.endpoints.values().filter(|e| e.vpc == vpc && e.gone_at.is_none() && ours(&e.id)).count();
                let groups = after.groups.values().filter(|g| g.vpc == vpc && ours(&g.id)).count();
                if endpoints > 1 || groups > 1 {
                    broken.push(format!("{} {operation} doubled: {endpoints} endpoints, {groups} groups in {vpc}", life.name));
                }
            }
        }
        broken.into_iter().for_each(|b| self.breaks(b));
    }

    /// The rules of the topologies' groups, and of the group of our endpoint.
    fn rules<'a>(&self, world: &'a World) -> Vec<(Shape, &'a Rule)> {
        let mut rules = Vec::new();
        for place in 0..self.places {
            let ids = Ids(place);
            let plain = [ids.replication(), ids.source(), ids.target()].map(|g| (g.clone(), g));
            let own = world.endpoints.values().filter(|e| e.vpc == ids.vpc() && e.gone_at.is_none());
            let own = own.flat_map(|e| &e.groups).map(|g| (g.clone(), OWN.to_owned()));
            for (id, name) in plain.into_iter().chain(own) {
                let of = world.rules.get(&id).into_iter().flatten();
                rules.extend(of.filter_map(|r| Some((Shape::of(place, &name, r)?, r))));
            }
        }
        rules
    }

    fn present(&self, world: &World) -> BTreeSet<Shape> {
        self.rules(world).into_iter().map(|(s, _)| s).collect()
    }

    /// Whether AWS holds exactly what is wished, and all that others made; what is not so.
    pub fn whole(&self, world: &World, others: &BTreeMap<String, String>) -> Result<(), String> {
        let known = self.known.lock().unwrap();
        let wanted: BTreeSet<Shape> = known.wishes.values().flat_map(Wish::shapes).collect();
        let rules = self.rules(world);
        for shape in &wanted {
            if !rules.iter().any(|(s, _)| s == shape) {
                return Err(format!("missing: {shape:?}"));
            }
        }
        let owned = format!("dmsnet.dev/owner/{OWNER}");
        for (group, rule) in world.rules.iter().flat_map(|(g, rules)| rules.iter().map(move |r| (g, r))) {
            let ours = known.made.contains(&rule.id);
            let default = rule.egress && rule.protocol == "-1" || rule.tags.is_empty() && known.stripped.contains(&rule.id);
            let of = rules.iter().find(|(_, r)| r.id == rule.id).map(|(s, _)| s);
            if ours && !default && !of.is_some_and(|s| wanted.contains(s)) {
                return Err(format!("nobody wants {rule:?} of {group}"));
            }
            if ours && !default && rule.tags.get(&owned).map(String::as_str) != Some("owned") {
                return Err(format!("without our tag: {rule:?}"));
            }
        }
        for place in 0..self.places {
            let ids = Ids(place);
            let wish = known.wishes.values().find(|w| w.place == place && w.endpoint);
            let wants = wish.is_some();
            let endpoints: Vec<_> = world.endpoints.values().filter(|e| e.vpc == ids.vpc() && known.made.contains(&e.id)).collect();
            let groups: Vec<_> = world.groups.values().filter(|g| g.vpc == ids.vpc() && known.made.contains(&g.id)).collect();
            if (endpoints.len(), groups.len()) != (usize::from(wants), usize::from(wants)) {
                return Err(format!("{} endpoints and {} groups of ours in {}, wanted: {wants}", endpoints.len(), groups.len(), ids.vpc()));
            }
            for e in endpoints {
                let subnets = ids.subnets()[..2].to_vec();
                if e.gone_at.is_some()
                    || e.subnets != subnets
                    || e.groups != [groups[0].id.clone()]
                    || Some(e.private_dns) != wish.map(|w| w.private_dns)
                {
                    return Err(format!("not as wanted: {e:?}"));
                }
                let stripped = known.stripped.contains(&e.id);
                if !e.tags.contains_key(&owned) && !stripped || !groups[0].tags.contains_key(&owned) {
                    return Err(format!("without our tag: {e:?} {:?}", groups[0]));
                }
            }
        }
        let now = objects(world);
        for (id, text) in others {
            if now.get(id) != Some(text) {
                return Err(format!("another's object changed: {text} -> {:?}", now.get(id)));
            }
        }
        Ok(())
    }

    /// All that others made, as it is.
    pub fn others(&self, world: &World) -> BTreeMap<String, String> {
        let known = self.known.lock().unwrap();
        objects(world).into_iter().filter(|(id, _)| !known.made.contains(id)).collect()
    }
}
