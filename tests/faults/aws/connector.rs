//! The SDK's way to AWS, of one replica.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
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
        let fate = self.fates.of_aws(&self.life, &format!("{operation}{}", call.about()), write);
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
        if let Some(fault) = refusal {
            tell(fault.1);
            sleep(fate.back).await;
            return response(call.refusal(&fault));
        }
        let now = self.clock.elapsed();
        let reply = match fate.what {
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
                response(call.refusal(&Fault(500, "InternalError", "a fault".into())))
            }
            _ => response(reply),
        }
    }
}

fn response(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(reply.status).map_err(|e| ConnectorError::other(e.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    response.headers_mut().insert("content-type", reply.content_type);
    Ok(response)
}
