//! Steps of approvals, groups of a template and the robot's messages; each replies with what came of it.

use belfry_plugin::approval::Value;
use belfry_plugin::chat::{NewScene, SceneMessage, SceneUpdate, SceneValue};
use belfry_plugin::event::Decision;
use belfry_plugin::prelude::*;
use belfry_plugin::robot::SendState;

/// Does a step, if it is one of these.
pub(crate) fn run(word: &str, rest: &str) -> Option<Result<(), Failure>> {
    let done = match word {
        "template" => template(rest),
        "form" => form(rest),
        "fit" => fit(rest),
        "start" => start(rest),
        "number" => number(rest),
        "status" => status(rest),
        "handon" => hand_on(rest),
        "decide" => decide(rest),
        "decide-with-file" => decide_with_file(rest),
        "history" => history(rest),
        "note" => note(rest),
        "pending" => pending(rest),
        "space" => space(rest),
        "link" => link(rest),
        "dm" => dm(rest),
        "dm-state" => dm_state(),
        "dm-recall" => dm_recall(),
        "post" => post(rest),
        "post-state" => post_state(rest),
        "post-recall" => post_recall(rest),
        "scene" => scene(rest),
        "join" => join(rest),
        "leave" => leave(rest),
        "rename" => rename(rest),
        "shout" => shout(rest),
        "order" => order(rest),
        "members" => members(),
        "told" => told(rest),
        "readers" => readers(),
        _ => return None,
    };
    Some(done)
}

fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

fn kept(key: &str) -> Result<String, Failure> {
    let value = kv::get(key)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&value).into_owned())
}

fn template(name: &str) -> Result<(), Failure> {
    Ok(reply_text(&approval::find_template(name)?)?)
}

fn form(code: &str) -> Result<(), Failure> {
    let form = approval::get_form(code)?;
    let controls: Vec<String> = form
        .controls
        .iter()
        .map(|control| {
            let mark = if control.required { "*" } else { "" };
            let within = control
                .parent
                .map_or(String::new(), |parent| format!("{parent}/"));
            format!("{within}{}{mark}", control.label)
        })
        .collect();
    Ok(reply_text(&format!(
        "{}: {}",
        form.name,
        controls.join(" ")
    ))?)
}

fn fit(rest: &str) -> Result<(), Failure> {
    let (code, field) = split(rest);
    let (label, value) = split(field);
    let field = approval::Field {
        name: label.to_owned(),
        value: value.to_owned(),
    };
    approval::check(code, &[field])?;
    Ok(reply_text("it fits")?)
}

fn start(rest: &str) -> Result<(), Failure> {
    let (code, field) = split(rest);
    let (label, value) = split(field);
    let instance = approval::NewInstance {
        process_code: code.to_owned(),
        originator: "alice".to_owned(),
        dept_id: "2".to_owned(),
        fields: vec![approval::Field {
            name: label.to_owned(),
            value: value.to_owned(),
        }],
        steps: Vec::new(),
        cc: Vec::new(),
    };
    approval::create(&instance)?;
    Ok(reply_text("started")?)
}

fn number(rest: &str) -> Result<(), Failure> {
    let (label, value) = split(rest);
    let field = approval::encode(label, &Value::Number(value.to_owned()))?;
    Ok(reply_text(&format!("{}={}", field.name, field.value))?)
}

fn status(id: &str) -> Result<(), Failure> {
    let instance = approval::get(id)?;
    let tasks: Vec<String> = instance
        .tasks
        .iter()
        .map(|task| format!("{} {}", task.approver, task.status))
        .collect();
    let text = format!("{:?} {}", instance.status, tasks.join(", "));
    Ok(reply_text(&text)?)
}

fn hand_on(rest: &str) -> Result<(), Failure> {
    let (id, rest) = split(rest);
    let (task, rest) = split(rest);
    let (holder, to) = split(rest);
    approval::redirect(id, task, holder, to, "")?;
    Ok(reply_text("handed on")?)
}

fn decide(rest: &str) -> Result<(), Failure> {
    let (id, rest) = split(rest);
    let (task, who) = split(rest);
    approval::execute(id, task, who, Decision::Agree, "")?;
    Ok(reply_text("decided")?)
}

fn decide_with_file(rest: &str) -> Result<(), Failure> {
    let (id, rest) = split(rest);
    let (task, who) = split(rest);
    approval::execute_with_files(id, task, who, Decision::Agree, "见附件", &[], &[file()])?;
    Ok(reply_text("decided")?)
}

fn file() -> approval::Attachment {
    approval::Attachment {
        space_id: "2001".to_owned(),
        file_id: "f1".to_owned(),
        name: "a.pdf".to_owned(),
        size: "10".to_owned(),
        kind: "pdf".to_owned(),
    }
}

fn history(id: &str) -> Result<(), Failure> {
    let records = approval::history(id)?;
    let shown: Vec<String> = records
        .iter()
        .map(|record| match record.files.as_slice() {
            [] => record.kind.clone(),
            files => format!("{}[{}]", record.kind, files.join(",")),
        })
        .collect();
    Ok(reply_text(&shown.join(" "))?)
}

