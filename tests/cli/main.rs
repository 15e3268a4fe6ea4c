//! The built binary, where neither a cluster nor AWS is needed.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

mod docs;
mod ends;

const GOOD: &str = "\
apiVersion: dmsnet.dev/v1alpha1
kind: DmsNetworkClass
metadata: {name: east}
spec:
  region: us-east-1
  endpointUrl: http://127.0.0.1:1
  allowedNamespaces: {from: All}
  guardrails:
    vpcIds: [vpc-0a1b2c3d]
---
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

fn dmsnet(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmsnet"));
    command.args(args);
    for name in ["DMSNET_LOG", "DMSNET_CLUSTER_NAME", "DMSNET_HTTP_ADDR", "DMSNET_CLASS_SELECTOR", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"]
    {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(args: &[&str]) -> Output {
    dmsnet(args).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_is_worth_reading() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = out(&help);
    for word in [
        "run",
        "plan",
        "apply",
        "delete",
        "explain",
        "diagram",
        "snapshot",
        "import",
        "iam-policy",
        "crds",
        "completions",
        "Examples:",
        "credentials",
    ] {
        assert!(text.contains(word), "{word}\n{text}");
    }
    for command in ["run", "plan", "apply", "delete", "explain", "diagram", "snapshot", "import", "iam-policy", "crds", "completions"] {
        let help = run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0), "{command}");
        insta::assert_snapshot!(format!("help_{command}"), out(&help).lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    }
    assert!(out(&run(&["plan", "--help"])).contains("2  there are changes"));
    assert!(out(&run(&["--version"])).starts_with("dmsnet "));
}

/// The README shows it: what `docs/cli.md` says draws it.
#[test]
fn the_committed_picture_is_what_is_drawn() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let file = |name: &str| pictures.join(name).to_str().unwrap().to_owned();
    let (class, network, snapshot) = (file("class.yaml"), file("network.yaml"), file("snapshot.json"));
    let output = run(&["diagram", "-f", &class, &network, "--snapshot", &snapshot, "-o", "svg"]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    assert!(
        out(&output) == fs::read_to_string(file("orders.svg")).unwrap(),
        "docs/pictures/orders.svg is not what is drawn now: draw it again (docs/cli.md, Is the path open?), and look at it"
    );
}

/// One line that says what is wrong and what to do.
#[test]
fn a_cluster_that_cannot_be_asked_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dead = dir.path().join("dead");
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
        clusters: [{name: lab, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        contexts: [{name: lab, context: {cluster: lab, user: ''}}]\nusers: [{name: '', user: {}}]\n";
    fs::write(&dead, kubeconfig).unwrap();
    let asked = |kubeconfig: &Path, args: &[&str]| {
        let output =
            dmsnet(args).env("KUBECONFIG", kubeconfig).env_remove("KUBERNETES_SERVICE_HOST").stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(1), ""), "{args:?}");
        let text = err(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    };
    for command in [&["plan"][..], &["explain"], &["diagram"], &["snapshot", "-o", "-"]] {
        let of = |more: &[&'static str]| [command, &["-n", "team", "orders"], more].concat();
        let text = asked(Path::new("/nowhere/kubeconfig"), &of(&[]));
        assert!(
            text.starts_with("error: no cluster to read networks from: ") && text.contains("set KUBECONFIG, or name files with -f"),
            "{text}"
        );
        let text = asked(&dead, &of(&[]));
        assert!(text.starts_with("error: the Kubernetes API server http://127.0.0.1:1 does not answer: Connection refused"), "{text}");
        let text = asked(&dead, &of(&["--context", "prod"]));
        assert!(text.starts_with("error: no cluster to read networks from: ") && text.contains("prod"), "{text}");
    }
}

/// 2 means that there are changes, so a misspelt command must not end in it.
#[test]
fn a_usage_error_ends_in_1() {
    for args in [
        &["plam"][..],
        &["plan"],
        &["plan", "-f", "x", "--owner", "Not An Owner"],
        &["crds", "--log", "=====,"],
        &["import", "--region", "us-west-2"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}\n{}", err(&output));
        assert!(!err(&output).is_empty());
        assert!(out(&output).is_empty());
    }
}

#[test]
fn crds_are_the_committed_ones() {
    let output = run(&["crds"]);
    assert_eq!(output.status.code(), Some(0));
    let dir = root().join("crds");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.file_name().is_some_and(|n| n != "kustomization.yaml"));
    files.sort();
    let committed: String = files.iter().map(|f| fs::read_to_string(f).unwrap()).collect();
    assert_eq!(out(&output), committed);
}

/// The page shows what this prints.
#[test]
fn the_iam_policy_is_the_documented_one() {
    let docs = fs::read_to_string(root().join("docs/security.md")).unwrap();
    for args in [
        &["iam-policy", "--mode", "observe"][..],
        &["iam-policy", "--mode", "enforce", "--region", "us-west-2", "--account", "111122223333", "--vpc", "vpc-0a1b2c3d"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let command = format!("dmsnet {}\n", args.join(" "));
        let shown = docs.split_once(&command).unwrap_or_else(|| panic!("the page does not run {command}")).1;
        let json = shown.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
        assert_eq!(json, out(&output), "docs/security.md, {command}");
    }
    let none = run(&["iam-policy", "--mode", "enforce", "--service", "none"]);
    assert!(!out(&none).contains("CreateVpcEndpoint"));
    assert_eq!(run(&["iam-policy"]).status.code(), Some(1), "the mode is no matter of chance");
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(out(&output).contains("completions"), "{shell}");
    }
}

#[test]
fn broken_yaml_is_named_by_file_line_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.yaml");
    for (text, expected) in [
        (GOOD.replace("    rds:", "    rsd:"), ":19: spec.databases[0].rsd: unknown field `rsd`"),
        (GOOD.replace("region: us-east-1", "region: [us-east-1"), ":6: is not valid YAML: "),
        (GOOD.replace("className: east", "className: west"), ":15: spec.className: DmsNetworkClass \"west\" does not exist"),
        (GOOD.replace("[vpc-0a1b2c3d]", "[orders-vpc]"), ":9: spec.guardrails.vpcIds[0]: \"orders-vpc\" is no ID"),
    ] {
        fs::write(&file, text).unwrap();
        for command in ["plan", "apply", "delete"] {
            let output = run(&[command, "-f", file.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(1));
            let expected = format!("error: {}{expected}", file.display());
            assert!(err(&output).starts_with(&expected), "{command}\n  expected {expected}\n  got {}", err(&output));
            assert!(out(&output).is_empty());
        }
    }
    let missing = run(&["plan", "-f", "/nowhere/orders.yaml"]);
    assert_eq!(err(&missing), "error: /nowhere/orders.yaml: cannot be read: No such file or directory (os error 2)\n");
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = dmsnet(&["plan", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(GOOD.replace("kind: DmsNetwork\n", "kind: Secret\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).starts_with("error: stdin:12: kind: is \"Secret\""), "{}", err(&output));
}

#[test]
fn an_endpoint_url_that_nobody_serves_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.yaml");
    fs::write(&file, GOOD).unwrap();
    for command in ["plan", "apply", "delete"] {
        let output = run(&[command, "-f", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let text = err(&output);
        assert!(text.starts_with("error: class \"east\" (us-east-1 at http://127.0.0.1:1): AWS could not be reached"), "{text}");
        assert!(text.ends_with("(check region, endpointUrl and credentials)\n") && text.lines().count() == 1, "{text}");
        assert!(out(&output).is_empty());
    }
}
