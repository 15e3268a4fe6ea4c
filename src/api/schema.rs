//! Pieces of schema that the derives cannot express: each kind of value with its limits, and a rule in CEL
//! whose message says what to change. A string under a rule has a maxLength and a list a maxItems, so that
//! the API server can bound what a rule costs.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Most entries in a list of a class.
const CLASS_LIST: u32 = 64;
/// Most subnets in a list: DMS allows no more in a subnet group.
const SUBNETS: u32 = 60;
/// Most security groups in a list: AWS allows no more on a network interface.
const GROUPS: u32 = 16;
/// Most tags.
const TAGS: u32 = 20;

/// Engines, as DMS spells them, for which `model::engine` knows a default port.
const ENGINES_WITH_PORT: &[&str] = &[
    "aurora",
    "aurora-mysql",
    "aurora-postgresql",
    "aurora-postgresql-serverless",
    "aurora-serverless",
    "azuredb",
    "babelfish",
    "db2",
    "db2-zos",
    "docdb",
    "dynamodb",
    "elasticsearch",
    "gcp-mysql",
    "kinesis",
    "mariadb",
    "mongodb",
    "mysql",
    "neptune",
    "opensearch",
    "oracle",
    "postgres",
    "redis",
    "redshift",
    "redshift-serverless",
    "s3",
    "sqlserver",
    "sybase",
    "timestream",
];

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

fn rule(rule: impl Into<String>, message: impl Into<String>) -> Value {
    json!({ "rule": rule.into(), "message": message.into() })
}

fn text(max: u32, rules: Vec<Value>) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": max, "x-kubernetes-validations": rules })
}

/// A string that matches `pattern` in full, else `message`.
fn matching(max: u32, pattern: &str, message: impl Into<String>) -> Schema {
    text(max, vec![rule(format!("self.matches(r'^({pattern})$')"), message)])
}

fn set(max: u32, items: Schema) -> Schema {
    json_schema!({ "type": "array", "items": items, "maxItems": max, "x-kubernetes-list-type": "set" })
}

fn with(mut schema: Schema, key: &str, value: Value) -> Schema {
    schema.insert(key.to_owned(), value);
    schema
}

fn id(prefix: &str, what: &str) -> Schema {
    matching(
        32,
        &format!("{prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})"),
        format!("must be the ID of a {what}: {prefix}- and 8 or 17 digits of 0-9a-f, such as {prefix}-0a1b2c3d"),
    )
}

/// ID of a security group.
pub fn security_group_id(_: &mut SchemaGenerator) -> Schema {
    id("sg", "security group")
}

/// IDs of security groups.
pub fn security_group_ids(_: &mut SchemaGenerator) -> Schema {
    set(GROUPS, id("sg", "security group"))
}

/// IDs of security groups, at least one.
pub fn some_security_group_ids(g: &mut SchemaGenerator) -> Schema {
    with(security_group_ids(g), "minItems", json!(1))
}

/// IDs of security groups in a class.
pub fn class_security_group_ids(_: &mut SchemaGenerator) -> Schema {
    set(CLASS_LIST, id("sg", "security group"))
}

/// IDs of subnets.
pub fn subnet_ids(_: &mut SchemaGenerator) -> Schema {
    set(SUBNETS, id("subnet", "subnet"))
}

/// IDs of subnets, at least one.
pub fn some_subnet_ids(g: &mut SchemaGenerator) -> Schema {
    with(subnet_ids(g), "minItems", json!(1))
}

/// IDs of route tables.
pub fn route_table_ids(_: &mut SchemaGenerator) -> Schema {
    set(SUBNETS, id("rtb", "route table"))
}

/// ID of a VPC.
pub fn vpc_id(_: &mut SchemaGenerator) -> Schema {
    id("vpc", "VPC")
}

/// IDs of VPCs, or a lone `*`.
pub fn vpc_ids(_: &mut SchemaGenerator) -> Schema {
    let one = matching(
        32,
        r"\*|vpc-([0-9a-f]{8}|[0-9a-f]{17})",
        "must be the ID of a VPC, such as vpc-0a1b2c3d, or \"*\" for every VPC of the account and Region",
    );
    let rules = json!([rule("!('*' in self) || size(self) == 1", "\"*\" stands for every VPC: remove it or the IDs beside it")]);
    with(set(CLASS_LIST, one), "x-kubernetes-validations", rules)
}

