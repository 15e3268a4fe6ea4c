//! The stub over HTTP, fast and for load only. What AWS would refuse the emulator in `tools/aws-emulator` refuses; a test compares
//! the two.
#![allow(dead_code)] // what one user needs, another does not

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::stub::{Call, World};

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
}

struct Shared {
    world: Mutex<World>,
    calls: Mutex<Vec<Answered>>,
    latency: Duration,
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
        let shared = Arc::new(Shared { world: Mutex::new(world), calls: Mutex::default(), latency });
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
    let reply = call.answer(&mut lock(&shared.world));
    let operation = format!("{}:{}", call.service, call.operation);
    lock(&shared.calls).push(Answered { at, operation, write: call.is_write() });
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response()
}
