//! What becomes of each request, decided by the seed, who asks, what for, and for the how-manieth time.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::sync::watch;

use crate::{
    chance::{self, happens, pick},
    replica::Life,
    trace::Trace,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Fine,
    /// Refused by the server, nothing is done: HTTP status.
    Refused(u16),
    /// Refused since there were too many.
    Throttled,
    /// Refused since it is not allowed.
    Denied,
    /// The connection breaks before anything is done.
    Reset,
    /// Nothing is done, and no answer comes.
    Silent,
    /// It is done, and the connection breaks.
    Lost,
    /// It is done, and no answer comes.
    LostSilent,
    /// It is done, and the answer says that the server failed.
    LostError,
    /// A read that shows what was so long ago.
    Stale(Duration),
}

/// A request's fate and times.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub what: Fate,
    /// Until the server does it.
    pub wait: Duration,
    /// Until the answer is there.
    pub back: Duration,
    /// If the one who asks is killed before the server does it: whether it is done all the same.
    pub lands: bool,
}

/// What becomes of a watch.
pub struct Watched {
    /// When it is cut, if it is.
    pub until: Option<Duration>,
    /// How late its events are.
    pub late: Duration,
}

/// How likely each is.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    pub refused: f64,
    pub throttled: f64,
    pub reset: f64,
    pub silent: f64,
    pub lost: f64,
    pub stale: f64,
    pub slow: f64,
}

/// AWS loses the answers to requests for an endpoint for a while, and reads show what was before the first of them.
#[derive(Clone, Copy, Debug)]
struct Deaf {
    since: Duration,
    until: Duration,
}

/// What a seed does to requests.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    pub aws: Rates,
    pub kubernetes: Rates,
    /// How stale a read may be at most.
    pub stalest: Duration,
    /// How likely a watch is cut early, and late.
    pub watch_cut: f64,
    pub watch_late: f64,
    /// For how long answers to requests for endpoints are lost, from the first on; if not told, the seed decides.
    pub deaf: Option<Duration>,
}

impl Weather {
    /// Of a seed. Some seeds have nearly none, some much of one thing.
    pub fn of(seed: u64) -> Self {
        let rng = &mut chance::of(seed, "weather");
        let mut rate = |most: f64| pick(rng, &[0.0, 0.0, 0.05, 0.2, 1.0]) * most;
        let aws = Rates {
            refused: rate(0.3),
            throttled: rate(0.5),
            reset: rate(0.3),
            silent: rate(0.1),
            lost: rate(0.5),
            stale: rate(0.9),
            slow: rate(0.5),
        };
        let kubernetes = Rates {
            refused: rate(0.3),
            throttled: 0.0,
            reset: rate(0.3),
            silent: rate(0.05),
            lost: rate(0.3),
            stale: 0.0,
            slow: rate(0.3),
        };
        let (watch_cut, watch_late) = (rate(0.8), rate(0.8));
        Self { aws, kubernetes, watch_cut, watch_late, deaf: None, stalest: Duration::from_secs(pick(rng, &[1, 5, 15])) }
    }
}

/// See the module.
pub struct Fates {
    seed: u64,
    pub weather: Weather,
    pub trace: Trace,
    asked: Mutex<HashMap<String, u64>>,
    deaf: Mutex<Option<Deaf>>,
    /// What becomes of every request to a host, and whether that goes for STS, too.
    dead: Mutex<HashMap<String, (Fate, bool)>>,
    on: AtomicBool,
    down: AtomicBool,
    restarts: watch::Sender<u64>,
}

impl Fates {
    pub fn new(seed: u64, weather: Weather, trace: Trace) -> Self {
        Self {
            seed,
            weather,
            trace,
            asked: Mutex::default(),
            deaf: Mutex::default(),
            dead: Mutex::default(),
            on: AtomicBool::new(true),
            down: AtomicBool::new(false),
            restarts: watch::Sender::new(0),
        }
    }

    /// Faults happen, or no longer.
    pub fn set(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
        self.trace.add(|| if on { "--- faults begin".into() } else { "--- faults end".into() });
    }

    /// The API server goes down with all its watches, or comes up.
    pub fn api_server(&self, up: bool) {
        self.down.store(!up, Ordering::Relaxed);
        self.restarts.send_modify(|n| *n += 1);
        self.trace.add(|| format!("--- API server {}", if up { "up" } else { "down" }));
    }

    /// Cuts all watches.
    pub fn cut_watches(&self) {
        self.restarts.send_modify(|n| *n += 1);
        self.trace.add(|| "--- watches cut".into());
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.asked.lock().unwrap().values().sum()
    }

    pub fn restarts(&self) -> watch::Receiver<u64> {
        self.restarts.subscribe()
    }

    fn rng(&self, life: &Life, words: &str) -> Rng {
        let name = format!("{} {words}", life.name);
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(name.clone()).or_default();
        *times += 1;
        chance::of(self.seed, (name, *times))
    }

