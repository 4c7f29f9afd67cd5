//! belfry's side: what the host does for each delivery, with a robot that answers at once instead of over HTTP.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use belfry::call::{Answer, Arguments, Fate, Json};
use belfry::capability::Capability;
use belfry::clock;
use belfry::config::Limits;
use belfry::effect::{Next, Source};
use belfry::engine::{Outbound, Sandbox, State};
use belfry::event::{Content, Envelope, Origin, Subject};
use belfry::function::Function;
use belfry::ids::{DeliveryId, PluginName};
use belfry::imports::bindings::belfry::bot::api::{ConversationId, Error};
use belfry::imports::bindings::belfry::bot::message::{Mentions, RobotMessage};
use belfry::imports::bindings::belfry::bot::robot;
use belfry::imports::{GuestPre, base_linker, count, link, to_guest};
use belfry::journal::{Effects, MemoryJournal};
use dingtalk::{Client, Credentials, Endpoints, RobotOut, Secret};
use wasmtime::component::{Component, HasData};

use super::Handle;
use crate::desk::Desk;

/// Everything that outlives an event.
pub(crate) struct Ours {
    sandbox: Sandbox,
    guest: GuestPre<State>,
    plugin: PluginName,
    envelope: Envelope,
    content: Content,
    desk: Desk,
}

impl Ours {
    pub(super) fn new(
        sandbox: &Sandbox,
        component: &Component,
        text: &str,
    ) -> anyhow::Result<Self> {
        let mut linker = base_linker(sandbox.engine()).map_err(|error| anyhow!("{error:#}"))?;
        robot::add_to_linker::<_, Answered>(&mut linker, |state| AnsweredRobot(state))
            .map_err(|error| anyhow!("{error:#}"))?;
        // Those of the samples, as they are; values are kept in memory.
        for capability in [Capability::Kv, Capability::Approval] {
            link(&mut linker, capability).map_err(|error| anyhow!("{error:#}"))?;
        }
        let guest = linker
            .instantiate_pre(component)
            .and_then(GuestPre::new)
            .map_err(|error| anyhow!("{error:#}"))?;
        let credentials = Credentials {
            app_key: "dingkey".to_owned(),
            app_secret: Secret::new("secret"),
            agent_id: None,
            robot_code: "dingkey".to_owned(),
        };
        let client =
            Client::new(credentials, Endpoints::default()).context("cannot make a client")?;
        let envelope = envelope(text);
        let content = Content::parse(&envelope.origin, &envelope.raw)?;
        Ok(Self {
            sandbox: sandbox.clone(),
            guest,
            plugin: "sample".into(),
            envelope,
            content,
            desk: Desk::new(client, Arc::new(MemoryJournal::default())),
        })
    }
}

impl Handle for Ours {
    type Received = (Envelope, Content);

    /// The host has an event of its own each time: what it claimed, and what it read from that.
    fn receive(&self) -> (Envelope, Content) {
        (self.envelope.clone(), self.content.clone())
    }

    /// As the runner and the plugin do for a delivery whose text has been read.
    async fn handle(&self, (envelope, content): (Envelope, Content)) -> anyhow::Result<()> {
        let id = DeliveryId {
            event: self.envelope.id,
            plugin: self.plugin.clone(),
        };
        let subject = content.subject();
        let (recorder, task) = self.desk.attempt(id, Effects::default(), envelope, subject);
        let event = to_guest(&task.envelope, content);
        let state = State::attempt(Limits::default(), Arc::new(task));
        let handled = self
            .sandbox
            .run(state, async |store| self.guest.handle(store, &event).await)
            .await;
        if recorder
            .close(true, belfry::effect::Retried::No)
            .await
            .is_some()
        {
            bail!("the plugin left a call out");
        }
        match handled {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => bail!("the plugin failed: {failure:?}"),
            Err(outcome) => bail!("the plugin ended: {outcome}"),
        }
    }
}

