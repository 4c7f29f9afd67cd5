//! Tells what a component asks for, offers and says of itself, before anybody lets it handle anything.

use std::sync::Arc;

use serde::Serialize;

use super::{Component, LoadError, describe, prelink};
use crate::capability::{self, Capability, Import, Refusal};
use crate::clock;
use crate::config::{Grant, Limits};
use crate::engine::Sandbox;
use crate::imports::bindings::belfry::bot::event::EventKind;
use crate::imports::bindings::exports::belfry::bot::handler::Description;

/// What is to be known of a component.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Bytes of the file.
    pub size: usize,
    /// Its SHA-256.
    pub digest: String,
    /// Milliseconds that compiling took; nearly none where the result was in the cache.
    pub compile_ms: u64,
    /// What it asks for.
    pub imports: Vec<Asked>,
    /// What it offers.
    pub exports: Vec<String>,
    /// What it says of itself; absent when it could not be asked.
    pub description: Option<Said>,
    /// What its `[[plugin]]` needs besides what is there; absent when nothing.
    pub needs: Option<String>,
    /// Why no `bot.toml` could make belfry load it.
    pub problem: Option<String>,
}

/// One import.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// The interface, such as `belfry:bot/chat@0.1.0`.
    pub interface: String,
    /// What becomes of it.
    pub status: Status,
    /// The key in `grant = { … }`, for what needs one.
    pub grant: Option<&'static str>,
}

/// What becomes of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everybody gets it.
    Ambient,
    /// It needs a grant and has it.
    Granted,
    /// It needs a grant.
    NotGranted,
    /// This belfry does not have it, at least not in this version.
    Unknown,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The kinds of events it can make use of.
    pub events: Vec<&'static str>,
    /// Its chat commands: word and usage.
    pub commands: Vec<(String, String)>,
    /// The JSON Schema of its `config` table, as JSON where it is JSON.
    pub config_schema: Option<serde_json::Value>,
}

/// Compiles a component, compares it with a grant and lets it describe itself. Fails only when it is no component.
pub async fn inspect(
    sandbox: &Sandbox,
    component: Component,
    grant: &Grant,
) -> Result<Inspection, LoadError> {
    let started = clock::instant();
    let compiled = sandbox
        .compile(
            component.digest,
            Arc::clone(&component.bytes),
            Limits::default().compile,
        )
        .await?;
    let compile_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let component_type = compiled.component_type();
    let names: Vec<String> = component_type
        .imports(sandbox.engine())
        .map(|(name, _)| name.to_owned())
        .collect();
    let exports = component_type.exports(sandbox.engine());
    let exports = exports.map(|(name, _)| name.to_owned()).collect();

    let compared = capability::compare(names.iter().map(String::as_str), grant);
    let (needs, mut problem) = match &compared {
        Ok(_) => (None, None),
        Err(Refusal::NotGranted { grant, .. }) => (Some(grant.to_string()), None),
        Err(refusal) => (None, Some(refusal.to_string())),
    };
    let mut description = None;
    if problem.is_none() {
        // Describing calls nothing, so all that it asks for may be linked for it.
        let asked: Vec<Capability> = Capability::ALL
            .into_iter()
            .filter(|one| {
                names
                    .iter()
                    .any(|name| capability::classify(name) == Import::Grantable(*one))
            })
            .collect();
        let described = async {
            let pre = prelink(sandbox, &compiled, &asked)?;
            describe(sandbox, &pre, "inspected".into(), Limits::default()).await
        };
        match described.await {
            Ok(said) => description = Some(said.into()),
            Err(error) => problem = Some(error.to_string()),
        }
    }
    Ok(Inspection {
        size: component.bytes.len(),
        digest: component.digest.to_string(),
        compile_ms,
        imports: names
            .into_iter()
            .map(|name| asked(name, &compared, grant))
            .collect(),
        exports,
        description,
        needs,
        problem,
    })
}

