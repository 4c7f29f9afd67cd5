//! Pages inside DingTalk: tickets that sign them, and codes that tell who opened one.

use serde_json::{Value, json};

use super::call::ApiCall;
use super::oapi::{Outcome, Refusal, members};
use super::v1;
use crate::options::App;
use crate::pages::TICKET_SECONDS;
use crate::state::World;

/// `GET /get_jsapi_ticket`.
pub(super) fn ticket(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let ticket = world.pages.ticket(&app.name, call.now);
    Ok(members(
        json!({"ticket": ticket, "expires_in": TICKET_SECONDS}),
    ))
}

/// `POST /v1.0/oauth2/jsapiTickets`.
pub(super) fn ticket_v1(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    let ticket = world.pages.ticket(&app.name, call.now);
    Ok(json!({"jsapiTicket": ticket, "expireIn": TICKET_SECONDS}))
}

/// `GET /user/getuserinfo`.
pub(super) fn user(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let code = call.query("code").unwrap_or_default().to_owned();
    let person = redeem(world, app, call, &code)?;
    Ok(members(json!({
        "userid": person["userid"],
        "name": person["name"],
        "deviceId": "simulated",
        "is_sys": person["admin"],
        "sys_level": person["level"],
    })))
}

/// `POST /topapi/v2/user/getuserinfo`.
pub(super) fn user_v2(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let code = call.members().text("code").unwrap_or_default().to_owned();
    let person = redeem(world, app, call, &code)?;
    Ok(members(json!({"result": {
        "userid": person["userid"],
        "unionid": person["unionid"],
        "name": person["name"],
        "device_id": "simulated",
        "sys": person["admin"],
        "sys_level": person["level"],
    }})))
}

fn redeem(world: &mut World, app: &App, call: &ApiCall, code: &str) -> Result<Value, Refusal> {
    if code.is_empty() {
        return Err(Refusal::parameter("code"));
    }
    let userid = world.pages.redeem(&app.name, code, call.now);
    let userid = userid.ok_or_else(|| Refusal::new(40078, "不存在的临时授权码"))?;
    let person = world.contacts.person(&userid);
    let person = person.ok_or_else(|| Refusal::unknown_user(&userid))?;
    Ok(json!({
        "userid": person.userid,
        "unionid": person.union_id(),
        "name": person.name,
        "admin": person.admin,
        // 1 is the main administrator.
        "level": u8::from(person.admin),
    }))
}
