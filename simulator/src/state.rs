//! Holds everything the simulator knows, behind one lock with short sections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::approvals::Approvals;
use crate::callbacks::Callbacks;
use crate::calls::CallLog;
use crate::company::Company;
use crate::contacts::Contacts;
use crate::faults::Faults;
use crate::files::Files;
use crate::groups::Groups;
use crate::limits::RateLimits;
use crate::notices::Notices;
use crate::options::{App, Options, Suite};
use crate::push;
use crate::sessions::Sessions;
use crate::suites::Suites;
use crate::tokens::Tokens;

/// How many updates a slow listener may be behind before it misses some.
const UPDATE_BACKLOG: usize = 4096;

/// One server-sent event.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) name: &'static str,
    pub(crate) data: Arc<str>,
}

/// What every task of the simulator shares.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    pub(crate) retries: Vec<Duration>,
    pub(crate) updates: broadcast::Sender<Update>,
    /// Counts finished first attempts, so that a push held back can wait for the next one.
    pub(crate) pushed: watch::Sender<u64>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// The state itself; its methods take no lock and do no I/O.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) company: Arc<Company>,
    pub(crate) contacts: Contacts,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) terminate_after: Duration,
    pub(crate) apps: Vec<Arc<App>>,
    pub(crate) tokens: Tokens,
    pub(crate) limits: RateLimits,
    pub(crate) sessions: Sessions,
    pub(crate) calls: CallLog,
    pub(crate) faults: Faults,
    pub(crate) groups: Groups,
    pub(crate) notices: Notices,
    pub(crate) files: Files,
    pub(crate) approvals: Approvals,
    pub(crate) callbacks: Callbacks,
    pub(crate) suites: Suites,
    /// The apps without those that companies have of suites.
    own_apps: Vec<Arc<App>>,
    /// Ends pending retries at a reset.
    pub(crate) pushes: CancellationToken,
    /// Whether anybody listens to the updates; without a listener the costly ones are not built.
    pub(crate) is_watched: bool,
    effects: Vec<Effect>,
}

/// What a change of the world causes outside it.
enum Effect {
    Update(&'static str, Value),
    Event { app: String, event: Value },
}

impl Shared {
    pub(crate) fn new(options: Options, address: SocketAddr, client: reqwest::Client) -> Self {
        let stop = CancellationToken::new();
        let company = Arc::new(options.company);
        let mut world = World {
            address,
            rate_limit: options.rate_limit,
            terminate_after: options.terminate_after,
            apps: Vec::new(),
            tokens: Tokens::default(),
            limits: RateLimits::default(),
            sessions: Sessions::default(),
            calls: CallLog::default(),
            faults: Faults::default(),
            groups: Groups::seed(&company),
            notices: Notices::default(),
            files: Files::default(),
            approvals: Approvals::default(),
            callbacks: Callbacks::default(),
            suites: Suites::default(),
            own_apps: Vec::new(),
            pushes: stop.child_token(),
            contacts: Contacts::of(&company),
            company,
            is_watched: false,
            effects: Vec::new(),
        };
        world.suites.set(options.suites);
        world.set_apps(options.apps);
        world.effects.clear();
        Self {
            world: Mutex::new(world),
            address,
            client,
            retries: options.push_retries,
            updates: broadcast::Sender::new(UPDATE_BACKLOG),
            pushed: watch::Sender::new(0),
            tasks: TaskTracker::new(),
            stop,
        }
    }

    /// Runs a short change under the lock; its updates and events leave in the order of the changes.
    pub(crate) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.is_watched = self.updates.receiver_count() > 0;
        let result = change(&mut world);
        let mut events: Vec<(String, Vec<Value>)> = Vec::new();
        for effect in std::mem::take(&mut world.effects) {
            match effect {
                Effect::Update(name, data) => self.publish(name, &data),
                Effect::Event { app, event } => {
                    match events.iter_mut().find(|(name, _)| *name == app) {
                        Some((_, batch)) => batch.push(event),
                        None => events.push((app, vec![event])),
                    }
                }
            }
        }
        for (app, batch) in events {
            self.spawn(push::deliver_batch(Arc::clone(self), app, batch));
        }
        result
    }

    /// Tells the listeners of the update stream.
    pub(crate) fn publish(&self, name: &'static str, data: &Value) {
        if self.updates.receiver_count() > 0 {
            // An error only says that the last listener has just left.
            let _ = self.updates.send(Update {
                name,
                data: data.to_string().into(),
            });
        }
    }

    /// Starts a task that `Simulator::stop` waits for and that ends when the simulator stops.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(work).await })
    }
}

impl World {
    /// The app of a name.
    pub(crate) fn app(&self, name: &str) -> Option<Arc<App>> {
        self.apps
            .iter()
            .find(|app| app.name == name)
            .map(Arc::clone)
    }

    /// Replaces the apps; groups that have robots get those of new apps.
    pub(crate) fn set_apps(&mut self, apps: Vec<App>) {
        self.own_apps = apps.into_iter().map(Arc::new).collect();
        self.renew_suite_apps();
    }

    /// Replaces the suites.
    pub(crate) fn set_suites(&mut self, suites: Vec<Suite>) {
        self.suites.set(suites);
        self.renew_suite_apps();
    }

    /// Puts the apps that companies have of suites beside the others.
    pub(crate) fn renew_suite_apps(&mut self) {
        let of_suites = self.suites.apps().into_iter().map(Arc::new);
        self.apps = self.own_apps.iter().cloned().chain(of_suites).collect();
        let names: Vec<String> = self.apps.iter().map(|app| app.name.clone()).collect();
        self.tokens.keep_apps(&names);
        self.callbacks.keep_apps(&names);
        self.groups.set_seed_robots(&names);
    }

    /// Forgets everything since the start; pending retries end.
    pub(crate) fn reset(&mut self, stop: &CancellationToken) {
        self.pushes.cancel();
        self.pushes = stop.child_token();
        self.tokens = Tokens::default();
        self.limits = RateLimits::default();
        self.sessions = Sessions::default();
        self.calls = CallLog::default();
        self.faults = Faults::default();
        self.groups = Groups::seed(&self.company);
        self.contacts = Contacts::of(&self.company);
        self.notices = Notices::default();
        self.files = Files::default();
        self.approvals = Approvals::default();
        self.callbacks = Callbacks::default();
        self.suites.reset();
        self.renew_suite_apps();
        let names: Vec<String> = self.apps.iter().map(|app| app.name.clone()).collect();
        self.groups.set_seed_robots(&names);
        self.update("reset", Value::Object(serde_json::Map::new()));
    }

    /// Queues an update for the page.
    pub(crate) fn update(&mut self, name: &'static str, data: Value) {
        self.effects.push(Effect::Update(name, data));
    }

    /// Queues an event for every app that has a callback address and wants it.
    pub(crate) fn announce(&mut self, event: impl Fn(&App) -> Value) {
        for app in &self.apps {
            let event = event(app);
            let event_type = event["EventType"].as_str().unwrap_or_default();
            if self.callbacks.target(app, event_type).is_some() {
                self.effects.push(Effect::Event {
                    app: app.name.clone(),
                    event,
                });
            }
        }
    }
}
