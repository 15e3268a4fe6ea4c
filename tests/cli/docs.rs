//! The pages of the paths, tried as a new user would: each command that needs no AWS account prints what the page shows.

use std::{fs, path::Path};

use super::{dmsnet, out, root};

#[path = "../support/docs.rs"]
mod pages;

/// Commands on a snapshot, as they are run in the repository's directory. Others are left to tests that have an AWS.
fn run(command: &str) -> Option<String> {
    let args: Vec<&str> = command.strip_prefix("dmsnet ")?.split(' ').collect();
    if !args.contains(&"--snapshot") {
        return None;
    }
    let output = dmsnet(&args).current_dir(root()).env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.is_empty(), "{command}\n{told}");
    // What git would take away.
    let lines: Vec<String> = out(&output).lines().map(|l| l.trim_end().to_owned() + "\n").collect();
    Some(lines.concat())
}

#[test]
fn pages_of_the_paths_show_what_is_printed() {
    let mut pages: Vec<_> = fs::read_dir(root().join("docs/paths")).unwrap().map(|f| f.unwrap().path()).collect();
    pages.sort();
    for page in pages {
        let example = Path::new("examples").join(page.file_stem().unwrap());
        let commands = pages::hold(&page, run);
        assert!(commands >= 4 || !root().join(&example).exists(), "{} shows plan, explain and diagram of its example", page.display());
    }
}

/// Nothing is wanted and every way is open once dmsnet has been there; before, there is something to do.
#[test]
fn examples_are_blocked_before_and_open_after() {
    let mut count = 0;
    for example in fs::read_dir(root().join("examples")).unwrap() {
        let dir = example.unwrap().path();
        if !dir.is_dir() {
            continue;
        }
        count += 1;
        let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let code = |command: &str, snapshot: &str| {
            let output = super::run(&[command, "-f", &file("class.yaml"), &file("network.yaml"), "--snapshot", &file(snapshot)]);
            (output.status.code(), out(&output))
        };
        for (command, snapshot, expected) in
            [("plan", "before", 2), ("explain", "before", 2), ("plan", "after", 0), ("explain", "after", 0)]
        {
            let (ended, text) = code(command, &format!("{snapshot}.json"));
            assert_eq!(ended, Some(expected), "{command} of {} on {snapshot}.json\n{text}", dir.display());
        }
    }
    assert_eq!(count, 9);
}
