//! What may be wrong with a call, for every name and every argument of the catalogue: missing, empty, of the wrong type,
//! too long, an unknown id, no permission, a token that expires, too many calls, a web page in place of an answer.

use std::collections::BTreeSet;

use belfry_tests::Doors;
use dingtalk::ApiStyle;
use dingtalk::catalog::{self, Access, Api, Call, Kind, MAX_MESSAGE, Manner, Param};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{KEY, READER, SLOW, WRITER, answer, bot, call, stage, text};
use crate::isv;

/// The rows of the catalogue that the gateway serves, with their names there.
fn served() -> impl Iterator<Item = (&'static Api, &'static str)> {
    catalog::apis().filter_map(|api| Some((api, api.gateway?)))
}

/// The call that a name makes.
fn older(api: &'static Api) -> &'static Call {
    api.calls(ApiStyle::Legacy).next().unwrap()
}

/// The least that a call takes.
fn least(call: &Call) -> Map<String, Value> {
    let needed = call.params.iter().filter(|param| param.is_needed());
    let one_of = call.any_of.first().and_then(|name| call.param(name));
    needed
        .chain(one_of)
        .map(|param| (param.name.to_owned(), sample(param)))
        .collect()
}

/// A value that is right and that nobody has.
fn sample(param: &Param) -> Value {
    match param.kind {
        _ if param.name == "url" => json!("https://nobody.example.com/"),
        Kind::Text(_) => json!("nobody"),
        Kind::Sized(least, _) => json!("x".repeat(least)),
        Kind::Word(words) => json!(words[0]),
        Kind::Integer(least, most) => json!(most.min(least.max(987_654))),
        Kind::Boolean => json!(true),
        Kind::Texts(_) => json!(["nobody"]),
        Kind::Joined(_) => json!("nobody"),
        Kind::Objects(_) => json!([{"x": 1}]),
        Kind::Fields(_) => json!([{"name": "n", "value": "v"}]),
        Kind::Object => json!({"x": 1}),
        Kind::Message => text("x"),
    }
}

/// Values of another type.
fn foreign(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Text(_) | Kind::Sized(..) | Kind::Word(_) => vec![json!(7), json!(["a"]), json!({})],
        Kind::Integer(..) => vec![json!("seven"), json!(0.5), json!("01"), json!([1])],
        Kind::Boolean => vec![json!("yes"), json!(1), json!([])],
        Kind::Texts(_) => vec![json!("a"), json!([1]), json!([""]), json!({})],
        Kind::Joined(_) => vec![json!(7), json!("a,,b"), json!("a b"), json!(["a,b"])],
        Kind::Objects(_) => vec![json!("a"), json!({}), json!(["a"])],
        Kind::Fields(_) => vec![json!([{"name": "n"}]), json!([{"name": "n", "value": 1}])],
        Kind::Object => vec![json!("a"), json!([])],
        Kind::Message => vec![
            json!("hello"),
            json!({"msgtype": "text"}),
            json!({"msgtype": "letter", "letter": {}}),
        ],
    }
}

/// A value with more in it than there may be, and what is said of it.
fn excessive(kind: Kind) -> Vec<(Value, &'static str)> {
    let many = |most: usize, one: Value| json!(vec![one; most + 1]);
    match kind {
        Kind::Text(most) => vec![(json!("长".repeat(most + 1)), "has more than")],
        Kind::Sized(_, most) => vec![(json!("x".repeat(most + 1)), "must be")],
        Kind::Word(_) => vec![(json!("other"), "must be one of")],
        Kind::Integer(least, most) => [least.checked_sub(1), most.checked_add(1)]
            .into_iter()
            .flatten()
            .map(|number| (json!(number), "must be a whole number"))
            .collect(),
        Kind::Texts(most) => vec![(many(most, json!("a")), "has more than")],
        Kind::Joined(most) => vec![
            (many(most, json!("a")), "has more than"),
            (json!(vec!["a"; most + 1].join(",")), "has more than"),
        ],
        Kind::Objects(most) => vec![(many(most, json!({})), "has more than")],
        Kind::Fields(most) => {
            let field = json!({"name": "n", "value": "v"});
            vec![(many(most, field), "has more than")]
        }
        Kind::Message => vec![(text(&"x".repeat(MAX_MESSAGE)), "has more than")],
        Kind::Boolean | Kind::Object => Vec::new(),
    }
}

