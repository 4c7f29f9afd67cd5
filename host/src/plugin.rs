//! One loaded plugin: its component, linked with what it was granted and nothing else.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::attempt::Outcome;
use crate::capability::{self, Capability, Refusal};
use crate::clock::UnixMs;
use crate::config;
use crate::egress;
use crate::engine::{self, EngineError, Sandbox, State, Task};
use crate::event::Content;
use crate::health::{Change, Health, Parked};
use crate::ids::{Generation, PluginDigest, PluginName};
use crate::imports::bindings::exports::belfry::bot::handler::{Description, Failure};
use crate::imports::{GuestPre, base_linker, link, to_guest};

pub use self::inspect::{Asked, Inspection, Said, Status, inspect};

mod inspect;

/// A plugin that is ready to run.
pub struct Plugin {
    name: PluginName,
    digest: PluginDigest,
    size: usize,
    description: Description,
    capabilities: Vec<&'static str>,
    settings: config::Plugin,
    grant: Arc<config::Grant>,
    egress: Option<Arc<egress::Client>>,
    config: Arc<serde_json::Map<String, serde_json::Value>>,
    /// Granted but not asked for.
    unused: Vec<&'static str>,
    guest: GuestPre<State>,
    /// Keeps the code where plugins with the same component find it.
    _compiled: Arc<wasmtime::component::Component>,
    sandbox: Sandbox,
    health: Mutex<Health>,
}

/// Why a plugin was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the component {path:?}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// The file is larger than a component may be.
    #[error("the component {path:?} is too large: limits.component = {}", config::show_bytes(*.most))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may have.
        most: u64,
    },
    /// The bytes are no component.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It asks for what it may not have.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It does not fit the world `belfry:bot/plugin@0.1.0`.
    #[error("it does not fit the world belfry:bot/plugin@0.1.0: {0}")]
    World(String),
    /// It may speak TLS and the system has nothing to trust.
    #[error("it may send HTTP requests, but TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// It failed to describe itself.
    #[error("its `describe` failed: {0}")]
    Describe(Outcome),
}

/// A component file as it was read.
#[derive(Clone)]
pub struct Component {
    bytes: Arc<[u8]>,
    digest: PluginDigest,
}

impl Component {
    /// Reads a file of at most so many bytes.
    pub fn read(path: &Path, most: u64) -> Result<Self, LoadError> {
        let failed = |error| LoadError::Read {
            path: path.to_owned(),
            error,
        };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        // Bounded while reading, because a file may grow meanwhile.
        file.take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > most {
            return Err(LoadError::TooLarge {
                path: path.to_owned(),
                most,
            });
        }
        let bytes: Arc<[u8]> = bytes.into();
        Ok(Self {
            digest: PluginDigest::of(&bytes),
            bytes,
        })
    }

    /// What the file has.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the file.
    pub fn digest(&self) -> PluginDigest {
        self.digest
    }
}

/// What operators see of a plugin.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Its name in `bot.toml`.
    pub name: PluginName,
    /// The app it works for.
    pub app: String,
    /// The name it gives itself.
    pub title: String,
    /// Its own version.
    pub version: String,
    /// The SHA-256 of its component.
    pub digest: String,
    /// Bytes of its component.
    pub size: usize,
    /// The interfaces it asked for and was granted.
    pub capabilities: Vec<&'static str>,
    /// The grants that it does not ask for.
    pub unused_grants: Vec<&'static str>,
    /// The commands it answers.
    pub commands: Vec<String>,
    /// Why and until when it is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// The first generation with this version of it.
    pub since_generation: Generation,
}

impl Plugin {
    /// Compiles, checks the imports against the grant, links, and lets the plugin describe itself.
    pub async fn load(
        sandbox: &Sandbox,
        settings: config::Plugin,
        component: Component,
    ) -> Result<Self, LoadError> {
        let compiled = sandbox
            .compile(
                component.digest,
                Arc::clone(&component.bytes),
                settings.limits.compile,
            )
            .await?;
        sandbox.has_room(&compiled, &settings.limits)?;
        let component_type = compiled.component_type();
        let imports = component_type.imports(sandbox.engine());
        let requests = capability::compare(imports.map(|(name, _)| name), &settings.grant)?;
        let egress = if requests.granted.contains(&Capability::Http) {
            let places = settings.limits.http_places as usize;
            Some(Arc::new(egress::Client::new(&settings.grant.http, places)?))
        } else {
            None
        };
        let guest = prelink(sandbox, &compiled, &requests.granted)?;
        let description = describe(sandbox, &guest, settings.name.clone(), settings.limits).await?;
        Ok(Self {
            name: settings.name.clone(),
            digest: component.digest,
            size: component.bytes.len(),
            description,
            capabilities: requests
                .granted
                .iter()
                .map(|capability| capability.name())
                .collect(),
            grant: Arc::new(settings.grant.clone()),
            egress,
            config: Arc::new(settings.config.clone()),
            settings,
            guest,
            unused: requests.unused,
            _compiled: compiled,
            sandbox: sandbox.clone(),
            health: Mutex::default(),
        })
    }

