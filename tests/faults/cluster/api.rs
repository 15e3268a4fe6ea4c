//! The REST side: what a request asks for, and what becomes of it when the network or the server fails.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use k8s_openapi::jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tower::{BoxError, Service};

use super::{
    Cluster, Key, Kind,
    objects::Refusal,
    watch::{Answer, Watch},
};
use crate::{
    checker::Checker,
    fate::{Fate, Fates},
    replica::Life,
};

/// How long a watch lives, if nothing cuts it.
const WATCH: u64 = 290;

/// The API server as one replica reaches it.
#[derive(Clone)]
pub struct Server {
    pub cluster: Arc<Cluster>,
    pub fates: Arc<Fates>,
    pub checker: Arc<Checker>,
    /// Of the replica that asks.
    pub life: Life,
}

impl Service<Request<Body>> for Server {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { server.answer(request).await })
    }
}

struct Asked {
    method: Method,
    key: Option<Key>,
    kind: Option<Kind>,
    status: bool,
    query: Vec<(String, String)>,
    meta: bool,
    json_patch: bool,
    body: Bytes,
}

impl Asked {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    fn words(&self, path: &str) -> String {
        let how = if self.query("watch").is_some() { "WATCH" } else { self.method.as_str() };
        format!("{how} {path}")
    }
}

fn parse(method: Method, path: &str, query: &str, accept: &str, content: &str, body: Bytes) -> Asked {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => ("?", &[][..]),
    };
    let (namespace, plural, name, sub) = match rest {
        ["namespaces", namespace, plural, rest @ ..] => (*namespace, *plural, rest.first(), rest.get(1)),
        [plural, rest @ ..] => ("", *plural, rest.first(), rest.get(1)),
        [] => ("", "", None, None),
    };
    let kind = Kind::of(group, plural);
    Asked {
        method,
        key: kind.zip(name).map(|(kind, name)| Key::new(kind, namespace, name)),
        kind,
        status: sub == Some(&"status"),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        meta: accept.contains("PartialObjectMetadata"),
        json_patch: content.contains("json-patch"),
        body,
    }
}

/// Only what metadata clients get.
pub fn partial(object: &Value) -> Value {
    json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] })
}

/// A `Status` of a refusal.
pub fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message })
}

fn answer(code: u16, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Answer::Once(Some(body.to_string().into())));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

impl Server {
    async fn answer(self, request: Request<Body>) -> Result<Response<Answer>, BoxError> {
        let (head, body) = request.into_parts();
        let mut body = body.collect_bytes().await?;
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let query = head.uri.query().unwrap_or_default();
        if head.uri.path().contains("/leases") && !body.is_empty() {
            let mut lease = serde_json::from_slice(&body)?;
            shift(&mut lease, self.life.began_behind);
            body = lease.to_string().into();
        }
        let asked = parse(head.method.clone(), head.uri.path(), query, header("accept"), header("content-type"), body);
        let words = asked.words(head.uri.path());
        let fate = self.fates.of_kubernetes(&self.life, &words);
        sleep(fate.wait).await;
        if self.life.is_over() {
            std::future::pending::<Infallible>().await;
        }
        let trace = &self.fates.trace;
        let who = &self.life.name;
        match fate.what {
            Fate::Refused(code) => {
                trace.add(|| format!("{who} kube {words}: {code}"));
                return Ok(answer(code, &status(code, "ServerFault", "a fault")));
            }
            Fate::Reset => {
                trace.add(|| format!("{who} kube {words}: reset before it was done"));
                return Err("connection reset".into());
            }
            Fate::Silent => {
                trace.add(|| format!("{who} kube {words}: no answer, not done"));
                sleep(Duration::from_secs(60)).await;
                return Err("timed out".into());
            }
            _ => {}
        }
        if asked.query("watch").is_some() {
            return Ok(self.watch(&asked, &words));
        }
        if asked.method != Method::GET && matches!(asked.kind, Some(Kind::Network | Kind::Class)) {
            self.checker.may_write(&self.life, &words);
        }
        let (code, mut body) = self.done(&asked).map_or_else(|r| (r.code, status(r.code, r.reason, &r.message)), |body| (200, body));
        if asked.kind == Some(Kind::Lease) {
            shift(&mut body, -self.life.began_behind);
        }
        if asked.method != Method::GET {
            trace.add(|| format!("{who} kube {words}: {code}{}", if fate.what == Fate::Lost { ", the answer is lost" } else { "" }));
        }
        sleep(fate.back).await;
        if self.life.is_over() {
            std::future::pending::<Infallible>().await;
        }
        if fate.what == Fate::Lost {
            return Err("connection reset".into());
        }
        Ok(answer(code, &body))
    }

