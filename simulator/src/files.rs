//! Keeps the files that apps uploaded and those that people sent to robots.

use std::collections::HashMap;

use serde::Serialize;

use crate::crypto::random_text;

/// A file that an app uploaded.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Uploaded {
    pub(crate) media_id: String,
    pub(crate) app: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) bytes: usize,
    pub(crate) at: i64,
}

/// A file that somebody sent to a robot.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    uploaded: Vec<Uploaded>,
    /// By download code.
    sent: HashMap<String, Sent>,
    /// By the last part of the address that was given out.
    addresses: HashMap<String, String>,
}

impl Files {
    /// Keeps what is known of an upload and gives it an id.
    pub(crate) fn upload(&mut self, file: Uploaded) -> &Uploaded {
        let media_id = format!("@{}", random_text(20));
        self.uploaded.push(Uploaded { media_id, ..file });
        self.uploaded.last().expect("a file was just added")
    }

    /// The uploads, oldest first.
    pub(crate) fn uploads(&self) -> &[Uploaded] {
        &self.uploaded
    }

    /// Keeps a file for a robot and answers with its download code.
    pub(crate) fn send(&mut self, file: Sent) -> String {
        let code = random_text(32);
        self.sent.insert(code.clone(), file);
        code
    }

    /// Gives out an address for a file of the app's robot.
    pub(crate) fn address(&mut self, app: &str, code: &str) -> Option<String> {
        self.sent.get(code).filter(|sent| sent.app == app)?;
        let address = format!("{}.file", random_text(24));
        self.addresses.insert(address.clone(), code.to_owned());
        Some(address)
    }

    /// The file at an address.
    pub(crate) fn at(&self, address: &str) -> Option<&Sent> {
        self.sent.get(self.addresses.get(address)?)
    }
}
