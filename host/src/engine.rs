//! The sandbox: one wasmtime engine, its pool, its clock tick and the budgets of an attempt.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::component::{Component, ResourceTableError};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy,
    PoolingAllocationConfig, Store, Trap,
};

use crate::attempt::{Budget, Outcome};
use crate::effect::Halt;
use crate::ids::PluginDigest;
use crate::meter::{self, Metric};
use crate::{clock, config};

pub use self::http::Http;
pub use self::outbound::{Carrier, Outbound};
pub use self::slices::TICK;
pub use self::state::{Exhausted, Halted, State, Task};

use self::slices::{Slices, Ticks, Turn};

mod cache;
mod http;
mod outbound;
mod room;
mod slices;
mod state;
mod wasi;
mod words;

/// The largest memory a plugin can be given.
const MAX_MEMORY: usize = 512 << 20;
/// Bytes at the start of a memory that are cleared after use rather than given back to the system, which would interrupt
/// the other cores. The samples are linked to need no more (`plugins/.cargo/config.toml`).
const KEPT: usize = 256 << 10;
/// The largest table; a plugin may have several.
const MAX_TABLE: usize = 100_000;
/// Memories of an instance.
const MAX_INSTANCE_MEMORIES: u32 = 8;
/// Tables of an instance.
const MAX_INSTANCE_TABLES: u32 = 64;

/// How long compilations take.
pub const COMPILE_SECONDS: Metric = Metric::histogram(
    "belfry_compile_duration_seconds",
    &[],
    meter::SECONDS,
    "Time the compilation of a component took; little when it came from the cache.",
);

/// The engine and what guards it. Clones share it.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    ticks: Ticks,
    /// What is compiled and in use, so that plugins with the same component share its code.
    compiled: Arc<Mutex<HashMap<PluginDigest, Weak<Component>>>>,
    places: Arc<Semaphore>,
    describers: Arc<Semaphore>,
    compilers: Arc<Semaphore>,
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine cannot be set up on this machine.
    #[error("cannot set up the sandbox: {0}")]
    Setup(String),
    /// Its instances would not fit.
    #[error("{0}")]
    Room(String),
    /// The bytes are no component that this engine can compile.
    #[error("not a usable WebAssembly component: {0}")]
    Component(String),
    /// Compiling takes longer than the plugin may have for it.
    #[error("it cannot be compiled in time: limits.compile = {0}")]
    TooSlow(String),
    /// Another component is being compiled and does not end.
    #[error("the compiler was busy with another component for {0}")]
    Busy(String),
}

impl Sandbox {
    /// Sets up the engine and starts its tick.
    pub fn new(settings: &config::Engine) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        let config = engine_config(settings).map_err(setup)?;
        let engine = match Engine::new(&config) {
            Ok(engine) => engine,
            Err(error) => {
                // Some kernels and containers cannot reserve the pool's address space.
                tracing::warn!(%error, "no pooling allocator on this machine, instances start slower");
                let mut config = config;
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                Engine::new(&config).map_err(setup)?
            }
        };
        let ticks = Ticks::default();
        start_tick(&engine, &ticks)?;
        Ok(Self {
            engine,
            ticks,
            compiled: Arc::default(),
            places: Arc::new(Semaphore::new(settings.max_concurrent as usize)),
            describers: Arc::new(Semaphore::new(1)),
            compilers: Arc::new(Semaphore::new(1)),
        })
    }

    /// The wasmtime engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a component on a blocking thread, one at a time. What is compiled and in use is not compiled again.
    ///
    /// A compilation cannot be ended from outside. When it takes too long its component is refused, and it keeps the
    /// compiler until it ends by itself; others are refused meanwhile rather than compiled beside it.
    pub async fn compile(
        &self,
        digest: PluginDigest,
        bytes: Arc<[u8]>,
        most: Duration,
    ) -> Result<Arc<Component>, EngineError> {
        // The engine says this with a dump of the bytes, over several lines.
        if !bytes.starts_with(b"\0asm") {
            let reason = "the file does not begin as WebAssembly does";
            return Err(EngineError::Component(reason.to_owned()));
        }
        let compiler = Arc::clone(&self.compilers).acquire_owned();
        let Ok(compiler) = tokio::time::timeout(most, compiler).await else {
            return Err(EngineError::Busy(format!("{most:?}")));
        };
        let compiler = compiler.map_err(|error| EngineError::Setup(error.to_string()))?;
        // Asked while the place is held, so that two who want the same do not both compile it.
        if let Some(known) = self.known().get(&digest).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let started = clock::instant();
        let engine = self.engine.clone();
        let compiled = tokio::task::spawn_blocking(move || {
            let _compiler = compiler;
            let component = Component::new(&engine, &*bytes)?;
            component.initialize_copy_on_write_image()?;
            Ok(component)
        });
        let compiled = match tokio::time::timeout(most, compiled).await {
            Ok(Ok(compiled)) => compiled
                .map(Arc::new)
                .map_err(|error: wasmtime::Error| EngineError::Component(first_lines(&error)))?,
            Ok(Err(panic)) => return Err(EngineError::Component(panic.to_string())),
            Err(_elapsed) => return Err(EngineError::TooSlow(format!("{most:?}"))),
        };
        COMPILE_SECONDS.observe(&[], started.elapsed().as_secs_f64());
        let mut known = self.known();
        known.retain(|_, component| component.strong_count() > 0);
        known.insert(digest, Arc::downgrade(&compiled));
        Ok(compiled)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PluginDigest, Weak<Component>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether instances of a component fit into the pool and into the limits of its plugin.
    pub fn has_room(
        &self,
        component: &Component,
        limits: &config::Limits,
    ) -> Result<(), EngineError> {
        room::check(component, limits)
    }

    /// Runs work on a fresh store within the budgets of `state` and names how it ended.
    ///
    /// The store and everything in it is gone afterwards, whatever happened.
    pub fn run<T>(
        &self,
        state: State,
        work: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> impl Future<Output = Result<T, Outcome>> {
        // Before anything is awaited: what waits has the pointer to the store and not the state itself.
        let turn = Arc::new(Turn::new(&self.ticks));
        let carrier = state.task().map(|task| task.outbound.clone());
        let mut store = self.store(state, Arc::clone(&turn));
        async move {
            // An exhausted pool would be an error, not a wait. A plugin that describes itself takes no place from attempts.
            let places = if store.data().is_describing() {
                &self.describers
            } else {
                &self.places
            };
            let _place = places.acquire().await.map_err(|error| Outcome::HostFault {
                reason: error.to_string(),
            })?;
            let deadline = store.data_mut().begin(clock::instant());
            let ended = {
                let mut work = pin!(work(&mut store));
                let mut guest = |context: &mut Context<'_>| {
                    turn.begin();
                    work.as_mut().poll(context)
                };
                let turns = poll_fn(|context| match &carrier {
                    Some(carrier) => carrier.poll(context, &mut guest),
                    None => guest(context),
                });
                tokio::time::timeout_at(deadline.into(), turns).await
            };
            let budget = match ended {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => match exhausted(&error) {
                    Some(budget) => budget,
                    None => return Err(trap(&error, store.data().last_words())),
                },
                Err(_elapsed) => store.data().wall_budget(),
            };
            let limit = store.data().limits().show(budget);
            Err(Outcome::Exhausted { budget, limit })
        }
    }

    fn store(&self, state: State, turn: Arc<Turn>) -> Store<State> {
        let limits = *state.limits();
        let mut slices = Slices::new(turn, limits.cpu);
        let mut store = Store::new(&self.engine, state);
        store.limiter(State::limiter);
        store.set_hostcall_fuel(limits.call_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| Ok(slices.ticked()));
        store
    }
}

