//! The informer: a picture of one account and Region, kept fresh for those who subscribe to parts of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, Notify, OnceCell, Semaphore, mpsc, watch},
    time::{Instant, timeout},
};

use super::{
    calls::Memory,
    clients::Clients,
    errors::{AwsError, AwsErrorKind},
    expect::{DOUBT, Expectations},
    lock,
    phase::Phase,
    queued::Queued,
    reads::PARALLEL,
    schedule::Schedule,
    sweep,
};
use crate::model::{Need, Picture};

/// DNS lookups under way at a time.
const LOOKUPS: usize = 8;

/// What is known, and what our own writes will show. Locked before the schedule, never while it is held.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) picture: Picture,
    pub(super) expected: Expectations,
    /// How much there was when it was last made as small as it can be.
    pub(super) repacked_at: usize,
}

/// The informer of one scope. Methods take no lock across an await; do not call them inside [`Store::with`].
pub struct Store {
    pub(super) clients: Clients,
    wakes: mpsc::UnboundedSender<Arc<str>>,
    kept: RwLock<Kept>,
    pub(super) schedule: Mutex<Schedule>,
    /// Something is to be asked earlier than was thought.
    pub(super) kick: Arc<Notify>,
    /// Calls that wait for their turn.
    pub(super) queued: Queued,
    /// Bumped after each answer.
    pub(super) answers: watch::Sender<u64>,
    pub(super) gate: Arc<Semaphore>,
    pub(super) lookups: Arc<Semaphore>,
    pub(super) memory: Arc<Memory>,
    account: OnceCell<String>,
    /// Held by whoever asks for the account.
    asking: AsyncMutex<()>,
    /// Why AWS did not tell it the last time.
    refused: Mutex<Option<AwsError>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("scope", &self.clients.scope).finish_non_exhaustive()
    }
}

impl Store {
    /// Starts the informer: it asks AWS as soon as somebody wants to know something, and ends when it is dropped.
    /// `wakes` is told who should look again. Must be called in a tokio runtime.
    pub fn start(clients: Clients, wakes: mpsc::UnboundedSender<Arc<str>>) -> Arc<Self> {
        Self::beside(clients, wakes, None)
    }

