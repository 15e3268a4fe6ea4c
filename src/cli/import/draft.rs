//! A DmsNetwork and its class, as `import` writes them: YAML with comments for what could not be derived. Pure.

use std::fmt::Write;

use serde_json::json;

/// All that is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// For people, at the top.
    pub head: Vec<String>,
    /// Name of the class.
    pub class: String,
    /// Region of the class.
    pub region: String,
    /// `endpointUrl` of the class.
    pub endpoint_url: Option<String>,
    /// What networks of the class may do; none: all, while the draft is being made.
    pub guardrails: Option<Rails>,
    /// Name of the network.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether it is to look only.
    pub observe: bool,
    /// `instance` or `serverless`, and the identifier.
    pub replication: (&'static str, String),
    /// Which of its groups carries the rules, where it has several.
    pub group: Option<String>,
    /// The databases.
    pub databases: Vec<Database>,
    /// The VPC endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Which network ACL entries and routes are dmsnet's to keep.
    pub upkeep: Upkeep,
}

/// What `Manage` is written for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The rule numbers that entries of network ACLs may have; none: they are only checked.
    pub entries: Option<(u32, u32)>,
    /// Whether routes are kept.
    pub routes: bool,
}

/// Guardrails as narrow as what is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Rails {
    pub vpcs: Vec<String>,
    pub groups: Vec<String>,
    pub cidrs: Vec<String>,
    pub ports: Vec<String>,
    pub services: Vec<String>,
    pub take_over: bool,
}

/// One database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// For people.
    pub notes: Vec<String>,
    /// Its name.
    pub name: String,
    /// `Source` or `Target`.
    pub role: Option<&'static str>,
    /// Where it is, as a line: `dmsEndpoint: orders-src`.
    pub place: String,
    /// Its group.
    pub group: Option<String>,
    /// `ingressFrom`, where it is not the default.
    pub ingress_from: Option<&'static str>,
    /// `path`, in flow style.
    pub path: String,
    /// Groups that it may be.
    pub groups: Vec<String>,
    /// Its subnets, where they are known otherwise than by its address.
    pub subnets: Vec<String>,
    /// Those of them that are written.
    pub subnet_ids: Vec<String>,
    /// Whether it is only a comment: something is not known.
    pub comment: bool,
}

/// One VPC endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// For people.
    pub notes: Vec<String>,
    /// Its short service name.
    pub service: String,
    /// Whether it is a gateway endpoint.
    pub gateway: bool,
    /// Its ID, where it is to be taken over.
    pub id: Option<String>,
    /// What differs from the defaults: fields and their values in flow style.
    pub fields: Vec<(&'static str, String)>,
    /// Whether it is only a comment.
    pub comment: bool,
}

/// A scalar that YAML reads as this string.
pub fn scalar(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let word = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if first && !word && text.bytes().all(plain) { text.to_owned() } else { json!(text).to_string() }
}

/// A list in flow style.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|i| scalar(&i.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// Lines of one resource.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: impl AsRef<str>) {
        let _ = writeln!(self.0, "{:width$}{}", "", text.as_ref(), width = depth * 2);
    }

    fn notes(&mut self, depth: usize, notes: &[String]) {
        for note in notes {
            self.line(depth, format!("# {}", note.replace('\n', " ")));
        }
    }

    /// Lines of one item of a list; as comments where they are only that.
    fn item(&mut self, comment: bool, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            let mark = if i == 0 { "- " } else { "  " };
            self.line(1, format!("{}{mark}{line}", if comment { "# " } else { "" }));
        }
    }
}

impl Draft {
    /// The YAML.
    pub fn yaml(&self) -> String {
        let mut page = Page::default();
        page.notes(0, &self.head);
        self.class_yaml(&mut page);
        page.line(0, "---");
        self.network_yaml(&mut page);
        page.0
    }

    fn class_yaml(&self, page: &mut Page) {
        page.line(0, "apiVersion: dmsnet.dev/v1alpha1");
        page.line(0, "kind: DmsNetworkClass");
        page.line(0, "metadata:");
        page.line(1, format!("name: {}", scalar(&self.class)));
        page.line(0, "spec:");
        page.line(1, format!("region: {}", scalar(&self.region)));
        if let Some(url) = &self.endpoint_url {
            page.line(1, format!("endpointUrl: {}", scalar(url)));
        }
        page.line(1, "allowedNamespaces:");
        page.line(2, "from: Selector");
        page.line(2, format!("selector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}", scalar(&self.namespace)));
        page.line(1, "guardrails:");
        match &self.guardrails {
            None => {
                page.line(2, "vpcIds: [\"*\"]");
                page.line(2, "peerCidrs: [0.0.0.0/0, \"::/0\"]");
                page.line(2, "takeOver: Any");
            }
            Some(rails) => {
                page.line(2, format!("vpcIds: {}", list(&rails.vpcs)));
                page.line(2, format!("securityGroups: {{ids: {}}}", list(&rails.groups)));
                page.line(2, format!("peerCidrs: {}", list(&rails.cidrs)));
                page.line(2, format!("ports: {}", list(&rails.ports)));
                page.line(2, format!("vpcEndpointServices: {}", list(&rails.services)));
                if rails.take_over {
                    page.line(2, "takeOver: Any");
                }
            }
        }
        if self.upkeep.routes {
            page.line(2, "routes: Manage");
        }
        if let Some((from, to)) = self.upkeep.entries {
            page.line(2, "networkAcls: Manage");
            page.line(2, format!("networkAclRuleNumbers: {{from: {from}, to: {to}}}"));
        }
    }