fn engine_config(settings: &config::Engine) -> wasmtime::Result<Config> {
    // One more for a plugin that describes itself.
    let places = settings.max_concurrent + 1;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(places)
        .total_stacks(places)
        .total_memories(places * 2)
        .total_core_instances(places * 8)
        .total_tables(places * 4)
        .max_core_instances_per_component(200)
        .max_memories_per_component(MAX_INSTANCE_MEMORIES)
        .max_tables_per_component(MAX_INSTANCE_TABLES)
        .max_memories_per_module(2)
        .max_tables_per_module(2)
        .table_elements(MAX_TABLE)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots(places)
        // A swapped-out dirty page would be handed to the next instance (bytecodealliance/wasmtime#14357).
        .pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        .concurrency_support(false)
        // One compiling thread leaves a core for the events that arrive meanwhile.
        .parallel_compilation(false)
        .memory_guaranteed_dense_image_size(64 << 20);
    if let Some(folder) = &settings.cache {
        cache::prepare(folder)?;
        let mut cache = CacheConfig::new();
        cache.with_directory(std::path::absolute(folder).unwrap_or_else(|_| folder.clone()));
        config.cache(Some(Cache::new(cache)?));
    }
    Ok(config)
}

/// A thread rather than a task: a starved runtime must still tick. It ends with the engine.
fn start_tick(engine: &Engine, ticks: &Ticks) -> Result<(), EngineError> {
    let (engine, ticks) = (engine.weak(), ticks.clone());
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            ticks.advance();
            engine.increment_epoch();
            drop(engine);
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("epoch-tick".to_owned())
        .spawn(tick)
        .map_err(|error| EngineError::Setup(error.to_string()))?;
    Ok(())
}

/// How an attempt ended that was halted.
pub fn halted(error: &wasmtime::Error) -> Outcome {
    trap(error, None)
}

/// How an attempt ended that its guest did not end, when no budget did.
fn trap(error: &wasmtime::Error, last_words: Option<String>) -> Outcome {
    match error.downcast_ref() {
        Some(Halt::Diverged(divergence)) => {
            return Outcome::Diverged {
                reason: divergence.to_string(),
            };
        }
        Some(halt) => {
            return Outcome::HostFault {
                reason: halt.to_string(),
            };
        }
        None => {}
    }
    let reason = match last_words {
        // Where the engine stopped says less than what the guest itself had to say.
        Some(words) => format!("{words} ({})", error.root_cause()),
        None => first_lines(error),
    };
    Outcome::Trap { reason }
}

/// The budget whose end an error tells of.
fn exhausted(error: &wasmtime::Error) -> Option<Budget> {
    if let Some(Exhausted(budget)) = error.downcast_ref() {
        return Some(*budget);
    }
    if let Some(Trap::Interrupt) = error.downcast_ref() {
        return Some(Budget::Cpu);
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(Budget::Handles);
    }
    // The engine has no type for these two.
    let cause = error.root_cause().to_string();
    if cause.ends_with("fuel allocated for hostcalls has been exhausted") {
        Some(Budget::CallBytes)
    } else if cause.ends_with("store handle limit exceeded") {
        Some(Budget::Handles)
    } else {
        None
    }
}

/// The root cause and where it happened, short enough for a list.
fn first_lines(error: &wasmtime::Error) -> String {
    let mut text = error.root_cause().to_string();
    let context = error.to_string();
    if context != text {
        let context: Vec<&str> = context.lines().map(str::trim).take(6).collect();
        text = format!("{text} ({})", context.join("; "));
    }
    if text.len() > 1000 {
        text.truncate(text.floor_char_boundary(1000));
        text.push('…');
    }
    text
}
