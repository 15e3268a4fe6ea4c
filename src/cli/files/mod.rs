//! Networks and classes from files: the same YAML (or JSON) as in a cluster, read as strictly as an API server would,
//! with file, line and field in every message.

mod tree;
mod validate;

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    api::{DmsNetwork, DmsNetworkClass, DmsNetworkClassSpec, DmsNetworkSpec, GROUP, VERSION, class::NamespacesFrom},
    plan::class::choose,
};

use tree::{Field, Node};

/// The namespace of a network that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// What is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file, as it was named.
    pub file: String,
    /// Line in the file, from 1.
    pub line: Option<u64>,
    /// Way to the field, such as `spec.databases[0].name`.
    pub field: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl std::error::Error for FileError {}

/// `orders.yaml:12: spec.databases[0].name: two databases are named "source"`
impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: Arc<str>,
    line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Place {
    fn error(&self, field: Option<&Field>, message: impl Into<String>) -> FileError {
        FileError {
            file: self.file.to_string(),
            line: (self.line > 0).then_some(self.line),
            field: field.map(ToString::to_string),
            message: message.into(),
        }
    }
}

/// A network and the class that it works in.
#[derive(Clone, Debug)]
pub struct FileNetwork {
    /// As it was written; the namespace is filled in.
    pub network: DmsNetwork,
    /// Its class.
    pub class: Arc<DmsNetworkClass>,
    /// The other classes that its databases name.
    pub others: Vec<Arc<DmsNetworkClass>>,
}

impl FileNetwork {
    /// `namespace/name`
    pub fn label(&self) -> String {
        label(&self.network)
    }
}

/// All that the files say.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Networks in the order in which they were written.
    pub networks: Vec<FileNetwork>,
    /// What people should know about how the files were read.
    pub notes: Vec<String>,
}

