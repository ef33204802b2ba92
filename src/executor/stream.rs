//! One stream's state in this process: what is durable, and what runs ahead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aggregates::Decide;
use cqrs_es::DomainEvent;
use tokio::sync::oneshot;

use super::{Loader, SendError, Wish, page::Page, rest};
use crate::{
    clock::Clock,
    log::{Append, Log, LogError, NewEvent, Outcome, StreamName, Ticket},
};

/// Full pages of a stream that are loaded as those of short ones are: what a stream
/// lacks that others keep hot is little, and comes sooner without a new connection.
const FIRST: usize = 4;

/// How one attempt at a command ended.
pub(super) enum Attempt<A: Decide> {
    Accepted { events: Vec<A::Event>, position: i64, version: i64 },
    Refused(A::Error),
    Conflict,
    Repeated,
    Precondition { expected: i64, found: i64 },
}

/// What a decision leads to.
pub(super) enum Decided<A: Decide> {
    /// It is queued; its outcome comes.
    Waiting(Decision<A>),
    /// Nothing was queued.
    Early(Attempt<A>),
}

pub(super) struct Decision<A: Decide> {
    pub(super) result: Result<Vec<A::Event>, A::Error>,
    /// Of the stream, when the events are in it.
    pub(super) version: i64,
}

/// A stream of one aggregate.
pub(super) struct Stream<A: Decide> {
    pub(super) name: StreamName,
    /// Held while loading, so that many commands on a cold stream load it once.
    loading: tokio::sync::Mutex<()>,
    state: Mutex<State<A>>,
}

struct State<A: Decide> {
    /// Whether `durable` may be decided on: false before the first load and
    /// after a conflict.
    fresh: bool,
    /// Raised when an append fails: whatever was decided on top of it is void.
    epoch: u64,
    durable: At<A>,
    /// `durable` and the events that are queued or being committed; none when
    /// there are none, so that a stream at rest is in memory once.
    ahead: Option<At<A>>,
    /// Decisions that are queued or being committed, with and without events.
    pending: usize,
}

impl<A: Decide> State<A> {
    /// What the next command is decided on.
    fn newest(&self) -> &At<A> {
        self.ahead.as_ref().unwrap_or(&self.durable)
    }

    /// Adds decided events to what runs ahead.
    fn run_ahead(&mut self, events: &[A::Event]) {
        if events.is_empty() {
            return;
        }
        let ahead = self.ahead.get_or_insert_with(|| self.durable.clone());
        for event in events {
            ahead.state.apply(event.clone());
            ahead.version += 1;
        }
    }

    /// The decision that was queued first is in the log, its events from
    /// `position` on.
    fn written(&mut self, position: i64, events: Vec<A::Event>) {
        self.pending = self.pending.saturating_sub(1);
        let count = events.len() as i64;
        if count > 0 {
            self.durable.position = position + count - 1;
        }
        match self.ahead.take_if(|_| self.pending == 0) {
            // Nothing else is under way: this is all that ran ahead.
            Some(ahead) => (self.durable.state, self.durable.version) = (ahead.state, ahead.version),
            None => {
                events.into_iter().for_each(|event| self.durable.state.apply(event));
                self.durable.version += count;
            }
        }
    }

    /// What was decided is void, for the log has taken another course.
    fn give_up(&mut self) {
        self.epoch += 1;
        self.fresh = false;
        self.ahead = None;
    }
}

#[derive(Clone)]
struct At<A> {
    state: A,
    version: i64,
    /// Of the last event; 0 before the first. Kept on `durable` only.
    position: i64,
}

