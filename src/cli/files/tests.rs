use super::parse;

const CLASS: &str = "\
apiVersion: dmsnet.dev/v1alpha1
kind: DmsNetworkClass
metadata: {name: east}
spec:
  region: us-east-1
  allowedNamespaces: {from: All}
  guardrails:
    vpcIds: [vpc-0a1b2c3d]
";

const NETWORK: &str = "\
apiVersion: dmsnet.dev/v1alpha1
kind: DmsNetwork
metadata: {name: orders}
spec:
  className: east
  replication: {instance: orders-ri}
  databases:
  - name: source
    rds: {instance: orders-db}
    path: {type: SameVpc}
";

/// What is said of a file `net.yaml` with class and network, after `change`.
fn said(change: impl Fn(&str) -> String) -> Vec<String> {
    let text = change(&format!("{CLASS}---\n{NETWORK}"));
    match parse([("net.yaml", text.as_str())]) {
        Ok(files) => vec![format!("ok: {}", files.networks.iter().map(super::FileNetwork::label).collect::<Vec<_>>().join(" "))],
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn replaced(from: &str, to: &str) -> Vec<String> {
    said(|text| {
        assert!(text.contains(from), "{from:?} is not in the text");
        text.replacen(from, to, 1)
    })
}

#[test]
fn a_network_and_its_class_are_read() {
    let text = format!("{CLASS}---\n{NETWORK}");
    let files = parse([("net.yaml", text.as_str())]).unwrap();
    assert_eq!(files.networks[0].label(), "default/orders");
    assert_eq!(files.networks[0].class.spec.region, "us-east-1");
    assert!(files.notes.is_empty());
    // In two files, in any order.
    let files = parse([("a", NETWORK), ("b", CLASS)]).unwrap();
    assert_eq!(files.networks.len(), 1);
}

#[test]
fn json_and_lists_are_read() {
    let value = |text: &str| -> serde_json::Value { serde_saphyr::from_str(text).unwrap() };
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [value(CLASS), value(NETWORK)]});
    let text = serde_json::to_string_pretty(&list).unwrap();
    assert_eq!(parse([("list.json", text.as_str())]).unwrap().networks.len(), 1);
    let with_tabs = text.replace("  ", "\t");
    assert_eq!(parse([("list.json", with_tabs.as_str())]).unwrap().networks.len(), 1);
}

