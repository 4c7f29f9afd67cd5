//! A fake DingTalk.