impl<A: Decide> Stream<A> {
    pub(super) fn new(name: StreamName) -> Self {
        let start = At { state: A::default(), version: 0, position: 0 };
        Self {
            name,
            loading: tokio::sync::Mutex::default(),
            state: Mutex::new(State { fresh: false, epoch: 0, durable: start, ahead: None, pending: 0 }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        // A panic under the lock is a panic in an aggregate's rules; the state is whole or void.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads what others appended, if the state is not fresh.
    ///
    /// Whoever expects a new stream (version 0) that nobody has met here is taken
    /// at their word: there is nothing to load, and the append finds out if there is.
    pub(super) async fn refresh(self: &Arc<Self>, loader: &Loader, expected: Option<i64>) -> Result<(), LogError> {
        {
            let mut state = self.lock();
            state.fresh |= expected == Some(0) && state.epoch == 0 && state.durable.version == 0;
            if state.fresh {
                return Ok(());
            }
        }
        let _one_at_a_time = self.loading.lock().await;
        let mut full = 0;
        loop {
            let (fresh, version) = {
                let state = self.lock();
                (state.fresh, state.durable.version)
            };
            if fresh {
                return Ok(());
            }
            let page = loader.load(&self.name, version).await?;
            if page.last || full < FIRST {
                full += 1;
                self.take_in(&page)?;
            } else {
                self.take_all_in(page, loader).await?;
            }
        }
    }

    /// Takes in a page that is not the last one, and what came after it until now.
    async fn take_all_in(self: &Arc<Self>, page: Page, loader: &Loader) -> Result<(), LogError> {
        let mut rest = loader.rest(&self.name, page.sequence);
        let mut pages = vec![Ok(page)];
        while !pages.is_empty() {
            // Not here: whoever waits for this thread would wait for all of them.
            let stream = self.clone();
            let taking = tokio::task::spawn_blocking(move || {
                for page in pages {
                    if !stream.take_in(&page?)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
            match taking.await {
                Ok(Ok(true)) => {}
                // What else comes is not wanted.
                Ok(Ok(false)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The process is about to end.
                    Err(_) => return Err(LogError::Closed),
                },
            }
            pages = vec![];
            rest.recv_many(&mut pages, rest::WAITING).await;
        }
        Ok(())
    }

    /// Takes a page in, and says whether it did: the stream may be elsewhere by now.
    fn take_in(&self, page: &Page) -> Result<bool, LogError> {
        // Fresh: somebody expected a new stream, and decides on it already. At another
        // version: somebody gave up a load, and a part of it was still taken in.
        let fits = |state: &State<A>| !state.fresh && state.durable.version == page.after();
        if !fits(&self.lock()) {
            return Ok(false);
        }
        // Before the lock: nobody else has to wait for it.
        let events = page.read::<A>()?;
        let mut state = self.lock();
        if !fits(&state) {
            return Ok(false);
        }
        state.durable.take(events, page);
        if page.last {
            state.ahead = None;
            state.pending = 0;
            state.fresh = true;
        }
        Ok(true)
    }

    /// Decides and queues, in one step, so that the order of decisions is the
    /// order of appends.
    pub(super) fn decide(
        self: &Arc<Self>,
        wish: &Wish<A::Command>,
        clock: &Clock,
        log: &Log,
        answer: oneshot::Sender<(Outcome, i64)>,
    ) -> Result<Decided<A>, SendError<A::Error>> {
        let mut state = self.lock();
        if !state.fresh {
            return Ok(Decided::Early(Attempt::Conflict));
        }
        if let Some(expected) = wish.expected
            && expected != state.newest().version
        {
            return Ok(Decided::Early(Attempt::Precondition { expected, found: state.newest().version }));
        }
        let result = state.newest().state.decide(&wish.command);
        let events = result.as_ref().map_or(&[][..], Vec::as_slice);
        let once = wish.once.clone().filter(|once| result.is_ok() || once.keeps_refusals);
        let append = Append {
            stream: self.name.clone(),
            next: state.newest().version + 1,
            events: events.iter().map(|event| stored(event, clock)).collect::<Result<_, _>>()?,
            cause: wish.cause.clone(),
            refusal: match (&result, &once) {
                (Err(refusal), Some(_)) => Some(serde_json::to_string(refusal).map_err(unstorable)?),
                _ => None,
            },
            once,
        };
        let ticket = InFlight { stream: self.clone(), epoch: state.epoch, events: events.to_vec(), answer };
        log.submit(append, Box::new(ticket))?;
        state.pending += 1;
        state.run_ahead(events);
        let version = state.newest().version;
        Ok(Decided::Waiting(Decision { result, version }))
    }

    /// Shows the last durable state that was met here, if one was.
    pub(super) fn glance<T>(&self, show: impl FnOnce(&A) -> T) -> Option<T> {
        let state = self.lock();
        state.fresh.then(|| show(&state.durable.state))
    }

    /// Shows the newest durable state.
    pub(super) async fn look<T>(
        self: &Arc<Self>,
        loader: &Loader,
        show: impl FnOnce(&A, i64, i64) -> T,
    ) -> Result<T, LogError> {
        loop {
            self.refresh(loader, None).await?;
            let version = self.lock().durable.version;
            let page = loader.load(&self.name, version).await?;
            let mut state = self.lock();
            if state.durable.version != version {
                continue;
            }
            if page.len() == 0 {
                return Ok(show(&state.durable.state, state.durable.version, state.durable.position));
            }
            if state.pending == 0 {
                // Others appended; take it in and look again.
                state.fresh = false;
                continue;
            }
            // Some of it may be this process's own, on its way: show a copy.
            let mut copy = state.durable.clone();
            drop(state);
            copy.take(page.read::<A>()?, &page);
            return Ok(show(&copy.state, copy.version, copy.position));
        }
    }
}

impl<A: Decide> At<A> {
    /// Adds the events of a page.
    fn take(&mut self, events: Vec<A::Event>, page: &Page) {
        events.into_iter().for_each(|event| self.state.apply(event));
        if let Some(position) = page.position() {
            (self.version, self.position) = (page.sequence, position);
        }
    }
}

/// A decision on its way to the log.
struct InFlight<A: Decide> {
    stream: Arc<Stream<A>>,
    epoch: u64,
    events: Vec<A::Event>,
    answer: oneshot::Sender<(Outcome, i64)>,
}

impl<A: Decide> Ticket for InFlight<A> {
    fn stands(&self) -> bool {
        self.stream.lock().epoch == self.epoch
    }

    fn settle(self: Box<Self>, outcome: Outcome) {
        let mut state = self.stream.lock();
        if state.epoch == self.epoch {
            match &outcome {
                Outcome::Written { position } => state.written(*position, self.events),
                Outcome::Repeated if self.events.is_empty() => state.written(0, vec![]),
                Outcome::Conflict | Outcome::Repeated | Outcome::Failed(_) => state.give_up(),
            }
        }
        let last = state.durable.position;
        drop(state);
        // The sender may have gone; its command stands all the same.
        let _ = self.answer.send((outcome, last));
    }
}

fn stored<E: DomainEvent>(event: &E, clock: &Clock) -> Result<NewEvent, LogError> {
    Ok(NewEvent {
        id: clock.new_id(),
        name: event.event_type(),
        version: event.event_version(),
        payload: serde_json::to_string(event).map_err(unstorable)?,
    })
}

fn unstorable(error: serde_json::Error) -> LogError {
    LogError::Unstorable { source: sqlx::Error::Encode(Box::new(error)) }
}
