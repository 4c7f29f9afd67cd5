//! What belongs to one attempt: its guest's WASI, its budgets and the delivery it works on.

use std::sync::Arc;

use dingtalk::Client;
use tokio_util::task::TaskTracker;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, bail};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::wasi::virtual_context;
use super::words::LastWords;
use crate::attempt::{Budget, LastTrouble};
use crate::clock::UnixMs;
use crate::config::{Grant, Limits};
use crate::effect::Source;
use crate::event::{Content, Envelope};
use crate::function::Function;
use crate::ids::{EventId, PluginName};
use crate::journal::Schedule;
use crate::kv::Kv;

/// Lines a guest may log in one attempt.
const LOG_LINES: u32 = 256;
/// Bytes a guest may log in one attempt.
const LOG_BYTES: usize = 64 << 10;

/// A budget is used up; ends the attempt.
#[derive(Debug, thiserror::Error)]
#[error("a limit of the plugin is reached: {0:?}")]
pub struct Exhausted(pub Budget);

/// What host functions work with.
pub struct Task {
    /// The plugin.
    pub plugin: PluginName,
    /// The event.
    pub envelope: Envelope,
    /// What was read from it.
    pub content: Content,
    /// The app's DingTalk.
    pub client: Client,
    /// The store of the plugin's values.
    pub kv: Arc<dyn Kv>,
    /// The plugins' timers.
    pub schedule: Schedule,
    /// The plugin's grants.
    pub grant: Arc<Grant>,
    /// The plugin's settings.
    pub settings: Arc<serde_json::Map<String, serde_json::Value>>,
    /// What kept the last call of DingTalk from being done.
    pub trouble: LastTrouble,
    /// Where answers of host calls come from.
    pub source: Source,
    /// Runs what must not be cut in half when the guest goes away.
    pub outbound: TaskTracker,
}

/// The data of one store.
pub struct State {
    plugin: PluginName,
    limits: Limits,
    wasi: WasiCtx,
    table: ResourceTable,
    used: Used,
    task: Option<Arc<Task>>,
    last_words: LastWords,
}

struct Used {
    memory_limit: u64,
    memory: u64,
    calls: u32,
    log_lines: u32,
    log_bytes: usize,
}

impl State {
    /// The state of an attempt on a delivery.
    pub fn attempt(limits: Limits, task: Arc<Task>) -> Self {
        let (event, received_at) = (task.envelope.id, task.envelope.received_at);
        Self::new(
            task.plugin.clone(),
            limits,
            Some(event),
            received_at,
            Some(task),
        )
    }

    /// The state of a plugin that only describes itself: no host function but `log` works.
    pub fn describing(plugin: PluginName, limits: Limits) -> Self {
        Self::new(plugin, limits, None, UnixMs(0), None)
    }

    fn new(
        plugin: PluginName,
        limits: Limits,
        event: Option<EventId>,
        now: UnixMs,
        task: Option<Arc<Task>>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(1_000);
        let seed = event.map_or([0; 16], |event| *event.as_bytes());
        let last_words = LastWords::default();
        let wasi = virtual_context(&plugin, seed, now, &last_words);
        let used = Used {
            memory_limit: limits.memory,
            memory: 0,
            calls: 0,
            log_lines: 0,
            log_bytes: 0,
        };
        Self {
            plugin,
            limits,
            wasi,
            table,
            used,
            task,
            last_words,
        }
    }

    /// The plugin.
    pub fn plugin(&self) -> &PluginName {
        &self.plugin
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The delivery, if there is one; counts nothing.
    pub fn task(&self) -> Option<&Arc<Task>> {
        self.task.as_ref()
    }

    /// The delivery, for a host call that counts against the budget.
    pub fn call(&mut self, function: Function) -> wasmtime::Result<Arc<Task>> {
        let Some(task) = &self.task else {
            bail!("{function} cannot be called while the plugin describes itself")
        };
        if self.used.calls >= self.limits.calls {
            return Err(Exhausted(Budget::Calls).into());
        }
        self.used.calls += 1;
        Ok(Arc::clone(task))
    }

    /// Whether the guest may log another line of so many bytes. `Ok(false)` is said once, when it no longer may.
    pub fn may_log(&mut self, bytes: usize) -> Option<bool> {
        if self.used.log_lines > LOG_LINES || self.used.log_bytes > LOG_BYTES {
            return None;
        }
        self.used.log_lines += 1;
        self.used.log_bytes += bytes;
        Some(self.used.log_lines <= LOG_LINES && self.used.log_bytes <= LOG_BYTES)
    }

    /// What it said before its end.
    pub(super) fn last_words(&self) -> &LastWords {
        &self.last_words
    }

    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.used
    }
}

impl ResourceLimiter for Used {
    /// Sums over all memories of the guest and ends the attempt, so that its end has the right name.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = self.memory + (desired - current) as u64;
        if grown > self.memory_limit {
            return Err(Exhausted(Budget::Memory).into());
        }
        self.memory = grown;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > 100_000 {
            return Err(Exhausted(Budget::Memory).into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        200
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