#[test]
fn what_kubectl_prints_is_read() {
    let printed = "\
metadata:
  name: orders
  namespace: team
  uid: 8f3c2a10-0000-0000-0000-000000000000
  resourceVersion: \"42\"
  generation: 3
  creationTimestamp: \"2026-11-22T10:00:00Z\"
  finalizers: [dmsnet.dev/aws-resources]
  managedFields:
  - {manager: kubectl, operation: Apply, apiVersion: dmsnet.dev/v1alpha1, fieldsType: FieldsV1, fieldsV1: {\"f:spec\": {\"f:mode\": {}}}}
status:
  observedGeneration: 3
  anything: [goes]
";
    assert_eq!(replaced("metadata: {name: orders}\n", printed), ["ok: team/orders"]);
}

#[test]
fn messages_name_file_line_and_field() {
    let mut wrong = Vec::new();
    for (from, to, expected) in [
        // YAML
        (
            "  region: us-east-1\n",
            "  region: us-east-1\n region: x\n",
            "net.yaml:6: is not valid YAML: while parsing a block mapping, did not find expected key",
        ),
        (
            "  - name: source\n",
            "  - name: source\n\t  role: Source\n",
            "net.yaml:17: is not valid YAML: while scanning a plain scalar, found a tab",
        ),
        ("metadata: {name: orders}\n", "metadata: {name: orders\n", "net.yaml:13: is not valid YAML: while parsing a flow mapping"),
        ("className: east", "className: \"east", "net.yaml:14: is not valid YAML: unclosed quote"),
        ("className: east", "className: *x", "net.yaml:14: is not valid YAML: alias references unknown anchor"),
        ("className: east", "className: east: x", "net.yaml:14: is not valid YAML: mapping values are not allowed in this context"),
        ("  databases:\n", "databases:\n", "net.yaml:16: databases: unknown field `databases`, expected one of `apiVersion`"),
        (
            "  region: us-east-1\n",
            "  region: us-east-1\n  region: us-west-2\n",
            "net.yaml:6: is not valid YAML: duplicate mapping key: region",
        ),
        // structure
        (
            "    rds: {instance",
            "    rsd: {instance",
            "net.yaml:18: spec.databases[0].rsd: unknown field `rsd`, expected one of `name`, `role`",
        ),
        ("    path: {type: SameVpc}\n", "", "net.yaml:17: spec.databases[0]: missing field `path`"),
        (
            "    path: {type: SameVpc}\n",
            "    path: {type: Tunnel}\n",
            "net.yaml:19: spec.databases[0].path.type: unknown variant `Tunnel`, expected one of `SameVpc`, `PeeredVpc`, `OnPremises`, `Internet`, `NatGateway`, `ClassicLink`",
        ),
        ("  guardrails:\n    vpcIds: [vpc-0a1b2c3d]\n", "", "net.yaml:4: spec: missing field `guardrails`"),
        (
            "metadata: {name: orders}\n",
            "metadata: {name: orders, labls: {a: b}}\n",
            "net.yaml:12: metadata.labls: is no field that is known here",
        ),
        ("metadata: {name: orders}\n", "metadata: {name: orders}\nspecs: {}\n", "net.yaml:13: specs: unknown field `specs`"),
        ("metadata: {name: orders}\n", "", "net.yaml:10: missing field `metadata`"),
        ("  className: east\n", "  className: 7\n", "net.yaml:14: spec.className: invalid type: integer `7`, expected a string"),
        (
            "{from: All}",
            "{from: Selector, selector: {matchLabel: {a: b}}}",
            "net.yaml:6: spec.allowedNamespaces.selector.matchLabel: is no field",
        ),
        ("  databases:\n", "  databases: &d\n", "ok:"),
        // header
        (
            "kind: DmsNetwork\n",
            "kind: DmsNetwrk\n",
            "net.yaml:11: kind: is \"DmsNetwrk\": only DmsNetwork and DmsNetworkClass are read here",
        ),
        ("kind: DmsNetwork\n", "", "net.yaml:10: kind: is missing"),
        (
            "---\napiVersion: dmsnet.dev/v1alpha1\n",
            "---\napiVersion: dmsnet.dev/v1\n",
            "net.yaml:10: apiVersion: is \"dmsnet.dev/v1\": write dmsnet.dev/v1alpha1",
        ),
        ("---\n", "---\njust text\n---\n", "net.yaml:10: is no Kubernetes object"),
        // class
        ("  className: east\n", "  className: west\n", "net.yaml:14: spec.className: DmsNetworkClass \"west\" does not exist"),
        ("  className: east\n", "", "net.yaml:13: spec.className: no className, and no class carries the annotation"),
        ("region: us-east-1", "region: Virginia", "net.yaml:5: spec.region: must be the code of an AWS Region"),
        (
            "  region: us-east-1\n",
            "  region: us-east-1\n  endpointUrl: 127.0.0.1:5000\n",
            "net.yaml:6: spec.endpointUrl: must be an http or https URL",
        ),
        (
            "  region: us-east-1\n",
            "  region: us-east-1\n  resyncInterval: 5s\n",
            "net.yaml:6: spec.resyncInterval: must be a duration of at least 10s",
        ),
        ("  region: us-east-1\n", "  region: us-east-1\n  resyncInterval: 1d\n", "net.yaml:6: spec.resyncInterval: must be a duration"),
        (
            "  region: us-east-1\n",
            "  region: us-east-1\n  tags: {dmsnet.dev/owner/x: owned}\n",
            "net.yaml:6: spec.tags[\"dmsnet.dev/owner/x\"]: a tag's key must not start",
        ),
        ("{from: All}", "{from: Selector}", "net.yaml:6: spec.allowedNamespaces: from: Selector needs a selector"),
        ("[vpc-0a1b2c3d]", "[vpc-0a1b2c3d, vpc-x]", "net.yaml:8: spec.guardrails.vpcIds[1]: \"vpc-x\" is no ID: vpc- and 8 or 17 digits"),
        ("[vpc-0a1b2c3d]", "[vpc-0a1b2c3d, '*']", "net.yaml:8: spec.guardrails.vpcIds: \"*\" stands for every VPC"),
        (
            "[vpc-0a1b2c3d]\n",
            "[vpc-0a1b2c3d]\n    peerCidrs:\n    - 10.0.0.0/8\n    - 10.1.2.3/16\n",
            "net.yaml:11: spec.guardrails.peerCidrs[1]: 10.1.2.3/16 has host bits: write 10.1.0.0/16",
        ),
        (
            "[vpc-0a1b2c3d]\n",
            "[vpc-0a1b2c3d]\n    peerCidrs: [2001:DB8::/32]\n",
            "net.yaml:9: spec.guardrails.peerCidrs[0]: 2001:DB8::/32 is not in canonical form: write 2001:db8::/32",
        ),
        ("[vpc-0a1b2c3d]\n", "[vpc-0a1b2c3d]\n    peerCidrs:\n", "net.yaml:9: spec.guardrails.peerCidrs: has no value: write [] for none"),
        (
            "[vpc-0a1b2c3d]\n",
            "[vpc-0a1b2c3d]\n    ports: [\"20-10\"]\n",
            "net.yaml:9: spec.guardrails.ports[0]: must be a port or a rising range",
        ),
        (
            "[vpc-0a1b2c3d]\n",
            "[vpc-0a1b2c3d]\n    ports: [5432]\n",
            "net.yaml:9: spec.guardrails.ports[0]: invalid type: integer `5432`, expected a string",
        ),
        (
            "[vpc-0a1b2c3d]\n",
            "[vpc-0a1b2c3d]\n    vpcEndpointServices: [com.amazonaws.us-east-1.dms]\n",
            "net.yaml:9: spec.guardrails.vpcEndpointServices[0]: must be only the last part",
        ),
        (
            "[vpc-0a1b2c3d]\n",
            "[vpc-0a1b2c3d]\n    securityGroups: {ids: [sg-1]}\n",
            "net.yaml:9: spec.guardrails.securityGroups.ids[0]: \"sg-1\" is no ID",
        ),
        // network
        ("{name: orders}", "{name: Orders}", "net.yaml:12: metadata.name: must be at most 63 lower-case letters"),
        ("{name: orders}", "{name: orders, namespace: a_b}", "net.yaml:12: metadata.namespace: must be a namespace"),
        ("- name: source\n", "- name: Source DB\n", "net.yaml:17: spec.databases[0].name: must be a name"),
        (
            "{instance: orders-ri}",
            "{instance: orders-ri, securityGroupId: orders}",
            "net.yaml:15: spec.replication.securityGroupId: \"orders\" is no ID: sg- and 8 or 17",
        ),
        (
            "    rds: {instance: orders-db}\n",
            "    address: {engine: mysql, endpoints: [{host: 'db:3306'}]}\n",
            "net.yaml:18: spec.databases[0].address.endpoints[0].host: must be a host name or an IP address alone",
        ),
        (
            "    rds: {instance: orders-db}\n",
            "    address: {engine: mysql, endpoints: [{host: db, port: 70000}]}\n",
            "net.yaml:18: spec.databases[0].address.endpoints[0].port: invalid value: integer `70000`, expected u16",
        ),
    ] {
        let messages = replaced(from, to);
        if !messages.iter().any(|m| m.starts_with(expected)) {
            wrong.push(format!("{to:?}\n  expected {expected}\n  got {messages:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let messages = said(|t| t.replace("us-east-1", "Virginia").replace("vpc-0a1b2c3d", "vpc-x").replace("rds:", "rsd:"));
    assert_eq!(messages.len(), 3, "{messages:#?}");
}

#[test]
fn names_are_unique_over_all_files() {
    let errors = parse([("a.yaml", CLASS), ("b.yaml", NETWORK), ("c.yaml", NETWORK)]).unwrap_err();
    assert_eq!(errors[0].to_string(), "c.yaml:3: metadata.name: DmsNetwork \"default/orders\" is written twice, first at b.yaml:1");
    let errors = parse([("a.yaml", CLASS), ("b.yaml", CLASS), ("c.yaml", NETWORK)]).unwrap_err();
    assert_eq!(errors[0].to_string(), "b.yaml:3: metadata.name: DmsNetworkClass \"east\" is written twice, first at a.yaml:1");
    let other = NETWORK.replace("{name: orders}", "{name: orders, namespace: other}");
    assert_eq!(parse([("a", CLASS), ("b", NETWORK), ("c", other.as_str())]).unwrap().networks.len(), 2);
}

#[test]
fn no_network_at_all_is_an_error() {
    assert_eq!(parse([("a.yaml", CLASS)]).unwrap_err()[0].to_string(), "the input: there is no DmsNetwork in it");
    assert_eq!(parse([("a.yaml", "# nothing\n")]).unwrap_err().len(), 1);
}

#[test]
fn an_unreadable_class_is_not_called_missing() {
    let messages = replaced("us-east-1", "Virginia");
    assert_eq!(messages.len(), 1, "{messages:#?}");
}

#[test]
fn what_only_a_cluster_can_tell_is_noted() {
    let class = CLASS.replace("{from: All}", "{from: Selector, selector: {matchLabels: {dms: \"yes\"}}}");
    let files = parse([("a", class.as_str()), ("b", NETWORK)]).unwrap();
    assert_eq!(files.notes, ["class east admits namespaces by label: whether it admits default only a cluster can tell"]);
}

mod whatever_comes {
    use proptest::prelude::*;

    proptest! {
        /// Nothing panics, whatever is in a file.
        #[test]
        fn nothing_panics(cut in 0usize..600, insert in "[ \\-:\\[\\]{}&*#|>'\"!%@,a-z0-9\\n\\t\u{e9}]{0,12}") {
            let text = format!("{}---\n{}", super::CLASS, super::NETWORK);
            let at = (0..=cut.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            let broken = format!("{}{insert}{}", &text[..at], &text[at..]);
            let _ = crate::cli::files::parse([("x", broken.as_str())]);
        }
    }
}
