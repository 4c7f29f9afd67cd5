//! Sends an event or a message on request and answers how it went.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Refused, json_response, read};
use crate::clock::now_ms;
use crate::groups::{Group, GroupKind, Message, Sender, SenderKind};
use crate::mentions;
use crate::push::{self, Conversation, Load, Push, Report, Tamper, Written};
use crate::state::{Shared, World};

#[derive(Debug, Deserialize)]
struct EventRequest {
    app: String,
    event: Value,
    attempts: Option<usize>,
    tamper: Option<Tamper>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageRequest {
    app: Option<String>,
    /// Without one the message goes to the sender's single chat with the robot.
    conversation_id: Option<String>,
    sender_staff_id: String,
    text: String,
    #[serde(default = "yes")]
    mention: bool,
    msg_id: Option<String>,
    attempts: Option<usize>,
}

fn yes() -> bool {
    true
}

pub(super) async fn event(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: EventRequest = read(&body)?;
    if !request.event["EventType"].is_string() {
        return Err(Refused::bad("event.EventType must be text"));
    }
    let push = Push {
        app: request.app,
        load: Load::Event {
            event: request.event,
            tamper: request.tamper,
        },
        attempts: request.attempts,
    };
    shared.change(|world| {
        let app = world.app(&push.app);
        let app = app.ok_or_else(|| Refused::unknown(format!("there is no app {:?}", push.app)))?;
        push::check_target(world, &app, &push.load).map_err(Refused::bad)
    })?;
    let report = deliver(&shared, push).await?;
    Ok(json_response(&json!(report)))
}

pub(super) async fn message(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: MessageRequest = read(&body)?;
    let (msg_id, push) = shared.change(|world| write(world, request))?;
    let report = match push {
        Some(push) => deliver(&shared, push).await?,
        None => Report::default(),
    };
    let mut answer = json!(report);
    answer["msgId"] = json!(msg_id);
    Ok(json_response(&answer))
}

/// Runs a delivery in a task of its own, so that it goes on when the asker leaves.
async fn deliver(shared: &Arc<Shared>, push: Push) -> Result<Report, Refused> {
    let delivery = push::deliver(Arc::clone(shared), push);
    let ended = shared.spawn(delivery).await.ok().flatten();
    ended.ok_or_else(|| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the simulator is stopping"))
}

/// Puts the message into its group and prepares the push to the robot it calls, if there is one.
fn write(world: &mut World, request: MessageRequest) -> Result<(String, Option<Push>), Refused> {
    let now = now_ms();
    let sender = request.sender_staff_id;
    let Some(name) = world
        .company
        .person(&sender)
        .map(|person| person.name.clone())
    else {
        return Err(Refused::unknown(format!("there is no user {sender:?}")));
    };
    let app = match &request.app {
        Some(name) => Some(
            world
                .app(name)
                .ok_or_else(|| Refused::unknown(format!("there is no app {name:?}")))?,
        ),
        None => None,
    };
    let group = match (&request.conversation_id, &app) {
        (Some(id), _) => {
            let group = world.groups.by_id(id);
            group.ok_or_else(|| Refused::unknown(format!("there is no conversation {id:?}")))?
        }
        (None, Some(app)) => open_single(world, &app.name, &sender),
        (None, None) => return Err(Refused::bad("give conversationId or app")),
    };
    if group.disbanded || !group.has_member(&sender) {
        return Err(Refused::bad(format!(
            "{sender:?} is no member of this conversation"
        )));
    }
    let is_called = request.mention || group.kind == GroupKind::Single;
    let conversation = Conversation {
        id: group.id.clone(),
        name: group.name.clone(),
        kind: group.kind,
    };
    let robot =
        app.filter(|app| is_called && group.has_robot(&app.name) && app.robot_url.is_some());
    let members = group.members.clone();
    let written_by = Sender {
        kind: SenderKind::User,
        id: sender.clone(),
        name,
    };
    let mentions = mentions::in_text(&request.text, &members, &world.company);
    let mut message = Message::new(written_by, "text", json!({"content": request.text}), now)
        .mentioning(mentions);
    if let Some(msg_id) = request.msg_id {
        message.id = msg_id;
    }
    let (msg_id, mentions) = (message.id.clone(), message.mentions.clone());
    world.say(&conversation.id, message);
    let push = robot.map(|app| {
        let (session, expires) = world.sessions.open(&app.name, &conversation.id, now);
        let written = Written {
            msg_id: &msg_id,
            sender: &sender,
            text: &request.text,
            mentions: &mentions,
            at: now,
            session: (&session, expires),
        };
        let body = push::message_body(world, &app, &conversation, &written);
        Push {
            app: app.name.clone(),
            load: Load::Message {
                body,
                group: conversation.id.clone(),
            },
            attempts: request.attempts,
        }
    });
    Ok((msg_id, push))
}

/// The sender's chat with a robot; the page is told of a new one.
fn open_single<'w>(world: &'w mut World, app: &str, userid: &str) -> &'w mut Group {
    if world.groups.single(app, userid).is_none() {
        let update = json!(world.groups.create_single(app, userid));
        world.update("group", update);
    }
    world
        .groups
        .single(app, userid)
        .expect("it was made where it was missing")
}