    /// Handles one event in a fresh instance.
    pub fn handle(&self, task: Task, content: Content) -> impl Future<Output = Outcome> {
        let event = to_guest(&task.envelope, content);
        let task = Arc::new(task);
        let state = State::attempt(self.settings.limits, Arc::clone(&task));
        let handled = self.sandbox.run(state, async move |store| {
            self.guest.handle(store, &event).await
        });
        async move {
            let handled = handled.await;
            if let Some(error) = task.halted.take() {
                return engine::halted(&error);
            }
            match handled {
                Ok(Ok(())) => Outcome::Done,
                Ok(Err(Failure::Retry(retry))) => Outcome::Retry {
                    reason: shortened(retry.reason),
                    after: retry.after_ms.map(|ms| Duration::from_millis(ms.into())),
                    trouble: task.trouble.get(),
                },
                Ok(Err(Failure::Permanent(reason))) => Outcome::Rejected {
                    reason: shortened(reason),
                },
                Err(outcome) => outcome,
            }
        }
    }

    /// Takes the end of an attempt into account: a plugin that keeps failing is parked. Answers until when, if this end
    /// parked it.
    pub fn ended(&self, outcome: &Outcome, started: UnixMs, now: UnixMs) -> Option<UnixMs> {
        let change = self
            .health()
            .ended(outcome, started, now, &self.settings.park);
        let plugin = &self.name;
        match change? {
            Change::Parked(parked) => {
                tracing::error!(%plugin, reason = parked.reason, until = %parked.until, times = parked.times, "plugin parked, its deliveries wait");
                self.next_probe(now)
            }
            Change::Recovered => {
                tracing::info!(%plugin, "plugin runs again");
                None
            }
        }
    }

    /// How many attempts may run at one time; none while it is parked.
    pub fn places(&self, now: UnixMs) -> usize {
        let concurrent = self.settings.limits.concurrent as usize;
        self.health().places(now, concurrent)
    }

    /// When it may try again, if it is parked.
    pub fn next_probe(&self, now: UnixMs) -> Option<UnixMs> {
        self.health().next_probe(now)
    }

    /// Whether it is left alone because it kept failing, or is being probed after that.
    pub fn is_parked(&self) -> bool {
        self.health().parked().is_some()
    }

    /// Lets it run again at once; says whether it was parked.
    pub fn resume(&self) -> bool {
        let was_parked = self.health().resume();
        if was_parked {
            tracing::info!(plugin = %self.name, "plugin resumed by hand");
        }
        was_parked
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it was granted and does not ask for.
    pub fn unused_grants(&self) -> &[&'static str] {
        &self.unused
    }

    /// Its own version.
    pub fn version(&self) -> &str {
        &self.description.version
    }

    /// The SHA-256 of its component.
    pub fn digest(&self) -> PluginDigest {
        self.digest
    }

    /// What `bot.toml` says of it.
    pub fn settings(&self) -> &config::Plugin {
        &self.settings
    }

    /// Its grants, for the tasks it gets.
    pub fn grant(&self) -> Arc<config::Grant> {
        Arc::clone(&self.grant)
    }

    /// Its way out over HTTP, for the tasks it gets. One for all of them, so that connections are used again.
    pub fn egress(&self) -> Option<Arc<egress::Client>> {
        self.egress.clone()
    }

    /// Its own settings, for the tasks it gets.
    pub fn config(&self) -> Arc<serde_json::Map<String, serde_json::Value>> {
        Arc::clone(&self.config)
    }

    /// What operators see of it.
    pub fn summary(&self, since_generation: Generation) -> Summary {
        Summary {
            name: self.name.clone(),
            app: self.settings.app.to_string(),
            title: self.description.name.clone(),
            version: self.description.version.clone(),
            digest: self.digest.to_string(),
            size: self.size,
            capabilities: self.capabilities.clone(),
            unused_grants: self.unused.clone(),
            since_generation,
            commands: self
                .description
                .commands
                .iter()
                .map(|command| command.usage.clone())
                .collect(),
            parked: self.health().parked().cloned(),
        }
    }
}

/// Links a component with what everybody gets and with these interfaces, so that an instance is made in one step.
fn prelink(
    sandbox: &Sandbox,
    compiled: &wasmtime::component::Component,
    capabilities: &[Capability],
) -> Result<GuestPre<State>, LoadError> {
    let world = |error: wasmtime::Error| LoadError::World(format!("{error:#}"));
    let mut linker = base_linker(sandbox.engine()).map_err(world)?;
    for capability in capabilities {
        link(&mut linker, *capability).map_err(world)?;
    }
    GuestPre::new(linker.instantiate_pre(compiled).map_err(world)?).map_err(world)
}

/// Asks a plugin what it is; no host function but `log` works meanwhile.
async fn describe(
    sandbox: &Sandbox,
    guest: &GuestPre<State>,
    name: PluginName,
    limits: config::Limits,
) -> Result<Description, LoadError> {
    let described = sandbox.run(State::describing(name, limits), async |store| {
        guest.describe(store).await
    });
    described.await.map_err(LoadError::Describe)
}

/// Reasons come from guests and end up in lists.
fn shortened(mut reason: String) -> String {
    if reason.len() > 500 {
        reason.truncate(reason.floor_char_boundary(500));
        reason.push('…');
    }
    reason
}
