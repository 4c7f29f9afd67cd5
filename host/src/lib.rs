//! The bot host.
