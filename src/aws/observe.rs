//! Every HTTP request to AWS is seen here once: for metrics, and for whoever may stop it.

use std::{fmt, sync::Arc, time::Instant};

use super::{AwsErrorKind, Scope, requests::OwnWrites, turns::Purse};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef},
            dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

/// Told of every HTTP attempt to AWS, retries included.
pub trait RequestObserver: Send + Sync + 'static {
    /// `scope`: where it went. `service` as its SDK writes it, in lower case (`ec2`, `dms`, `rds`, `sts`); `code` is `ok`, AWS's error code, `http-<status>`
    /// where there is none, `timeout`, or `io` where no answer came.
    fn observed(&self, scope: &Scope, service: &str, operation: &str, code: &str, seconds: f64);

    /// Asked before each attempt is sent: why it must not be, if so. It then fails as [`Unreachable`](super::AwsErrorKind::Unreachable):
    /// nothing was done.
    fn refuses(&self, _service: &str, _operation: &str) -> Option<String> {
        None
    }
}

/// Looks away.
impl RequestObserver for () {
    fn observed(&self, _: &Scope, _: &str, _: &str, _: &str, _: f64) {}
}

/// Reports each attempt of an SDK client.
#[derive(Clone)]
pub(super) struct Observe {
    pub(super) observer: Arc<dyn RequestObserver>,
    pub(super) scope: Scope,
    pub(super) own: Arc<OwnWrites>,
    pub(super) purse: Purse,
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observe")
    }
}

/// When the attempt under way began; none between attempts.
#[derive(Clone, Copy, Debug)]
struct Began(Option<Instant>);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Observe {
    fn end(&self, context: &FinalizerInterceptorContextRef<'_>, cfg: &mut ConfigBag) {
        let Some(Began(Some(began))) = cfg.load::<Began>().copied() else { return };
        cfg.interceptor_state().store_put(Began(None));
        let (service, operation) = called(cfg);
        let code = match context.output_or_error() {
            Some(Ok(_)) => "ok".to_owned(),
            // Cut off in mid-air by the timeout of the whole operation.
            None => "timeout".to_owned(),
            Some(Err(e)) if e.is_timeout_error() => "timeout".to_owned(),
            Some(Err(e)) if e.as_connector_error().is_some_and(|c| c.is_timeout()) => "timeout".to_owned(),
            Some(Err(e)) if e.is_connector_error() => "io".to_owned(),
            Some(Err(_)) => match context.response() {
                Some(r) => r.body().bytes().and_then(code_in).unwrap_or_else(|| format!("http-{}", r.status().as_u16())),
                None => "io".to_owned(),
            },
        };
        self.own.note(operation, context.response());
        if AwsErrorKind::of(&code, "") == AwsErrorKind::Throttled || matches!(&*code, "http-429" | "http-503") {
            self.purse.get().throttled(service, operation);
        }
        self.observer.observed(&self.scope, service, operation, &code, began.elapsed().as_secs_f64());
    }
}

#[dyn_dispatch_hint]
impl Intercept for Observe {
    fn name(&self) -> &'static str {
        "dmsnet-observe"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = called(cfg);
        self.purse.get().went_out(service, operation);
        cfg.interceptor_state().store_put(Began(Some(Instant::now())));
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = called(cfg);
        let Some(why) = self.observer.refuses(service, operation) else { return Ok(()) };
        // It was no request.
        cfg.interceptor_state().store_put(Began(None));
        Err(why.into())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.end(context, cfg);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.end(context, cfg);
        Ok(())
    }
}

/// IAM's prefix of the service that is called, and the operation; empty where the SDK does not say.
fn called(cfg: &ConfigBag) -> (&str, &str) {
    cfg.load::<Metadata>().map_or(("", ""), |m| (name(m.service()), m.name()))
}

/// IAM's prefix of a service, from the SDK's name for it.
fn name(service: &str) -> &str {
    match service {
        "EC2" => "ec2",
        "Database Migration Service" => "dms",
        "RDS" => "rds",
        "SQS" => "sqs",
        "STS" => "sts",
        other => other,
    }
}

/// The error code in a body: `<Code>` in XML, `__type` in JSON.
pub(super) fn code_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let after = |mark: &str| text.find(mark).and_then(|at| text.get(at + mark.len()..));
    let code = if let Some(rest) = after("<Code>") {
        rest.split('<').next()?
    } else {
        let quoted = after("\"__type\"")?.split('"').nth(1)?;
        quoted.rsplit('#').next()?
    };
    let fits = !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    fits.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::code_in;

    #[test]
    fn codes_are_found_in_both_wire_forms() {
        let xml = b"<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>no</Message></Error></Errors></Response>";
        assert_eq!(code_in(xml).as_deref(), Some("InvalidGroup.NotFound"));
        let json = br#"{"message": "x", "__type": "com.amazonaws.dms#ResourceNotFoundFault"}"#;
        assert_eq!(code_in(json).as_deref(), Some("ResourceNotFoundFault"));
        assert_eq!(code_in(b"<html>"), None);
        assert_eq!(code_in(b"<Code>no code at all, but a text</Code>"), None);
    }
}
