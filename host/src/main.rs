//! Arguments, logging, exit code; nothing else.

use std::process::ExitCode;

mod commands;
mod toolchain;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run().await
}
