//! Arguments, logging, exit code; nothing else.

use std::process::ExitCode;

mod commands;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run().await
}
