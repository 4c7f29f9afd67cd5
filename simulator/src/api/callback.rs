//! Callbacks that apps register themselves, and the failed list (`call_back/*`).

use std::sync::Arc;

use serde_json::json;
use url::Url;

use super::call::ApiCall;
use super::oapi::{self, Outcome, Refusal, members};
use crate::callbacks::{Registered, TAGS};
use crate::options::{App, CallbackTarget};
use crate::push;
use crate::state::{Shared, World};

const REGISTER: &str = "/call_back/register_call_back";
const UPDATE: &str = "/call_back/update_call_back";

/// How the check of the address went, for the two calls that make one.
pub(super) type Handshake = Result<(), Refusal>;

/// Pushes `check_url` to the address that a call registers, before the call is answered; `None` where it is refused
/// without that or is another call.
pub(super) async fn shake_hands(shared: &Arc<Shared>, call: &ApiCall) -> Option<Handshake> {
    if call.path != REGISTER && call.path != UPDATE {
        return None;
    }
    let wanted = shared.change(|world| {
        let app = oapi::caller(world, call).ok()?;
        wanted(world, &app, call).ok()
    })?;
    let event = json!({"EventType": "check_url"});
    Some(
        match push::send_event(&shared.client, &wanted.target, &event, None).await {
            Err(_) => Err(Refusal::new(71012, "url地址访问异常")),
            Ok((status, _)) if status != 200 => Err(Refusal::new(71012, "url地址访问异常")),
            Ok((_, Err(_))) => Err(Refusal::new(71009, "返回数据解密后不是success")),
            Ok((_, Ok(()))) => Ok(()),
        },
    )
}

pub(super) fn register(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    save(world, app, call)
}

pub(super) fn update(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    save(world, app, call)
}

fn save(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let wanted = wanted(world, app, call)?;
    call.handshake
        .clone()
        .unwrap_or_else(|| Err(Refusal::new(-1, "系统繁忙")))?;
    world.callbacks.register(&app.name, wanted);
    Ok(members(json!({})))
}

/// What is to be registered, if it may be.
fn wanted(world: &World, app: &App, call: &ApiCall) -> Result<Registered, Refusal> {
    permitted(world, app)?;
    match (call.path == REGISTER, world.callbacks.registered(&app.name)) {
        (true, Some(_)) => return Err(Refusal::new(71006, "回调地址已经存在")),
        (false, None) => return Err(Refusal::new(71007, "回调地址不存在")),
        _ => {}
    }
    let malformed = |name: &str| Refusal::new(71010, format!("url注册的json字段不合法: {name}"));
    let body = call.members();
    let tags = body
        .texts("call_back_tag")
        .filter(|tags| !tags.is_empty())
        .ok_or_else(|| malformed("call_back_tag"))?;
    if let Some(unknown) = tags.iter().find(|tag| !TAGS.contains(&tag.as_str())) {
        return Err(Refusal::new(
            71008,
            format!("回调类型不在允许的列表中: {unknown}"),
        ));
    }
    let token = body
        .text("token")
        .filter(|token| (6..64).contains(&token.len()))
        .ok_or_else(|| malformed("token"))?;
    let aes_key = body
        .text("aes_key")
        .filter(|key| key.len() == 43 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .ok_or_else(|| malformed("aes_key"))?;
    let url = body.text("url").ok_or_else(|| malformed("url"))?;
    let is_legal =
        Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !is_legal {
        return Err(Refusal::new(71011, "url地址不合法"));
    }
    Ok(Registered {
        tags,
        target: CallbackTarget {
            url: url.to_owned(),
            token: token.to_owned(),
            aes_key: aes_key.to_owned(),
            // That of the console would be the app key.
            receive_id: app.corp_id.clone(),
        },
    })
}

pub(super) fn get(world: &mut World, app: &App, _: &ApiCall) -> Outcome {
    permitted(world, app)?;
    let Registered { tags, target } = world
        .callbacks
        .registered(&app.name)
        .ok_or_else(|| Refusal::new(71007, "回调地址不存在"))?;
    Ok(members(json!({
        "call_back_tag": tags,
        "token": target.token,
        "aes_key": target.aes_key,
        "url": target.url,
    })))
}

pub(super) fn delete(world: &mut World, app: &App, _: &ApiCall) -> Outcome {
    permitted(world, app)?;
    world
        .callbacks
        .remove(&app.name)
        .ok_or_else(|| Refusal::new(71007, "回调地址不存在"))?;
    Ok(members(json!({})))
}

pub(super) fn failed(world: &mut World, app: &App, _: &ApiCall) -> Outcome {
    permitted(world, app)?;
    let (list, has_more) = world.callbacks.take_failed(&app.name);
    Ok(members(json!({"failed_list": list, "has_more": has_more})))
}

fn permitted(world: &World, app: &App) -> Result<(), Refusal> {
    if world.callbacks.may_call(&app.name) {
        Ok(())
    } else {
        Err(Refusal::new(60011, "没有调用该接口的权限"))
    }
}
