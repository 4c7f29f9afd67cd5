//! belfry is a DingTalk (钉钉) bot host: events are journalled, acknowledged and handed to sandboxed WebAssembly
//! plugins. The binary `belfry` is the product; this library is its inside, public for tests and benchmarks.
//!
//! The modules form layers whose arrows only point down; `tests/layering/table.rs` holds the table.

pub mod active;
pub mod admin;
pub mod app;
pub mod attempt;
pub mod call;
pub mod capability;
pub mod clock;
pub mod config;
pub mod cron;
pub mod destination;
pub mod dispatch;
pub mod doctor;
pub mod effect;
pub mod egress;
pub mod engine;
pub mod event;
pub mod explain;
pub mod failpoint;
pub mod function;
pub mod gateway;
pub mod health;
pub mod ids;
pub mod imports;
pub mod ingress;
pub mod journal;
pub mod kv;
pub mod meter;
pub mod plugin;
pub mod reload;
pub mod replay;
pub mod retention;
pub mod retry;
pub mod rules;
pub mod runner;
pub mod server;
pub mod store;
pub mod trial;
pub mod versions;
pub mod wake;
