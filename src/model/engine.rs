//! Default ports by DMS `EngineName` (domain.md 4). DMS itself has none: a written port always wins.

/// The engine's usual TCP port; none where it has no usual one (Kafka's brokers name theirs).
pub fn default_port(engine: &str) -> Option<u16> {
    Some(match engine.to_ascii_lowercase().as_str() {
        "mysql" | "mariadb" | "aurora" | "aurora-mysql" | "aurora-serverless" | "gcp-mysql" => 3306,
        "postgres" | "aurora-postgresql" | "aurora-postgresql-serverless" => 5432,
        "sqlserver" | "azuredb" | "babelfish" => 1433,
        "redshift" | "redshift-serverless" => 5439,
        "mongodb" | "docdb" => 27_017,
        "redis" => 6379,
        "neptune" => 8182,
        "opensearch" | "elasticsearch" | "s3" | "kinesis" | "dynamodb" | "timestream" => 443,
        "db2" => 50_000,
        "db2-zos" => 446,
        "sybase" => 5000,
        // RDS names its Oracle and SQL Server engines with an edition: oracle-ee, sqlserver-se, …
        e if e == "oracle" || e.starts_with("oracle-") => 1521,
        e if e.starts_with("sqlserver-") => 1433,
        _ => return None,
    })
}

/// Other AWS services that DMS must reach for a database of this engine, and for its secret if it has one: short names of their
/// endpoint services (domain.md 2). Redshift and Neptune are loaded through S3. Redshift's cluster and OpenSearch's domain are the
/// databases themselves, on ports of their own; what their endpoint services carry is management, which DMS does not call.
pub fn services_needed(engine: &str, has_secret: bool) -> Vec<&'static str> {
    let mut services = match engine.to_ascii_lowercase().as_str() {
        "s3" | "neptune" | "redshift" | "redshift-serverless" => vec!["s3"],
        "dynamodb" => vec!["dynamodb"],
        "kinesis" => vec!["kinesis-streams"],
        _ => vec![],
    };
    services.extend(has_secret.then_some("secretsmanager"));
    services
}

#[cfg(test)]
mod tests {
    use super::{default_port, services_needed};

    #[test]
    fn engines_and_secrets_need_services() {
        assert_eq!(services_needed("redshift", true), ["s3", "secretsmanager"]);
        assert_eq!(services_needed("Neptune", false), ["s3"]);
        assert_eq!(services_needed("kinesis", false), ["kinesis-streams"]);
        assert!(services_needed("postgres", false).is_empty());
    }

    #[test]
    fn ports_come_from_the_engine() {
        assert_eq!(default_port("postgres"), Some(5432));
        assert_eq!(default_port("oracle-ee"), Some(1521));
        assert_eq!(default_port("kafka"), None);
    }
}