/// The message that both sides handle.
pub(super) fn envelope(text: &str) -> Envelope {
    let now = clock::now();
    let raw = serde_json::json!({
        "msgId": "msg-1",
        "conversationId": "cid-conversation",
        "conversationType": "2",
        "conversationTitle": "Operations",
        "senderStaffId": "alice",
        "senderNick": "Alice",
        "senderCorpId": "dingcorp",
        "robotCode": "dingkey",
        "createAt": now.0,
        "msgtype": "text",
        "text": {"content": text},
        "sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=1",
        "sessionWebhookExpiredTime": now.0 + 5_400_000,
    });
    Envelope {
        id: clock::event_id(),
        app: "acme".into(),
        origin: Origin::Robot,
        received_at: now,
        raw: raw.to_string().into(),
    }
}

/// Links [`AnsweredRobot`] in the place of belfry's robot.
struct Answered;

impl HasData for Answered {
    type Data<'a> = AnsweredRobot<'a>;
}

/// Does what belfry's robot does except for the HTTP request.
struct AnsweredRobot<'a>(&'a mut State);

impl robot::Host for AnsweredRobot<'_> {
    async fn reply(
        &mut self,
        message: RobotMessage,
        mentions: Mentions,
    ) -> wasmtime::Result<Result<(), Error>> {
        let task = self.0.call(Function::RobotReply)?;
        let arguments = Arguments::of(&(&message, &mentions))?;
        let Subject::Chat(asked) = &task.subject else {
            wasmtime::bail!("the event is no chat message")
        };
        let Source::Recorded(recorder) = &task.source else {
            wasmtime::bail!("nobody records the call")
        };
        let Next::Make { place } = recorder.next(Function::RobotReply, &arguments)? else {
            wasmtime::bail!("the event was handled before")
        };
        let url = asked
            .session_webhook
            .as_ref()
            .map(|webhook| webhook.url.clone());
        let (client, message) = (task.client.clone(), RobotOut::from(message));
        let mentions = dingtalk::Mentions::from(mentions);
        let recorder = Arc::clone(recorder);
        let call = async move {
            let _busy = recorder.busy()?;
            let begun = recorder.call(place, Function::RobotReply, arguments);
            recorder.begin(begun).await?;
            // What the request would be made of lives until it is answered.
            drop((client, url, message, mentions, recorder.key(place)));
            let answer = Answer {
                fate: Fate::Done,
                text: Json::new("{\"Ok\":null}"),
            };
            count(Function::RobotReply, Fate::Done);
            recorder.end(place, Function::RobotReply, answer).await;
            Ok::<_, belfry::effect::Halt>(())
        };
        Outbound::new(task.outbound.clone(), call).await?;
        Ok(Ok(()))
    }

    async fn send(
        &mut self,
        _: ConversationId,
        _: RobotMessage,
    ) -> wasmtime::Result<Result<String, Error>> {
        wasmtime::bail!("the samples send nothing")
    }

    async fn send_people(
        &mut self,
        _: Vec<String>,
        _: RobotMessage,
    ) -> wasmtime::Result<Result<robot::SentToPeople, Error>> {
        wasmtime::bail!("echo writes to nobody")
    }

    async fn state(
        &mut self,
        _: ConversationId,
        _: String,
        _: Option<String>,
        _: u32,
    ) -> wasmtime::Result<Result<robot::SentState, Error>> {
        wasmtime::bail!("echo asks for nothing")
    }

    async fn people_state(
        &mut self,
        _: String,
    ) -> wasmtime::Result<Result<robot::SentState, Error>> {
        wasmtime::bail!("echo asks for nothing")
    }

    async fn recall(
        &mut self,
        _: ConversationId,
        _: Vec<String>,
    ) -> wasmtime::Result<Result<robot::Recalled, Error>> {
        wasmtime::bail!("echo takes nothing back")
    }

    async fn recall_people(
        &mut self,
        _: Vec<String>,
    ) -> wasmtime::Result<Result<robot::Recalled, Error>> {
        wasmtime::bail!("echo takes nothing back")
    }
}
