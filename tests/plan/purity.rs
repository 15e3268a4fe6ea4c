//! The pure modules know no client, no SDK, no runtime and no clock. That they build without them is held by building
//! this test with `--no-default-features`; that they do not reach for them otherwise, by reading them.

use std::{fs, path::Path};

const FORBIDDEN: [&str; 10] = [
    "kube::",
    "aws_sdk_",
    "aws_config",
    "aws_smithy",
    "tokio",
    "crate::aws",
    "crate::controller",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
];

fn read(dir: &Path, found: &mut Vec<String>, files: &mut usize) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, found, files);
            continue;
        }
        *files += 1;
        for (line, text) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = text.split("//").next().unwrap_or_default();
            for word in FORBIDDEN.iter().filter(|w| code.contains(**w)) {
                found.push(format!("{}:{}: {word}", path.display(), line + 1));
            }
        }
    }
}

#[test]
fn pure_modules_know_no_outside_world() {
    let (mut found, mut files) = (Vec::new(), 0);
    for module in ["model", "plan", "reach"] {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module), &mut found, &mut files);
    }
    assert!(files > 20, "the modules are read");
    assert_eq!(found, Vec::<String>::new());
}
