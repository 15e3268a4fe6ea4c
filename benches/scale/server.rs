//! The stub over HTTP, fast and for load only. What AWS would refuse the emulator in `tools/aws-emulator` refuses; a test compares
//! the two.
#![allow(dead_code)] // what one user needs, another does not

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::stub::{ACCOUNT, Buckets, Call, Queue, World, buckets, event};

/// Most bytes of a request.
const LONGEST: usize = 1 << 20;

/// One call that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// When it came.
    pub at: Instant,
    /// Such as `ec2:DescribeSubnets`.
    pub operation: String,
    /// Whether it changes anything.
    pub write: bool,
    /// AWS's code, where it was refused.
    pub code: Option<&'static str>,
}

struct Shared {
    world: Mutex<World>,
    calls: Mutex<Vec<Answered>>,
    latency: Duration,
    begun: Instant,
    buckets: Option<Mutex<Buckets>>,
    /// The change queue, and whether events are put into it.
    queue: Queue,
    told: AtomicBool,
    /// Calls of others.
    others: AtomicU64,
    /// Something was written.
    written: Notify,
}

/// A running stub. It ends when it is dropped.
pub struct Stub {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    /// For a class's `endpointUrl`.
    pub url: String,
}

impl Stub {
    /// Serves a world; every answer takes at least `latency`.
    pub async fn start(world: World, latency: Duration) -> Self {
        Self::serve(world, latency, None).await
    }

    /// The same, and refuses what is more than AWS grants.
    pub async fn limited(world: World, latency: Duration) -> Self {
        Self::serve(world, latency, Some(Mutex::new(Buckets::new(buckets::of_aws)))).await
    }

    async fn serve(world: World, latency: Duration, buckets: Option<Mutex<Buckets>>) -> Self {
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            calls: Mutex::default(),
            latency,
            begun: Instant::now(),
            buckets,
            queue: Queue::default(),
            told: AtomicBool::new(false),
            others: AtomicU64::new(0),
            written: Notify::new(),
        });
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("the stub serves") });
        Self { shared, server, url }
    }

    /// What AWS holds, to look or to break.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    /// For a class's `changeQueue`: from now on it is told of each write.
    pub fn queue_url(&self) -> String {
        self.shared.told.store(true, Ordering::Relaxed);
        format!("{}/{ACCOUNT}/changes", self.url)
    }

    /// The change queue.
    pub fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// Somebody else makes this call: its event is in the queue at the same instant.
    pub fn tell(&self, operation: &str, request: Value, response: Value) {
        let number = self.shared.others.fetch_add(1, Ordering::Relaxed);
        self.shared.queue.send(event(operation, &format!("another-{number}"), &self.world().region, request, response));
    }

    /// Waits for the next write.
    pub async fn written(&self) {
        self.shared.written.notified().await;
    }

    /// A point in the log: `calls(mark)` are those after it.
    pub fn mark(&self) -> usize {
        lock(&self.shared.calls).len()
    }

    /// Calls since a point.
    pub fn calls(&self, mark: usize) -> Vec<Answered> {
        lock(&self.shared.calls)[mark..].to_vec()
    }

    /// Calls since a point, by operation.
    pub fn counts(&self, mark: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &lock(&self.shared.calls)[mark..] {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        counts
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let call = Call::parse(head.headers.get("x-amz-target").and_then(|t| t.to_str().ok()), &body);
    let granted = shared.buckets.as_ref().map_or(Ok(()), |buckets| lock(buckets).take(&call, shared.begun.elapsed()));
    let reply = match granted {
        Err(fault) => call.refusal(&fault),
        Ok(()) if call.service == "sqs" => call.of_queue(&shared.queue).await,
        Ok(()) => call.answer(&mut lock(&shared.world)),
    };
    let operation = format!("{}:{}", call.service, call.operation);
    let request_id = {
        let mut calls = lock(&shared.calls);
        calls.push(Answered { at, operation, write: call.is_write(), code: reply.code });
        format!("request-{}", calls.len())
    };
    let wrote = call.is_write() && reply.code.is_none();
    if wrote {
        shared.written.notify_one();
    }
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    if wrote && shared.told.load(Ordering::Relaxed) {
        // CloudTrail tells of our own calls as well, not before they were answered.
        let region = lock(&shared.world).region.clone();
        shared.queue.send(event(
            &call.operation,
            &request_id,
            &region,
            json!({ "groupId": call.get("GroupId") }),
            json!({ "_return": true }),
        ));
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CONTENT_TYPE, reply.content_type.to_owned()), (HeaderName::from_static("x-amzn-requestid"), request_id)];
    (status, headers, reply.body).into_response()
}
