//! The templates: their forms, by name, and as a person sees them.

use serde_json::{Value, json};

use super::request::{code_of, known_person};
use crate::api::call::ApiCall;
use crate::api::v1::{Outcome, Refusal};
use crate::company::Field;
use crate::options::App;
use crate::state::World;

const TEMPLATES_A_PAGE: i64 = 100;

/// `GET /v1.0/workflow/forms/schemas/processCodes?processCode=`.
pub(super) fn schema(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let code = call.query("processCode");
    let template = code_of(
        world,
        code.ok_or_else(|| Refusal::parameter("processCode"))?,
    )?;
    let items: Value = template
        .fields
        .iter()
        .map(|field| item(field, ""))
        .collect();
    Ok(json!({"result": {
        "name": template.name,
        "formCode": template.process_code,
        "formUuid": template.process_code,
        "status": "PUBLISHED",
        "procType": "inner",
        "schemaContent": {"title": template.name, "icon": "", "items": items},
        "gmtCreate": "1600000000000",
        "gmtModified": "1600000000000",
    }}))
}

/// Options are JSON in text, as DingTalk is seen to give them.
fn item(field: &Field, within: &str) -> Value {
    let id = format!("{within}{}-{}", field.component_type, field.name);
    let options = field.options.iter().zip(0..);
    let options: Vec<String> = options
        .map(|(option, at)| json!({"value": option, "key": format!("option_{at}")}).to_string())
        .collect();
    let mut item = json!({
        "componentName": field.component_type,
        "props": {"id": id, "label": field.name, "required": field.required},
    });
    if !options.is_empty() {
        item["props"]["options"] = json!(options);
    }
    if !field.children.is_empty() {
        let children = field.children.iter();
        item["children"] = children
            .map(|child| self::item(child, &format!("{id}/")))
            .collect();
    }
    item
}

/// `GET /v1.0/workflow/processCentres/schemaNames/processCodes?name=`.
pub(super) fn by_name(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let name = call.query("name");
    let name = name.ok_or_else(|| Refusal::parameter("name"))?;
    let templates = &world.company.templates;
    let template = templates.iter().find(|template| template.name == name);
    let template = template
        .ok_or_else(|| Refusal::new("processNotExist", format!("审批模板不存在: {name}")))?;
    Ok(json!({"result": {"processCode": template.process_code, "gmtModified": "1600000000000"}}))
}

/// `GET /v1.0/workflow/processes/userVisibilities/templates`: everybody sees every template.
pub(super) fn visible(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    known_person(world, call.query("userId"))?;
    let number = |name| call.query(name).and_then(|text| text.parse::<i64>().ok());
    let size = number("maxResults").filter(|size| (1..=TEMPLATES_A_PAGE).contains(size));
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| Refusal::new("invalidMaxResults", "maxResults不合法"))?;
    let from = number("nextToken").and_then(|from| usize::try_from(from).ok());
    let from = from.ok_or_else(|| Refusal::new("invalidNextToken", "nextToken不合法"))?;
    let templates = &world.company.templates;
    let page: Vec<Value> = templates
        .iter()
        .skip(from)
        .take(size)
        .map(|template| {
            json!({"name": template.name, "processCode": template.process_code, "iconUrl": "", "url": ""})
        })
        .collect();
    let next = from.saturating_add(page.len());
    let mut result = json!({"processList": page});
    if next < templates.len() {
        result["nextToken"] = json!(next);
    }
    Ok(json!({"result": result}))
}
