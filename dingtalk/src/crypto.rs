//! AES, SHA and HMAC as DingTalk combines them.