/// ID of a VPC endpoint.
pub fn vpc_endpoint_id(_: &mut SchemaGenerator) -> Schema {
    id("vpce", "VPC endpoint")
}

/// ID of a prefix list.
pub fn prefix_list_id(_: &mut SchemaGenerator) -> Schema {
    id("pl", "prefix list")
}

/// ID of a VPC peering connection.
pub fn peering_connection_id(_: &mut SchemaGenerator) -> Schema {
    id("pcx", "VPC peering connection")
}

/// ID of a network interface.
pub fn network_interface_id(_: &mut SchemaGenerator) -> Schema {
    id("eni", "network interface")
}

/// IDs of NAT gateways.
pub fn nat_gateway_ids(_: &mut SchemaGenerator) -> Schema {
    set(GROUPS, id("nat", "NAT gateway"))
}

/// An AWS account.
pub fn account_id(_: &mut SchemaGenerator) -> Schema {
    matching(12, "[0-9]{12}", "must be an AWS account ID: 12 digits, in quotes, such as \"111122223333\"")
}

/// ARN of an IAM role.
pub fn role_arn(_: &mut SchemaGenerator) -> Schema {
    matching(
        256,
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,200}",
        "must be the ARN of an IAM role, such as arn:aws:iam::111122223333:role/dmsnet",
    )
}

/// An external ID, as a role's trust policy asks for it.
pub fn external_id(_: &mut SchemaGenerator) -> Schema {
    matching(
        256,
        r"[\w+=,.@:/-]{2,256}",
        "must be the external ID that the role's trust policy asks for: 2 to 256 letters, digits and _ + = , . @ : / -",
    )
}

/// A CIDR in its canonical spelling: equal CIDRs are equal texts.
pub fn cidr(_: &mut SchemaGenerator) -> Schema {
    text(
        43,
        vec![
            rule(
                "isCIDR(self)",
                "must be a CIDR: an address, a slash and a prefix length, such as 10.0.0.0/16 or 2001:db8::/32; one address is /32 (IPv6: /128)",
            ),
            rule(
                "!isCIDR(self) || cidr(self) == cidr(self).masked()",
                "has host bits set beyond the prefix length: write the network's first address, such as 10.0.0.0/16 for 10.0.1.5/16",
            ),
            rule(
                "!isCIDR(self) || !(cidr(self) == cidr(self).masked()) || string(cidr(self)) == self",
                "must be spelled in canonical form: IPv6 in lower case, without leading zeros and with :: for the longest run of zeros",
            ),
        ],
    )
}

/// CIDRs in a class.
pub fn cidrs(g: &mut SchemaGenerator) -> Schema {
    set(CLASS_LIST, cidr(g))
}

/// A resync interval.
pub fn interval(_: &mut SchemaGenerator) -> Schema {
    text(
        32,
        vec![rule(
            "self.matches('^([0-9]{1,5}[hms]){1,3}$') && duration(self) >= duration('10s')",
            "must be a duration of at least 10s in whole hours, minutes and seconds, such as 60s, 5m or 1h30m",
        )],
    )
}

/// Name of a list entry, a DNS label.
pub fn name(_: &mut SchemaGenerator) -> Schema {
    matching(63, LABEL, "must be a name of at most 63 lower-case letters, digits and hyphens that starts and ends with a letter or digit")
}

/// Name of a DmsNetworkClass.
pub fn class_name(_: &mut SchemaGenerator) -> Schema {
    matching(63, &format!(r"{LABEL}(\.{LABEL})*"), "must be the name of a DmsNetworkClass: lower-case letters, digits, hyphens and dots")
}

/// Identifier of a DMS replication instance, RDS instance or cluster: AWS keeps them in lower case.
pub fn identifier(_: &mut SchemaGenerator) -> Schema {
    matching(
        63,
        "[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "must be the identifier, not the ARN, in lower case as AWS keeps it: letters, digits and single hyphens, starting with a letter",
    )
}

