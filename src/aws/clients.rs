//! The SDK's clients, as all of dmsnet uses them.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{
    AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use serde::{Deserialize, Serialize};

use crate::api::{DmsNetworkClassSpec, class::AssumeRole};

use super::{
    errors::{AwsError, AwsErrorKind},
    observe::{Observe, RequestObserver},
    requests::OwnWrites,
    stepped::Stepped,
    turns::{Accounts, Budgets, Purse},
};

/// Longest wait for a connection, for one attempt, and for a call with its retries. A call must end well before a
/// Lease can pass to another replica.
const CONNECT: Duration = Duration::from_secs(3);
const ATTEMPT: Duration = Duration::from_secs(8);
const OPERATION: Duration = Duration::from_secs(20);
/// An idle connection keeps what it needed for its largest answer, some 400 KB: few are kept, and none from a sweep to one much later.
const IDLE: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS: usize = 4;
/// A write to AWS that was sent has ended, one way or the other, after this time.
pub const WRITE_ENDS_WITHIN: Duration = ATTEMPT;
/// Name of our sessions under an assumed role: CloudTrail shows it.
const SESSION: &str = "dmsnet";
/// Attempts of a read, the first included. Writes are not repeated by the SDK (see `writes`).
const ATTEMPTS: u32 = 3;

/// Connections, of one runtime. Accounts of a Region share them.
pub fn https() -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new().pool_idle_timeout(IDLE).pool_max_idle_per_host(IDLE_CONNECTIONS);
    builder.tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// The environment's credentials (variables, profile, web identity, container, instance).
pub fn environment(http: SharedHttpClient) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http)
}

/// One way to work in a place: an account is told by the credentials, a Region by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// One URL for every AWS service, such as an emulator's; none for AWS itself, or what the environment or profile says of
    /// each service (`AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE`, `AWS_ENDPOINT_URL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// AWS Region, such as `us-west-2`.
    pub region: String,
    /// The role to work as; none: the environment's credentials as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<AssumeRole>,
}

impl From<&DmsNetworkClassSpec> for Scope {
    fn from(class: &DmsNetworkClassSpec) -> Self {
        Self { endpoint_url: class.endpoint_url.clone(), region: class.region.clone(), role: class.assume_role.clone() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.region)?;
        if let Some(url) = &self.endpoint_url {
            write!(f, " at {url}")?;
        }
        match &self.role {
            Some(role) => write!(f, " as {}", role.role_arn),
            None => Ok(()),
        }
    }
}

/// One account in one Region: what networks share, whatever role each of them works as (design.md 2, Sharing).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// As in [`Scope`].
    pub endpoint_url: Option<String>,
    /// 12 digits.
    pub id: String,
    /// As in [`Scope`].
    pub region: String,
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
    purse: Purse,
    accounts: Arc<Accounts>,
}

impl Clients {
    /// Clients with what `loader` says of credentials and HTTP ([`environment`]), which assume the scope's role if it has one.
    /// Talks to nobody yet.
    pub async fn load(loader: ConfigLoader, scope: &Scope, observer: Arc<dyn RequestObserver>) -> Self {
        Self::build(loader, scope, observer, Arc::default()).await
    }

    pub(super) async fn build(loader: ConfigLoader, scope: &Scope, observer: Arc<dyn RequestObserver>, accounts: Arc<Accounts>) -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        let mut loader = loader
            .region(Region::new(scope.region.clone()))
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        if let Ok(name) = AppName::new("dmsnet") {
            loader = loader.app_name(name);
        }
        if let Some(url) = &scope.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = match &scope.role {
            Some(role) => assume(loader.load().await, role).await,
            None => loader.load().await,
        };
        let mut dms = aws_sdk_databasemigration::config::Builder::from(&config);
        if let Some(url) = dms_endpoint_url(&config) {
            dms.set_endpoint_url(Some(url));
        }
        let own = Arc::<OwnWrites>::default();
        let purse = Purse::default();
        let observe = Observe { observer, scope: scope.clone(), own: own.clone(), purse: purse.clone() };
        // Each service's builder is a type of its own, and a shared configuration carries neither.
        macro_rules! observed {
            ($builder:expr) => {
                $builder.interceptor(observe.clone()).interceptor(Stepped).retry_classifier(Stepped)
            };
        }
        Self {
            scope: scope.clone(),
            ec2: aws_sdk_ec2::Client::from_conf(observed!(aws_sdk_ec2::config::Builder::from(&config)).build()),
            dms: aws_sdk_databasemigration::Client::from_conf(observed!(dms).build()),
            rds: aws_sdk_rds::Client::from_conf(observed!(aws_sdk_rds::config::Builder::from(&config)).build()),
            sqs: observed!(aws_sdk_sqs::config::Builder::from(&config)),
            own,
            purse,
            accounts,
            sts: aws_sdk_sts::Client::from_conf(observed!(aws_sdk_sts::config::Builder::from(&config)).build()),
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
        let sqs = aws_sdk_sqs::config::Builder::default();
        Self { scope, ec2, dms, rds, sts, sqs, own: Arc::default(), purse: Purse::default(), accounts: Arc::default() }
    }

    /// What calls are paid from: once the account is known, together with all who work there.
    pub(super) fn budgets(&self) -> Arc<Budgets> {
        self.purse.get()
    }

    /// Calls that the budget allows at once, by operation.
    pub fn tokens(&self) -> Vec<(String, f64)> {
        self.budgets().tokens()
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
        let nameless = || AwsError::new(AwsErrorKind::Other, "sts", OPERATION, "the credentials", "the answer names no account");
        let id = answer.account.ok_or_else(nameless)?;
        // AWS counts the requests of an account and Region, whatever the role.
        let account = Account { endpoint_url: self.scope.endpoint_url.clone(), id: id.clone(), region: self.scope.region.clone() };
        self.purse.set(self.accounts.budgets(account, self.budgets()));
        Ok(id)
    }
}

/// The same with a role's temporary credentials: asked for when first needed, and again before they expire.
async fn assume(own: SdkConfig, role: &AssumeRole) -> SdkConfig {
    let mut provider = AssumeRoleProvider::builder(&role.role_arn).session_name(SESSION).configure(&own);
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    own.into_builder().credentials_provider(provider).build()
}

/// The URL that a profile's `services` section gives DMS under its documented name, `database_migration_service`. The SDK reads
/// the environment's name as documented, but looks for hyphens in the profile.
fn dms_endpoint_url(config: &SdkConfig) -> Option<String> {
    if config.get_origin("endpoint_url").is_client_config() {
        return None;
    }
    let key = ServiceConfigKey::builder().service_id("database_migration_service").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let url = config.service_config()?.load_config(key.build().ok()?)?;
    // The same for all services: then the SDK's own look-up may know better.
    (Some(url.as_str()) != config.endpoint_url()).then_some(url)
}
