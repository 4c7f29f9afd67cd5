//! Whether the instances of a component fit into the pool and into the plugin's limits.

use wasmtime::component::Component;

use super::{EngineError, MAX_INSTANCE_MEMORIES, MAX_INSTANCE_TABLES};
use crate::config::Limits;

/// Bytes of a page of memory.
const PAGE: u64 = 64 << 10;

/// Checks at load what would else fail every attempt.
pub(super) fn check(component: &Component, limits: &Limits) -> Result<(), EngineError> {
    // Components that import modules do not say; the limits of an attempt hold for them all the same.
    let Some(needed) = component.resources_required() else {
        return Ok(());
    };
    let too_many = |what: &str, found: u32, most: u32| {
        Err(EngineError::Room(format!(
            "it has {found} {what}, and an instance may have {most}"
        )))
    };
    if needed.num_memories > MAX_INSTANCE_MEMORIES {
        return too_many("memories", needed.num_memories, MAX_INSTANCE_MEMORIES);
    }
    if needed.num_tables > MAX_INSTANCE_TABLES {
        return too_many("tables", needed.num_tables, MAX_INSTANCE_TABLES);
    }
    // The engine counts pages.
    let least = needed.max_initial_memory_size.unwrap_or(0);
    let least = least.saturating_mul(PAGE);
    if least > limits.memory {
        return Err(EngineError::Room(format!(
            "it begins with {} KiB of memory, more than its limit of {} KiB: set `limits = {{ memory = \"{}MiB\" }}` or more",
            least >> 10,
            limits.memory >> 10,
            least.div_ceil(1 << 20)
        )));
    }
    Ok(())
}
