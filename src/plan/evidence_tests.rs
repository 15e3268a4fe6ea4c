use strum::IntoEnumIterator;

use super::*;

/// As DMS wraps it; the application message says "Network error" for nearly everything.
fn wrapped(detail: &str) -> String {
    format!(
        "Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect to ODBC provider Network error has occurred, \
         Application-Detailed-Message: {detail}"
    )
}

#[test]
fn only_the_detail_decides() {
    use Meaning::*;
    for (detail, meaning) in [
        ("RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: [unixODBC]timeout expired ODBC general error.", ConnectTimeout),
        (
            "RetCode: SQL_ERROR SqlState: HY000 NativeError: 2003 Message: [MySQL][ODBC] Can't connect to MySQL server on 'db.example.com' (110)",
            ConnectTimeout,
        ),
        (
            "SQL30081N A communication error has been detected. Communication function detecting the error: \"selectForConnectTimeout\". \
             Protocol specific error code(s): \"110\", \"*\", \"*\". SQLSTATE=08001",
            ConnectTimeout,
        ),
        ("ORA-12170: TNS:Connect timeout occurred", ConnectTimeout),
        ("No suitable servers found (`serverSelectionTryOnce` set): [socket timeout calling hello on '10.0.0.5:27017']", ConnectTimeout),
        ("RetCode: SQL_ERROR SqlState: HYT00 NativeError: 0 Message: Login timeout expired", ConnectTimeout),
        ("Can't connect to MySQL server on '10.0.0.5' (111)", ConnectionRefused),
        ("could not connect to server: Connection refused Is the server running on host \"10.0.0.5\"", ConnectionRefused),
        ("ORA-12541: TNS:no listener", ConnectionRefused),
        ("NativeError: 2005 Message: Unknown MySQL server host 'db.internal' (2)", NameResolutionFailed),
        ("could not translate host name \"db\" to address: Name or service not known", NameResolutionFailed),
        ("ORA-12545: Connect failed because target host or object does not exist", NameResolutionFailed),
        (
            "SqlState: 08001 NativeError: 101 Message: FATAL: no pg_hba.conf entry for host \"10.0.1.5\", user \"dms\", database \"orders\", no encryption",
            TlsRequired,
        ),
        ("Connections using insecure transport are prohibited while --require_secure_transport=ON.", TlsRequired),
        ("SqlState: 28000 NativeError: 18456 Message: [Microsoft][ODBC Driver 18 for SQL Server]Login failed for user 'dms'.", AuthFailed),
        ("ORA-01017: invalid username/password; logon denied", AuthFailed),
        ("Access denied for user 'dms'@'10.0.1.5' (using password: YES)", AuthFailed),
        ("FATAL: password authentication failed for user \"dms\"", AuthFailed),
        (
            "Failed to build connection string Unable to find Secrets Manager secret, Application-Detailed-Message: Unable to find AWS Secrets \
             Manager secret Arn 'arn:aws:secretsmanager:us-west-2:1:secret:orders' The secrets_manager get secret value failed: curlCode: 28, \
             Timeout was reached Too many retries: curlCode: 28, Timeout was reached",
            SecretsManagerUnreachable,
        ),
        (
            "Unable to find AWS Secrets Manager secret Arn 'arn:aws:secretsmanager:us-west-2:1:secret:rds!db-1' The secrets_manager get secret \
             value failed: curlCode: 28, Timeout was reached",
            RdsManagedSecretUnsupported,
        ),
        ("Unable to find AWS Secrets Manager secret: User is not authorized to perform: secretsmanager:GetSecretValue", SecretUnreadable),
        ("Failed to connect to S3 bucket orders-staging: curlCode: 28, Timeout was reached", S3Unreachable),
        ("Failed to list bucket orders: versioning is enabled", S3VersionedBucket),
        ("Incorrect thread connection string: incorrect thread value 0", EndpointHostMalformed),
        ("LogMiner is not supported in Oracle PDB environment", NotNetwork),
        ("The IAM Role arn:aws:iam::1:role/dms-vpc-role is not configured properly", DmsVpcRoleMissing),
        ("the moon is full", Unknown),
    ] {
        assert_eq!(Meaning::of(&wrapped(detail)), meaning, "{detail}");
        assert_eq!(Meaning::of(detail), meaning, "without the wrapper: {detail}");
    }
}

#[test]
fn who_reached_the_database_has_an_open_network() {
    assert_eq!(Meaning::ConnectTimeout.blame(), Blame::Network);
    for proven in [Meaning::TlsRequired, Meaning::AuthFailed, Meaning::ConnectionRefused] {
        assert_eq!(proven.blame(), Blame::NotNetwork);
        assert!(proven.advice().contains("reached"), "{proven}");
    }
    assert_eq!(Meaning::Unknown.blame(), Blame::Unclear);
}

#[test]
fn every_meaning_says_what_to_do() {
    for meaning in Meaning::iter() {
        assert!(!meaning.advice().is_empty() && !meaning.advice().ends_with('.'), "{meaning}");
    }
}

#[test]
fn the_wrapper_is_taken_off() {
    assert_eq!(detail(&wrapped("timeout\n  expired")), "timeout expired");
    assert_eq!(detail("Application-Status: 1, Application-Message: bad"), "bad");
    assert_eq!(detail("bad"), "bad");
}
