//! What third-party apps call (`service/*`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::ApiCall;
use super::oapi::{Outcome, Refusal, members};
use super::v1;
use crate::crypto::suite_sign;
use crate::options::Suite;
use crate::state::World;
use crate::suites;
use crate::tokens::LIFE_SECONDS;

/// How far the clocks may be apart, in milliseconds.
const CLOCKS: u64 = 60_000;

/// `POST /service/get_suite_token`.
pub(super) fn get_suite_token(world: &mut World, call: &ApiCall) -> Outcome {
    let body = call.members();
    let key = body
        .text("suite_key")
        .ok_or_else(|| Refusal::new(41024, "缺少suitekey"))?;
    let suite = world
        .suites
        .of_key(key)
        .ok_or_else(|| Refusal::new(40083, "不合法的suitekey"))?;
    if body.text("suite_secret") != Some(&suite.suite_secret) {
        return Err(Refusal::new(40086, "不合法的suitesecret"));
    }
    let ticket = body
        .text("suite_ticket")
        .ok_or_else(|| Refusal::new(41023, "缺少suiteticket"))?;
    let standing = world.suites.standing(&suite);
    if !standing.takes_ticket(ticket) {
        return Err(Refusal::new(40085, "不合法的suiteticket"));
    }
    let token = standing.new_token();
    Ok(members(
        json!({"suite_access_token": token, "expires_in": LIFE_SECONDS}),
    ))
}

/// `POST /service/get_permanent_code`.
pub(super) fn get_permanent_code(world: &mut World, call: &ApiCall) -> Outcome {
    let suite = by_token(world, call)?;
    let code = call
        .members()
        .text("tmp_auth_code")
        .ok_or_else(|| Refusal::parameter("tmp_auth_code"))?
        .to_owned();
    match world.suites.standing(&suite).exchange(&code) {
        Ok((corp, permanent)) => Ok(members(json!({
            "permanent_code": permanent,
            "auth_corp_info": {"corpid": corp, "corp_name": corp_name(&corp)},
        }))),
        Err(true) => Err(Refusal::new(40102, "临时授权码已经被使用过")),
        Err(false) => Err(Refusal::new(40078, "不存在的临时授权码")),
    }
}

/// `POST /service/activate_suite`.
pub(super) fn activate_suite(world: &mut World, call: &ApiCall) -> Outcome {
    let suite = by_token(world, call)?;
    let body = call.members();
    let text = |name| {
        body.text(name)
            .map(str::to_owned)
            .ok_or_else(|| Refusal::parameter(name))
    };
    let (corp, code) = (text("auth_corpid")?, text("permanent_code")?);
    if text("suite_key")? != suite.suite_key {
        return Err(Refusal::new(40083, "不合法的suitekey"));
    }
    if !world.suites.standing(&suite).activate(&corp, &code) {
        return Err(Refusal::new(41031, "永久授权码与企业不匹配"));
    }
    world.renew_suite_apps();
    Ok(members(json!({})))
}

/// `POST /service/get_corp_token`.
pub(super) fn get_corp_token(world: &mut World, call: &ApiCall) -> Outcome {
    let suite = by_signature(world, call)?;
    let corp = authorized(world, &suite, call)?;
    let name = suites::app_name(&suite, &corp);
    let token = world.tokens.give_another(&name, call.now);
    Ok(members(
        json!({"access_token": token, "expires_in": LIFE_SECONDS}),
    ))
}

/// `POST /service/get_auth_info`.
pub(super) fn get_auth_info(world: &mut World, call: &ApiCall) -> Outcome {
    let suite = by_signature(world, call)?;
    let corp = authorized(world, &suite, call)?;
    Ok(members(json!({
        "auth_corp_info": {"corpid": corp, "corp_name": corp_name(&corp)},
        "auth_user_info": {"userId": "manager"},
        "auth_info": {"agent": [{"agentid": suite.agent_id(&corp), "agent_name": suite.name, "appid": 1}]},
        "channel_auth_info": {"channelAgent": []},
    })))
}

/// `POST /v1.0/oauth2/corpAccessToken`.
pub(super) fn corp_access_token(world: &mut World, call: &ApiCall) -> v1::Outcome {
    let refusal = |code, text: &'static str| v1::Refusal::new(code, text);
    let body = call.members();
    let suite = body
        .text("suiteKey")
        .and_then(|key| world.suites.of_key(key));
    let suite = suite
        .filter(|suite| body.text("suiteSecret") == Some(&suite.suite_secret))
        .ok_or_else(|| refusal("invalidSuiteKeyOrSecret", "无效的suiteKey或者suiteSecret"))?;
    let ticket = body.text("suiteTicket").unwrap_or_default();
    let corp = body.text("authCorpId").unwrap_or_default().to_owned();
    let standing = world.suites.standing(&suite);
    if !standing.takes_ticket(ticket) {
        return Err(refusal("invalidSuiteTicket", "无效的suiteTicket"));
    }
    if !standing.has_authorized(&corp) {
        return Err(refusal("invalidAuthCorp", "企业未授权"));
    }
    let name = suites::app_name(&suite, &corp);
    let token = world.tokens.give_another(&name, call.now);
    Ok(json!({"accessToken": token, "expireIn": LIFE_SECONDS}))
}

fn corp_name(corp: &str) -> Value {
    json!(format!("企业 {corp}"))
}

fn by_token(world: &mut World, call: &ApiCall) -> Result<Arc<Suite>, Refusal> {
    let token = call
        .query("suite_access_token")
        .ok_or_else(|| Refusal::new(41022, "缺少suitetoken"))?;
    let mut suites = world.suites.all().into_iter();
    suites
        .find(|suite| world.suites.standing(suite).takes_token(token))
        .ok_or_else(|| Refusal::new(40082, "不合法的suitetoken"))
}

/// The suite whose signature a call has in its query.
fn by_signature(world: &mut World, call: &ApiCall) -> Result<Arc<Suite>, Refusal> {
    let suite = call
        .query("accessKey")
        .and_then(|key| world.suites.of_key(key))
        .ok_or_else(|| Refusal::new(853_003, "无效的accessKey"))?;
    let timestamp = call.query("timestamp").unwrap_or_default();
    let at: i64 = timestamp
        .parse()
        .map_err(|_| Refusal::new(853_001, "无效的timestamp"))?;
    if at.abs_diff(call.now) > CLOCKS {
        return Err(Refusal::new(853_002, "timestamp与服务器时间相差超过1分钟"));
    }
    let ticket = call.query("suiteTicket").unwrap_or_default();
    let signature = suite_sign(&suite.suite_secret, timestamp, ticket);
    if call.query("signature") != Some(&signature) {
        return Err(Refusal::new(853_004, "签名校验失败"));
    }
    if !world.suites.standing(&suite).takes_ticket(ticket) {
        return Err(Refusal::new(40085, "不合法的suiteticket"));
    }
    Ok(suite)
}

fn authorized(world: &mut World, suite: &Suite, call: &ApiCall) -> Result<String, Refusal> {
    let corp = call
        .members()
        .text("auth_corpid")
        .ok_or_else(|| Refusal::parameter("auth_corpid"))?
        .to_owned();
    if world.suites.standing(suite).has_authorized(&corp) {
        Ok(corp)
    } else {
        Err(Refusal::new(41030, "企业没有对该套件授权"))
    }
}