    fn network_yaml(&self, page: &mut Page) {
        page.line(0, "apiVersion: dmsnet.dev/v1alpha1");
        page.line(0, "kind: DmsNetwork");
        page.line(0, "metadata:");
        page.line(1, format!("name: {}", scalar(&self.name)));
        page.line(1, format!("namespace: {}", scalar(&self.namespace)));
        page.line(0, "spec:");
        page.line(1, format!("className: {}", scalar(&self.class)));
        if self.observe {
            page.line(1, "mode: Observe  # until the changes named above are what you want");
        }
        page.line(1, "replication:");
        let (kind, id) = &self.replication;
        page.line(2, format!("{kind}: {}", scalar(id)));
        if let Some(group) = &self.group {
            page.line(2, format!("securityGroupId: {}", scalar(group)));
        }
        if self.databases.iter().all(|d| d.comment) {
            page.line(1, "# Nothing tells which databases it works with: name at least one, such as");
            page.line(1, "# - {name: source, rds: {instance: orders-db}, path: {type: SameVpc}}");
            page.line(1, "databases: []");
        } else {
            page.line(1, "databases:");
        }
        for database in &self.databases {
            page.notes(1, &database.notes);
            page.item(database.comment, &database.lines());
        }
        if self.endpoints.iter().any(|e| !e.comment) {
            page.line(1, "vpcEndpoints:");
        } else if !self.endpoints.is_empty() {
            page.line(1, "# vpcEndpoints:");
        }
        for endpoint in &self.endpoints {
            page.notes(1, &endpoint.notes);
            page.item(endpoint.comment, &endpoint.lines());
        }
        if self.upkeep.routes {
            page.line(1, "routes: Manage");
        }
        if self.upkeep.entries.is_some() {
            page.line(1, "networkAcls: Manage");
        }
    }
}

impl Database {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("name: {}", scalar(&self.name))];
        lines.extend(self.role.map(|r| format!("role: {r}")));
        lines.push(self.place.clone());
        lines.extend(self.group.as_ref().map(|g| format!("securityGroupId: {}", scalar(g))));
        if !self.subnet_ids.is_empty() {
            lines.push(format!("subnetIds: {}", list(&self.subnet_ids)));
        }
        lines.extend(self.ingress_from.map(|i| format!("ingressFrom: {i}")));
        lines.push(format!("path: {}", self.path));
        lines
    }
}

impl Endpoint {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("name: {}", scalar(&self.service.replace('.', "-"))), format!("service: {}", scalar(&self.service))];
        if self.gateway {
            lines.push("type: Gateway".to_owned());
        }
        lines.extend(self.id.as_ref().map(|id| format!("vpcEndpointId: {}", scalar(id))));
        lines.extend(self.fields.iter().map(|(key, value)| format!("{key}: {value}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::files;

    fn draft() -> Draft {
        Draft {
            head: vec!["Two\nlines.".into()],
            class: "us-west-2".into(),
            region: "us-west-2".into(),
            guardrails: Some(Rails {
                vpcs: vec!["vpc-0a1b2c3d".into()],
                groups: vec!["sg-0a1b2c3d".into()],
                ports: vec!["5432".into()],
                services: vec!["dms".into()],
                ..Rails::default()
            }),
            name: "orders".into(),
            namespace: "team".into(),
            replication: ("instance", "orders-ri".into()),
            databases: vec![
                Database {
                    notes: vec!["Reached so.".into()],
                    name: "yes".into(),
                    role: Some("Source"),
                    place: "dmsEndpoint: orders-src".into(),
                    group: Some("sg-0b1b2c3d".into()),
                    path: "{type: SameVpc}".into(),
                    ..Database::default()
                },
                Database {
                    name: "hidden".into(),
                    place: "address: {engine: mysql, endpoints: [{host: ???}]}".into(),
                    path: "{type: SameVpc}".into(),
                    comment: true,
                    ..Database::default()
                },
            ],
            endpoints: vec![
                Endpoint { service: "dms".into(), fields: vec![("privateDns", "false".into())], ..Endpoint::default() },
                Endpoint { service: "s3".into(), id: Some("vpce-0a1b2c3d".into()), comment: true, ..Endpoint::default() },
            ],
            ..Draft::default()
        }
    }

    #[test]
    fn drafts_are_read_as_they_are_meant() {
        let text = draft().yaml();
        insta::assert_snapshot!("import_draft", text);
        let files = files::parse([("draft", text.as_str())]).unwrap();
        let network = &files.networks[0].network.spec;
        assert_eq!(network.databases.len(), 1, "the other is a comment");
        assert_eq!(network.databases[0].name, "yes", "and no boolean");
        assert_eq!(network.vpc_endpoints[0].private_dns, Some(false));
        assert_eq!(files.networks[0].class.spec.guardrails.ports, Some(vec!["5432".to_owned()]), "a string");
    }

    #[test]
    fn what_is_not_known_is_a_comment() {
        let mut draft = draft();
        draft.databases.remove(0);
        draft.endpoints.remove(0);
        let text = draft.yaml();
        assert!(text.contains("databases: []") && text.contains("  # - name: hidden"), "{text}");
        assert!(text.contains("  # vpcEndpoints:\n  # - name: s3\n"), "{text}");
        assert!(files::parse([("draft", text.as_str())]).is_ok());
    }
}
