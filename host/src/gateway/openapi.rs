//! `/api/openapi.json`: the gateway described by the same table that checks its calls.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use dingtalk::ApiStyle;
use dingtalk::catalog::{self, Api, Call, Kind, Param};
use http::header;
use serde_json::{Map, Value, json};

use self::schema::{given, in_query, member};
use super::takes_get;

mod schema;

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
        let mut bodies: Vec<Value> = calls.iter().map(|call| body(api, call)).collect();
        let schema = match bodies.len() {
            1 => bodies.remove(0),
            _ => json!({"anyOf": bodies}),
        };
        let needs_body =
            |call: &&Call| call.params.iter().any(Param::is_needed) || !call.any_of.is_empty();
        operation["requestBody"] = json!({
            "required": calls.iter().all(needs_body),
            "content": {"application/json": {"schema": schema}},
        });
    } else if let Some(call) = calls.first() {
        parameters.extend(call.params.iter().map(query_parameter));
    }
    operation["parameters"] = parameters.into();
    operation
}

fn query_parameter(param: &Param) -> Value {
    json!({
        "name": param.name,
        "in": "query",
        "required": param.is_needed(),
        "schema": in_query(param),
    })
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
        ("405", "The method is not one of those in Allow"),
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
    let header = |description: &str, is_always_there: bool, schema: Value| json!({"description": description, "required": is_always_there, "schema": schema});
    let seconds = || json!({"type": "integer", "minimum": 1});
    let text = || json!({"type": "string"});
    for (status, name, described) in [
        ("401", "WWW-Authenticate", header("Bearer", true, text())),
        ("405", "Allow", header("The methods that are", true, text())),
        (
            "409",
            "Retry-After",
            header("Seconds, where the key is under way", false, seconds()),
        ),
        ("429", "Retry-After", header("Seconds", true, seconds())),
    ] {
        responses[status]["headers"] = json!({name: described});
    }
    for answer in responses
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut)
    {
        answer["headers"]["Idempotency-Replayed"] = header(
            "Whether it is the recorded answer of an earlier call",
            false,
            json!({"type": "string", "enum": ["true"]}),
        );
    }
    responses
}

/// What the body of one call may be. It may hold arguments of the API's other call, and those must be right as well.
fn body(api: &Api, call: &Call) -> Value {
    let own = call.params.iter().map(|param| (param.name, member(param)));
    let others = api.params_beside(call).map(|param| {
        let optional = Param {
            is_required: false,
            ..*param
        };
        (param.name, member(&optional))
    });
    let members = own.chain(others);
    let properties: Map<String, Value> = members
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let mut schema = json!({"type": "object", "properties": properties});
    let needed = call.params.iter().filter(|param| param.is_needed());
    let needed: Vec<&str> = needed.map(|param| param.name).collect();
    // An empty list is not allowed there.
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    if !call.any_of.is_empty() {
        let ways = call.any_of.iter().filter_map(|name| {
            let value = match call.param(name)?.kind {
                Kind::Boolean => json!({"enum": [true, "true"]}),
                kind => given(kind),
            };
            Some(json!({"required": [name], "properties": {*name: value}}))
        });
        schema["anyOf"] = ways.collect();
    }
    match call.envelope {
        None => schema,
        Some(envelope) => {
            schema["properties"][envelope] = json!(false);
            json!({"anyOf": [
                schema,
                {"type": "object", "required": [envelope], "properties": {envelope: schema}},
            ]})
        }
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
    fn what_only_the_other_call_knows_must_be_right_too() {
        let list = catalog::find_gateway("list").unwrap();
        let older = list.styled(ApiStyle::Legacy).unwrap();
        let schema = body(list, older);
        let other = &schema["properties"]["dept_id"]["anyOf"][0]["anyOf"][0];
        assert_eq!(other["minimum"], -1);
        assert_eq!(schema.get("required"), None);
    }
}