/// Identifier of a DMS Serverless replication config.
pub fn replication_config_identifier(_: &mut SchemaGenerator) -> Schema {
    matching(
        255,
        "[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*",
        "must be the identifier of the replication config, not its ARN: letters, digits and single hyphens, starting with a letter",
    )
}

/// Identifier of a DMS endpoint.
pub fn dms_endpoint_identifier(_: &mut SchemaGenerator) -> Schema {
    matching(
        255,
        "[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*",
        "must be the identifier of the DMS endpoint, not its ARN: letters, digits and single hyphens, starting with a letter",
    )
}

/// A DMS engine name.
pub fn engine(_: &mut SchemaGenerator) -> Schema {
    matching(
        64,
        "[a-z0-9]+(-[a-z0-9]+)*",
        "must be an engine name as DMS spells it, in lower case, such as postgres, mysql, sqlserver or mongodb",
    )
}

/// CEL list of the engines that have a default port.
fn engines_with_port() -> String {
    let names: Vec<String> = ENGINES_WITH_PORT.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}

/// Rule of an address: every host of an engine without a default port has one.
pub fn address_has_ports() -> String {
    format!("self.engine in {} || self.endpoints.all(e, has(e.port))", engines_with_port())
}

/// Rule of a database: likewise its extra endpoints.
pub fn extra_endpoints_have_ports() -> String {
    format!(
        "!has(self.address) || self.address.engine in {} || !has(self.extraEndpoints) || self.extraEndpoints.all(e, has(e.port))",
        engines_with_port()
    )
}

/// A host name or an IP address.
pub fn host(_: &mut SchemaGenerator) -> Schema {
    let label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
    text(
        253,
        vec![
            rule(
                format!(r"isIP(self) || self.matches(r'^{label}(\.{label})*$') && !self.matches(r'^([0-9.]+\.)?[0-9]+$')"),
                "must be a host name or an IP address alone, without port, scheme or brackets, such as db-0.example.com or 10.0.1.5",
            ),
            rule("!isIP(self) || ip.isCanonical(self)", "must be an IPv6 address in its short lower-case form, such as 2001:db8::1"),
        ],
    )
}

/// Number of an entry of a network ACL.
pub fn rule_number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 32766 })
}

/// A TCP port.
pub fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 65535 })
}

/// Ports and ranges of ports.
pub fn port_ranges(_: &mut SchemaGenerator) -> Schema {
    let valid = "self.matches('^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$') && self.split('-').all(p, int(p) <= 65535) \
                 && int(self.split('-')[0]) <= int(self.split('-')[size(self.split('-')) - 1])";
    let item = text(11, vec![rule(valid, "must be a port or a rising range of ports between 1 and 65535, such as 5432 or 27017-27020")]);
    set(CLASS_LIST, item)
}

/// An AWS service as it ends its PrivateLink name.
pub fn service(_: &mut SchemaGenerator) -> Schema {
    text(
        63,
        vec![
            rule(
                "!self.startsWith('com.amazonaws.')",
                "must be only the last part of the service name, such as dms for com.amazonaws.us-west-2.dms",
            ),
            rule(
                "self.matches('^[a-z0-9]+([.-][a-z0-9]+)*$')",
                "must be a service as its PrivateLink name ends, in lower case, such as dms, secretsmanager or kinesis-streams",
            ),
        ],
    )
}

/// Services in a class.
pub fn services(g: &mut SchemaGenerator) -> Schema {
    set(CLASS_LIST, service(g))
}

/// An AWS Region.
pub fn region(_: &mut SchemaGenerator) -> Schema {
    text(
        32,
        vec![
            rule("self.matches('^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$')", "must be the code of an AWS Region, such as us-west-2"),
            rule("self == oldSelf", "cannot be changed: create another DmsNetworkClass for the other Region"),
        ],
    )
}

