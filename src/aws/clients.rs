//! The SDK's clients, as all of dmsnet uses them.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{AppName, BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use serde::{Deserialize, Serialize};

use super::{
    errors::{AwsError, AwsErrorKind},
    observe::{Observe, RequestObserver},
    requests::OwnWrites,
};

/// Longest wait for a connection, for one attempt, and for a call with its retries. A call must end well before a
/// Lease can pass to another replica.
const CONNECT: Duration = Duration::from_secs(3);
const ATTEMPT: Duration = Duration::from_secs(8);
const OPERATION: Duration = Duration::from_secs(20);
/// Attempts of a read, the first included. Writes are not repeated by the SDK (see `writes`).
const ATTEMPTS: u32 = 3;

/// One place to work in: an account is told by the credentials, a Region by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// One URL for every AWS service, such as an emulator's; none for AWS itself (or what the environment says).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// AWS Region, such as `us-west-2`.
    pub region: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint_url {
            Some(url) => write!(f, "{} at {url}", self.region),
            None => f.write_str(&self.region),
        }
    }
}

/// The clients of one scope. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Where they work.
    pub scope: Scope,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// DMS.
    pub dms: aws_sdk_databasemigration::Client,
    /// RDS.
    pub rds: aws_sdk_rds::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// For an SQS client: a queue may be in another Region, and is waited for longer.
    pub(super) sqs: aws_sdk_sqs::config::Builder,
    own: Arc<OwnWrites>,
}

impl Clients {
    /// Clients with the environment's credentials (variables, profile, web identity, container, instance). Talks to nobody yet.
    pub async fn new(scope: &Scope, observer: Arc<dyn RequestObserver>) -> Self {
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new(scope.region.clone()))
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        if let Ok(name) = AppName::new("dmsnet") {
            loader = loader.app_name(name);
        }
        if let Some(url) = &scope.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        let own = Arc::<OwnWrites>::default();
        let observe = Observe { observer, scope: scope.clone(), own: own.clone() };
        Self {
            scope: scope.clone(),
            ec2: aws_sdk_ec2::Client::from_conf(aws_sdk_ec2::config::Builder::from(&config).interceptor(observe.clone()).build()),
            dms: aws_sdk_databasemigration::Client::from_conf(
                aws_sdk_databasemigration::config::Builder::from(&config).interceptor(observe.clone()).build(),
            ),
            rds: aws_sdk_rds::Client::from_conf(aws_sdk_rds::config::Builder::from(&config).interceptor(observe.clone()).build()),
            sqs: aws_sdk_sqs::config::Builder::from(&config).interceptor(observe.clone()),
            own,
            sts: aws_sdk_sts::Client::from_conf(aws_sdk_sts::config::Builder::from(&config).interceptor(observe).build()),
        }
    }

    /// Clients that were made elsewhere, without any for queues.
    pub fn of(
        scope: Scope,
        ec2: aws_sdk_ec2::Client,
        dms: aws_sdk_databasemigration::Client,
        rds: aws_sdk_rds::Client,
        sts: aws_sdk_sts::Client,
    ) -> Self {
        Self { scope, ec2, dms, rds, sts, sqs: aws_sdk_sqs::config::Builder::default(), own: Arc::default() }
    }

    /// Whether a request with this ID was a write of ours.
    pub fn made(&self, request_id: &str) -> bool {
        self.own.made(request_id)
    }

    /// The account that the credentials belong to (STS GetCallerIdentity), 12 digits.
    pub async fn account(&self) -> Result<String, AwsError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|e| AwsError::from_sdk("sts", OPERATION, "the credentials", &e))?;
        answer.account.ok_or_else(|| AwsError::new(AwsErrorKind::Other, "sts", OPERATION, "the credentials", "the answer names no account"))
    }
}
