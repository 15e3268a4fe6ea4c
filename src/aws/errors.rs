//! What AWS's refusals mean, decided in one place from the code string (domain.md 3.6). EC2 models no
//! errors, so the code is all there is.

use std::time::Duration;

use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What a refusal means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AwsErrorKind {
    /// Asked too often; nothing was done. Back off with jitter.
    Throttled,
    /// AWS was not asked: it grants the account only so many of these calls, and others are ahead. To be tried after so long.
    NoTurn(Duration),
    /// AWS failed, or its answer was lost: a write may have happened. Read again, then try again.
    Transient,
    /// No connection to AWS; nothing was done.
    Unreachable,
    /// The object, or one that the request names, does not exist (yet).
    NotFound,
    /// It already exists. Read again.
    Duplicate,
    /// Something still uses it. Wait.
    DependencyViolation,
    /// A quota of the account is used up. Somebody must raise it or make room.
    Quota,
    /// A permission is missing.
    AccessDenied,
    /// No credentials, or ones that AWS does not take.
    Credentials,
    /// Another endpoint of the VPC already answers for the service's public name.
    PrivateDnsConflict,
    /// The object is in a state in which this cannot be done now.
    InvalidState,
    /// The client token was used for another request.
    IdempotentMismatch,
    /// AWS will refuse this request for ever: the specification has to change.
    InvalidRequest,
    /// A refusal that is not known here. Treated as one that may pass.
    Other,
}

impl AwsErrorKind {
    /// The kind of an AWS error code; `message` tells apart what AWS puts under one code.
    pub fn of(code: &str, message: &str) -> Self {
        match code {
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "EC2ThrottledException"
            | "TooManyRequestsException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "OverLimit"
            | "SlowDown"
            | "BandwidthLimitExceeded" => Self::Throttled,

            "InternalError"
            | "InternalFailure"
            | "InternalServiceError"
            | "ServerInternal"
            | "ServiceUnavailable"
            | "Unavailable"
            | "ConcurrentTagAccess"
            | "RequestTimeout"
            | "RequestTimeoutException" => Self::Transient,

            "InvalidPermission.Duplicate" | "InvalidGroup.Duplicate" | "NetworkAclEntryAlreadyExists" | "RouteAlreadyExists" => {
                Self::Duplicate
            }

            "DependencyViolation" | "InvalidGroup.InUse" | "CannotDelete" | "ResourceInUse" => Self::DependencyViolation,

            "RulesPerSecurityGroupLimitExceeded"
            | "SecurityGroupLimitExceeded"
            | "SecurityGroupsPerInterfaceLimitExceeded"
            | "SecurityGroupsPerInstanceLimitExceeded"
            | "NetworkAclEntryLimitExceeded"
            | "RouteLimitExceeded"
            | "VpcEndpointLimitExceeded"
            | "TagLimitExceeded"
            | "InsufficientFreeAddressesInSubnet"
            | "ResourceQuotaExceededFault" => Self::Quota,

            "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "AccessDeniedFault"
            | "KmsAccessDenied"
            | "KMS.AccessDeniedException"
            | "NotAuthorized"
            | "Client.UnauthorizedOperation"
            | "OptInRequired"
            | "OperationNotPermitted" => Self::AccessDenied,

            "AuthFailure"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature" => Self::Credentials,

            "IdempotentParameterMismatch" => Self::IdempotentMismatch,

            "InvalidResourceStateFault" | "InvalidStateTransition" | "IncorrectState" | "IncorrectStateException" => Self::InvalidState,

            "InvalidParameter" | "InvalidParameterValue" if message.contains("conflicting DNS domain") => Self::PrivateDnsConflict,

            "InvalidParameter"
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "InvalidParameterCombinationException"
            | "InvalidParameterValueException"
            | "InvalidPermission.Malformed"
            | "InvalidPolicyDocument"
            | "InvalidAddress"
            | "InvalidSecurity"
            | "InvalidServiceName"
            | "InvalidGroupId.Malformed"
            | "InvalidVpcPeeringConnectionState.DnsHostnamesDisabled"
            | "DuplicateSubnetsInSameZone"
            | "MalformedPolicyDocument"
            | "MissingParameter"
            | "UnknownParameter"
            | "UnsupportedOperation"
            | "Unsupported"
            | "ValidationError"
            | "ValidationException"
            | "VPCIdNotSpecified"
            | "ReplicationSubnetGroupDoesNotCoverEnoughAZs"
            | "InvalidSubnet"
            | "SubnetAlreadyInUse"
            | "KMSKeyNotAccessibleFault" => Self::InvalidRequest,

            // InvalidGroup.NotFound, InvalidSubnetID.NotFound and InvalidSubnetId.NotFound, InvalidVpcEndpointId.NotFound, …
            _ if code.ends_with(".NotFound") => Self::NotFound,
            "NatGatewayNotFound"
            | "AWS.SimpleQueueService.NonExistentQueue"
            | "QueueDoesNotExist"
            | "ResourceNotFoundFault"
            | "DBInstanceNotFound"
            | "DBClusterNotFoundFault"
            | "DBInstanceNotFoundFault" => Self::NotFound,
            _ if code.ends_with(".Malformed") => Self::InvalidRequest,
            _ if code.ends_with("LimitExceeded") => Self::Quota,
            _ => Self::Other,
        }
    }