/// URL of an AWS emulator.
pub fn endpoint_url(_: &mut SchemaGenerator) -> Schema {
    text(
        256,
        vec![rule(
            "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' \
             && url(self).getEscapedPath() in ['', '/'] && size(url(self).getQuery()) == 0",
            "must be an http or https URL of a host and port alone, such as http://127.0.0.1:5000",
        )],
    )
}

/// URL of an SQS queue.
pub fn queue_url(_: &mut SchemaGenerator) -> Schema {
    let pattern = "https?://[^/?# ]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}([.]fifo)?";
    matching(512, pattern, "must be the URL of an SQS queue, such as https://sqs.us-west-2.amazonaws.com/111122223333/dmsnet-changes")
}

/// AWS tags; `rules` come on top of AWS's limits.
fn tag_map(mut rules: Vec<Value>) -> Schema {
    rules.insert(
        0,
        rule(
            r"self.all(key, size(key) >= 1 && size(key) <= 128 && key.matches(r'^[\pL\pZ\pN_.:/=+\-@]*$'))",
            "a tag's key must have 1 to 128 characters: letters, digits, spaces and _ . : / = + - @",
        ),
    );
    let value = matching(256, r"[\pL\pZ\pN_.:/=+\-@]*", "a tag's value may have only letters, digits, spaces and _ . : / = + - @");
    json_schema!({
        "type": "object",
        "maxProperties": TAGS,
        "additionalProperties": with(value, "minLength", json!(0)),
        "x-kubernetes-validations": rules,
    })
}

/// Tags that select objects.
pub fn tags(_: &mut SchemaGenerator) -> Schema {
    tag_map(vec![])
}

/// Tags that dmsnet sets.
pub fn own_tags(_: &mut SchemaGenerator) -> Schema {
    tag_map(vec![
        rule(
            "self.all(key, !key.lowerAscii().startsWith('aws:'))",
            "a tag's key must not start with aws: (AWS keeps that prefix to itself)",
        ),
        rule(
            "self.all(key, !key.startsWith('dmsnet.dev/'))",
            "a tag's key must not start with dmsnet.dev/ (dmsnet sets those tags itself)",
        ),
    ])
}

/// A label selector that selects something; the schema of Kubernetes' own has no limits, which a rule needs.
pub fn label_selector(_: &mut SchemaGenerator) -> Schema {
    let operators = rule(
        "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
        "In and NotIn need values; Exists and DoesNotExist must have none",
    );
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that the namespace must carry, all of them.",
                "type": "object",
                "maxProperties": CLASS_LIST,
                "additionalProperties": { "type": "string", "maxLength": 63 },
            },
            "matchExpressions": {
                "description": "Requirements that the namespace's labels must meet, all of them.",
                "type": "array",
                "maxItems": CLASS_LIST,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "description": "The label's key.", "type": "string", "maxLength": 317 },
                        "operator": {
                            "description": "`In` or `NotIn` (the label's value is, or is not, one of `values`), `Exists` or `DoesNotExist`.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values for `In` and `NotIn`.",
                            "type": "array",
                            "maxItems": CLASS_LIST,
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string", "maxLength": 63 },
                        },
                    },
                    "x-kubernetes-validations": [operators],
                },
            },
        },
        "x-kubernetes-validations": [rule(
            "has(self.matchLabels) && size(self.matchLabels) > 0 || has(self.matchExpressions) && size(self.matchExpressions) > 0",
            "must have matchLabels or matchExpressions; for every namespace use from: All",
        )],
    })
}

/// A VPC endpoint policy: the API server keeps all of it and checks its outline.
pub fn policy_document(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "required": ["Statement"],
        "properties": {
            "Version": {
                "description": "Version of the policy language, normally `2012-10-17`.",
                "type": "string",
                "enum": ["2012-10-17", "2008-10-17"],
            },
            "Statement": {
                "description": "One statement or a list of statements, each with Effect, Principal, Action and Resource.",
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
    })
}

/// An RFC 3339 time.
pub fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

#[cfg(test)]
mod tests {
    use crate::model::engine::default_port;

    #[test]
    fn engines_that_need_no_port_have_one() {
        for engine in super::ENGINES_WITH_PORT {
            assert!(default_port(engine).is_some(), "{engine}");
        }
    }
}
