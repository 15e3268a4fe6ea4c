//! Reads one queue: messages in, needs asked again, messages deleted once that took effect.

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    hands::{Hands, KEPT},
    wake_classes,
};
use crate::controller::context::Context;
use crate::{
    aws::{AwsError, AwsErrorKind, HIDDEN, Queue, Store},
    model::{
        ChangeEvent, Need,
        event::{self, Said},
    },
};

/// A call changes several things, and people several more: what comes within this is looked at together.
const GATHER: Duration = Duration::from_millis(20);
/// Most messages in one look.
const TOGETHER: usize = 2000;
/// Most looks that wait for AWS at a time; so many messages are in hand at most.
const LOOKS: usize = 64;
/// Messages that wait for the next look; then no more are taken from the queue.
const WAITING: usize = 1000;
/// How long a look may take that others wait behind.
const ANSWER: Duration = Duration::from_secs(30);
/// How often it is looked which messages in hand must be hidden anew.
const KEEP: Duration = Duration::from_secs(10);
/// At the end: how long it may take to show the messages in hand to whoever reads the queue next.
const SHOW: Duration = Duration::from_secs(3);
/// Pause after a queue could not be read; doubled up to the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A failure that may pass by itself is told when it has lasted for so many tries.
const LASTING: u32 = 3;

/// See the module.
pub(super) struct Reader {
    ctx: Arc<Context>,
    /// For metrics.
    class: String,
    url: String,
    queue: Queue,
    hands: Hands,
}

/// A message that waits for a look.
struct InHand {
    receipt: String,
    event: Box<ChangeEvent>,
}

impl Reader {
    pub(super) fn new(ctx: Arc<Context>, class: String, url: String, queue: Queue) -> Self {
        Self { ctx, class, url, queue, hands: Hands::default() }
    }

    /// Runs until `end`. What is in hand then is shown at once to whoever reads the queue next; after a crash it comes again by itself.
    pub(super) async fn run(self, end: CancellationToken) {
        let (hand, mut waiting) = mpsc::channel(WAITING);
        let mut receive = pin!(self.receive(hand, &end));
        let work = async { tokio::join!(self.look(&mut waiting), self.keep()) };
        let asks = tokio::select! {
            () = &mut receive => false,
            _ = end.run_until_cancelled(work) => true,
        };
        // A question that is open gets first what is shown, and would take it along.
        if self.show().await && asks {
            let _ = timeout(SHOW, receive).await;
            self.show().await;
        }
    }

    /// Shows all that is in hand to whoever asks next. Whether there was anything.
    async fn show(&self) -> bool {
        let rest = self.hands.empty();
        if rest.is_empty() {
            return false;
        }
        if let Ok(Err(error)) = timeout(SHOW, self.queue.hide(&rest, Duration::ZERO)).await {
            tracing::info!(class = self.class, %error, "messages of the change queue in hand come again in a minute");
        }
        true
    }

    /// Goes on hiding what waits for AWS.
    async fn keep(&self) {
        let mut told = false;
        loop {
            sleep(KEEP).await;
            let receipts = self.hands.nearly_shown(Instant::now());
            if receipts.is_empty() {
                continue;
            }
            let now = Instant::now();
            match self.queue.hide(&receipts, HIDDEN).await {
                Ok(()) => self.hands.hidden(&receipts, now),
                Err(error) if told => tracing::debug!(class = self.class, %error, "messages of the change queue come again"),
                Err(error) => {
                    told = true;
                    tracing::warn!(class = self.class, %error, "messages of the change queue come again while their looks wait for AWS");
                }
            }
        }
    }

    /// Ends with the question that is open at `end`.
    async fn receive(&self, hand: mpsc::Sender<InHand>, end: &CancellationToken) {
        let mut failures: u32 = 0;
        while !end.is_cancelled() {
            match self.queue.receive(failures > 0).await {
                Ok(messages) if end.is_cancelled() => messages.iter().for_each(|m| self.hands.take(&m.receipt, Instant::now())),
                Ok(messages) => {
                    failures = 0;
                    if self.ctx.queues.tell(&self.url, None) {
                        tracing::info!(url = self.url, "change queue can be read again");
                        wake_classes(&self.ctx, &self.url);
                    }
                    let mut over = Vec::new();
                    for message in messages {
                        match event::read(message.body.as_bytes()) {
                            Ok(Said::Changed(event)) => {
                                self.hands.take(&message.receipt, Instant::now());
                                if hand.send(InHand { receipt: message.receipt, event }).await.is_err() {
                                    return;
                                }
                            }
                            Ok(Said::Nothing) => {
                                self.count("ignored", 1);
                                over.push(message.receipt);
                            }
                            Err(error) => {
                                tracing::warn!(
                                    class = self.class,
                                    bytes = message.body.len(),
                                    "message of the change queue dropped: {error}"
                                );
                                self.count("invalid", 1);
                                over.push(message.receipt);
                            }
                        }
                    }
                    self.delete(&over).await;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.tell(&error, failures);
                    sleep(PAUSE.saturating_mul(1 << (failures - 1).min(8)).min(LONGEST_PAUSE)).await;
                }
            }
        }
    }

    fn tell(&self, error: &AwsError, failures: u32) {
        let passing = matches!(error.kind, AwsErrorKind::Throttled | AwsErrorKind::Transient | AwsErrorKind::Unreachable);
        tracing::warn!(class = self.class, %error, "change queue cannot be read");
        if passing && failures < LASTING {
            return;
        }
        let hint = match error.kind {
            AwsErrorKind::NotFound => "create it, or correct changeQueue.url",
            AwsErrorKind::AccessDenied => {
                "allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on it to dmsnet's role"
            }
            _ => "see whether changeQueue.url is right",
        };
        let trouble = format!("the change queue cannot be read: {error}; {hint}; until then only sweeps notice changes");
        if self.ctx.queues.tell(&self.url, Some(trouble)) {
            wake_classes(&self.ctx, &self.url);
        }
    }

