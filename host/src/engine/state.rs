//! What belongs to one attempt: its guest's WASI, its budgets and the delivery it works on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dingtalk::Client;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, bail};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::http::Http;
use super::outbound::Carrier;
use super::wasi::virtual_context;
use super::words::LastWords;
use crate::attempt::{Budget, LastTrouble};
use crate::clock::UnixMs;
use crate::config::{Grant, Limits};
use crate::effect::Source;
use crate::egress;
use crate::event::{Envelope, Subject};
use crate::function::Function;
use crate::ids::PluginName;
use crate::journal::Schedule;
use crate::kv::Kv;

/// A budget is used up; ends the attempt.
#[derive(Debug, thiserror::Error)]
#[error("a limit of the plugin is reached: {0:?}")]
pub struct Exhausted(pub Budget);

/// What ends an attempt, found out where nothing can end it: beside the guest, which hears of its call only that it failed.
/// The next call of the guest, or its end, is then the end of the attempt.
#[derive(Default)]
pub struct Halted(Mutex<Option<wasmtime::Error>>);

impl Halted {
    /// Ends the attempt; the first reason is kept.
    pub fn set(&self, error: wasmtime::Error) {
        let mut halted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halted.get_or_insert(error);
    }

    /// The reason, if there is one.
    pub fn take(&self) -> Option<wasmtime::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What host functions work with.
pub struct Task {
    /// The plugin.
    pub plugin: PluginName,
    /// The event.
    pub envelope: Envelope,
    /// What it is about.
    pub subject: Subject,
    /// The app's DingTalk.
    pub client: Client,
    /// The store of the plugin's values.
    pub kv: Arc<dyn Kv>,
    /// The plugins' timers.
    pub schedule: Schedule,
    /// Where sent notices are kept until it is known what became of them, if the plugin wants to hear that.
    pub notices: Option<Schedule>,
    /// The plugin's grants.
    pub grant: Arc<Grant>,
    /// The plugin's way out over HTTP, if it was granted one.
    pub egress: Option<Arc<egress::Client>>,
    /// The plugin's settings.
    pub settings: Arc<serde_json::Map<String, serde_json::Value>>,
    /// What kept the last call of DingTalk from being done.
    pub trouble: LastTrouble,
    /// Where answers of host calls come from.
    pub source: Source,
    /// Carries what must not be cut in half when the guest goes away.
    pub outbound: Carrier,
    /// What a call under way found out that ends the attempt.
    pub halted: Halted,
    /// Whether the guest waits for DingTalk; stays set if it is ended meanwhile.
    pub awaits_dingtalk: AtomicBool,
}

/// The data of one store.
pub struct State {
    plugin: PluginName,
    limits: Limits,
    /// Made when the guest first asks it for anything: most small guests never do. It is nearly as large as the rest, and a
    /// state is moved.
    wasi: Option<Box<Wasi>>,
    pub(super) table: ResourceTable,
    pub(super) http: Http,
    used: Used,
    deadline: Option<Instant>,
    task: Option<Arc<Task>>,
}

/// What WASI knows of the guest.
struct Wasi {
    context: WasiCtx,
    last_words: LastWords,
}

struct Used {
    memory_limit: u64,
    memory: u64,
    tables_limit: u64,
    tables: u64,
    calls: u32,
    sends: u32,
    log_lines: u32,
    log_bytes: usize,
}

impl State {
    /// The state of an attempt on a delivery.
    pub fn attempt(limits: Limits, task: Arc<Task>) -> Self {
        Self::new(task.plugin.clone(), limits, Some(task))
    }

    /// The state of a plugin that only describes itself: no host function but `log` works.
    pub fn describing(plugin: PluginName, limits: Limits) -> Self {
        Self::new(plugin, limits, None)
    }

    fn new(plugin: PluginName, limits: Limits, task: Option<Arc<Task>>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let used = Used {
            memory_limit: limits.memory,
            memory: 0,
            tables_limit: limits.tables,
            tables: 0,
            calls: 0,
            sends: 0,
            log_lines: 0,
            log_bytes: 0,
        };
        Self {
            plugin,
            limits,
            wasi: None,
            table,
            http: Http::new(&limits),
            used,
            deadline: None,
            task,
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

    /// What the attempt has done over HTTP.
    pub fn traffic(&self) -> &Http {
        &self.http
    }

    /// The handles that the guest holds.
    pub fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// When the attempt ends at the latest; absent before it began.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Begins the attempt; answers with when it ends at the latest.
    pub(super) fn begin(&mut self, now: Instant) -> Instant {
        *self.deadline.insert(now + self.wall())
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
        if let Some(error) = task.halted.take() {
            return Err(error);
        }
        if function.is_send() {
            if self.used.sends >= self.limits.sends {
                return Err(Exhausted(Budget::Sends).into());
            }
            self.used.sends += 1;
        }
        self.used.calls += 1;
        Ok(Arc::clone(task))
    }

    /// How much time may pass.
    fn wall(&self) -> Duration {
        if self.is_describing() {
            self.limits.describe
        } else {
            self.limits.wall
        }
    }

    /// The budget that is used up when that time has passed.
    pub(super) fn wall_budget(&self) -> Budget {
        match &self.task {
            None => Budget::Describe,
            Some(task) if task.awaits_dingtalk.load(Ordering::Relaxed) => Budget::Upstream,
            Some(_) => Budget::Wall,
        }
    }

    /// Whether there is no delivery, only a plugin that describes itself.
    pub(super) fn is_describing(&self) -> bool {
        self.task.is_none()
    }

    /// Whether the guest may log another line of so many bytes. `Ok(false)` is said once, when it no longer may.
    pub fn may_log(&mut self, bytes: usize) -> Option<bool> {
        let (lines, most_bytes) = (self.limits.log_lines, self.limits.log_bytes);
        if self.used.log_lines > lines || self.used.log_bytes > most_bytes {
            return None;
        }
        self.used.log_lines += 1;
        self.used.log_bytes += bytes;
        Some(self.used.log_lines <= lines && self.used.log_bytes <= most_bytes)
    }

    /// What it said before its end.
    pub(super) fn last_words(&self) -> Option<String> {
        self.wasi.as_ref()?.last_words.line()
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
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The memory's own maximum: the growth fails, and the guest is told so.
            return Ok(false);
        }
        let grown = self.memory + desired.saturating_sub(current) as u64;
        if grown > self.memory_limit {
            return Err(Exhausted(Budget::Memory).into());
        }
        self.memory = grown;
        Ok(true)
    }

    /// As for memories, in elements.
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = self.tables + desired.saturating_sub(current) as u64;
        if grown > self.tables_limit {
            return Err(Exhausted(Budget::Tables).into());
        }
        self.tables = grown;
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
        let make = || {
            // Functions of the delivery, so that every attempt on it sees the same.
            let (seed, now) = self.task.as_ref().map_or(([0; 16], UnixMs(0)), |task| {
                (*task.envelope.id.as_bytes(), task.envelope.received_at)
            });
            let (printed, last_words) = (self.limits.printed_bytes, LastWords::default());
            let context = virtual_context(&self.plugin, seed, now, printed, &last_words);
            Box::new(Wasi {
                context,
                last_words,
            })
        };
        WasiCtxView {
            ctx: &mut self.wasi.get_or_insert_with(make).context,
            table: &mut self.table,
        }
    }
}
