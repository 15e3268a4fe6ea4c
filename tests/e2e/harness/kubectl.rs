//! kubectl, as a user has it.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::tools;

#[derive(Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
}

/// What kubectl said.
#[derive(Debug)]
pub struct Output {
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Kubectl {
    /// kubectl with that kubeconfig, working in that namespace.
    pub fn new(kubeconfig: PathBuf, namespace: &str) -> Self {
        let ours = [tools().join("kubectl"), tools().join("venv/bin/kubectl")];
        let program = ours.into_iter().find(|path| path.exists()).unwrap_or_else(|| "kubectl".into());
        Self { program, kubeconfig, namespace: namespace.to_owned() }
    }

    /// Runs it with `input` on its standard input.
    pub fn run(&self, args: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.program)
            .env("KUBECONFIG", &self.kubeconfig)
            .args(["--namespace", &self.namespace])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("kubectl does not start ({e}): put it on the path, or run `make tools`"));
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // a kubectl that reads nothing may be gone
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Output { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it prints; it must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args, "");
        assert!(output.ok, "kubectl {}: {}", args.join(" "), output.stderr);
        output.stdout
    }

    /// `kubectl apply -f -`, which must succeed.
    pub fn apply(&self, yaml: &str) -> String {
        let output = self.run(&["apply", "-f", "-"], yaml);
        assert!(output.ok, "kubectl apply: {}\n{yaml}", output.stderr);
        output.stdout
    }
}