    fn watch(&self, asked: &Asked, words: &str) -> Response<Answer> {
        let (lines, body) = mpsc::unbounded_channel();
        let lives = self.fates.watch(&self.life, words);
        let from = asked.query("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
        if let Some(kind) = asked.kind {
            let watch = Watch {
                kind,
                from,
                until: Instant::now() + lives.until.unwrap_or(Duration::from_secs(WATCH)),
                meta: asked.meta,
                late: lives.late,
                restarts: self.fates.restarts(),
            };
            tokio::spawn(watch.run(self.cluster.clone(), lines));
        }
        Response::new(Answer::Lines(body))
    }

    fn done(&self, asked: &Asked) -> Result<Value, Refusal> {
        let unknown = || Refusal::new(404, "NotFound", "no such resource");
        let body = || serde_json::from_slice::<Value>(&asked.body).unwrap_or_default();
        let Some(kind) = asked.kind else {
            // Events are taken, and kept by nobody.
            let mut event = body();
            event["metadata"]["resourceVersion"] = "1".into();
            return Ok(event);
        };
        let shown = |object: Value| if asked.meta { partial(&object) } else { object };
        match (&asked.method, &asked.key) {
            (&Method::GET, None) => {
                let state = self.cluster.state();
                let items: Vec<Value> = state.objects.iter().filter(|(k, _)| k.kind == kind).map(|(_, o)| shown(o.clone())).collect();
                let (api, name) = if asked.meta { ("meta.k8s.io/v1", "PartialObjectMetadata") } else { kind.names() };
                let version = state.version.to_string();
                Ok(json!({ "apiVersion": api, "kind": format!("{name}List"), "metadata": { "resourceVersion": version }, "items": items }))
            }
            (&Method::GET, Some(key)) => self.cluster.get(key).map(shown).ok_or_else(unknown),
            (&Method::POST, None) => self.cluster.create(kind, with_namespace(body(), asked)),
            (&Method::PUT, Some(key)) => self.cluster.change(key, |object| {
                let mut new = body();
                not_older(object, &new)?;
                for kept in ["uid", "creationTimestamp", "generation", "namespace", "resourceVersion"] {
                    new["metadata"][kept] = object["metadata"][kept].clone();
                }
                *object = new;
                Ok(())
            }),
            (&Method::PATCH, Some(key)) => self.cluster.change(key, |object| {
                if asked.json_patch {
                    return patched(object, &body());
                }
                not_older(object, &body())?;
                let version = object["metadata"]["resourceVersion"].clone();
                json_patch::merge(object, &body());
                object["metadata"]["resourceVersion"] = version;
                if asked.status { Ok(()) } else { without_status(object, &body()) }
            }),
            _ => Err(unknown()),
        }
    }
}

/// Sets the times that somebody with a wrong clock wrote into a Lease, or reads there, as far off as that clock is.
fn shift(lease: &mut Value, behind: i64) {
    for field in ["acquireTime", "renewTime"] {
        let at: Option<Timestamp> = lease["spec"][field].as_str().and_then(|text| text.parse().ok());
        if let Some(at) = at {
            let wrong = Timestamp::from_microsecond(at.as_microsecond() - behind * 1_000_000).unwrap();
            lease["spec"][field] = format!("{wrong:.6}").into();
        }
    }
}

fn with_namespace(mut object: Value, asked: &Asked) -> Value {
    if object["metadata"]["namespace"].is_null() && asked.kind == Some(Kind::Lease) {
        object["metadata"]["namespace"] = asked.key.as_ref().map_or("dmsnet-system", |k| &k.namespace).into();
    }
    object
}

/// A write that names an older version is a conflict.
fn not_older(object: &Value, written: &Value) -> Result<(), Refusal> {
    let seen = &written["metadata"]["resourceVersion"];
    if seen.is_string() && *seen != object["metadata"]["resourceVersion"] {
        return Err(Refusal::new(409, "Conflict", "the object has been modified; please apply your changes to the latest version"));
    }
    Ok(())
}

/// Status is written through its own subresource only.
fn without_status(_: &Value, written: &Value) -> Result<(), Refusal> {
    match written["status"].is_null() {
        true => Ok(()),
        false => Err(Refusal::new(422, "Invalid", "status is not written here")),
    }
}

/// A JSON patch; a test that fails is answered by 422, as the API server does.
fn patched(object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).map_err(|e| Refusal::new(400, "BadRequest", e.to_string()))?;
    json_patch::patch(object, &patch).map_err(|e| Refusal::new(422, "Invalid", e.to_string()))
}
