//! What DMS's own connection tests say, and what a failure's text means (domain.md 5). DMS wraps every failure into the
//! same words, "Network error" among them, even where the network was fine: only the detail tells.

/// What a failed test means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::IntoStaticStr, strum::EnumIter)]
pub enum Meaning {
    /// No answer in time: something drops the packets, or their answers.
    ConnectTimeout,
    /// The host answered, and nothing listens on that port.
    ConnectionRefused,
    /// The host name does not resolve.
    NameResolutionFailed,
    /// The database admits only encrypted connections, or the certificate does not fit.
    TlsRequired,
    /// The database was reached and did not accept the credentials.
    AuthFailed,
    /// The secret could not be read for want of a way to Secrets Manager.
    SecretsManagerUnreachable,
    /// Secrets Manager answered, and did not give the secret.
    SecretUnreadable,
    /// A secret that RDS manages holds no host and port.
    RdsManagedSecretUnsupported,
    /// S3 does not answer.
    S3Unreachable,
    /// A bucket with versions makes the test run out of time.
    S3VersionedBucket,
    /// The server name holds something that is none.
    EndpointHostMalformed,
    /// DMS lacks its role for VPCs.
    DmsVpcRoleMissing,
    /// The database was reached and refused something else.
    NotNetwork,
    /// A text that is not known here.
    Unknown,
}

/// Whether the network is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Packets or names do not get there.
    Network,
    /// They do: something else is wrong.
    NotNetwork,
    /// It cannot be told.
    Unclear,
}

impl Meaning {
    /// Reads `Connection.LastFailureMessage`.
    pub fn of(message: &str) -> Self {
        let text = message.to_ascii_lowercase();
        let has = |needles: &[&str]| needles.iter().any(|n| text.contains(n));
        // From the most telling to the least: a message may carry several.
        if has(&["dms-vpc-role"]) {
            Self::DmsVpcRoleMissing
        } else if has(&["secrets manager", "secretsmanager", "secret id", "secret_id"]) {
            if has(&["rds!"]) {
                Self::RdsManagedSecretUnsupported
            } else if has(&[
                "curlcode: 28",
                "curlcode: 6",
                "curlcode: 7",
                "timeout was reached",
                "timed out",
                "could not resolve host",
                "couldn't connect",
            ]) {
                Self::SecretsManagerUnreachable
            } else {
                Self::SecretUnreadable
            }
        } else if has(&[
            "no pg_hba.conf entry",
            "ssl off",
            "no encryption",
            "certificate verify failed",
            "ssl connection is required",
            "ora-28860",
        ]) || (has(&["require_secure_transport", "insecure transport"]))
        {
            Self::TlsRequired
        } else if has(&[
            "login failed",
            "native error: 18456",
            "nativeerror: 18456",
            "ora-01017",
            "ora-28000",
            "access denied for user",
            "password authentication failed",
            "authentication failed",
            "sqlstate: 28000",
            "sqlstate: 28p01",
            "invalid username/password",
        ]) {
            Self::AuthFailed
        } else if has(&["incorrect thread connection string", "incorrect thread value"]) {
            Self::EndpointHostMalformed
        } else if has(&[
            "unknown mysql server host",
            "name or service not known",
            "could not translate host name",
            "could not resolve host",
            "temporary failure in name resolution",
            "nodename nor servname",
            "no such host",
            "ora-12545",
            "getaddrinfo",
        ]) {
            Self::NameResolutionFailed
        } else if has(&["connection refused", "(111)", "ora-12541", "actively refused", "econnrefused"]) {
            Self::ConnectionRefused
        } else if has(&["bucket"]) && has(&["versioning", "versioned"]) {
            Self::S3VersionedBucket
        } else if has(&["bucket", "amazon s3"]) && has(&["timeout", "timed out", "unable to connect", "failed to connect", "curlcode"]) {
            Self::S3Unreachable
        } else if has(&[
            "timeout expired",
            "timed out",
            "timeout was reached",
            "selectforconnecttimeout",
            "(110)",
            "no route to host",
            "network is unreachable",
            "ora-12170",
            "ora-12535",
            "etimedout",
            "no suitable servers found",
            "nativeerror: 101",
            "hyt00",
            "sql30081n",
            "operation timed out",
        ]) {
            Self::ConnectTimeout
        } else if has(&[
            "logminer",
            "binlog",
            "binary log",
            "wal_level",
            "replication slot",
            "supplemental logging",
            "is not supported",
            "ora-00942",
        ]) {
            Self::NotNetwork
        } else {
            Self::Unknown
        }
    }