/// Reads files; `-` is standard input.
///
/// # Errors
/// All that is wrong, in the order of the files.
pub fn load(files: &[PathBuf]) -> Result<Files, Vec<FileError>> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
        let fail = |message: String| FileError { file: name.clone(), line: None, field: None, message };
        if texts.iter().any(|(n, _)| *n == name) {
            errors.push(fail("is named twice".to_owned()));
            continue;
        }
        match read(file) {
            Ok(text) => texts.push((name, text)),
            Err(error) => errors.push(fail(format!("cannot be read: {error}"))),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    parse(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    if file.is_dir() {
        return Err(io::Error::other("it is a directory: name the files in it"));
    }
    fs::read_to_string(file)
}

/// Reads the texts of files, each with its name.
///
/// # Errors
/// All that is wrong, in the order of the files.
pub fn parse<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Files, Vec<FileError>> {
    let mut reader = Reader::default();
    for (name, text) in texts {
        reader.file(name, text);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    networks: Vec<(Place, Node, DmsNetwork)>,
    classes: Vec<(Place, DmsNetworkClass)>,
    errors: Vec<FileError>,
}

/// A resource as it may stand in a file: nothing else is allowed beside these.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<S> {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: ObjectMeta,
    spec: S,
    /// As `kubectl get -o yaml` prints it; it says nothing here.
    #[serde(default, rename = "status")]
    _status: Option<serde_json::Value>,
}

impl Reader {
    fn file(&mut self, name: &str, text: &str) {
        let file: Arc<str> = name.into();
        match Node::read(text) {
            Ok(documents) => {
                for document in documents {
                    self.document(&file, document);
                }
            }
            Err(error) => {
                let line = error.location().map_or(0, |l| l.line());
                let message = format!("is not valid YAML: {}", message_of(&error));
                self.errors.push(Place { file, line }.error(None, message));
            }
        }
    }

    fn document(&mut self, file: &Arc<str>, node: Node) {
        let place = Place { file: file.clone(), line: node.line };
        if !node.is_map() {
            return self.errors.push(place.error(None, "is no Kubernetes object: a mapping with apiVersion, kind, metadata and spec"));
        }
        let text = |key: &str| node.get(key).and_then(Node::as_str).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if kind == "List" || (kind.ends_with("List") && node.get("items").is_some()) {
            // As `kubectl get -o yaml` prints several.
            for item in node.get("items").map(Node::items).unwrap_or_default() {
                self.document(file, item.clone());
            }
            return;
        }
        let ours = format!("{GROUP}/{VERSION}");
        let wrong = |field: &str, message: String| {
            let field = Field::of(field);
            Place { line: node.line_of(&field), ..place.clone() }.error(Some(&field), message)
        };
        match kind {
            "DmsNetwork" | "DmsNetworkClass" if version != ours => {
                let message =
                    if version.is_empty() { format!("is missing: write {ours}") } else { format!("is {version:?}: write {ours}") };
                self.errors.push(wrong("apiVersion", message));
            }
            "DmsNetwork" => self.network(place, node),
            "DmsNetworkClass" => self.class(place, &node),
            "" => self.errors.push(wrong("kind", "is missing: write DmsNetwork or DmsNetworkClass".to_owned())),
            other => self.errors.push(wrong("kind", format!("is {other:?}: only DmsNetwork and DmsNetworkClass are read here"))),
        }
    }

    fn network(&mut self, place: Place, node: Node) {
        let Some(Document { metadata, spec, .. }) = self.typed::<DmsNetworkSpec>(&place, &node) else { return };
        let mut network = DmsNetwork { metadata, spec, status: None };
        network.metadata.namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
        self.report(&place, &node, validate::network(&network));
        if let Some((first, ..)) = self.networks.iter().find(|(_, _, n)| label(n) == label(&network)) {
            let message = format!("DmsNetwork {:?} is written twice, first at {first}", label(&network));
            return self.report(&place, &node, vec![(Field::of("metadata.name"), message)]);
        }
        self.networks.push((place, node, network));
    }

    fn class(&mut self, place: Place, node: &Node) {
        let Some(Document { metadata, spec, .. }) = self.typed::<DmsNetworkClassSpec>(&place, node) else { return };
        let class = DmsNetworkClass { metadata, spec, status: None };
        self.report(&place, node, validate::class(&class, node));
        if let Some((first, _)) = self.classes.iter().find(|(_, c)| c.name_any() == class.name_any()) {
            let message = format!("DmsNetworkClass {:?} is written twice, first at {first}", class.name_any());
            return self.report(&place, node, vec![(Field::of("metadata.name"), message)]);
        }
        self.classes.push((place, class));
    }

    /// Reads a document as its type; nothing in it may be unknown.
    fn typed<S: DeserializeOwned>(&mut self, place: &Place, node: &Node) -> Option<Document<S>> {
        let json = node.to_json();
        let mut unknown: Vec<Field> = Vec::new();
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(Field::from(&path));
        let mut track = serde_path_to_error::Track::new();
        let deserializer = serde_path_to_error::Deserializer::new(&json, &mut track);
        match serde_ignored::deserialize::<_, _, Document<S>>(deserializer, &mut note) {
            Ok(document) => {
                if unknown.is_empty() {
                    return Some(document);
                }
                let wrong = unknown.into_iter().map(|f| (f, "is no field that is known here: check its spelling".to_owned()));
                self.report(place, node, wrong.collect());
            }
            Err(error) => {
                self.report(place, node, vec![(Field::from(&track.path()), error.to_string())]);
            }
        }
        None
    }

    fn report(&mut self, place: &Place, node: &Node, wrong: Vec<(Field, String)>) {
        for (field, message) in wrong {
            let at = Place { line: node.line_of(&field), ..place.clone() };
            self.errors.push(at.error(Some(&field).filter(|f| !f.is_empty()), message));
        }
    }

    /// The classes that databases name; none where one is missing.
    fn others(
        &mut self,
        place: &Place,
        node: &Node,
        network: &DmsNetwork,
        home: &str,
        classes: &[Arc<DmsNetworkClass>],
    ) -> Option<Vec<Arc<DmsNetworkClass>>> {
        let (mut others, mut wrong): (Vec<Arc<DmsNetworkClass>>, Vec<(Field, String)>) = (Vec::new(), Vec::new());
        for (i, database) in network.spec.databases.iter().enumerate() {
            let Some(name) = database.class_name.as_deref().filter(|n| *n != home) else { continue };
            match classes.iter().find(|c| c.name_any() == name) {
                Some(class) if others.iter().all(|o| o.name_any() != name) => others.push(class.clone()),
                Some(_) => {}
                None => {
                    let message = format!("DmsNetworkClass {name:?} is not in the files: the class has to be in one of them");
                    wrong.push((Field::of("spec.databases").index(i).key("className"), message));
                }
            }
        }
        let complete = wrong.is_empty();
        // A class that cannot be read is no class that is missing.
        if self.errors.is_empty() {
            self.report(place, node, wrong);
        }
        complete.then_some(others)
    }

    fn finish(mut self) -> Result<Files, Vec<FileError>> {
        let classes: Vec<Arc<DmsNetworkClass>> = self.classes.drain(..).map(|(_, c)| Arc::new(c)).collect();
        let mut files = Files::default();
        for (place, node, network) in std::mem::take(&mut self.networks) {
            match choose(&network, classes.iter().map(|c| &**c)).map(ResourceExt::name_any) {
                Ok(name) => {
                    let Some(class) = classes.iter().find(|c| c.name_any() == name) else { continue };
                    let Some(others) = self.others(&place, &node, &network, &name, &classes) else { continue };
                    files.networks.push(FileNetwork { network, class: class.clone(), others });
                }
                // A class that cannot be read is no class that is missing.
                Err(_) if !self.errors.is_empty() => {}
                Err(problem) => {
                    let message = format!("{} (the class has to be in one of the files)", problem.message);
                    self.report(&place, &node, vec![(Field::of(&problem.resource), message)]);
                }
            }
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        if files.networks.is_empty() {
            let message = "there is no DmsNetwork in it".to_owned();
            return Err(vec![FileError { file: "the input".to_owned(), line: None, field: None, message }]);
        }
        files.notes = notes(&files.networks);
        Ok(files)
    }
}

/// What a cluster would check, and files cannot.
fn notes(networks: &[FileNetwork]) -> Vec<String> {
    let mut selected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for n in networks {
        for class in std::iter::once(&n.class).chain(&n.others) {
            if class.spec.allowed_namespaces.from == NamespacesFrom::Selector {
                selected.entry(class.name_any()).or_default().extend(n.network.namespace());
            }
        }
    }
    selected
        .into_iter()
        .map(|(class, mut namespaces)| {
            namespaces.sort();
            namespaces.dedup();
            format!("class {class} admits namespaces by label: whether it admits {} only a cluster can tell", namespaces.join(", "))
        })
        .collect()
}

fn label(network: &DmsNetwork) -> String {
    format!("{}/{}", network.namespace().unwrap_or_default(), network.name_any())
}

/// The parser's words, without its own position and snippet.
fn message_of(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests;
