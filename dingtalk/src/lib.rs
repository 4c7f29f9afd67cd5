//! DingTalk protocol.
