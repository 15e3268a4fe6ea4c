//! The SDK's way to AWS, of one replica.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use tokio::time::sleep;

use super::{History, Queue};
use crate::{
    checker::Checker,
    clock::Clock,
    fate::{Fate, Fates},
    replica::Life,
    stub::{Call, Fault, Reply},
};

/// AWS as one replica reaches it.
#[derive(Clone)]
pub struct Aws {
    pub history: Arc<History>,
    pub queue: Arc<Queue>,
    pub fates: Arc<Fates>,
    pub checker: Arc<Checker>,
    pub clock: Clock,
    pub life: Life,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AWS")
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.clone();
        HttpConnectorFuture::new(async move { aws.answer(request).await })
    }
}

fn broken(text: &str) -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, text).into())
}

async fn never() -> Infallible {
    std::future::pending().await
}

impl Aws {
    /// As the SDK takes it.
    pub fn client(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }

    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let call = Call::parse(target.as_deref(), &body);
        let (operation, mut write) = (call.operation.clone(), call.is_write());
        let queue = target.is_some_and(|t| t.starts_with("AmazonSQS"));
        write |= queue;
        let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
        let signed = request.headers().get("x-amz-date").map(str::to_owned);
        let fate = self.fates.of_aws(&self.life, &host, &format!("{operation}{}", call.about()), write);
        sleep(fate.wait).await;
        let who = &self.life.name;
        let tell = |what: &str| self.fates.trace.add(|| format!("{who} aws {operation}{}: {what}", call.about()));
        if self.life.is_over() && (queue || !(write && fate.lands)) {
            sleep(Duration::from_secs(1)).await;
            return Err(broken("killed"));
        }
        let refusal = match fate.what {
            Fate::Refused(status) => Some(Fault(status, if status == 503 { "Unavailable" } else { "InternalError" }, "a fault".into())),
            Fate::Throttled if call.service == "dms" => Some(Fault(400, "ThrottlingException", "a fault".into())),
            Fate::Throttled => Some(Fault(503, "RequestLimitExceeded", "a fault".into())),
            Fate::Denied => Some(Fault(403, "UnauthorizedOperation", "a fault".into())),
            Fate::Reset => {
                tell("reset before it was done");
                return Err(broken("connection reset"));
            }
            Fate::Silent => {
                tell("no answer, not done");
                match never().await {}
            }
            _ => None,
        };
        let refusal = refusal.or_else(|| self.too_skewed(signed.as_deref(), &call, queue));
        if let Some(fault) = refusal {
            tell(fault.1);
            sleep(fate.back).await;
            return self.response(call.refusal(&fault));
        }
        let now = self.clock.elapsed();
        let lost = self.fates.loses_endpoint(&operation, now);
        let reply = match fate.what {
            _ if let Some(then) = self.fates.shows(&operation, now) => {
                tell(&format!("as it was at {:.3}", then.as_secs_f64()));
                match self.history.then(then) {
                    Some(mut then) => call.answer(&mut then),
                    None => call.answer(&mut self.history.now(now)),
                }
            }
            Fate::Stale(ago) if !write => {
                tell(&format!("as it was {:.1} s ago", ago.as_secs_f64()));
                match self.history.then(now.saturating_sub(ago)) {
                    Some(mut then) => call.answer(&mut then),
                    None => call.answer(&mut self.history.now(now)),
                }
            }
            _ if queue => {
                let request = serde_json::from_slice(&body).unwrap_or_default();
                let body = self.queue.answer(&operation, &request).await.to_string();
                Reply { status: 200, content_type: "application/x-amz-json-1.0", body, rows: 0, code: None }
            }
            _ if !write => call.answer(&mut self.history.now(now)),
            _ => {
                let (before, reply) = self.history.write(now, |world| call.answer(world));
                tell(reply.code.unwrap_or("done"));
                self.checker.written(&self.life, &operation, &before, &self.history.now(now));
                reply
            }
        };
        sleep(fate.back).await;
        if self.life.is_over() {
            return Err(broken("killed"));
        }
        match fate.what {
            _ if lost => {
                tell("the answer is lost, and those that follow");
                Err(broken("connection reset"))
            }
            Fate::Lost => {
                tell("the answer is lost");
                Err(broken("connection reset"))
            }
            Fate::LostSilent => {
                tell("the answer never comes");
                match never().await {}
            }
            Fate::LostError => {
                tell("done, but answered by 500");
                self.response(call.refusal(&Fault(500, "InternalError", "a fault".into())))
            }
            _ => self.response(reply),
        }
    }

    /// AWS's clock, as far from the machine's as the replica's is wrong.
    fn aws_clock(&self) -> DateTime {
        DateTime::from_secs(DateTime::from(SystemTime::now()).secs() + self.life.behind())
    }

    /// A signature that is more than five minutes old, or of the future, is refused; how, each service words otherwise.
    fn too_skewed(&self, signed: Option<&str>, call: &Call<'_>, queue: bool) -> Option<Fault> {
        let text = signed?;
        let field = |from: usize, to: usize| text.get(from..to).unwrap_or("00");
        let iso = format!("{}-{}-{}T{}:{}:{}Z", field(0, 4), field(4, 6), field(6, 8), field(9, 11), field(11, 13), field(13, 15));
        let at = DateTime::from_str(&iso, Format::DateTime).unwrap();
        let skew = at.secs() - self.aws_clock().secs();
        if skew.abs() <= 300 {
            return None;
        }
        let code = match call.service {
            _ if queue => "InvalidSignatureException",
            "dms" => "InvalidSignatureException",
            "ec2" if skew < 0 => "RequestExpired",
            "ec2" => "AuthFailure",
            _ => "SignatureDoesNotMatch",
        };
        Some(Fault(if call.service == "ec2" { 400 } else { 403 }, code, format!("a clock that is {skew} s off")))
    }

    fn response(&self, reply: Reply) -> Result<HttpResponse, ConnectorError> {
        let status = StatusCode::try_from(reply.status).map_err(|e| ConnectorError::other(e.into(), None))?;
        let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
        response.headers_mut().insert("content-type", reply.content_type);
        let date = self.aws_clock().fmt(Format::HttpDate).map_err(|e| ConnectorError::other(e.into(), None))?;
        response.headers_mut().insert("date", date);
        Ok(response)
    }
}
