//! Messages of a template to a group of a template (群助手). The only group call that mentions people.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::api::call::{ApiCall, Params};
use crate::api::oapi::{Outcome, Refusal, members};
use crate::company::Person;
use crate::crypto::random_text;
use crate::groups::{Message, Sender, SenderKind};
use crate::mentions::Mentions;
use crate::options::App;
use crate::state::World;

const MENTIONED_A_CALL: usize = 50;
const BUTTONS: usize = 4;

/// `POST /topapi/im/chat/scencegroup/message/send_v2`; the spelling is DingTalk's.
pub(in crate::api) fn send(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let needed = |name, code, text| body.text(name).ok_or_else(|| Refusal::new(code, text));
    let group = needed("target_open_conversation_id", 660_001, "群编码为空")?;
    let robot = needed("robot_code", 660_002, "机器人编码为空")?;
    let template = needed("msg_template_id", 660_027, "消息模板ID为空")?;
    if robot != app.robot_code {
        return Err(Refusal::new(660_014, "查无此机器人"));
    }
    let group = scene(world, app, group)?;
    let template = Template::named(template, world.suites.has_app(&app.name))
        .ok_or_else(|| Refusal::new(660_024, "查无此消息模板"))?;
    let (msgtype, content) = template.render(world, body)?;
    let receivers = people(world, body, &RECEIVERS)?;
    if let Some(stranger) = receivers.iter().find(|userid| !group.1.contains(userid)) {
        return Err(unknown_receiver(stranger));
    }
    let mentioned = people(world, body, &MENTIONED)?;
    if mentioned.len() > MENTIONED_A_CALL {
        return Err(Refusal::parameter("at_users"));
    }
    let mentions = Mentions {
        userids: group
            .1
            .iter()
            .filter(|userid| mentioned.contains(*userid))
            .cloned()
            .collect(),
        all: body.flag("is_at_all").unwrap_or(false),
    };
    let sender = Sender {
        kind: SenderKind::Robot,
        id: app.name.clone(),
        name: app.name.clone(),
    };
    let key = format!("{}=", random_text(43));
    let message = Message::new(sender, msgtype, content, call.now)
        .keyed(&key)
        .mentioning(mentions)
        .only_for(receivers.into_iter().collect());
    world.say(&group.0, message);
    Ok(members(json!({"success": true, "open_msg_id": key})))
}

/// The id and the members of a group that the app has made of a template and where its robot still is.
fn scene(world: &mut World, app: &App, id: &str) -> Result<(String, Vec<String>), Refusal> {
    if !id.starts_with("cid") {
        return Err(Refusal::new(660_023, "群编码解码失败"));
    }
    let group = world.groups.by_id(id);
    let group = group.filter(|group| group.template_id.is_some() && group.is_open_to(&app.name));
    let group = group.ok_or_else(|| Refusal::new(660_015, "查无此场景群"))?;
    if group.disbanded || !group.has_robot(&app.name) {
        return Err(Refusal::new(660_016, "机器人不可用"));
    }
    Ok((group.id.clone(), group.members.clone()))
}

/// A list of people in a body, and how it names them.
type Named = (&'static str, fn(&Person) -> Option<String>);

const RECEIVERS: [Named; 3] = [
    ("receiver_user_ids", |person| Some(person.userid.clone())),
    ("receiver_union_ids", |person| Some(person.union_id())),
    ("receiver_mobiles", |person| person.mobile.clone()),
];

const MENTIONED: [Named; 3] = [
    ("at_users", |person| Some(person.userid.clone())),
    ("at_union_ids", |person| Some(person.union_id())),
    ("at_mobiles", |person| person.mobile.clone()),
];

/// The user ids of everybody in these lists, which are text with commas.
fn people(world: &World, body: Params<'_>, lists: &[Named]) -> Result<BTreeSet<String>, Refusal> {
    let mut found = BTreeSet::new();
    for (name, id_of) in lists {
        for id in body.comma_list(name).unwrap_or_default() {
            let mut all = world.company.people.iter();
            let person = all.find(|person| id_of(person).as_deref() == Some(&id));
            found.insert(person.ok_or_else(|| unknown_receiver(&id))?.userid.clone());
        }
    }
    Ok(found)
}

fn unknown_receiver(id: &str) -> Refusal {
    Refusal::new(660_022, format!("接收人识别失败: {id}"))
}

/// The templates that every app has.
#[derive(Clone, Copy)]
enum Template {
    Text,
    Photo,
    Markdown,
    ActionCard,
}

impl Template {
    /// Apps of the company have some, third-party apps another one.
    fn named(name: &str, of_suite: bool) -> Option<Self> {
        match name {
            // The spelling is DingTalk's.
            "offical_template_test_action_card" if of_suite => Some(Self::ActionCard),
            _ if of_suite => None,
            "inner_app_template_text" => Some(Self::Text),
            "inner_app_template_photo" => Some(Self::Photo),
            "inner_app_template_markdown" => Some(Self::Markdown),
            "inner_app_template_action_card" => Some(Self::ActionCard),
            _ => None,
        }
    }

    fn render(self, world: &World, body: Params<'_>) -> Result<(&'static str, Value), Refusal> {
        let texts = parameters(body, "msg_param_map")?;
        let media = parameters(body, "msg_media_id_param_map")?;
        if texts.keys().any(|key| media.contains_key(key)) {
            return Err(Refusal::new(660_020, "重复的占位符KEY"));
        }
        let text = |name: &str| Params::among(&texts).text(name).ok_or_else(|| broken(name));
        Ok(match self {
            Self::Text => ("text", json!({"content": text("content")?})),
            Self::Markdown => (
                "markdown",
                json!({"title": text("title")?, "text": text("markdown_content")?}),
            ),
            Self::Photo => {
                let id = Params::among(&media).text("img_media_id");
                let id = id.ok_or_else(|| broken("img_media_id"))?;
                let mut uploads = world.files.uploads().iter();
                if !uploads.any(|file| file.media_id == id) {
                    return Err(Refusal::new(660_018, "查询图片文件地址失败"));
                }
                ("image", json!({"media_id": id}))
            }
            Self::ActionCard => {
                let orientation = text("btn_orientation").unwrap_or("0");
                let buttons: Vec<Value> = (1..=BUTTONS)
                    .filter_map(|n| {
                        let title = text(&format!("btn_title_{n}")).ok()?;
                        let url = text(&format!("action_url_{n}")).ok()?;
                        Some(json!({"title": title, "actionURL": url}))
                    })
                    .collect();
                let card = json!({"title": text("title")?, "text": text("markdown")?,
                    "btnOrientation": orientation, "btns": buttons});
                ("actionCard", card)
            }
        })
    }
}

/// Values for placeholders: JSON in text by the table, an object in the samples.
fn parameters(body: Params<'_>, name: &str) -> Result<Map<String, Value>, Refusal> {
    match body.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| broken(name)),
        Some(_) => Err(broken(name)),
    }
}

fn broken(name: &str) -> Refusal {
    Refusal::new(660_025, format!("消息模板渲染失败: {name}"))
}
