//! `/api/openapi.json`: the gateway described by the same table that checks its calls.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use dingtalk::ApiStyle;
use dingtalk::catalog::{self, Api, Call, Kind, MESSAGES, Param};
use http::header;
use serde_json::{Map, Value, json};

use super::takes_get;

/// A range of so few numbers is written out, where numbers come as text.
const SPELLED_OUT: i64 = 1000;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| whole().to_string());

pub(super) async fn document() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, DOCUMENT.as_str()).into_response()
}

fn whole() -> Value {
    let mut paths = Map::new();
    for api in catalog::apis() {
        if let Some(name) = api.gateway {
            paths.insert(format!("/api/dingtalkserve/{name}"), path(api, name));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "belfry gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "DingTalk's calls for other services. Bodies may be JSON or application/x-www-form-urlencoded; members that are not described go to DingTalk as they are. An Idempotency-Key makes sure that a call is done once; its answer is kept for 24 hours.",
        },
        "paths": paths,
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Success": success(), "Failure": failure()},
        },
    })
}

fn success() -> Value {
    json!({
        "type": "object",
        "required": ["success", "data"],
        "properties": {
            "success": {"type": "boolean", "enum": [true]},
            "data": {"description": "DingTalk's answer as it came"},
        },
    })
}

fn failure() -> Value {
    json!({
        "type": "object",
        "required": ["success", "msg", "errcode"],
        "properties": {
            "success": {"type": "boolean", "enum": [false]},
            "msg": {"type": "string", "description": "What is wrong and what to do"},
            "errcode": {
                "description": "DingTalk's code; a text where it is belfry's or of the v1.0 API",
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            },
        },
    })
}

fn path(api: &Api, name: &str) -> Value {
    let mut operations = json!({"post": operation(api, &format!("{name}Post"), true)});
    if takes_get(api) {
        operations["get"] = operation(api, name, false);
    }
    operations
}

fn operation(api: &Api, id: &str, has_body: bool) -> Value {
    let calls: Vec<&Call> = api.calls(ApiStyle::Legacy).collect();
    let paths: Vec<&str> = calls.iter().map(|call| call.path).collect();
    let mut parameters = vec![idempotency_key()];
    let mut operation = json!({
        "operationId": id,
        "summary": api.summary,
        "description": format!("Calls {}. Needs the scope `{}`.", paths.join(" or, with its arguments, "), api.family.word()),
        "tags": [api.family.word()],
        "responses": responses(),
    });
    if has_body {
        let mut schemas: Vec<Value> = calls.iter().map(|call| body(call)).collect();
        let schema = match schemas.len() {
            1 => schemas.remove(0),
            _ => json!({"anyOf": schemas}),
        };
        let needs_body = calls
            .iter()
            .all(|call| required(call).next().is_some() || !call.any_of.is_empty());
        operation["requestBody"] = json!({
            "required": needs_body,
            "content": {"application/json": {"schema": schema}},
        });
    } else if let Some(call) = calls.first() {
        parameters.extend(call.params.iter().map(query_parameter));
    }
    operation["parameters"] = parameters.into();
    operation
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A key of your own, new for each call that is to be done; the same key and body get the same answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    })
}

fn responses() -> Value {
    let answer = |description: &str, schema: &str| {
        json!({
            "description": description,
            "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}},
        })
    };
    let mut responses = json!({"200": answer("DingTalk did it", "Success")});
    for (status, description) in [
        ("400", "An argument is missing or wrong; nothing was sent"),
        ("401", "The API key is missing or unknown"),
        ("403", "The key lacks the scope, or DingTalk denies the app"),
        ("404", "DingTalk does not know what was named"),
        ("408", "The body came too slowly"),
        (
            "409",
            "Arguments do not go together, DingTalk refuses them, or the Idempotency-Key is under way or was used for another call or body",
        ),
        ("413", "The body is too large"),
        ("415", "The body is neither JSON nor a form"),
        ("429", "Too many calls; Retry-After says how long to wait"),
        ("502", "DingTalk does not accept the app's credentials"),
        (
            "503",
            "DingTalk or the store cannot be reached; nothing was done",
        ),
        ("504", "It is unknown whether it was done"),
    ] {
        responses[status] = answer(description, "Failure");
    }
    responses
}

/// The arguments that a caller must give.
fn required(call: &Call) -> impl Iterator<Item = &Param> {
    let needed = |param: &&Param| param.is_required && param.fill.is_none();
    call.params.iter().filter(needed)
}

fn body(call: &Call) -> Value {
    let properties = call.params.iter().map(|param| {
        let is_needed = param.is_required && param.fill.is_none();
        (param.name.to_owned(), value(param.kind, is_needed))
    });
    let names: Vec<&str> = required(call).map(|param| param.name).collect();
    let mut schema = json!({"type": "object", "properties": properties.collect::<Map<_, _>>()});
    // An empty list is not allowed there.
    if !names.is_empty() {
        schema["required"] = json!(names);
    }
    if !call.any_of.is_empty() {
        let ways = call.any_of.iter().filter_map(|name| {
            let param = call.param(name)?;
            let value = match param.kind {
                Kind::Boolean => json!({"enum": [true, "true"]}),
                kind => value(kind, true),
            };
            Some(json!({"required": [name], "properties": {*name: value}}))
        });
        schema["anyOf"] = ways.collect();
    }
    match call.envelope {
        None => schema,
        Some(envelope) => json!({"anyOf": [
            schema,
            {"type": "object", "required": [envelope], "properties": {envelope: schema}},
        ]}),
    }
}

