//! Whether this replica may write: asked before every write to AWS and to Kubernetes, whatever thread or pass it comes from.
//!
//! AWS cannot fence. So a write begins only if it must end, by its own timeout, before the Lease can pass to another replica
//! (design.md 2, Many replicas). That is decided by the clock at that moment: a process that was stopped and goes on refuses
//! by itself, before it has asked anybody.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use axum::http::{Method, Request};
use futures::future::BoxFuture;
use kube::client::Body;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tower::{BoxError, Layer, Service};

use super::{
    elector::{DURATION, RENEWED_WITHIN},
    metrics::Metrics,
};
use crate::aws::{RequestObserver, Scope, WRITE_ENDS_WITHIN, permissions};

/// How much sooner than the Lease can pass everything has ended.
const MARGIN: Duration = Duration::from_millis(500);
/// A write to Kubernetes is not begun for less than this.
const KUBERNETES_LEAST: Duration = Duration::from_secs(4);
/// Writes to Kubernetes at a time. More than the API server takes are not answered in their time, and would be made again: with
/// thousands of networks at a start not even the Lease could be renewed.
const KUBERNETES_WRITES: usize = 16;
/// A write to Kubernetes takes no longer than this.
const KUBERNETES_MOST: Duration = Duration::from_secs(10);

// Writes to AWS must be possible for some seconds after a renewal, else one late answer of the API server stops them.
const _: () = assert!(WRITE_ENDS_WITHIN.as_secs() + 2 * super::elector::RETRY.as_secs() + 2 < DURATION.as_secs());

/// This replica is not, or no longer, the one that writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica does not hold the Lease {0} (or could not renew it in time): nothing is written")]
pub struct NotLeading(pub String);

/// A time in which this replica held the Lease without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Counts from 1.
    pub number: u64,
    /// When it began.
    pub began: Instant,
}

/// See the module.
pub struct Leadership {
    /// The Lease, `namespace/name`.
    lease: String,
    renewed: Mutex<Option<(Instant, SystemTime)>>,
    held: watch::Sender<Option<Term>>,
    /// The term in which passes may write: its caches have been brought up to date.
    open: Mutex<Option<Term>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leadership {
    /// Of nobody yet.
    pub fn new(lease: String) -> Self {
        Self { lease, renewed: Mutex::default(), held: watch::Sender::new(None), open: Mutex::default() }
    }

    /// Notes when the last renewal was sent; none where the Lease is not ours.
    pub fn renewed(&self, at: Option<Instant>) {
        let mut renewed = lock(&self.renewed);
        if renewed.map(|(at, _)| at) != at {
            *renewed = at.map(|at| (at, SystemTime::now().checked_sub(at.elapsed()).unwrap_or_else(SystemTime::now)));
        }
        drop(renewed);
        let leads = self.left().is_some();
        self.held.send_if_modified(|term| match (*term, leads) {
            (None, true) => {
                let number = 1 + lock(&self.open).map_or(0, |t| t.number);
                *term = Some(Term { number, began: Instant::now() });
                true
            }
            (Some(_), false) => {
                *term = None;
                true
            }
            _ => false,
        });
    }

    /// The term that is held, as it begins and ends.
    pub fn terms(&self) -> watch::Receiver<Option<Term>> {
        self.held.subscribe()
    }

    /// From now on passes of this term write.
    pub fn open(&self, term: Term) {
        *lock(&self.open) = Some(term);
    }

    /// The term in which passes may write; none: this replica stands by.
    pub fn term(&self) -> Option<Term> {
        let held = *self.held.borrow();
        held.filter(|held| *lock(&self.open) == Some(*held) && self.left().is_some())
    }

    /// How long until the Lease can pass to another replica; none where it is not ours, or was not renewed in time.
    fn left(&self) -> Option<Duration> {
        let (at, clock) = (*lock(&self.renewed))?;
        // The wall clock as well: the monotonic one stands still while a machine sleeps. Set forward, it stops writes until the
        // next renewal; set back, it changes nothing.
        let age = at.elapsed().max(SystemTime::now().duration_since(clock).unwrap_or_default());
        (age < RENEWED_WITHIN).then(|| (DURATION - MARGIN).saturating_sub(age))
    }

    /// Whether a write may begin that can take as long as `longest`; how long it may take at most.
    ///
    /// # Errors
    /// Where this replica does not lead, or not for long enough.
    pub fn may_write(&self, longest: Duration) -> Result<Duration, NotLeading> {
        self.left().filter(|left| *left >= longest).ok_or_else(|| NotLeading(self.lease.clone()))
    }

    /// The Lease, `namespace/name`.
    pub fn lease(&self) -> &str {
        &self.lease
    }
}

/// Counts requests to AWS, and stops writes of a replica that does not lead.
pub struct Watched {
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// Who may write.
    pub leadership: Arc<Leadership>,
}

impl RequestObserver for Watched {
    fn observed(&self, scope: &Scope, service: &str, operation: &str, code: &str, seconds: f64) {
        self.metrics.observed(scope, service, operation, code, seconds);
    }

