//! Change queues: what a message names is looked at again at once, instead of by the next sweep (design.md 2, Reading AWS).

mod hands;
mod reader;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    context::{self, Context},
    serving::Serving,
    shards,
};
use crate::{
    api::DmsNetworkClass,
    aws::{Queue, Scope},
};

/// How often it is looked which queues there are; a class that changes is seen at once.
const LOOK: Duration = Duration::from_secs(5);

/// The queues that are read, each by one task.
#[derive(Debug, Default)]
pub struct Queues {
    /// By URL, what is wrong with it.
    troubles: Mutex<BTreeMap<String, String>>,
    changed: Notify,
}

/// For whom we read a queue: the first by name of the classes that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    class: String,
    scope: Scope,
}

/// Who reads a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    We(User),
    /// Another shard, for a class of its own that comes first by name.
    Other {
        class: String,
        shard: String,
    },
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

/// Reads the queues of the classes that this replica serves, until `stop`: a queue has one reader.
pub async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    let mut readers: BTreeMap<String, (User, CancellationToken)> = BTreeMap::new();
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    while !stop.is_cancelled() {
        let classes = ctx.classes.state();
        let who = who(classes.iter().map(|c| &**c), &ctx.serving);
        readers.retain(|url, (user, end)| {
            let stays = matches!(who.get(url), Some(Who::We(now)) if now == user);
            if !stays {
                end.cancel();
                ctx.queues.tell(url, None);
            }
            stays
        });
        for (url, who) in who {
            match who {
                Who::We(user) if !readers.contains_key(&url) => {
                    let end = stop.child_token();
                    let store = ctx.stores.get(&user.scope).await;
                    let reader = reader::Reader::new(ctx.clone(), user.class.clone(), url.clone(), Queue::new(store.clients(), &url));
                    if ctx.queues.tell(&url, None) {
                        wake_classes(&ctx, &url);
                    }
                    tasks.retain(|task| !task.is_finished());
                    tasks.push(tokio::spawn(reader.run(end.clone())));
                    tracing::info!(class = user.class, url, "change queue is read");
                    readers.insert(url, (user, end));
                }
                Who::We(_) => {}
                Who::Other { class, shard } => {
                    let trouble = format!(
                        "shard {shard:?} reads the change queue {url}, for class {class:?}, and a queue has one reader: give this class one of its own; until then only sweeps notice changes"
                    );
                    if ctx.queues.tell(&url, Some(trouble)) {
                        wake_classes(&ctx, &url);
                    }
                }
            }
        }
        tokio::select! {
            // In this order: a seed of the fault tests takes the same way again.
            biased;
            () = stop.cancelled() => {}
            () = ctx.queues.changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    // What they have in hand is given back.
    futures::future::join_all(tasks).await;
}

/// Of each queue that a class of ours names: who reads it.
fn who<'a>(classes: impl IntoIterator<Item = &'a DmsNetworkClass>, serving: &Serving) -> BTreeMap<String, Who> {
    let mut all = BTreeMap::new();
    let mut named: Vec<_> = classes.into_iter().filter_map(|c| Some((c.name_any(), &c.spec.change_queue.as_ref()?.url, c))).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let serves = |class: &str| serving.since(class).is_some();
    let ours: BTreeSet<&String> = named.iter().filter(|(class, ..)| serves(class)).map(|(_, url, _)| *url).collect();
    for (class, url, object) in named.iter().filter(|(_, url, _)| ours.contains(url)) {
        let who = match shards::shard(object) {
            _ if serves(class) => Who::We(User { class: class.clone(), scope: context::scope(&context::record(object, None)) }),
            Some(shard) if shard != serving.shard => Who::Other { class: class.clone(), shard: shard.to_owned() },
            _ => continue,
        };
        all.entry((*url).clone()).or_insert(who);
    }
    all
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

#[cfg(test)]
mod tests {
    use kube::core::Selector;

    use super::*;

    fn class(name: &str, queue: Option<&str>, shard: Option<&str>) -> DmsNetworkClass {
        let queue = queue.map(|url| serde_json::json!({ "url": url }));
        let json = serde_json::json!({
            "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass", "metadata": { "name": name },
            "spec": { "region": "us-west-2", "allowedNamespaces": { "from": "All" }, "guardrails": { "vpcIds": ["*"] }, "changeQueue": queue },
            "status": { "shard": shard },
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_queue_has_one_reader() {
        let serving = Serving::new("a".into(), Selector::default());
        for ours in ["mine", "also-mine", "quiet"] {
            serving.add(ours, None);
        }
        let classes = [
            class("mine", Some("one"), Some("a")),
            class("also-mine", Some("one"), Some("a")),
            class("quiet", None, Some("a")),
            class("his", Some("his"), Some("b")),
            class("clear", Some("two"), None),
            class("z-his", Some("one"), Some("b")),
        ];
        let readers = |classes: &[DmsNetworkClass]| -> Vec<String> {
            let told = |(url, who)| match who {
                Who::We(user) => format!("{url}: {}", user.class),
                Who::Other { class, shard } => format!("{url}: {class} of {shard}"),
            };
            who(classes, &serving).into_iter().map(told).collect()
        };
        assert_eq!(readers(&classes), ["one: also-mine"], "the first by name, and none that no class of ours names");
        let first = class("a-his", Some("one"), Some("b"));
        assert_eq!(readers(&[&classes[..], &[first]].concat()), ["one: a-his of b"], "the other shard comes to the same answer");
        let nobodys = class("a-nobodys", Some("one"), None);
        assert_eq!(readers(&[&classes[..], &[nobodys]].concat()), ["one: also-mine"], "a class that nobody serves reads nothing");
        serving.clear();
        assert!(readers(&classes).is_empty(), "whoever stands by reads none");
    }
}