/// Bodies that are wrong, with what is said of each.
fn wrong_bodies(api: &'static Api, call: &'static Call) -> Vec<(Map<String, Value>, String)> {
    let least = least(call);
    // What the older call knows too would be taken for its own.
    let is_newer = !std::ptr::eq(call, older(api));
    let own = call
        .params
        .iter()
        .filter(|param| !is_newer || older(api).param(param.name).is_none());
    let mut rows = Vec::new();
    let with = |param: &Param, value: Value| {
        let mut body = least.clone();
        body.insert(param.name.to_owned(), value);
        body
    };
    for param in own {
        let name = param.name;
        for value in foreign(param.kind) {
            rows.push((with(param, value), format!("{name} must be")));
        }
        for (value, says) in excessive(param.kind) {
            rows.push((with(param, value), format!("{name} {says}")));
        }
        if param.is_needed() && !is_newer {
            rows.push((with(param, json!("")), format!("{name} is empty")));
            rows.push((with(param, Value::Null), format!("{name} is missing")));
            let mut without = least.clone();
            without.remove(name);
            rows.push((without, format!("{name} is missing")));
        }
    }
    if let [first, ..] = call.any_of
        && !is_newer
        && !call.param(first).unwrap().is_needed()
    {
        let mut without = least.clone();
        without.remove(*first);
        rows.push((
            without,
            format!("one of {} is needed", call.any_of.join(", ")),
        ));
    }
    rows
}

/// The arguments as a query, where they have a form there and mean the same.
fn query(call: &Call, body: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let mut query = Vec::new();
    for (name, value) in body {
        let is_text = matches!(
            call.param(name)?.kind,
            Kind::Text(_) | Kind::Sized(..) | Kind::Word(_) | Kind::Joined(_)
        );
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => continue,
            Value::Number(_) | Value::Bool(_) if !is_text => value.to_string(),
            _ => return None,
        };
        query.push((name.clone(), text));
    }
    Some(query)
}

#[tokio::test]
async fn every_argument_of_every_name_is_checked_before_anything_is_sent() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let mut tried = 0;
    let mut asked = BTreeSet::new();
    for (api, name) in served() {
        for made in api.calls(ApiStyle::Legacy) {
            for (body, says) in wrong_bodies(api, made) {
                let post = super::post(doors, name).json(&body);
                let address = format!("http://{}/api/dingtalkserve/{name}", doors.public);
                let is_older = std::ptr::eq(made, older(api));
                let get = (api.access == Access::Read && is_older)
                    .then(|| query(made, &body))
                    .flatten()
                    .map(|query| doors.http.get(address).bearer_auth(KEY).query(&query));
                for request in [Some(post), get].into_iter().flatten() {
                    let (status, refused) = answer(request).await;
                    let msg = refused["msg"].as_str().unwrap_or_default();
                    assert!(
                        status == 400 && msg.contains(&says),
                        "{name} {says}: {status} {refused}"
                    );
                    assert_eq!(
                        (&refused["success"], &refused["errcode"]),
                        (&json!(false), &json!("client.argument"))
                    );
                    tried += 1;
                }
                asked.insert(name);
            }
        }
    }
    // Those that take nothing are right whatever they are given.
    let takes_nothing = |api: &Api| {
        api.calls(ApiStyle::Legacy)
            .all(|call| call.params.is_empty())
    };
    let all = served().filter(|(api, _)| !takes_nothing(api));
    assert_eq!(asked, all.map(|(_, name)| name).collect());
    assert!(tried > 500, "{tried}");
    assert_eq!(stage.dingtalk.get("calls").await, json!([]));
    belfry.stop().await;
}

#[tokio::test]
async fn no_name_is_served_without_its_scope_or_above_the_rate() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    for (api, name) in served() {
        let with = |key: &str| {
            let request = doors.post(&format!("/api/dingtalkserve/{name}"));
            answer(request.bearer_auth(key).json(&least(older(api))))
        };
        let other = match api.family.word() {
            "contacts" => WRITER,
            _ => READER,
        };
        let (status, refused) = with(other).await;
        assert_eq!(
            (status, &refused["errcode"]),
            (403, &json!("gateway.scope")),
            "{name}"
        );
        assert!(refused["msg"].as_str().unwrap().contains(api.family.word()));
        let (status, refused) = with("no-such-key").await;
        assert_eq!(
            (status, &refused["errcode"]),
            (401, &json!("gateway.unauthorized")),
            "{name}"
        );
        // The first of them takes the only place of this second, if it was free.
        let (first, second) = (with(SLOW).await, with(SLOW).await);
        assert!(
            [first, second].iter().any(|(status, refused)| {
                (*status, &refused["errcode"]) == (429, &json!("gateway.rate"))
            }),
            "{name}"
        );
    }
    let sent = stage.dingtalk.get("calls").await;
    let is_read = |call: &Value| call["path"] != "/chat/create";
    assert!(sent.as_array().unwrap().iter().all(is_read), "{sent}");
    belfry.stop().await;
}

