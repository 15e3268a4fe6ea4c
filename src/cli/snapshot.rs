//! Snapshots: what AWS held for some networks, in a file, so that the same commands run offline and say the same.
//! A snapshot holds what the picture holds (IDs, addresses, rules, tags, policies) and no credentials.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    aws::Scope,
    model::{Need, Picture, ReadFailure},
};

/// What every snapshot says that it is.
const FORMAT: &str = "dmsnet-snapshot";
/// Of the format. Raise it when files that were written before can no longer be read: a test holds what they look like.
const VERSION: u32 = 1;

/// What AWS held, by account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    format: String,
    version: u32,
    /// The dmsnet that took it.
    dmsnet: String,
    /// When it was taken, in UTC.
    taken_at: String,
    /// One for each account and Region, in the order of the files.
    pub pictures: Vec<Recorded>,
}

/// What was read of one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recorded {
    /// Where it was read.
    pub scope: Scope,
    /// The account that the credentials belonged to.
    pub account: String,
    /// What was asked, what was found, and what was refused.
    pub picture: Picture,
}

/// Why a file serves as no snapshot for these networks: a sentence with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SnapshotError {
    #[error("is cut off at line {0}: take it again with dmsnet snapshot")]
    CutOff(usize),
    #[error("is no snapshot of dmsnet ({0}): name a file that dmsnet snapshot wrote")]
    NotOurs(String),
    #[error("is of version {found} of the format, written by dmsnet {by}; this dmsnet reads version {VERSION}: {}", advice(*found))]
    Version { found: u32, by: String },
    #[error("is damaged at {field}: {why}: take it again with dmsnet snapshot")]
    Damaged { field: String, why: String },
    #[error("holds nothing of {scope}, where class {class:?} works; it holds {held}: take it again with the same files")]
    OtherPlace { scope: String, class: String, held: String },
    #[error("does not hold {0}, which these files ask for: take it again with the same files")]
    Lacks(String),
}

fn advice(found: u32) -> &'static str {
    if found < VERSION { "take it again with this dmsnet" } else { "use that dmsnet, or take it again with this one" }
}

/// What tells whether the rest can be understood.
#[derive(Deserialize)]
struct Header {
    format: Option<String>,
    version: Option<u32>,
    dmsnet: Option<String>,
}

impl Snapshot {
    /// A snapshot that was taken then, by this dmsnet.
    pub fn new(taken_at: impl fmt::Display, pictures: Vec<Recorded>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            dmsnet: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: taken_at.to_string(),
            pictures,
        }
    }

    /// Reads what [`serde_json`] writes of one.
    ///
    /// # Errors
    /// Where the text is cut off, is something else, or is of another version.
    pub fn read(text: &str) -> Result<Self, SnapshotError> {
        let header: Header = serde_json::from_str(text).map_err(|e| {
            if e.is_eof() && !text.trim().is_empty() {
                return SnapshotError::CutOff(e.line());
            }
            SnapshotError::NotOurs(format!("it cannot be read as JSON: {e}"))
        })?;
        if header.format.as_deref() != Some(FORMAT) {
            return Err(SnapshotError::NotOurs(format!("its format is not {FORMAT:?}")));
        }
        let found = header.version.unwrap_or_default();
        if found != VERSION {
            return Err(SnapshotError::Version { found, by: header.dmsnet.unwrap_or_else(|| "?".to_owned()) });
        }
        let mut json = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|e| SnapshotError::Damaged { field: e.path().to_string(), why: e.inner().to_string() })
    }

    /// What was read where a class works.
    ///
    /// # Errors
    /// Where it holds other places only.
    pub fn of(&self, scope: &Scope, class: &str) -> Result<&Recorded, SnapshotError> {
        self.pictures.iter().find(|p| p.scope == *scope).ok_or_else(|| {
            let held: Vec<String> = self.pictures.iter().map(|p| p.scope.to_string()).collect();
            let held = if held.is_empty() { "nothing at all".to_owned() } else { held.join(", ") };
            SnapshotError::OtherPlace { scope: scope.to_string(), class: class.to_owned(), held }
        })
    }

    /// For people: what it holds; and the reads that AWS refused.
    pub fn summary(&self) -> (String, Vec<String>) {
        let mut refused = Vec::new();
        let mut places = Vec::new();
        for Recorded { scope, account, picture } in &self.pictures {
            places.push(format!(
                "account {account}, {scope}: {} questions, {} rules",
                picture.asked.len(),
                picture.rules.values().map(|r| r.len()).sum::<usize>()
            ));
            let failed =
                |(need, failure): (&Need, &Option<_>)| failure.as_ref().map(|f: &Arc<ReadFailure>| format!("{need}: {}", f.message));
            refused.extend(picture.asked.iter().filter_map(failed));
        }
        refused.dedup();
        (places.join("; "), refused)
    }
}

/// What a snapshot lacks, as an error; none where it lacks nothing.
pub fn lacks<'a>(needs: impl IntoIterator<Item = &'a Need>) -> Option<SnapshotError> {
    const SHOWN: usize = 4;
    let all: Vec<String> = needs.into_iter().map(ToString::to_string).collect();
    let more = all.len().saturating_sub(SHOWN);
    let text = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (all.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(SnapshotError::Lacks(text)),
        (false, more) => Some(SnapshotError::Lacks(format!("{text} and {more} more"))),
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
