//! Timers in memory.

use async_trait::async_trait;

use super::MemoryJournal;
use crate::clock::UnixMs;
use crate::ids::PluginName;
use crate::journal::timers::{DueTimers, MAX_TIMERS, Timer, TimerChange, TimerError, Timers, Turn};
use crate::journal::{Journal, JournalError};

#[async_trait]
impl Timers for MemoryJournal {
    async fn change(&self, change: TimerChange) -> Result<bool, TimerError> {
        let mut inner = self.inner();
        let mut timer = match change {
            TimerChange::Set(timer) => timer,
            TimerChange::Cancel { plugin, name } => {
                return Ok(inner.timers.remove(&(plugin, name)).is_some());
            }
        };
        let name = (timer.plugin.clone(), timer.name.clone());
        if let Some(present) = inner.timers.get(&name) {
            if present.repeat.is_some() && present.repeat == timer.repeat {
                timer.due_at = present.due_at;
            }
            timer.revision = present.revision + 1;
        } else {
            let of_plugin = inner.timers.keys().filter(|name| name.0 == timer.plugin);
            if of_plugin.count() >= MAX_TIMERS {
                return Err(TimerError::Full);
            }
            timer.revision = 0;
        }
        inner.timers.insert(name, timer);
        Ok(true)
    }

    async fn timers(&self, plugin: &PluginName) -> Result<Vec<Timer>, TimerError> {
        let inner = self.inner();
        let of_plugin = inner
            .timers
            .values()
            .filter(|timer| timer.plugin == *plugin);
        Ok(of_plugin.cloned().collect())
    }

    async fn due_timers(
        &self,
        plugins: &[PluginName],
        now: UnixMs,
        limit: usize,
    ) -> Result<DueTimers, JournalError> {
        let inner = self.inner();
        let mut found = DueTimers::default();
        for plugin in plugins {
            let of_plugin = inner
                .timers
                .values()
                .filter(|timer| timer.plugin == *plugin);
            let (mut due, later): (Vec<&Timer>, Vec<&Timer>) =
                of_plugin.partition(|timer| timer.due_at <= now);
            due.sort_by_key(|timer| timer.due_at);
            found.due.extend(due.into_iter().take(limit).cloned());
            let next = later.iter().map(|timer| timer.due_at).min();
            found.next_due = found.next_due.into_iter().chain(next).min();
        }
        found.due.sort_by_key(|timer| timer.due_at);
        Ok(found)
    }

    async fn fire(&self, turn: Turn) -> Result<bool, JournalError> {
        let Turn { timer, event, next } = turn;
        {
            let mut inner = self.inner();
            let name = (timer.plugin.clone(), timer.name.clone());
            let Some(present) = inner
                .timers
                .get_mut(&name)
                .filter(|present| present.revision == timer.revision)
            else {
                return Ok(false);
            };
            match next {
                Some(next) => {
                    present.due_at = next;
                    present.revision += 1;
                }
                None => {
                    inner.timers.remove(&name);
                }
            }
        }
        if let Some(event) = event {
            self.append(event).await?;
        }
        Ok(true)
    }
}