/// The least body of a name, for the organisation that has authorised the app where it is about one.
fn body(call: &Call) -> Value {
    let mut body = least(call);
    if call.manner == Manner::Suite {
        body.insert("app".to_owned(), json!("vendor"));
        body.insert("auth_corpid".to_owned(), json!(isv::CORPS[0]));
    }
    body.into()
}

#[tokio::test]
async fn an_id_that_nobody_has_is_unknown_to_dingtalk() {
    let stage = stage(&bot().table(&isv::app(), &[])).await;
    let belfry = isv::with_one_corp(&stage).await;
    // They name nothing that could be unknown, or make something.
    let others = [
        "asyncsend_v2",
        "get_org_user_count",
        "authScopes",
        "registerCallBack",
        "updateCallBack",
        "getCallBack",
        "deleteCallBack",
        "getAuthInfo",
    ];
    for (api, name) in served().filter(|(_, name)| !others.contains(name)) {
        let made = older(api);
        let mut body = body(made);
        // Without one, `list` begins at the root.
        if let Some(id) = made.param("id") {
            body[id.name] = sample(id);
        }
        let (status, refused) = call(&belfry.doors, name, body).await;
        assert!(
            matches!(status, 403 | 404 | 409) && refused["success"] == false,
            "{name}: {status} {refused}"
        );
        assert!(refused["errcode"].is_number(), "{name}: {refused}");
        assert!(!refused["msg"].as_str().unwrap().is_empty());
    }
    belfry.stop().await;
}

/// A status and a code.
type Heard = (u16, &'static str);

/// What goes wrong at DingTalk, how often, and what the caller hears: of a read, of a write.
const TROUBLES: [(&str, u32, Heard, Heard); 3] = [
    (r#"{"errcode":60011}"#, 1, (403, "60011"), (403, "60011")),
    (r#"{"errcode":90018}"#, 9, (429, "90018"), (429, "90018")),
    (
        r#"{"html":true}"#,
        9,
        (503, "client.html"),
        (504, "client.html"),
    ),
];

#[tokio::test]
async fn trouble_at_dingtalk_has_the_same_names_everywhere() {
    for (fault, times, of_read, of_write) in TROUBLES {
        let stage = stage(&bot().table(&isv::app(), &[])).await;
        let belfry = isv::with_one_corp(&stage).await;
        let mut calls = JoinSet::new();
        for (api, name) in served() {
            let made = older(api);
            let mut trouble: Value = serde_json::from_str(fault).unwrap();
            trouble["path"] = json!(made.path);
            trouble["times"] = json!(times);
            stage.dingtalk.post("faults", trouble).await;
            let request = super::post(&belfry.doors, name).json(&body(made));
            let expected = match api.access {
                Access::Read => of_read,
                Access::Write => of_write,
            };
            calls.spawn(async move {
                let heard = request.send().await.unwrap();
                let status = heard.status().as_u16();
                let waits = heard.headers().contains_key("retry-after");
                let told: Value = heard.json().await.unwrap();
                let code = told["errcode"].to_string();
                assert_eq!(
                    (status, code.trim_matches('"')),
                    expected,
                    "{name} {fault}: {told}"
                );
                assert_eq!(waits, status == 429, "{name}");
                assert!(!told["msg"].as_str().unwrap().is_empty());
            });
        }
        while let Some(called) = calls.join_next().await {
            called.unwrap();
        }
        belfry.stop().await;
    }
}

#[tokio::test]
async fn a_token_that_expires_on_the_way_costs_no_call() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    for (api, name) in served() {
        let made = older(api);
        if made.manner != Manner::Token {
            continue;
        }
        let tokens = stage.dingtalk.calls("/gettoken").await.len();
        let before = answers(&belfry.doors, name, made).await;
        let calls = stage.dingtalk.calls(made.path).await.len();
        let refused = json!({"path": made.path, "times": 1, "errcode": 40014});
        stage.dingtalk.post("faults", refused).await;
        let after = answers(&belfry.doors, name, made).await;
        assert_eq!(after, before, "{name}");
        assert_eq!(stage.dingtalk.calls(made.path).await.len() - calls, 2);
        let fresh = stage.dingtalk.calls("/gettoken").await.len() - tokens;
        // The very first call needed one of its own.
        assert_eq!(fresh, if tokens == 0 { 2 } else { 1 }, "{name}");
    }
    belfry.stop().await;
}

/// Status and code of an answer.
async fn answers(doors: &Doors, name: &str, made: &Call) -> (u16, Value) {
    let (status, told) = call(doors, name, body(made)).await;
    (status, told["errcode"].clone())
}
