//! Change queues: what a message names is looked at again at once, instead of by the next sweep (design.md 2, Reading AWS).

mod reader;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::context::{self, Context};
use crate::aws::{Queue, Scope};

/// How often it is looked which queues there are; a class that changes is seen at once.
const LOOK: Duration = Duration::from_secs(5);

/// The queues that are read, each by one task.
#[derive(Debug, Default)]
pub struct Queues {
    /// By URL, what is wrong with it.
    troubles: Mutex<BTreeMap<String, String>>,
    changed: Notify,
}

/// Who reads a queue: the first by name of the classes that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    class: String,
    scope: Scope,
}

impl Queues {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a queue cannot be read; none where it can, or where nobody knows yet.
    pub fn trouble(&self, url: &str) -> Option<String> {
        self.lock().get(url).cloned()
    }

    /// A class may name another queue than before.
    pub fn look(&self) {
        self.changed.notify_one();
    }

    /// Whether that is news.
    fn tell(&self, url: &str, trouble: Option<String>) -> bool {
        let mut troubles = self.lock();
        match trouble {
            Some(text) => troubles.insert(url.to_owned(), text.clone()) != Some(text),
            None => troubles.remove(url).is_some(),
        }
    }
}

/// Reads the queues of all classes that are ours while `leading`, until `stop`: a queue has one reader.
pub async fn run(ctx: Arc<Context>, mut leading: watch::Receiver<bool>, stop: CancellationToken) {
    ctx.started.cancelled().await;
    let mut readers: BTreeMap<String, (User, CancellationToken)> = BTreeMap::new();
    while !stop.is_cancelled() {
        let wanted = if *leading.borrow_and_update() { wanted(&ctx) } else { BTreeMap::new() };
        readers.retain(|url, (user, end)| {
            let stays = wanted.get(url) == Some(user);
            if !stays {
                end.cancel();
                ctx.queues.tell(url, None);
            }
            stays
        });
        for (url, user) in wanted {
            if !readers.contains_key(&url) {
                let end = stop.child_token();
                let store = ctx.stores.get(&user.scope).await;
                let reader = reader::Reader::new(ctx.clone(), user.class.clone(), url.clone(), Queue::new(store.clients(), &url));
                tokio::spawn(end.clone().run_until_cancelled_owned(reader.run()));
                tracing::info!(class = user.class, url, "change queue is read");
                readers.insert(url, (user, end));
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = ctx.queues.changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            changed = leading.changed() => if changed.is_err() { stop.cancelled().await },
        }
    }
}

fn wanted(ctx: &Context) -> BTreeMap<String, User> {
    let mut wanted = BTreeMap::new();
    let mut classes = ctx.classes.state();
    classes.sort_by_key(|class| class.name_any());
    for class in classes {
        if let Some(queue) = &class.spec.change_queue {
            let user = User { class: class.name_any(), scope: context::scope(&context::record(&class, None)) };
            wanted.entry(queue.url.clone()).or_insert(user);
        }
    }
    wanted
}

/// Asks for a pass of every class that names the queue.
fn wake_classes(ctx: &Context, url: &str) {
    for class in ctx.classes.state() {
        if class.spec.change_queue.as_ref().is_some_and(|q| q.url == url) {
            // Nobody listens any more when the process ends.
            let _ = ctx.wake_class.send(ObjectRef::from_obj(&*class));
        }
    }
}
