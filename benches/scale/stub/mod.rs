//! EC2, DMS, RDS and STS over the wire, as far as dmsnet speaks with them, fast and for load only: AWS's limits of filters and pages
//! are kept, its checks are not. What AWS would refuse the emulator in `tools/aws-emulator` refuses; a test compares the two.
#![allow(dead_code)] // what one user needs, another does not

mod dms;
mod ec2;
mod form;
mod rds;
mod world;
mod writes;
mod xml;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

pub use form::Form;
pub use world::{Ids, World};

/// The account whose credentials every key is.
pub const ACCOUNT: &str = "111122223333";
/// The Region in names and answers.
pub const REGION: &str = "us-west-2";
/// Most bytes of a request.
const LONGEST: usize = 1 << 20;

/// One call that was answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it came.
    pub at: Instant,
    /// Such as `ec2:DescribeSubnets`.
    pub operation: String,
    /// Rows of the answer.
    pub rows: usize,
    /// Whether it changes anything.
    pub write: bool,
}

/// What an operation answers: the body, and how many rows it holds.
pub struct Answer {
    body: String,
    rows: usize,
}

/// A refusal: HTTP status, AWS's code, a sentence.
pub struct Fault(u16, &'static str, String);

pub(crate) type Outcome = Result<Answer, Fault>;

struct Shared {
    world: Mutex<World>,
    calls: Mutex<Vec<Call>>,
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
    pub fn calls(&self, mark: usize) -> Vec<Call> {
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
    let (operation, outcome, json) = respond(&shared, &head.headers, &body);
    let (rows, status, body) = match outcome {
        Ok(Answer { body, rows }) => (rows, 200, body),
        Err(Fault(status, code, text)) if json => (0, status, serde_json::json!({ "__type": code, "message": text }).to_string()),
        Err(Fault(status, code, text)) if operation.starts_with("ec2:") => {
            (0, status, format!("<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors></Response>"))
        }
        Err(Fault(status, code, text)) => {
            (0, status, format!("<ErrorResponse><Error><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"))
        }
    };
    let is_read = |name: &str| name.starts_with("Describe") || name.starts_with("Get");
    let write = operation.split_once(':').is_none_or(|(_, name)| !is_read(name));
    lock(&shared.calls).push(Call { at, operation, rows, write });
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let kind = if json { "application/x-amz-json-1.1" } else { "text/xml" };
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// The operation's name, what it answers, and whether that is JSON.
fn respond(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> (String, Outcome, bool) {
    let mut world = lock(&shared.world);
    if let Some(target) = headers.get("x-amz-target").and_then(|t| t.to_str().ok()) {
        let name = target.rsplit('.').next().unwrap_or_default();
        return (format!("dms:{name}"), dms::respond(&world, name, body), true);
    }
    let form = Form::parse(body);
    let name = form.get("Action").unwrap_or_default().to_owned();
    let (service, outcome) = match form.get("Version") {
        Some("2014-10-31") => ("rds", rds::respond(&world, &name, &form)),
        Some("2011-06-15") => ("sts", rds::caller(&name)),
        _ if name.starts_with("Describe") => ("ec2", ec2::respond(&world, &name, &form)),
        _ => ("ec2", writes::respond(&mut world, &name, &form)),
    };
    (format!("{service}:{name}"), outcome, false)
}

/// No such operation here: then dmsnet has learned to call something new.
pub(crate) fn unknown(name: &str) -> Fault {
    Fault(400, "InvalidAction", format!("the stub does not know {name}"))
}
