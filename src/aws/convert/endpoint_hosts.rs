//! Where a DMS endpoint says which hosts it calls: each engine has a place of its own (domain.md 3.1, 4).

use aws_sdk_databasemigration::types as dms;

use super::{port, text};

/// Host, port and secret of an engine's settings, where it has such fields.
struct Block {
    host: Option<String>,
    port: Option<i32>,
    secret: Option<String>,
}

/// What an endpoint tells of its hosts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) more: Vec<(String, Option<u16>)>,
    pub(super) secret: Option<String>,
}

macro_rules! blocks {
    ($row:ident: $($field:ident),+ $(,)?) => {
        [$($row.$field.as_ref().map(|s| Block {
            host: s.server_name.clone(), port: s.port, secret: s.secrets_manager_secret_id.clone(),
        })),+]
    };
}

/// Hosts, ports and secret of an endpoint. `ServerName` and `Port` count before what the settings say.
pub(super) fn hosts(row: &dms::Endpoint) -> Hosts {
    let redis = row.redis_settings.as_ref().map(|s| Block { host: Some(s.server_name.clone()), port: Some(s.port), secret: None });
    let blocks = blocks!(row: postgre_sql_settings, my_sql_settings, oracle_settings, sybase_settings, microsoft_sql_server_settings,
        ibm_db2_settings, mongo_db_settings, doc_db_settings, redshift_settings, gcp_my_sql_settings);
    let blocks: Vec<Block> = blocks.into_iter().flatten().chain(redis).collect();
    let oracle = row.oracle_settings.as_ref();
    let asm_secret = || oracle.and_then(|o| text(o.secrets_manager_oracle_asm_secret_id.clone()));
    let mut found = Hosts {
        host: None,
        port: port(row.port).or_else(|| blocks.iter().find_map(|b| port(b.port))),
        more: Vec::new(),
        secret: blocks.iter().find_map(|b| text(b.secret.clone())).or_else(asm_secret),
    };
    let name = text(row.server_name.clone()).or_else(|| blocks.iter().find_map(|b| text(b.host.clone())));
    // A replica set is written as a list of members.
    let mut names = name.iter().flat_map(|n| n.split(',')).filter_map(host_and_port);
    if let Some((host, with_it)) = names.next() {
        found.host = Some(host);
        found.port = with_it.or(found.port);
    }
    found.more.extend(names);
    if let Some(brokers) = row.kafka_settings.as_ref().and_then(|k| k.broker.as_deref()) {
        found.more.extend(brokers.split(',').filter_map(host_and_port));
    }
    if let Some(search) = &row.elasticsearch_settings {
        found.more.extend(uri(&search.endpoint_uri));
    }
    let attributes = row.extra_connection_attributes.as_deref();
    let asm = oracle.and_then(|o| text(o.asm_server.clone())).or_else(|| attribute(attributes?, "asm_server"));
    found.more.extend(asm.iter().flat_map(|a| a.split(',')).filter_map(host_and_port));
    found.more.sort();
    found.more.dedup();
    found
}

/// Reads `host`, `host:port`, `[v6]:port`, each perhaps with a path behind it (`host:1521/+ASM`).
fn host_and_port(given: &str) -> Option<(String, Option<u16>)> {
    let given = given.split('/').next()?.trim();
    let (host, number) = match given.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, rest)) => (v6, rest.strip_prefix(':')),
        // More than one colon: an IPv6 address without a port.
        None => match given.split_once(':') {
            Some((host, number)) if !number.contains(':') => (host, Some(number)),
            _ => (given, None),
        },
    };
    (!host.is_empty()).then(|| (host.to_owned(), number.and_then(|n| n.parse().ok()).filter(|n| *n != 0)))
}

/// Reads `https://host[:port][/path]`; a host alone is served by HTTPS, too.
fn uri(given: &str) -> Option<(String, Option<u16>)> {
    let (scheme, rest) = given.trim().split_once("://").unwrap_or(("https", given.trim()));
    let (host, port) = host_and_port(rest.rsplit_once('@').map_or(rest, |(_, host)| host))?;
    Some((host, port.or(Some(if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 }))))
}

