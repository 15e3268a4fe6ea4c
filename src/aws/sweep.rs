//! The store's one loop: it takes what is due from the schedule, asks AWS, and puts the answers into the picture.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    apply::{self, Effect},
    entry::Outcome,
    errors::AwsErrorKind,
    expect::{Expectations, LOOK},
    held::Held,
    lock,
    reads::{Answer, Reader},
    schedule::Batch,
    store::{Kept, Store},
};
use crate::{
    api::names::TAG_TAKEN_OVER,
    model::{EndpointState, Need, Picture, ReadFailure, tags::is_managed},
};

/// What is wanted within this time is asked together.
const WINDOW: Duration = Duration::from_millis(10);
/// Longest sleep of the loop; in between it looks whether pictures became stale.
const LONGEST: Duration = Duration::from_secs(30);

/// Runs until the store is dropped.
pub(super) async fn run(store: Weak<Store>, kick: Arc<Notify>) {
    loop {
        let Some(now) = store.upgrade() else { return };
        let next = now.turn();
        drop(now);
        tokio::select! {
            // In this order: a seed of the fault tests takes the same way again.
            biased;
            () = kick.notified() => sleep(WINDOW).await,
            () = sleep_until(next) => {}
        }
    }
}

/// Ends a batch however its task ends.
struct End {
    store: Arc<Store>,
    batch: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.store.schedule).ended(self.batch);
        self.store.kick.notify_one();
    }
}

impl Store {
    /// Starts to ask what is due, and tells when to look next.
    fn turn(self: &Arc<Self>) -> Instant {
        let now = Instant::now();
        let (batch, lone, stale, forgotten, reviews) = {
            let kept = self.read();
            let mut schedule = lock(&self.schedule);
            let batch = schedule.take(now, |need| apply::with_vpc(&kept.picture, need));
            let lone = schedule.absent(&batch.needs);
            let reviews = schedule.reviews(now);
            let (stale, forgotten) = if reviews { (schedule.turned_stale(now), schedule.forget(now)) } else { Default::default() };
            (batch, lone, stale, forgotten, reviews)
        };
        if !forgotten.is_empty() {
            apply::forget(&mut self.write().picture, &forgotten);
        }
        if reviews {
            self.repack();
        }
        self.wake(stale);
        if !batch.needs.is_empty() {
            tokio::spawn(self.clone().ask(batch, lone));
        }
        let next = lock(&self.schedule).next(now).unwrap_or(now + LONGEST);
        next.clamp(now + WINDOW, now + LONGEST)
    }

    /// Makes what has grown or shrunk as small as it can be: once it stays as it is, nothing is done.
    fn repack(&self) {
        let mut kept = self.write();
        let mut schedule = lock(&self.schedule);
        let size = kept.picture.size() + schedule.size();
        if mem::replace(&mut kept.repacked_at, size) != size {
            kept.picture.repack();
            schedule.repack();
        }
    }

    async fn ask(self: Arc<Self>, batch: Batch, lone: BTreeSet<Need>) {
        let Batch { number, needs, urgent, riders, rush, made_up, spread } = batch;
        let (hosts, needs): (BTreeSet<Need>, BTreeSet<Need>) = needs.into_iter().partition(Need::is_dns);
        for host in hosts {
            tokio::spawn(self.clone().look_up(host, number));
        }
        let _end = End { store: self.clone(), batch: number };
        let store = self.clone();
        let sink = move |mut answer: Answer| {
            let along: Vec<Need> = answer.needs.iter().filter_map(|n| riders.get(n)).flatten().cloned().collect();
            answer.needs.extend(along);
            store.take_in(answer, number);
        };
        let reader = Reader {
            clients: self.clients.clone(),
            gate: self.gate.clone(),
            urgent,
            rush,
            spread,
            begun: Instant::now(),
            queued: self.queued.clone(),
            memory: self.memory.clone(),
            sink: Box::new(sink),
        };
        reader.read(needs, &lone, made_up).await;
    }

    /// Puts one call's answer into the picture and wakes those whom it concerns.
    fn take_in(&self, answer: Answer, batch: u64) {
        let Answer { needs, started, result } = answer;
        let now = Instant::now();
        let failed = result.as_ref().err().map(|e| e.kind);
        let mut kept = self.write();
        let Kept { picture, expected, .. } = &mut *kept;
        let effect = match result {
            Ok(objects) => apply::answer(picture, expected, &needs, objects, started, now),
            Err(e) => {
                tracing::warn!(error = %e, "AWS could not be read");
                let denied = matches!(e.kind, AwsErrorKind::AccessDenied | AwsErrorKind::Credentials);
                apply::failure(picture, &needs, ReadFailure { denied, message: e.to_string() })
            }
        };
        self.settle(&kept.picture, &kept.expected, &effect, batch, started, failed, now);
        drop(kept);
        self.answered(&effect.changed);
    }

    /// Tells the schedule what was answered.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn settle(
        &self,
        picture: &Picture,
        expected: &Expectations,
        effect: &Effect,
        batch: u64,
        started: Instant,
        failed: Option<AwsErrorKind>,
        now: Instant,
    ) {
        let (unsettled, doubted) = (unsettled(picture, expected), expected.doubted());
        let mut schedule = lock(&self.schedule);
        for need in &effect.answered {
            let outcome = match failed {
                Some(kind) => Outcome::Failed(kind),
                None if apply::is_absent(picture, need) => Outcome::Absent,
                None => Outcome::Found,
            };
            schedule.finish(need, batch, started, outcome, now);
            let settling = unsettled.contains(need) && schedule.is_watched(need);
            schedule.settle(need, settling, now);
            if settling && doubted.contains(need) {
                schedule.look_again(need, LOOK, now);
            }
        }
    }

    /// After an answer or a write of ours: whoever waits or subscribes hears of it.
    pub(super) fn answered(&self, changed: &BTreeSet<Need>) {
        let interested = lock(&self.schedule).interested(changed);
        self.wake(interested);
        self.answers.send_modify(|n| *n += 1);
        self.kick.notify_one();
    }
}

/// Needs whose answer will change by itself: our own writes do not show yet, or an endpoint, a gateway or a test is on its way.
pub(super) fn unsettled(picture: &Picture, expected: &Expectations) -> BTreeSet<Need> {
    let mut needs: BTreeSet<Need> = expected.open().into_iter().flatten().collect();
    for e in picture.endpoints.values() {
        let moving = matches!(e.state, EndpointState::Pending | EndpointState::Deleting);
        if moving && (is_managed(&e.tags) || e.tags.contains_key(TAG_TAKEN_OVER)) {
            needs.extend([Need::EndpointsOf(e.vpc.clone()), Need::Endpoint(e.id.clone())]);
        }
    }
    let tested = picture.connections.iter().filter(|(_, list)| list.iter().any(|c| c.status == "testing"));
    needs.extend(tested.map(|(arn, _)| Need::ConnectionsOf(arn.clone())));
    let coming = picture.nat_gateways.values().filter(|n| n.state == "pending");
    needs.extend(coming.map(|n| Need::NatGatewaysOf(n.vpc.clone())));
    let joining = picture.peerings.values().filter(|p| matches!(p.status.as_str(), "initiating-request" | "provisioning"));
    needs.extend(joining.flat_map(|p| p.needs()));
    needs
}
