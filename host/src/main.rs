//! Arguments, logging, exit code; nothing else.

use std::process::ExitCode;

mod commands;
mod toolchain;

/// Attempts begin on one worker and end on another; the system's allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run().await
}