    fn judged(&self, rng: &mut Rng, rates: &Rates, write: bool) -> Judged {
        let ms = |rng: &mut Rng, from: u64, to: u64| Duration::from_millis(rng.u64(from..to));
        let (mut wait, back, lands) = (ms(rng, 5, 60), ms(rng, 1, 40), rng.bool());
        let mut what = Fate::Fine;
        if self.on.load(Ordering::Relaxed) {
            if happens(rng, rates.slow) {
                wait = ms(rng, 100, 7000);
            }
            let roll = rng.f64();
            let mut below = 0.0;
            let lost = pick(rng, &[Fate::Lost, Fate::LostSilent, Fate::LostError]);
            let refused = Fate::Refused(pick(rng, &[500, 503]));
            let stale = Fate::Stale(Duration::from_secs_f64(rng.f64() * self.weather.stalest.as_secs_f64()));
            // No more than two in five go wrong, so that something goes on in every weather.
            let sum = rates.refused + rates.throttled + rates.reset + rates.silent + if write { rates.lost } else { 0.0 };
            let scale = if sum > 0.4 { 0.4 / sum } else { 1.0 };
            let kinds = [
                (refused, rates.refused * scale),
                (Fate::Throttled, rates.throttled * scale),
                (Fate::Reset, rates.reset * scale),
                (Fate::Silent, rates.silent * scale),
                (lost, if write { rates.lost * scale } else { 0.0 }),
                (stale, if write { 0.0 } else { rates.stale * 0.5 }),
            ];
            for (fate, rate) in kinds {
                below += rate;
                if roll < below {
                    what = fate;
                    break;
                }
            }
        }
        Judged { what, wait, back, lands }
    }

    pub fn of_aws(&self, life: &Life, host: &str, operation: &str, write: bool) -> Judged {
        let mut rng = self.rng(life, operation);
        let mut judged = self.judged(&mut rng, &self.weather.aws, write);
        if life.crawls(write) {
            // One try may take eight seconds.
            judged.wait = Duration::from_millis(rng.u64(2000..7000));
        }
        match self.dead.lock().unwrap().get(host) {
            Some((what, all)) if *all || operation != "GetCallerIdentity" => Judged { what: *what, ..judged },
            _ => judged,
        }
    }

    /// From now on nothing that is asked at this host is done; maybe but for whose credentials these are.
    pub fn kill_host(&self, host: &str, what: Fate, all: bool) {
        self.dead.lock().unwrap().insert(host.to_owned(), (what, all));
    }

    /// An endpoint is about to be made at `now`: whether the answer is lost, and those to the tries that follow. One lost answer
    /// alone is made up for by the SDK's next try; what a controller does after that is seen only if AWS goes on like this.
    pub fn loses_endpoint(&self, operation: &str, now: Duration) -> bool {
        if operation != "CreateVpcEndpoint" || !self.on.load(Ordering::Relaxed) {
            return false;
        }
        let mut deaf = self.deaf.lock().unwrap();
        if deaf.is_none() {
            let mut rng = chance::of(self.seed, "deaf");
            let drawn = if self.weather.aws.lost > 0.0 { Duration::from_millis(rng.u64(4000..25_000)) } else { Duration::ZERO };
            let length = self.weather.deaf.unwrap_or(drawn);
            *deaf = Some(Deaf { since: now, until: now + length });
        }
        deaf.is_some_and(|d| now < d.until)
    }

    /// When what a read shows was so, if it is asked while answers are lost.
    pub fn shows(&self, operation: &str, now: Duration) -> Option<Duration> {
        let deaf = (*self.deaf.lock().unwrap())?;
        let shows = operation == "DescribeVpcEndpoints" && now < deaf.until && self.on.load(Ordering::Relaxed);
        shows.then(|| deaf.since.saturating_sub(Duration::from_millis(1)))
    }

    pub fn of_kubernetes(&self, life: &Life, words: &str) -> Judged {
        let mut rng = self.rng(life, words);
        let write = !words.starts_with("GET") && !words.starts_with("WATCH");
        let judged = self.judged(&mut rng, &self.weather.kubernetes, write);
        let what = match judged.what {
            _ if self.down.load(Ordering::Relaxed) || life.is_parted() => Fate::Reset,
            _ if life.is_without_leases() && words.contains("/leases") => Fate::Reset,
            Fate::Refused(_) | Fate::Throttled if write => Fate::Refused(pick(&mut rng, &[500, 503, 409, 429])),
            Fate::Throttled => Fate::Refused(429),
            Fate::LostSilent | Fate::LostError => Fate::Lost,
            Fate::Stale(_) => Fate::Fine,
            other => other,
        };
        if life.has_slow_leases() && words.contains("/leases") {
            // The elector waits for four seconds.
            let back = Duration::from_millis(rng.u64(500..5000));
            return Judged { what, back, ..judged };
        }
        Judged { what, ..judged }
    }

    pub fn watch(&self, life: &Life, words: &str) -> Watched {
        let rng = &mut self.rng(life, words);
        let on = self.on.load(Ordering::Relaxed);
        let until = (on && happens(rng, self.weather.watch_cut)).then(|| Duration::from_millis(rng.u64(500..20_000)));
        let late = if on && happens(rng, self.weather.watch_late) { Duration::from_millis(rng.u64(10..8000)) } else { Duration::ZERO };
        Watched { until, late }
    }
}
