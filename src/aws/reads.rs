//! Many questions, few calls: questions of one kind go into one call, up to 200 IDs at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    budget::Who,
    calls::Memory,
    clients::Clients,
    errors::{AwsError, AwsErrorKind},
    listing::Listing,
    questions::{Asked, Call, Objects, value},
    queued::{Queued, Waits},
    spread::Spread,
};
use crate::model::Need;

/// While a call of a kind is under way, what else is asked of that kind gathers for the next: but no longer than this.
const GATHERS: Duration = Duration::from_millis(100);
/// Calls under way at a time, per store.
pub(super) const PARALLEL: usize = 8;

/// What one call was asked, and what it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) needs: Vec<Need>,
    /// Before the request went out: the answer knows of everything earlier.
    pub(super) started: Instant,
    pub(super) result: Result<Objects, AwsError>,
}

/// Distinct IDs or names.
fn values(needs: &[Need]) -> Vec<String> {
    let distinct: BTreeSet<Arc<str>> = needs.iter().map(value).collect();
    distinct.iter().map(ToString::to_string).collect()
}

/// Whether a name that AWS does not know failed the call. Without a code nothing is known to be absent.
fn is_unknown_name(e: &AwsError) -> bool {
    (e.code.is_some() && e.kind == AwsErrorKind::NotFound) || e.has_code("InvalidServiceName")
}

/// Asks AWS.
pub(super) struct Reader {
    pub(super) clients: Clients,
    /// Lets so many calls through at a time.
    pub(super) gate: Arc<Semaphore>,
    /// Those that somebody waits for; the others leave room for them.
    pub(super) urgent: BTreeSet<Need>,
    /// Cancelled, by operation, once somebody waits for what nobody waited for.
    pub(super) rush: BTreeMap<&'static str, CancellationToken>,
    /// What need not be asked at once, and from when on it is asked.
    pub(super) spread: Spread,
    pub(super) begun: Instant,
    /// Calls that wait for their turn.
    pub(super) queued: Queued,
    /// What earlier calls taught.
    pub(super) memory: Arc<Memory>,
    /// Told of each call's answer as it comes.
    pub(super) sink: Box<dyn Fn(Answer) + Send + Sync>,
}