    /// The kind of an answer without a readable code: only its HTTP status tells. Never "not found".
    fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::AccessDenied,
            429 | 503 => Self::Throttled,
            500.. => Self::Transient,
            _ => Self::Other,
        }
    }

    /// Whether trying the same again later may help without anybody's doing.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::NoTurn(_) | Self::Transient | Self::Unreachable | Self::Other)
    }
}

/// A call that AWS refused or did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AwsError {
    /// What it means.
    pub kind: AwsErrorKind,
    /// IAM prefix of the service, such as `ec2`.
    pub service: &'static str,
    /// The API operation that was called, such as `AuthorizeSecurityGroupIngress`.
    pub operation: &'static str,
    /// What it was about, such as an ID or a list of them.
    pub resource: String,
    /// AWS's code, if it gave one.
    pub code: Option<String>,
    /// AWS's text, without what changes from call to call.
    pub message: String,
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            AwsErrorKind::AccessDenied => write!(f, "AWS denied {} on {}", self.iam_action(), self.resource)?,
            AwsErrorKind::Credentials => write!(f, "AWS does not accept the credentials for {} on {}", self.iam_action(), self.resource)?,
            AwsErrorKind::NoTurn(_) => write!(f, "{}:{} on {} waits for its turn", self.service, self.operation, self.resource)?,
            AwsErrorKind::Unreachable => {
                write!(f, "AWS could not be reached for {}:{} on {}", self.service, self.operation, self.resource)?
            }
            _ => write!(f, "{}:{} on {} failed", self.service, self.operation, self.resource)?,
        }
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl AwsError {
    /// An error that names no code of AWS's.
    pub fn new(
        kind: AwsErrorKind,
        service: &'static str,
        operation: &'static str,
        resource: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, service, operation, resource: resource.into(), code: None, message: message.into() }
    }

    /// An error by the code and text that AWS gave.
    pub fn from_code(service: &'static str, operation: &'static str, resource: impl Into<String>, code: &str, message: &str) -> Self {
        let kind = AwsErrorKind::of(code, message);
        Self { kind, service, operation, resource: resource.into(), code: Some(code.to_owned()), message: tidy(message) }
    }

    /// Reads what the SDK returned.
    pub fn from_sdk<E>(
        service: &'static str,
        operation: &'static str,
        resource: impl Into<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let resource = resource.into();
        let new = |kind, message: String| Self::new(kind, service, operation, resource.clone(), message);
        if let Some(refusal) = role_refusal(error) {
            return Self::from_sdk("sts", "AssumeRole", "the role of the class", refusal);
        }
        match error {
            // Before anything was sent: an incomplete request, or no Region.
            SdkError::ConstructionFailure(_) => new(AwsErrorKind::InvalidRequest, chain(error)),
            SdkError::TimeoutError(_) => new(AwsErrorKind::Transient, "no answer in time".into()),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => new(AwsErrorKind::Unreachable, "connecting took too long".into()),
            SdkError::DispatchFailure(failure) if failure.is_user() => new(AwsErrorKind::InvalidRequest, chain(error)),
            SdkError::DispatchFailure(failure) => {
                let text = chain(error);
                // hyper names the phase only in its text: a connection that was never made carried nothing.
                let kind = if text.contains("credential") || text.contains("identity") {
                    AwsErrorKind::Credentials
                } else if failure.is_io() && !text.contains("(Connect)") {
                    AwsErrorKind::Transient
                } else {
                    AwsErrorKind::Unreachable
                };
                new(kind, text.trim_start_matches("dispatch failure: ").trim_start_matches("io error: ").to_owned())
            }
            SdkError::ResponseError(_) => new(AwsErrorKind::Transient, format!("the answer could not be read: {}", chain(error))),
            SdkError::ServiceError(refusal) => {
                let (code, message) = (refusal.err().code(), refusal.err().message().unwrap_or_default());
                match code {
                    Some(code) if !code.is_empty() => {
                        let mut e = Self::from_code(service, operation, resource.clone(), code, message);
                        if e.kind == AwsErrorKind::Other {
                            e.kind = AwsErrorKind::of_status(refusal.raw().status().as_u16());
                        }
                        e
                    }
                    _ => {
                        let status = refusal.raw().status().as_u16();
                        new(AwsErrorKind::of_status(status), format!("HTTP status {status} without an error code"))
                    }
                }
            }
            _ => new(AwsErrorKind::Other, chain(error)),
        }
    }

    /// The IAM action that is missing: the one that AWS names, else the one that was called.
    pub fn iam_action(&self) -> String {
        let named = self.message.split_once("not authorized to perform: ").and_then(|(_, rest)| rest.split_whitespace().next());
        match named {
            Some(action) if action.contains(':') => action.trim_end_matches('.').to_owned(),
            _ => format!("{}:{}", self.service, self.operation),
        }
    }

    /// Whether AWS gave this code.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// Why there are no credentials to sign with: the role could not be assumed.