    async fn look(&self, waiting: &mut mpsc::Receiver<InHand>) {
        let mut batch = Vec::new();
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                // In this order: a seed of the fault tests takes the same way again.
                biased;
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                count = waiting.recv_many(&mut batch, TOGETHER), if under_way.len() < LOOKS => {
                    if count == 0 {
                        return;
                    }
                    sleep(GATHER).await;
                    while batch.len() < TOGETHER {
                        let Ok(message) = waiting.try_recv() else { break };
                        batch.push(message);
                    }
                    // The store merges looks that come too fast: what comes while one waits must not wait for the one after it.
                    let patience = if under_way.len() < LOOKS / 2 { KEPT } else { ANSWER };
                    under_way.push(self.handle(std::mem::take(&mut batch), patience));
                }
            }
        }
    }

    /// Has everything that these name read again, once each, and waits for that no longer than `patience`.
    async fn handle(&self, batch: Vec<InHand>, patience: Duration) {
        let stores = self.ctx.stores.all().await;
        let own = |event: &ChangeEvent| event.request_id.as_ref().is_some_and(|id| stores.iter().any(|s| s.clients().made(id)));
        let (ours, others): (Vec<InHand>, Vec<InHand>) = batch.into_iter().partition(|m| own(&m.event));
        let mut over: Vec<String> = ours.into_iter().map(|m| m.receipt).collect();
        self.count("own", over.len());
        // What each message makes us ask, by store.
        let mut asked: Vec<(InHand, Vec<BTreeSet<Need>>)> = Vec::new();
        let mut all: Vec<BTreeSet<Need>> = vec![BTreeSet::new(); stores.len()];
        let named: BTreeSet<Arc<str>> = others.iter().flat_map(|m| m.event.names.of("sgr-").cloned()).collect();
        for message in others {
            let mut needs = Vec::with_capacity(stores.len());
            let mut here = false;
            for (store, all) in stores.iter().zip(&mut all) {
                let concerns = concerns(store, &message.event);
                here |= concerns;
                let of_store = if concerns { store.watched(&store.with(|p| message.event.needs(p))) } else { BTreeSet::new() };
                all.extend(of_store.iter().cloned());
                needs.push(of_store);
            }
            if here {
                // Before the look that finds the drift.
                let waiting = self.ctx.causes.note(&message.event, Instant::now());
                self.ctx.wake_all(waiting.iter().filter_map(|uid| self.ctx.registry.object_ref(uid)));
            }
            asked.push((message, needs));
        }
        let named = &named;
        let looks = stores.iter().zip(&all).map(|(store, needs)| async move {
            if needs.is_empty() {
                BTreeSet::new()
            } else {
                timeout(patience, refreshed(store, needs, named)).await.unwrap_or_else(|_| needs.clone())
            }
        });
        let failed: Vec<BTreeSet<Need>> = join_all(looks).await;
        let (mut handled, mut unknown) = (0, 0);
        let mut left = Vec::new();
        for (message, needs) in asked {
            if needs.iter().zip(&failed).any(|(needs, failed)| !needs.is_disjoint(failed)) {
                // It comes again, and after so many times goes to the dead-letter queue. The sweep looks as well.
                left.push(message.receipt);
                continue;
            }
            if needs.iter().all(BTreeSet::is_empty) {
                unknown += 1;
            } else {
                handled += 1;
                let event = &message.event;
                tracing::debug!(operation = event.operation, id = event.id, "looked at again what a change named");
            }
            over.push(message.receipt);
        }
        if !left.is_empty() {
            let count = left.len();
            tracing::warn!(class = self.class, "{count} messages of the change queue are left for another try: AWS did not answer");
        }
        self.count("handled", handled);
        self.count("unknown", unknown);
        self.count("failed", left.len());
        self.hands.put_down(&left);
        self.delete(&over).await;
    }

    fn count(&self, outcome: &'static str, count: usize) {
        if count > 0 {
            self.ctx.metrics.messages(&self.class, outcome, count as u64);
        }
    }

    async fn delete(&self, receipts: &[String]) {
        if receipts.is_empty() {
            return;
        }
        if let Err(error) = self.queue.delete(receipts).await {
            tracing::warn!(class = self.class, %error, "messages of the change queue come again");
        }
        self.hands.put_down(receipts);
    }
}

/// Has these read again; what AWS did not answer. That it is asked too often is no answer: then it is asked again.
async fn refreshed(store: &Store, needs: &BTreeSet<Need>, named: &BTreeSet<Arc<str>>) -> BTreeSet<Need> {
    let (mut asked, mut failed) = (needs.clone(), BTreeSet::new());
    loop {
        let refused = store.refresh(&asked, named).await;
        let (throttled, others): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(_, kind)| *kind == AwsErrorKind::Throttled);
        failed.extend(others.into_iter().map(|(need, _)| need));
        if throttled.is_empty() {
            return failed;
        }
        asked = throttled.into_iter().map(|(need, _)| need).collect();
        sleep(PAUSE).await;
    }
}

/// Whether it happened where this store looks. What the event does not tell, or AWS has not told yet, is no hindrance.
fn concerns(store: &Store, event: &ChangeEvent) -> bool {
    let region = event.region.as_ref().is_none_or(|r| *r == store.clients().scope.region);
    let account = event.account.as_deref().zip(store.known_account()).is_none_or(|(told, known)| told == known);
    region && account
}