impl Reader {
    /// Asks all of these, each in exactly one answer. `lone` are the needs whose names AWS did not know the last time:
    /// they are asked one by one, since they would fail a call for the others. `made_up` stands for these calls until each waits itself.
    pub(super) async fn read(&self, needs: BTreeSet<Need>, lone: &BTreeSet<Need>, made_up: Vec<Waits>) {
        let mut kinds: BTreeMap<Call, Vec<Need>> = BTreeMap::new();
        for need in needs {
            if let Some(call) = Call::of(&need) {
                kinds.entry(call).or_default().push(need);
            }
        }
        // Single objects are asked for after their VPCs, which may bring them along.
        let pairs: Vec<Call> = kinds.keys().copied().filter(|c| c.single().is_some()).collect();
        let mut all: Vec<BoxFuture<'_, ()>> = Vec::new();
        for call in pairs {
            let of_vpcs = kinds.remove(&call).unwrap_or_default();
            let single = call.single().and_then(|s| Some((s, kinds.remove(&s)?)));
            all.push(Box::pin(self.with_single(call, of_vpcs, single)));
        }
        for (call, needs) in kinds {
            if call.is_by_name() {
                let (alone, together): (Vec<Need>, Vec<Need>) = needs.into_iter().partition(|n| lone.contains(n));
                let of = together.len().div_ceil(call.values());
                let chunks = together.chunks(call.values()).map(<[Need]>::to_vec).enumerate();
                let places = chunks.map(|(nth, chunk)| -> BoxFuture<'_, ()> { Box::pin(self.named_in_its_place(call, chunk, nth, of)) });
                all.extend(places);
                all.extend(alone.into_iter().map(|need| -> BoxFuture<'_, ()> { Box::pin(self.named(call, vec![need])) }));
            } else if call == Call::VpcDns {
                // A VPC at a time as it is: what is refused for one says nothing of the others.
                all.push(Box::pin(stream::iter(needs).for_each_concurrent(PARALLEL, move |need| self.simple(call, vec![need]))));
            } else if call.lists_all() {
                all.push(Box::pin(self.simple(call, needs)));
            } else {
                all.push(Box::pin(self.chunked(call, needs)));
            }
        }
        futures::join!(join_all(all), async { drop(made_up) });
    }

    /// One call, when there is room for it.
    async fn one(&self, call: Call, needs: &[Need]) -> (Instant, Result<Objects, AwsError>) {
        self.ask(call, needs, None).await
    }

    async fn ask(&self, call: Call, needs: &[Need], all: Option<&Listing>) -> (Instant, Result<Objects, AwsError>) {
        let urgent = needs.iter().any(|n| self.urgent.contains(n));
        let (service, operation) = call.operation();
        let who = if urgent { Who::Pass } else { Who::Sweep };
        let rush = self.rush.get(operation).cloned().unwrap_or_default();
        let waits = self.queued.enter((operation, urgent));
        self.clients.budgets().turn(service, operation, who, call.requests(), &rush).await;
        let made = async {
            let _permit = self.gate.acquire().await;
            let started = Instant::now();
            let result = match all {
                Some(listing) => call.make(&self.clients, &self.memory, Asked::All(listing)).await,
                None => call.make(&self.clients, &self.memory, Asked::These(&values(needs))).await,
            };
            (started, result)
        };
        tokio::pin!(made);
        match timeout(GATHERS, &mut made).await {
            Ok(answer) => answer,
            Err(_) => {
                drop(waits);
                made.await
            }
        }
    }

    /// A list of all that there is, where that may take fewer pages than these IDs, and does.
    async fn all(&self, call: Call, needs: &[Need]) -> Option<(Instant, Result<Objects, AwsError>)> {
        let (by_id, (_, operation)) = (needs.len().div_ceil(call.values()), call.operation());
        if !call.may_list() || !self.memory.costs.may_be_less(operation, by_id) {
            return None;
        }
        let listing = Listing::new(by_id);
        let answer = self.ask(call, needs, Some(&listing)).await;
        if answer.1.is_ok() {
            self.memory.costs.tried(operation, &listing);
        }
        (!listing.was_cut()).then_some(answer)
    }

    fn tell(&self, needs: Vec<Need>, started: Instant, result: Result<Objects, AwsError>) {
        (self.sink)(Answer { needs, started, result });
    }

    async fn simple(&self, call: Call, needs: Vec<Need>) {
        let (started, result) = self.one(call, &needs).await;
        self.tell(needs, started, result);
    }

    async fn chunked(&self, call: Call, needs: Vec<Need>) {
        if let Some((started, result)) = self.all(call, &needs).await {
            return self.tell(needs, started, result);
        }
        let of = needs.len().div_ceil(call.values());
        let chunks = needs.chunks(call.values()).enumerate();
        let places = chunks.map(async |(nth, chunk)| {
            self.place(call, chunk, nth, of).await;
            self.simple(call, chunk.to_vec()).await;
        });
        join_all(places).await;
    }

    /// Waits for the place of a sweep's call among those of its kind, as long as nobody waits for its answer.
    async fn place(&self, call: Call, needs: &[Need], nth: usize, of: usize) {
        let (Some(at), Some(rush)) = (self.spread.place(call, needs, nth, of, self.begun), self.rush.get(call.operation().1)) else {
            return;
        };
        tokio::select! {
            biased;
            () = rush.cancelled() => {}
            () = sleep_until(at) => {}
        }
    }

    async fn named_in_its_place(&self, call: Call, needs: Vec<Need>, nth: usize, of: usize) {
        self.place(call, &needs, nth, of).await;
        self.named(call, needs).await;
    }

    async fn named(&self, call: Call, needs: Vec<Need>) {
        let (started, result) = self.one(call, &needs).await;
        match result {
            Err(e) if is_unknown_name(&e) && needs.len() == 1 => self.tell(needs, started, Ok(call.nothing())),
            Err(e) if is_unknown_name(&e) => {
                join_all(needs.into_iter().map(|need| self.alone(call, need))).await;
            }
            result => self.tell(needs, started, result),
        }
    }

    async fn alone(&self, call: Call, need: Need) {
        let (started, result) = self.one(call, std::slice::from_ref(&need)).await;
        let result = result.or_else(|e| if is_unknown_name(&e) { Ok(call.nothing()) } else { Err(e) });
        self.tell(vec![need], started, result);
    }

    /// All objects of VPCs, then single ones; those that came with their VPC need no call of their own.
    async fn with_single(&self, call: Call, of_vpcs: Vec<Need>, single: Option<(Call, Vec<Need>)>) {
        let (single_call, mut single) = single.map_or((call, Vec::new()), |(call, needs)| (call, needs));
        let mut chunks: Vec<&[Need]> = of_vpcs.chunks(call.values()).collect();
        let mut all = self.all(call, &of_vpcs).await;
        if all.is_some() {
            chunks = vec![&of_vpcs];
        }
        let of = chunks.len();
        for (nth, chunk) in chunks.into_iter().enumerate() {
            let (started, result) = match all.take() {
                Some(answer) => answer,
                None => {
                    self.place(call, chunk, nth, of).await;
                    self.one(call, chunk).await
                }
            };
            let mut needs = chunk.to_vec();
            if let Ok(objects) = &result {
                let found = objects.ids();
                needs.extend(single.extract_if(.., |n| found.contains(&*value(n))));
            }
            self.tell(needs, started, result);
        }
        if !single.is_empty() {
            self.chunked(single_call, single).await;
        }
    }
}