/// One of `name=value;name=value`.
fn attribute(given: &str, name: &str) -> Option<String> {
    let pairs = given.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(n, _)| n.trim().eq_ignore_ascii_case(name)).find_map(|(_, v)| text(Some(v.trim().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> dms::builders::EndpointBuilder {
        dms::Endpoint::builder().endpoint_identifier("x")
    }

    fn host(h: &str, p: impl Into<Option<u16>>) -> (String, Option<u16>) {
        (h.into(), p.into())
    }

    #[test]
    fn the_plain_fields_come_first_then_the_engines_settings() {
        let settings = dms::PostgreSqlSettings::builder().server_name("other").port(6000).secrets_manager_secret_id("s-1").build();
        let found = hosts(&endpoint().server_name("db").port(5432).postgre_sql_settings(settings.clone()).build());
        assert_eq!((found.host.as_deref(), found.port, found.secret.as_deref()), (Some("db"), Some(5432), Some("s-1")));
        let found = hosts(&endpoint().postgre_sql_settings(settings).build());
        assert_eq!((found.host.as_deref(), found.port), (Some("other"), Some(6000)));
    }

    #[test]
    fn a_secret_hides_host_and_port() {
        let settings = dms::MySqlSettings::builder().secrets_manager_secret_id("arn:secret").build();
        let found = hosts(&endpoint().my_sql_settings(settings).build());
        assert_eq!(found, Hosts { secret: Some("arn:secret".into()), ..Hosts::default() });
    }

    #[test]
    fn every_broker_is_a_host() {
        let kafka = dms::KafkaSettings::builder().broker("b-1.msk:9094, b-2.msk:9094,b-3.msk").build();
        let found = hosts(&endpoint().kafka_settings(kafka).build());
        assert_eq!(found.more, [host("b-1.msk", 9094), host("b-2.msk", 9094), host("b-3.msk", None)]);
        assert_eq!(found.host, None);
    }

    #[test]
    fn a_search_domain_is_an_address_of_its_own() {
        for (given, expected) in [
            ("https://search-x.es.amazonaws.com", host("search-x.es.amazonaws.com", 443)),
            ("search-x.es.amazonaws.com/path", host("search-x.es.amazonaws.com", 443)),
            ("http://10.0.0.5:9200/", host("10.0.0.5", 9200)),
            ("http://10.0.0.5", host("10.0.0.5", 80)),
            ("https://me:secret@[2001:db8::5]:9200", host("2001:db8::5", 9200)),
        ] {
            let search = dms::ElasticsearchSettings::builder().service_access_role_arn("r").endpoint_uri(given).build().unwrap();
            assert_eq!(hosts(&endpoint().elasticsearch_settings(search).build()).more, [expected], "{given}");
        }
    }

    #[test]
    fn oracles_asm_server_is_one_more_host_wherever_it_is_written() {
        let oracle = dms::OracleSettings::builder().asm_server("10.0.0.7:1522/+ASM").secrets_manager_oracle_asm_secret_id("asm").build();
        let found = hosts(&endpoint().server_name("db").port(1521).oracle_settings(oracle).build());
        assert_eq!((found.host.as_deref(), found.port), (Some("db"), Some(1521)));
        assert_eq!((found.more, found.secret.as_deref()), (vec![host("10.0.0.7", 1522)], Some("asm")));
        let found = hosts(&endpoint().extra_connection_attributes("useLogminerReader=N; ASM_Server=asm-host/+ASM;x=y").build());
        assert_eq!(found.more, [host("asm-host", None)]);
    }

    #[test]
    fn members_of_a_replica_set_are_told_apart() {
        let mongo = dms::MongoDbSettings::builder().server_name("m-0:27018,m-1:27019").port(27_017).build();
        let found = hosts(&endpoint().mongo_db_settings(mongo).build());
        assert_eq!((found.host.as_deref(), found.port), (Some("m-0"), Some(27_018)));
        assert_eq!(found.more, [host("m-1", 27_019)]);
        let redis = dms::RedisSettings::builder().server_name("r").port(6380).build().unwrap();
        let found = hosts(&endpoint().redis_settings(redis).build());
        assert_eq!((found.host.as_deref(), found.port), (Some("r"), Some(6380)));
        assert_eq!(host_and_port("2001:db8::1"), Some(host("2001:db8::1", None)));
    }
}