    fn refuses(&self, service: &str, operation: &str) -> Option<String> {
        if permissions::only_reads(service, operation) {
            return None;
        }
        self.leadership.may_write(WRITE_ENDS_WITHIN).err().map(|e| e.to_string())
    }
}

/// Lets a Kubernetes client write only while this replica leads, and so many writes at a time. Reads pass.
#[derive(Clone)]
pub struct Fence {
    leadership: Arc<Leadership>,
    turns: Arc<Semaphore>,
}

impl Fence {
    /// For one client.
    pub fn new(leadership: Arc<Leadership>) -> Self {
        Self { leadership, turns: Arc::new(Semaphore::new(KUBERNETES_WRITES)) }
    }
}

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Fenced<S> {
        Fenced { fence: self.clone(), inner }
    }
}

/// See [`Fence`].
pub struct Fenced<S> {
    fence: Fence,
    inner: S,
}

impl<S> Service<Request<Body>> for Fenced<S>
where
    S: Service<Request<Body>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let writes = request.method() != Method::GET;
        // Nothing is sent before it is awaited.
        let answer = self.inner.call(request);
        if !writes {
            return Box::pin(async { answer.await.map_err(Into::into) });
        }
        let Fence { leadership, turns } = self.fence.clone();
        Box::pin(async move {
            let _turn = turns.acquire_owned().await;
            // Only now: it may have waited for long.
            let left = leadership.may_write(KUBERNETES_LEAST)?;
            tokio::time::timeout(left.min(KUBERNETES_MOST), answer).await.map_err(BoxError::from)?.map_err(Into::into)
        })
    }
}

/// Whether a write was not made since this replica does not lead.
pub fn is_not_leading(error: &kube::Error) -> bool {
    let kube::Error::Service(source) = error else { return false };
    source.is::<NotLeading>()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn renewed(ago: Duration) -> Leadership {
        let leadership = Leadership::new("ns/dmsnet-default".into());
        leadership.renewed(Some(Instant::now().checked_sub(ago).unwrap()));
        leadership
    }

    #[test]
    fn a_write_begins_only_if_it_ends_before_the_lease_can_pass() {
        let fresh = renewed(Duration::from_secs(1));
        assert!(fresh.may_write(WRITE_ENDS_WITHIN).unwrap() > Duration::from_secs(13));
        let late = renewed(Duration::from_secs(7));
        assert_eq!(late.may_write(WRITE_ENDS_WITHIN), Err(NotLeading("ns/dmsnet-default".into())));
        assert!(late.may_write(Duration::from_secs(4)).unwrap() < Duration::from_secs(8), "a short one may");
        let too_late = renewed(RENEWED_WITHIN);
        assert!(too_late.may_write(Duration::ZERO).is_err(), "renewed within 10 s, whatever the call takes");
        let never = Leadership::new("x".into());
        assert!(never.may_write(Duration::ZERO).is_err());
    }

    #[test]
    fn a_clock_that_jumps_stops_writes_until_the_next_renewal() {
        let leadership = renewed(Duration::ZERO);
        *lock(&leadership.renewed) = Some((Instant::now(), SystemTime::now() - Duration::from_secs(60)));
        assert!(leadership.may_write(Duration::ZERO).is_err(), "the machine has slept, or its clock was set");
        leadership.renewed(Some(Instant::now()));
        assert!(leadership.may_write(Duration::ZERO).is_ok());
        *lock(&leadership.renewed) = Some((Instant::now(), SystemTime::now() + Duration::from_secs(600)));
        assert!(leadership.may_write(Duration::ZERO).is_ok(), "set back: the monotonic clock tells");
    }

    #[test]
    fn terms_open_when_told_and_end_with_the_lease() {
        let leadership = renewed(Duration::ZERO);
        let held = leadership.terms().borrow().unwrap();
        assert_eq!(leadership.term(), None, "its caches are not up to date yet");
        leadership.open(held);
        assert_eq!(leadership.term(), Some(held));
        leadership.renewed(None);
        assert_eq!((leadership.term(), *leadership.terms().borrow()), (None, None));
        leadership.renewed(Some(Instant::now()));
        assert_eq!(leadership.term(), None, "a new term is opened anew");
        assert_eq!(leadership.terms().borrow().unwrap().number, held.number + 1);
    }

    /// Asks so often by that method; how many were under way at a time, and how many were answered.
    async fn at_a_time(method: Method, requests: usize) -> (usize, usize) {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, seen) = (now.clone(), most.clone());
        let server = tower::service_fn(move |_: Request<Body>| {
            let (now, most) = (counted.clone(), seen.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(100)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<(), BoxError>(())
            }
        });
        let mut fenced = Fence::new(Arc::new(renewed(Duration::ZERO))).layer(server);
        let request = || Request::builder().method(method.clone()).body(Body::empty()).unwrap();
        let answers = futures::future::join_all((0..requests).map(|_| fenced.call(request())).collect::<Vec<_>>()).await;
        (most.load(Ordering::SeqCst), answers.iter().filter(|a| a.is_ok()).count())
    }

    #[tokio::test(start_paused = true)]
    async fn writes_to_kubernetes_wait_for_each_other_and_reads_do_not() {
        let requests = 10 * KUBERNETES_WRITES;
        assert_eq!(at_a_time(Method::PATCH, requests).await, (KUBERNETES_WRITES, requests));
        assert_eq!(at_a_time(Method::GET, requests).await, (requests, requests), "a watch would hold its turn for ever");
    }
}