/// A member of a body. What need not be there may be null.
fn value(kind: Kind, is_needed: bool) -> Value {
    let mut schema = match kind {
        Kind::Text(most) if is_needed => {
            json!({"type": "string", "minLength": 1, "maxLength": most, "pattern": "\\S"})
        }
        Kind::Text(most) => json!({"type": "string", "maxLength": most}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Integer(least, most) => json!({"anyOf": [
            {"type": "integer", "minimum": least, "maximum": most},
            {"type": "string", "pattern": number_pattern(least, most)},
        ]}),
        Kind::Boolean => json!({"enum": [true, false, "true", "false"]}),
        Kind::Texts(most) => json!({
            "type": "array",
            "maxItems": most,
            "items": {"type": "string", "minLength": 1, "pattern": "\\S"},
        }),
        Kind::Joined(most) => json!({"anyOf": [
            {"type": "string", "pattern": joined_pattern(most, is_needed)},
            {"type": "array", "minItems": usize::from(is_needed), "maxItems": most, "items": {"type": "string", "pattern": "^[^,\\s]+$"}},
        ]}),
        Kind::Objects(most) => {
            json!({"type": "array", "maxItems": most, "items": {"type": "object"}})
        }
        Kind::Fields(most) => json!({"type": "array", "maxItems": most, "items": {
            "type": "object",
            "required": ["name", "value"],
            "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
        }}),
        Kind::Object => json!({"type": "object"}),
        Kind::Message => {
            let kinds = MESSAGES.iter().map(|kind| {
                json!({
                    "type": "object",
                    "required": ["msgtype", kind],
                    "properties": {
                        "msgtype": {"type": "string", "enum": [kind]},
                        *kind: {"type": "object"},
                    },
                })
            });
            json!({"anyOf": kinds.collect::<Vec<_>>()})
        }
    };
    let has_items = matches!(kind, Kind::Texts(_) | Kind::Objects(_) | Kind::Fields(_));
    if is_needed && has_items {
        schema["minItems"] = json!(1);
    }
    if is_needed && matches!(kind, Kind::Object) {
        schema["minProperties"] = json!(1);
    }
    if is_needed {
        schema
    } else {
        json!({"anyOf": [schema, {"type": "null"}]})
    }
}

fn query_parameter(param: &Param) -> Value {
    let is_needed = param.is_required && param.fill.is_none();
    let schema = match param.kind {
        Kind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Joined(most) => json!({"type": "string", "pattern": joined_pattern(most, is_needed)}),
        Kind::Text(_) | Kind::Word(_) => value(param.kind, true),
        // JSON in a text.
        _ => json!({"type": "string"}),
    };
    let mut schema = schema;
    if !is_needed && matches!(param.kind, Kind::Text(_)) {
        schema = value(param.kind, true);
        schema["minLength"] = json!(0);
        if let Some(members) = schema.as_object_mut() {
            members.remove("pattern");
        }
    }
    json!({"name": param.name, "in": "query", "required": is_needed, "schema": schema})
}

fn number_pattern(least: i64, most: i64) -> String {
    if most.saturating_sub(least) <= SPELLED_OUT {
        let numbers: Vec<String> = (least..=most).map(|number| number.to_string()).collect();
        return format!("^({})$", numbers.join("|"));
    }
    if least < 0 {
        "^(-1|0|[1-9][0-9]{0,17})$".to_owned()
    } else {
        "^(0|[1-9][0-9]{0,17})$".to_owned()
    }
}

fn joined_pattern(most: usize, is_needed: bool) -> String {
    let ids = format!("[^,\\s]+(,[^,\\s]+){{0,{}}}", most.saturating_sub(1));
    if is_needed {
        format!("^{ids}$")
    } else {
        format!("^({ids})?$")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_described_with_its_methods_and_fields() {
        let document = whole();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(
            paths.len(),
            catalog::apis().filter(|api| api.gateway.is_some()).count()
        );
        let send = &document["paths"]["/api/dingtalkserve/chatSend"];
        assert_eq!(send.get("get"), None);
        let schema = &send["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!(["chatid", "msg"]));
        let count = &document["paths"]["/api/dingtalkserve/get_org_user_count"];
        let parameter = &count["get"]["parameters"][1];
        assert_eq!(parameter["name"], "onlyActive");
        assert_eq!(parameter["schema"]["maximum"], 1);
        // The app's agent id is filled in, so nobody must give it.
        let notice = &document["paths"]["/api/dingtalkserve/asyncsend_v2"]["post"];
        let schema = &notice["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!(["msg"]));
        assert_eq!(schema["anyOf"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn numbers_in_texts_have_the_range_of_the_number() {
        assert_eq!(number_pattern(0, 1), "^(0|1)$");
        assert_eq!(number_pattern(0, i64::MAX), "^(0|[1-9][0-9]{0,17})$");
        assert_eq!(number_pattern(-1, i64::MAX), "^(-1|0|[1-9][0-9]{0,17})$");
    }
}