    /// The same where there are other stores: its sweeps come when `phase` says.
    pub(super) fn beside(clients: Clients, wakes: mpsc::UnboundedSender<Arc<str>>, phase: Option<Phase>) -> Arc<Self> {
        let kick = Arc::<Notify>::default();
        let queued = Queued::new(kick.clone());
        let store = Arc::new(Self {
            clients,
            wakes,
            kept: RwLock::default(),
            schedule: Mutex::new(Schedule::new(queued.clone(), phase)),
            kick,
            queued,
            answers: watch::Sender::new(0),
            gate: Arc::new(Semaphore::new(PARALLEL)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            memory: Arc::default(),
            account: OnceCell::new(),
            asking: AsyncMutex::default(),
            refused: Mutex::default(),
        });
        tokio::spawn(sweep::run(Arc::downgrade(&store), store.kick.clone()));
        store
    }

    /// Its clients.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The account that the credentials belong to, 12 digits. Asked once. Where AWS did not tell, one asks again, and all others hear
    /// meanwhile what was said last: an account that does not answer at all would keep them one after the other.
    pub async fn account(&self) -> Result<String, AwsError> {
        if let Some(account) = self.account.get() {
            return Ok(account.clone());
        }
        let refused = lock(&self.refused).clone();
        let _asking = match (self.asking.try_lock(), refused) {
            (Ok(asking), _) => asking,
            (Err(_), Some(error)) => return Err(error),
            (Err(_), None) => {
                let asking = self.asking.lock().await;
                if let Some(error) = lock(&self.refused).clone() {
                    return Err(error);
                }
                asking
            }
        };
        let answer = self.account.get_or_try_init(|| self.clients.account()).await.cloned();
        *lock(&self.refused) = answer.as_ref().err().cloned();
        answer
    }

    /// The account, once AWS has told it.
    pub fn known_account(&self) -> Option<&str> {
        self.account.get().map(String::as_str)
    }

    /// Looks at the picture. It does not change meanwhile, so be quick, and call nothing of the store's.
    pub fn with<R>(&self, look: impl FnOnce(&Picture) -> R) -> R {
        look(&self.read().picture)
    }

    /// Waits until all of these were asked and AWS answered or refused: by a read that started no earlier than
    /// `not_older_than` where that is given, else by any. What many callers want at the same time is asked once.
    /// Names (DNS) are never waited for: who subscribes to them is woken.
    pub async fn ensure(&self, needs: &BTreeSet<Need>, not_older_than: Option<Instant>) {
        let waiting = lock(&self.schedule).want(needs, not_older_than, Instant::now());
        self.answered_all(waiting).await;
    }

    /// Those that somebody subscribes to.
    pub fn watched(&self, needs: &BTreeSet<Need>) -> BTreeSet<Need> {
        let schedule = lock(&self.schedule);
        needs.iter().filter(|need| !need.is_dns() && schedule.is_watched(need)).cloned().collect()
    }

    /// Reads these again, from now on, since somebody else has changed something about them by calls that named `ids`, and returns what
    /// AWS did not answer, and why.
    pub async fn refresh(&self, needs: &BTreeSet<Need>, ids: &BTreeSet<Arc<str>>) -> BTreeMap<Need, AwsErrorKind> {
        {
            let expected = &mut self.write().expected;
            expected.touched(needs);
            expected.named(ids);
        }
        let now = Instant::now();
        self.ensure(needs, Some(now)).await;
        let schedule = lock(&self.schedule);
        needs.iter().filter_map(|need| Some((need.clone(), schedule.refusal(need, now)?))).collect()
    }

    /// As [`Store::ensure`], and waits for names that were never looked up, too: no longer than the resolver is waited for.
    pub async fn ensure_all(&self, needs: &BTreeSet<Need>, not_older_than: Option<Instant>) {
        let mut waiting = lock(&self.schedule).want(needs, not_older_than, Instant::now());
        waiting.extend(needs.iter().filter(|n| n.is_dns()).map(|n| (n.clone(), None)));
        self.answered_all(waiting).await;
    }

    /// Waits until each of these was read by a read that is no older than it says.
    async fn answered_all(&self, mut waiting: Vec<(Need, Option<Instant>)>) {
        let mut answers = self.answers.subscribe();
        self.kick.notify_one();
        loop {
            answers.borrow_and_update();
            {
                let schedule = lock(&self.schedule);
                waiting.retain(|(need, since)| !schedule.was_read(need, *since));
            }
            if waiting.is_empty() || answers.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits while what these tell is in doubt: a read that differs from what our own write has shown may be late, and the next one tells.
    pub async fn beyond_doubt(&self, needs: &BTreeSet<Need>) {
        let mut answers = self.answers.subscribe();
        let next = async {
            loop {
                answers.borrow_and_update();
                if self.read().expected.doubted().is_disjoint(needs) || answers.changed().await.is_err() {
                    return;
                }
            }
        };
        // AWS may not answer at all: nobody waits for that.
        let _ = timeout(3 * DOUBT, next).await;
    }

    /// From now on `who` is woken when one of these changes, and fast ones are read every `interval`, slow ones a
    /// tenth as often, unless they are among the `fresh`. It replaces what `who` subscribed to before.
    pub fn subscribe(&self, who: &Arc<str>, needs: BTreeSet<Need>, fresh: BTreeSet<Need>, interval: Duration) {
        if lock(&self.schedule).subscribe(who, needs, fresh, interval) {
            self.kick.notify_one();
        }
    }

    /// `who` needs nothing any more.
    pub fn unsubscribe(&self, who: &str) {
        lock(&self.schedule).unsubscribe(who);
    }

    /// How long ago the oldest of those of `needs` that are read every interval was asked for; none where one was
    /// never answered.
    pub fn age(&self, needs: &BTreeSet<Need>) -> Option<Duration> {
        lock(&self.schedule).age(needs, Instant::now())
    }

    /// How long ago the oldest answer that is read every interval was asked for, of all that anybody subscribes to.
    pub fn oldest(&self) -> Duration {
        lock(&self.schedule).oldest(Instant::now())
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self, who: impl IntoIterator<Item = Arc<str>>) {
        for who in who {
            // Nobody listens any more only when the process ends.
            let _ = self.wakes.send(who);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.kick.notify_one();
    }
}