fn role_refusal<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e SdkError<AssumeRoleError, HttpResponse>> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(refusal) = cause.downcast_ref() {
            return Some(refusal);
        }
        next = cause.source();
    }
    None
}

/// Drops the encoded part of an authorization failure: long, and different each time.
fn tidy(message: &str) -> String {
    let cut = message.split(" Encoded authorization failure message").next().unwrap_or(message);
    cut.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of an error and of what caused it, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(e) = next {
        let text = e.to_string();
        if !words.iter().any(|w| w.contains(&text)) {
            words.push(text);
        }
        next = e.source();
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_one_meaning() {
        use AwsErrorKind::*;
        for (code, message, expected) in [
            ("InvalidPermission.Duplicate", "", Duplicate),
            ("InvalidGroup.Duplicate", "", Duplicate),
            ("InvalidPermission.NotFound", "", NotFound),
            ("InvalidSecurityGroupRuleId.NotFound", "", NotFound),
            ("InvalidPermission.Malformed", "", InvalidRequest),
            ("InvalidParameterValue", "", InvalidRequest),
            ("InvalidParameter", "", InvalidRequest),
            ("InvalidPolicyDocument", "", InvalidRequest),
            ("InvalidServiceName", "", InvalidRequest),
            ("InvalidGroupId.Malformed", "", InvalidRequest),
            ("InvalidSubnetID.Malformed", "", InvalidRequest),
            ("InvalidGroup.NotFound", "", NotFound),
            ("InvalidSecurityGroupID.NotFound", "", NotFound),
            ("InvalidVpcID.NotFound", "", NotFound),
            ("InvalidSubnetID.NotFound", "", NotFound),
            ("InvalidSubnetId.NotFound", "", NotFound),
            ("InvalidVpcEndpointId.NotFound", "", NotFound),
            ("InvalidVpcEndpoint.NotFound", "", NotFound),
            ("InvalidPrefixListID.NotFound", "", NotFound),
            ("NatGatewayNotFound", "", NotFound),
            ("ResourceNotFoundFault", "", NotFound),
            ("DBInstanceNotFound", "", NotFound),
            ("DBClusterNotFoundFault", "", NotFound),
            ("RulesPerSecurityGroupLimitExceeded", "", Quota),
            ("SecurityGroupLimitExceeded", "", Quota),
            ("VpcEndpointLimitExceeded", "", Quota),
            ("SomethingNewLimitExceeded", "", Quota),
            ("RequestLimitExceeded", "", Throttled),
            ("Throttling", "", Throttled),
            ("ThrottlingException", "", Throttled),
            ("EC2ThrottledException", "", Throttled),
            ("InternalError", "", Transient),
            ("InternalFailure", "", Transient),
            ("Unavailable", "", Transient),
            ("ConcurrentTagAccess", "", Transient),
            ("DependencyViolation", "", DependencyViolation),
            ("InvalidGroup.InUse", "", DependencyViolation),
            ("UnauthorizedOperation", "", AccessDenied),
            ("AccessDeniedException", "", AccessDenied),
            ("AccessDeniedFault", "", AccessDenied),
            ("OptInRequired", "", AccessDenied),
            ("AuthFailure", "", Credentials),
            ("ExpiredToken", "", Credentials),
            ("IdempotentParameterMismatch", "", IdempotentMismatch),
            ("InvalidResourceStateFault", "", InvalidState),
            ("DuplicateSubnetsInSameZone", "", InvalidRequest),
            (
                "InvalidParameter",
                "private-dns-enabled cannot be set because there is already a conflicting DNS domain for dms.us-west-2.amazonaws.com in the VPC vpc-1",
                PrivateDnsConflict,
            ),
            ("Surprise", "", Other),
        ] {
            assert_eq!(AwsErrorKind::of(code, message), expected, "{code}");
        }
    }

    #[test]
    fn no_code_is_never_absence() {
        for (status, expected) in [
            (200, AwsErrorKind::Other),
            (400, AwsErrorKind::Other),
            (403, AwsErrorKind::AccessDenied),
            (404, AwsErrorKind::Other),
            (500, AwsErrorKind::Transient),
            (503, AwsErrorKind::Throttled),
        ] {
            assert_eq!(AwsErrorKind::of_status(status), expected, "{status}");
        }
    }

    #[test]
    fn a_denial_names_action_and_resource() {
        let text = "You are not authorized to perform this operation. Encoded authorization failure message: 8b3tGx";
        let e = AwsError::from_code("ec2", "AuthorizeSecurityGroupIngress", "sg-1", "UnauthorizedOperation", text);
        assert_eq!(
            e.to_string(),
            "AWS denied ec2:AuthorizeSecurityGroupIngress on sg-1: UnauthorizedOperation: You are not authorized to perform this operation."
        );
        let text = "You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: ec2:CreateTags on resource: y";
        let e = AwsError::from_code("ec2", "AuthorizeSecurityGroupIngress", "sg-1", "UnauthorizedOperation", text);
        assert_eq!(e.iam_action(), "ec2:CreateTags");
    }
}
