//! Pages that show a command and, in the block after it, what it prints. With `UPDATE_DOCS=1` what it prints is written there.

#![allow(clippy::panic)]

use std::{env, fs, ops::Range, path::Path};

/// A command of a page, and where the page shows its output.
pub struct Shown {
    pub command: String,
    output: Range<usize>,
}

/// Commands of one line, each in a block of its own, that are followed by a block with their output.
pub fn shown(page: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    for (at, _) in page.match_indices("```sh\n") {
        let Some((command, rest)) = page[at + 6..].split_once("\n```\n\n```") else { continue };
        if command.contains('\n') {
            continue;
        }
        let start = page.len() - rest.len() + rest.find('\n').map_or(0, |n| n + 1);
        let Some(end) = page[start..].find("```") else { continue };
        found.push(Shown { command: command.to_owned(), output: start..start + end });
    }
    found
}

/// The page shows what `run` says of each command that it says anything of. How many those are.
pub fn hold(page: &Path, mut run: impl FnMut(&str) -> Option<String>) -> usize {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let mut new = text.clone();
    let outputs: Vec<(Shown, String)> = shown(&text).into_iter().filter_map(|s| run(&s.command).map(|o| (s, o))).collect();
    for (shown, output) in outputs.iter().rev() {
        new.replace_range(shown.output.clone(), output);
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(page, &new).unwrap();
    } else if new != text {
        let difference = similar::TextDiff::from_lines(&text, &new);
        panic!("{} shows other output; UPDATE_DOCS=1 writes it\n{}", page.display(), difference.unified_diff());
    }
    outputs.len()
}
