//! A machine's clock that was set, by hand or by NTP. The SDK signs with the difference to AWS's clock that it saw last, and repeats a
//! refused request only where the machine's clock is wrong now: one that was wrong and is set right has its first request of each service
//! refused. Repeated with what the refusal has just shown, it is taken.

use std::time::Duration;

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef, InterceptorContext},
            dyn_dispatch_hint,
        },
        retries::classifiers::{ClassifyRetry, RetryAction},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{
    DateTime,
    config_bag::{ConfigBag, Storable, StoreReplace},
    date_time::Format,
};

use super::errors::AwsErrorKind;

/// AWS takes signatures that are up to five minutes off.
const OFF: Duration = Duration::from_secs(240);

/// When a request says that it was signed.
#[derive(Clone, Copy, Debug)]
struct Signed(Option<DateTime>);

impl Storable for Signed {
    type Storer = StoreReplace<Self>;
}

/// Marks an answer to a request that was signed with another time than AWS's.
#[derive(Clone, Copy, Debug)]
struct SignedAmiss;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stepped;

#[dyn_dispatch_hint]
impl Intercept for Stepped {
    fn name(&self) -> &'static str {
        "dmsnet-stepped-clock"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(Signed(context.request().headers().get("x-amz-date").and_then(signed)));
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answered = context.response().headers().get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let (Some(Signed(Some(signed))), Some(answered)) = (cfg.load::<Signed>(), answered)
            && signed.secs().abs_diff(answered.secs()) > OFF.as_secs()
        {
            context.response_mut().add_extension(SignedAmiss);
        }
        Ok(())
    }
}

impl ClassifyRetry for Stepped {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let refused = matches!(context.output_or_error(), Some(Err(_)));
        let Some(response) = context.response().filter(|r| refused && r.extension::<SignedAmiss>().is_some()) else {
            return RetryAction::NoActionIndicated;
        };
        let code = response.body().bytes().and_then(super::observe::code_in).unwrap_or_default();
        match AwsErrorKind::of(&code, "") {
            AwsErrorKind::Credentials => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "dmsnet-stepped-clock"
    }
}

/// The time in `X-Amz-Date`: `20260301T000000Z`.
fn signed(text: &str) -> Option<DateTime> {
    let part = |from: usize, to: usize| text.get(from..to);
    let iso = format!("{}-{}-{}T{}:{}:{}Z", part(0, 4)?, part(4, 6)?, part(6, 8)?, part(9, 11)?, part(11, 13)?, part(13, 15)?);
    DateTime::from_str(&iso, Format::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_signature_is_read() {
        assert_eq!(signed("20260301T000102Z").map(|at| at.secs()), Some(1_772_323_262));
        for text in ["", "2026-03-01", "20260301T0001"] {
            assert_eq!(signed(text), None, "{text:?}");
        }
    }
}
