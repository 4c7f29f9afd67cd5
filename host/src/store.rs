//! The SQLite file that journal and key-value store share.

pub mod sqlite;
pub mod wal;