    /// Whether the network is to blame.
    pub fn blame(self) -> Blame {
        match self {
            Self::ConnectTimeout | Self::NameResolutionFailed | Self::SecretsManagerUnreachable | Self::S3Unreachable => Blame::Network,
            Self::ConnectionRefused | Self::TlsRequired | Self::AuthFailed | Self::NotNetwork => Blame::NotNetwork,
            Self::SecretUnreadable
            | Self::RdsManagedSecretUnsupported
            | Self::S3VersionedBucket
            | Self::EndpointHostMalformed
            | Self::DmsVpcRoleMissing => Blame::NotNetwork,
            Self::Unknown => Blame::Unclear,
        }
    }

    /// What it means, and what to do, in a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::ConnectTimeout => {
                "no answer came: a security group, network ACL, route or firewall drops the packets or their answers; `dmsnet explain` names it where AWS shows it"
            }
            Self::ConnectionRefused => {
                "the host was reached, so the network is open, but nothing listens there: check the port of the DMS endpoint and that the database runs"
            }
            Self::NameResolutionFailed => {
                "the host name does not resolve in the replication's VPC: check the name, the VPC's DNS attributes, private hosted zones and forwarding rules"
            }
            Self::TlsRequired => {
                "the database was reached, so the network is open, but it wants TLS: set the DMS endpoint's SslMode to require, or add the certificate"
            }
            Self::AuthFailed => {
                "the database was reached, so the network is open, but the credentials were not accepted: check user, password or secret of the DMS endpoint"
            }
            Self::SecretsManagerUnreachable => {
                "DMS finds no way to Secrets Manager: add a VPC endpoint for secretsmanager with port 443 open, or a NAT gateway, and let the replication's group out to it"
            }
            Self::SecretUnreadable => {
                "Secrets Manager was reached, but DMS may not read the secret, or it is not there: check its name, its Region, and the role that the DMS endpoint names"
            }
            Self::RdsManagedSecretUnsupported => {
                "DMS cannot use secrets that RDS manages (rds!…), which hold no host and port: make a secret of your own"
            }
            Self::S3Unreachable => {
                "DMS finds no way to S3: add a gateway endpoint for s3 to the route tables of the replication subnets, or a NAT gateway"
            }
            Self::S3VersionedBucket => {
                "a bucket with many versions makes DMS's test run out of time, as a closed network would: turn versioning off or use another bucket"
            }
            Self::EndpointHostMalformed => {
                "the server name of the DMS endpoint holds a space or another character that no host name has: correct it"
            }
            Self::DmsVpcRoleMissing => {
                "the IAM role dms-vpc-role is missing or was made a moment ago: create it with AmazonDMSVPCManagementRole"
            }
            Self::NotNetwork => "the database was reached, so the network is open; it refused what DMS needs: see the message",
            Self::Unknown => "see the message",
        }
    }
}

/// The part of a failure that tells: what follows the wrapper's last "Application-Detailed-Message:", in one line.
pub fn detail(message: &str) -> String {
    let tail = ["Application-Detailed-Message:", "Application-Message:"].iter().find_map(|mark| message.rsplit_once(mark));
    let detail = tail.map_or(message, |(_, detail)| detail);
    detail.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
