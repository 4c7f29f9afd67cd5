//! Reads what a new approval asks for: people, form values and flow.

use serde_json::Value;

use crate::api::call::Params;
use crate::api::oapi::Refusal;
use crate::approvals::{AttachedFile, FormValue, Rule, Step, one_by_one};
use crate::state::World;

const VALUES: usize = 200;
const PEOPLE: usize = 20;
/// Files with one decision or comment.
const ATTACHMENTS: usize = 20;

/// The person of an id, who must be of the company.
pub(super) fn known_person<'u>(world: &World, userid: &'u str) -> Result<&'u str, Refusal> {
    world
        .company
        .person(userid)
        .map(|_| userid)
        .ok_or_else(|| Refusal::unknown_user(userid))
}

/// People listed as text with commas, all of them known.
pub(super) fn people(world: &World, body: Params<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let list = match body.get(name) {
        None => Vec::new(),
        Some(Value::Array(none)) if none.is_empty() => Vec::new(),
        Some(_) => body
            .comma_list(name)
            .ok_or_else(|| Refusal::parameter(name))?,
    };
    if list.len() > PEOPLE {
        return Err(Refusal::parameter(name));
    }
    for userid in &list {
        known_person(world, userid)?;
    }
    Ok(list)
}

/// Names and values are text; structured values are JSON in text.
pub(super) fn form_values(body: Params<'_>) -> Result<Vec<FormValue>, Refusal> {
    let values = body.get("form_component_values").and_then(Value::as_array);
    let values = values.ok_or_else(|| Refusal::parameter("form_component_values"))?;
    if values.len() > VALUES {
        return Err(Refusal::parameter("form_component_values"));
    }
    let one = |value: &Value| {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(FormValue {
            name: text("name")?,
            value: text("value")?,
            ext_value: text("ext_value"),
        })
    };
    let read = values.iter().map(one).collect::<Option<Vec<FormValue>>>();
    read.ok_or_else(|| {
        Refusal::new(
            40035,
            "不合法的参数: form_component_values: name和value必须是字符串",
        )
    })
}

/// The attachments of the member `file`, all of them whole.
pub(super) fn attachments(request: Params<'_>) -> Result<Vec<AttachedFile>, Refusal> {
    let names = ["space_id", "file_id", "file_name", "file_size", "file_type"];
    read_attachments(request, names).ok_or_else(|| Refusal::parameter("file.attachments"))
}

/// The attachments of the member `file`, if all of them are whole: space, id, name, size and type by these names.
pub(in crate::api) fn read_attachments(
    body: Params<'_>,
    [space, id, name, size, kind]: [&str; 5],
) -> Option<Vec<AttachedFile>> {
    let listed = body
        .get("file")
        .and_then(|file| file["attachments"].as_array());
    let one = |file: &Value| {
        let file = Params::of(file);
        let text = |name: &str| file.text(name).map(str::to_owned);
        Some(AttachedFile {
            space_id: file.integer(space)?.to_string(),
            file_id: text(id)?,
            name: text(name)?,
            size: file.integer(size)?.to_string(),
            kind: text(kind)?,
        })
    };
    let read = listed.into_iter().flatten().map(one);
    read.collect::<Option<Vec<_>>>()
        .filter(|files| files.len() <= ATTACHMENTS)
}

/// The flow that the request names: `approvers_v2` beats `approvers`; none leaves it to the template.
pub(super) fn flow(world: &World, body: Params<'_>) -> Result<Vec<Step>, Refusal> {
    let Some(steps) = body.get("approvers_v2") else {
        return Ok(one_by_one(&people(world, body, "approvers")?));
    };
    let steps = steps.as_array().filter(|steps| steps.len() <= PEOPLE);
    let steps = steps.ok_or_else(|| Refusal::parameter("approvers_v2"))?;
    steps
        .iter()
        .map(|step| read_step(world, Params::of(step)))
        .collect()
}

fn read_step(world: &World, step: Params<'_>) -> Result<Step, Refusal> {
    let wrong = || Refusal::parameter("approvers_v2");
    let userids = step.texts("user_ids").ok_or_else(wrong)?;
    for userid in &userids {
        known_person(world, userid)?;
    }
    let rule = match (step.text("task_action_type"), userids.len()) {
        (Some("AND"), 2..) => Rule::And,
        (Some("OR"), 2..) => Rule::Or,
        (Some("NONE"), 1) => Rule::One,
        _ => return Err(wrong()),
    };
    Ok(Step { rule, userids })
}
