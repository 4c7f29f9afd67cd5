//! Shows registered callbacks and failed lists, and turns both.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Refused, json_response, read};
use crate::state::{Shared, World};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    app: String,
    /// Whether the app may call this family.
    allowed: Option<bool>,
    /// An entry for its failed list, in whatever form.
    failed: Option<Value>,
}

pub(super) fn list(world: &World) -> Value {
    let apps = world.apps.iter();
    apps.map(|app| world.callbacks.show(app)).collect()
}

pub(super) async fn change(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: Request = read(&body)?;
    shared.change(|world| {
        let name = &request.app;
        let app = world
            .app(name)
            .ok_or_else(|| Refused::unknown(format!("there is no app {name:?}")))?;
        if let Some(allowed) = request.allowed {
            world.callbacks.allow(name, allowed);
        }
        if let Some(entry) = request.failed {
            world.callbacks.add_failed(name, entry);
        }
        Ok(json_response(&json!(world.callbacks.show(&app))))
    })
}
