//! One loaded plugin: its component, linked with what it was granted and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::attempt::Outcome;
use crate::capability::{self, Refusal};
use crate::config::{self, Limits};
use crate::engine::{EngineError, MAX_COMPONENT, Sandbox, State, Task};
use crate::ids::{Generation, PluginDigest, PluginName};
use crate::imports::bindings::exports::belfry::bot::handler::{Description, Failure};
use crate::imports::{PluginPre, base_linker, link, to_guest};

/// Time a plugin has to describe itself.
const DESCRIBE: Duration = Duration::from_secs(1);

/// A plugin that is ready to run.
pub struct Plugin {
    name: PluginName,
    digest: PluginDigest,
    size: usize,
    description: Description,
    capabilities: Vec<&'static str>,
    settings: config::Plugin,
    grant: Arc<config::Grant>,
    config: Arc<serde_json::Map<String, serde_json::Value>>,
    /// Granted but not asked for.
    unused: Vec<&'static str>,
    pre: PluginPre<State>,
    /// Keeps the code where plugins with the same component find it.
    _compiled: Arc<wasmtime::component::Component>,
    sandbox: Sandbox,
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
    #[error("the component {path:?} is larger than {} MiB", MAX_COMPONENT >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
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
    /// Reads a file; never more than a component may have.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let failed = |error| LoadError::Read {
            path: path.to_owned(),
            error,
        };
        let size = std::fs::metadata(path).map_err(failed)?.len();
        if size > MAX_COMPONENT {
            return Err(LoadError::TooLarge {
                path: path.to_owned(),
            });
        }
        let bytes: Arc<[u8]> = std::fs::read(path).map_err(failed)?.into();
        Ok(Self {
            digest: PluginDigest::of(&bytes),
            bytes,
        })
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
            .compile(component.digest, Arc::clone(&component.bytes))
            .await?;
        sandbox.has_room(&compiled, &settings.limits)?;
        let component_type = compiled.component_type();
        let imports = component_type.imports(sandbox.engine());
        let requests = capability::compare(imports.map(|(name, _)| name), &settings.grant)?;
        for unused in &requests.unused {
            tracing::warn!(plugin = %settings.name, grant = unused, "a grant is not asked for by the plugin");
        }
        let world = |error: wasmtime::Error| LoadError::World(format!("{error:#}"));
        let mut linker = base_linker(sandbox.engine()).map_err(world)?;
        for capability in &requests.granted {
            link(&mut linker, *capability).map_err(world)?;
        }
        let pre =
            PluginPre::new(linker.instantiate_pre(&compiled).map_err(world)?).map_err(world)?;
        let limits = Limits {
            wall: DESCRIBE,
            ..settings.limits
        };
        let description = sandbox
            .run(
                State::describing(settings.name.clone(), limits),
                async |store| {
                    let plugin = pre.instantiate_async(&mut *store).await?;
                    plugin.belfry_bot_handler().call_describe(&mut *store).await
                },
            )
            .await
            .map_err(LoadError::Describe)?;
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
            config: Arc::new(settings.config.clone()),
            settings,
            pre,
            unused: requests.unused,
            _compiled: compiled,
            sandbox: sandbox.clone(),
        })
    }

    /// Handles one event in a fresh instance.
    pub async fn handle(&self, task: Task) -> Outcome {
        let event = to_guest(&task.envelope, &task.content);
        let trouble = task.trouble.clone();
        let state = State::attempt(self.settings.limits, Arc::new(task));
        let handled = self
            .sandbox
            .run(state, async |store| {
                let plugin = self.pre.instantiate_async(&mut *store).await?;
                plugin
                    .belfry_bot_handler()
                    .call_handle(&mut *store, &event)
                    .await
            })
            .await;
        match handled {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(Failure::Retry(retry))) => Outcome::Retry {
                reason: shortened(retry.reason),
                after: retry.after_ms.map(|ms| Duration::from_millis(ms.into())),
                trouble: trouble.get(),
            },
            Ok(Err(Failure::Permanent(reason))) => Outcome::Rejected {
                reason: shortened(reason),
            },
            Err(outcome) => outcome,
        }
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
        }
    }
}

/// Reasons come from guests and end up in lists.
fn shortened(mut reason: String) -> String {
    if reason.len() > 500 {
        reason.truncate(reason.floor_char_boundary(500));
        reason.push('…');
    }
    reason
}
