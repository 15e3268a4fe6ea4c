//! Where a session's facts come from: AWS, or a snapshot of it.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use crate::{
    aws::Store,
    model::{Need, Picture},
};

/// The facts of one account and Region.
#[derive(Clone)]
pub(super) enum Facts {
    /// AWS answers.
    Live(Arc<Store>),
    /// A snapshot answers.
    Recorded {
        /// What was read when it was taken.
        picture: Arc<Picture>,
        /// What was asked for, and it does not hold.
        missing: BTreeSet<Need>,
    },
}

impl Facts {
    pub(super) fn recorded(picture: &Picture) -> Self {
        Self::Recorded { picture: Arc::new(picture.clone()), missing: BTreeSet::new() }
    }

    /// Looks at what is known.
    pub(super) fn with<R>(&self, look: impl FnOnce(&Picture) -> R) -> R {
        match self {
            Self::Live(store) => store.with(look),
            Self::Recorded { picture, .. } => look(picture),
        }
    }

    /// Asks what is not known yet, or was read before `not_older_than`. A one-time command has no later pass that
    /// could use the answer to a name: it waits for those, too.
    pub(super) async fn ensure(&mut self, needs: &BTreeSet<Need>, not_older_than: Option<Instant>) {
        match self {
            Self::Live(store) => store.ensure_all(needs, not_older_than).await,
            Self::Recorded { picture, missing } => missing.extend(needs.iter().filter(|n| !picture.asked.contains_key(n)).cloned()),
        }
    }

    /// AWS itself; none offline.
    pub(super) fn store(&self) -> Option<&Arc<Store>> {
        match self {
            Self::Live(store) => Some(store),
            Self::Recorded { .. } => None,
        }
    }

    /// What a snapshot lacks.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Need> {
        match self {
            Self::Live(_) => None,
            Self::Recorded { missing, .. } => Some(missing),
        }
        .into_iter()
        .flatten()
    }
}
