//! `docs/findings.md` says what the code says. After a change of the codes: `UPDATE_DOCS=1 cargo test --test reach docs`.

use std::{env, fs, path::Path};

use dmsnet::reach::Code;
use strum::IntoEnumIterator;

const HEAD: &str = "\
<!-- Made from src/reach/code.rs: UPDATE_DOCS=1 cargo test --test reach docs -->
# Findings

Every code that `dmsnet explain` and `status.databases[]` may name: under `blockedBy` what blocks, with the resource, what was found,
the fix as a sentence and, where AWS allows a change, as AWS CLI lines (`commands`); under `unknown` what AWS does not show. Codes are
stable. What blocks comes in the order in which packets meet it.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for code in Code::iter() {
        if code.section() != section {
            section = code.section();
            page += &format!("\n## {section}\n\n| code | meaning | resource | what to do |\n|---|---|---|---|\n");
        }
        page += &format!("| `{code}` | {} | {} | {} |\n", code.meaning(), code.resource(), code.remedy());
    }
    page
}

#[test]
fn the_list_of_findings_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, page()).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page(), "docs/findings.md is not what the code says: run UPDATE_DOCS=1 cargo test --test reach docs");
}