fn note(rest: &str) -> Result<(), Failure> {
    let (id, rest) = split(rest);
    let (who, text) = split(rest);
    approval::comment_with_files(id, who, text, &[], &[file()])?;
    Ok(reply_text("noted")?)
}

fn pending(who: &str) -> Result<(), Failure> {
    Ok(reply_text(&approval::count_pending(who)?.to_string())?)
}

fn space(who: &str) -> Result<(), Failure> {
    Ok(reply_text(&approval::attachment_space(who)?)?)
}

fn link(rest: &str) -> Result<(), Failure> {
    let (id, file) = split(rest);
    let link = approval::attachment_link(id, file)?;
    Ok(reply_text(&link.url)?)
}

fn dm(rest: &str) -> Result<(), Failure> {
    let (who, text) = split(rest);
    let who: Vec<String> = who.split(',').map(str::to_owned).collect();
    let sent = robot::send_people(&who, &RobotMessage::Text(text.to_owned()))?;
    kv::set("dm", sent.key.as_bytes())?;
    Ok(reply_text(&format!(
        "sent, unknown: [{}]",
        sent.invalid.join(",")
    ))?)
}

fn shown(state: &robot::SentState) -> String {
    let word = match state.state {
        SendState::Processing => "processing",
        SendState::Sent => "sent",
        SendState::Recalled => "recalled",
    };
    format!("{word}, read by [{}]", state.readers.join(","))
}

fn dm_state() -> Result<(), Failure> {
    Ok(reply_text(&shown(&robot::people_state(&kept("dm")?)?))?)
}

fn dm_recall() -> Result<(), Failure> {
    let recalled = robot::recall_people(&[kept("dm")?])?;
    Ok(reply_text(&format!(
        "{} gone, {} not",
        recalled.keys.len(),
        recalled.failed.len()
    ))?)
}

fn post(rest: &str) -> Result<(), Failure> {
    let (group, text) = split(rest);
    let key = robot::send(group, &RobotMessage::Text(text.to_owned()))?;
    kv::set("post", key.as_bytes())?;
    Ok(())
}

fn post_state(group: &str) -> Result<(), Failure> {
    let state = robot::state(group, &kept("post")?, None, 200)?;
    Ok(reply_text(&shown(&state))?)
}

fn post_recall(group: &str) -> Result<(), Failure> {
    let recalled = robot::recall(group, &[kept("post")?])?;
    Ok(reply_text(&format!(
        "{} gone, {} not",
        recalled.keys.len(),
        recalled.failed.len()
    ))?)
}

fn scene(rest: &str) -> Result<(), Failure> {
    let (owner, title) = split(rest);
    let made = chat::create_scene(&NewScene {
        title: title.to_owned(),
        template_id: "template-1".to_owned(),
        owner: owner.to_owned(),
        members: Vec::new(),
    })?;
    let id = made.conversation_id.unwrap_or_default();
    kv::set("scene", id.as_bytes())?;
    Ok(reply_text("made")?)
}

fn join(who: &str) -> Result<(), Failure> {
    Ok(chat::add_scene_members(&kept("scene")?, &[who.to_owned()])?)
}

fn leave(who: &str) -> Result<(), Failure> {
    Ok(chat::remove_scene_members(
        &kept("scene")?,
        &[who.to_owned()],
    )?)
}

fn rename(title: &str) -> Result<(), Failure> {
    let changes = SceneUpdate {
        title: Some(title.to_owned()),
        owner: None,
    };
    Ok(chat::update_scene(&kept("scene")?, &changes)?)
}

fn shout(rest: &str) -> Result<(), Failure> {
    let (who, text) = split(rest);
    let value = |name: &str, value: &str| SceneValue {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let message = SceneMessage {
        robot_code: None,
        template_id: "inner_app_template_markdown".to_owned(),
        values: vec![value("title", "t"), value("markdown_content", text)],
        media: Vec::new(),
        mentions: vec![who.to_owned()],
        mention_all: false,
        receivers: Vec::new(),
    };
    let scene = kept("scene")?;
    let key = chat::send_scene(&scene, &message)?;
    let state = robot::state(&scene, &key, None, 200)?;
    Ok(reply_text(&shown(&state))?)
}

fn order(rest: &str) -> Result<(), Failure> {
    let (who, order) = split(rest);
    let value = |name: &str, value: &str| notice::PlaceValue {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let people = notice::NamedRecipients {
        users: vec![who.to_owned()],
        departments: Vec::new(),
    };
    let values = [value("name", who), value("order", order)];
    notice::send_template(&people, "order-ready", &values)?;
    Ok(())
}

fn members() -> Result<(), Failure> {
    let (scene, mut cursor, mut all) = (kept("scene")?, None, Vec::new());
    loop {
        let page = chat::scene_members(&scene, cursor.as_deref(), 2)?;
        all.extend(page.members);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(reply_text(&all.join(","))?);
        }
    }
}

fn told(rest: &str) -> Result<(), Failure> {
    let (group, text) = split(rest);
    let id = chat::send(group, &Message::Text(text.to_owned()))?;
    Ok(kv::set("told", id.as_bytes())?)
}

fn readers() -> Result<(), Failure> {
    let page = chat::readers(&kept("told")?, 0, 5)?;
    Ok(reply_text(&format!(
        "read by [{}]",
        page.readers.join(",")
    ))?)
}