fn asked(
    interface: String,
    compared: &Result<capability::Requests, Refusal>,
    grant: &Grant,
) -> Asked {
    let (status, grant) = match capability::classify(&interface) {
        Import::Ambient => (Status::Ambient, None),
        // All of them together are harmless, some of them are refused.
        Import::Socket => match compared {
            Err(Refusal::Unknown(unknown))
                if unknown.iter().any(|text| text.starts_with(&interface)) =>
            {
                (Status::Unknown, None)
            }
            _ => (Status::Ambient, None),
        },
        Import::Grantable(capability) if capability.is_granted(grant) => {
            (Status::Granted, Some(capability.name()))
        }
        Import::Grantable(capability) => (Status::NotGranted, Some(capability.name())),
        Import::OtherVersion(_) | Import::Unknown => (Status::Unknown, None),
    };
    Asked {
        interface,
        status,
        grant,
    }
}

impl From<Description> for Said {
    fn from(description: Description) -> Self {
        Self {
            name: description.name,
            version: description.version,
            events: description.subscriptions.into_iter().map(kind).collect(),
            commands: description
                .commands
                .into_iter()
                .map(|command| (command.name, command.usage))
                .collect(),
            config_schema: description
                .config_schema
                .map(|text| serde_json::from_str(&text).unwrap_or_else(|_| text.into())),
        }
    }
}

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ChatMessage => "chat-message",
        EventKind::ApprovalInstance => "approval-instance",
        EventKind::ApprovalTask => "approval-task",
        EventKind::ContactsChange => "contacts-change",
        EventKind::ChatChange => "chat-change",
        EventKind::Alert => "alert",
        EventKind::Timer => "timer",
        EventKind::CardAction => "card-action",
        EventKind::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Engine;

    async fn of(wat: &str, grant: &Grant) -> Inspection {
        let engine = Engine {
            max_concurrent: 1,
            cache: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugin.wasm");
        std::fs::write(&file, wat::parse_str(wat).unwrap()).unwrap();
        let component = Component::read(&file, 1 << 20).unwrap();
        inspect(&Sandbox::new(&engine).unwrap(), component, grant)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn each_import_is_told_with_what_becomes_of_it() {
        let wat = r#"(component
            (import "belfry:bot/log@0.1.0" (instance))
            (import "belfry:bot/kv@0.1.0" (instance))
            (import "belfry:bot/chat@0.1.0" (instance))
            (import "belfry:bot/robot@0.2.0" (instance))
            (import "wasi:sockets/tcp@0.2.6" (instance))
            (import "wasi:keyvalue/store@0.2.0-draft" (instance)))"#;
        let grant = Grant {
            kv: Some(1024),
            ..Grant::default()
        };
        let inspection = of(wat, &grant).await;
        let told: Vec<(&str, Status)> = inspection
            .imports
            .iter()
            .map(|import| (import.interface.as_str(), import.status))
            .collect();
        assert_eq!(
            told,
            [
                ("belfry:bot/log@0.1.0", Status::Ambient),
                ("belfry:bot/kv@0.1.0", Status::Granted),
                ("belfry:bot/chat@0.1.0", Status::NotGranted),
                ("belfry:bot/robot@0.2.0", Status::Unknown),
                ("wasi:sockets/tcp@0.2.6", Status::Unknown),
                ("wasi:keyvalue/store@0.2.0-draft", Status::Unknown),
            ]
        );
        assert!(inspection.description.is_none() && inspection.needs.is_none());
        insta::assert_snapshot!(inspection.problem.unwrap(), @"it imports belfry:bot/robot@0.2.0, of which this version of belfry has 0.1.x, and wasi:keyvalue/store@0.2.0-draft, which this version of belfry does not offer, and wasi:sockets/tcp@0.2.6, which this version of belfry does not offer");
    }

    #[tokio::test]
    async fn what_exports_no_handler_cannot_be_loaded() {
        let inspection = of("(component)", &Grant::default()).await;
        let problem = inspection.problem.unwrap();
        assert!(problem.contains("belfry:bot/handler"), "{problem}");
    }
}
