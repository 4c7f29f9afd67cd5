//! Reads what a new approval asks for.

use serde_json::Value;

use crate::api::approval::read_attachments;
use crate::api::call::Params;
use crate::api::v1::Refusal;
use crate::approvals::{AttachedFile, FormValue, Request, Rule, Step};
use crate::company::Template;
use crate::options::App;
use crate::state::World;

const VALUES: usize = 150;
const STEPS: usize = 20;
const CC: usize = 50;

/// The request, with everything in it known.
pub(super) fn read(world: &World, app: &App, body: Params<'_>) -> Result<Request, Refusal> {
    let code = body
        .text("processCode")
        .ok_or_else(|| Refusal::parameter("processCode"))?;
    code_of(world, code)?;
    let agent = body.integer("microappAgentId");
    if agent.is_some_and(|agent_id| agent_id != app.agent_id) {
        return Err(Refusal::new("invalidAgentId", "agentId不合法"));
    }
    let originator = known_person(world, body.text("originatorUserId"))?;
    let steps = flow(world, body)?;
    // The root is -1 here.
    let department = match body.integer("deptId") {
        Some(id) => id,
        None if steps.is_empty() => return Err(Refusal::parameter("deptId")),
        None => -1,
    };
    if world.company.department(department).is_none() {
        return Err(Refusal::parameter("deptId"));
    }
    let cc = body.texts("ccList").unwrap_or_default();
    if cc.len() > CC {
        return Err(Refusal::parameter("ccList"));
    }
    for userid in &cc {
        known_person(world, Some(userid))?;
    }
    Ok(Request {
        process_code: code.to_owned(),
        originator: originator.to_owned(),
        department,
        fields: form_values(body)?,
        cc,
        steps,
    })
}

/// The template of a code.
pub(super) fn code_of<'w>(world: &'w World, code: &str) -> Result<&'w Template, Refusal> {
    world
        .company
        .template(code)
        .ok_or_else(|| Refusal::new("processCodeError", format!("审批模板不存在: {code}")))
}

/// The person of an id, who must be of the company.
pub(super) fn known_person<'u>(world: &World, userid: Option<&'u str>) -> Result<&'u str, Refusal> {
    let userid = userid.ok_or_else(|| Refusal::parameter("userId"))?;
    match world.company.person(userid) {
        Some(_) => Ok(userid),
        None => Err(Refusal::new(
            "userNotExist",
            format!("用户不存在: {userid}"),
        )),
    }
}

/// Names and values are text; structured values are JSON in text.
fn form_values(body: Params<'_>) -> Result<Vec<FormValue>, Refusal> {
    let values = body.get("formComponentValues").and_then(Value::as_array);
    let values = values.filter(|values| values.len() <= VALUES);
    let values = values.ok_or_else(|| Refusal::parameter("formComponentValues"))?;
    let one = |value: &Value| {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(FormValue {
            name: text("name")?,
            value: text("value")?,
            ext_value: text("extValue"),
        })
    };
    let read = values.iter().map(one).collect::<Option<Vec<FormValue>>>();
    read.ok_or_else(|| Refusal::parameter("formComponentValues: name和value必须是字符串"))
}

/// The attachments of the member `file`, all of them whole.
pub(super) fn attachments(body: Params<'_>) -> Result<Vec<AttachedFile>, Refusal> {
    let names = ["spaceId", "fileId", "fileName", "fileSize", "fileType"];
    read_attachments(body, names).ok_or_else(|| Refusal::parameter("file.attachments"))
}

/// The flow that the request names; none leaves it to the template.
fn flow(world: &World, body: Params<'_>) -> Result<Vec<Step>, Refusal> {
    let Some(steps) = body.get("approvers") else {
        return Ok(Vec::new());
    };
    let steps = steps.as_array().filter(|steps| steps.len() <= STEPS);
    let steps = steps.ok_or_else(|| Refusal::parameter("approvers"))?;
    steps
        .iter()
        .map(|step| {
            let step = Params::of(step);
            let userids = step.texts("userIds").unwrap_or_default();
            for userid in &userids {
                known_person(world, Some(userid))?;
            }
            let rule = match (step.text("actionType"), userids.len()) {
                (Some("AND"), 2..) => Rule::And,
                (Some("OR"), 2..) => Rule::Or,
                (Some("NONE"), 1) => Rule::One,
                _ => return Err(Refusal::parameter("approvers")),
            };
            Ok(Step { rule, userids })
        })
        .collect()
}
