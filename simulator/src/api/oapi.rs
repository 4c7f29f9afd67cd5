//! The older API host: finds the row of a path, checks token and rate, wraps answers in `errcode`.

use std::borrow::Cow;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::call::{ApiCall, CallBody};
use super::{
    Reply, approval, callback, chat, contacts, h5, media, notice, permission, robot, scene, suite,
    token,
};
use crate::crypto::random_text;
use crate::options::App;
use crate::state::World;

/// What a row answers: the members beside `errcode`, or a refusal.
pub(super) type Outcome = Result<Map<String, Value>, Refusal>;

/// A refusal by code; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) text: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(code: i64, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// A parameter that is missing or of the wrong kind.
    pub(super) fn parameter(name: &str) -> Self {
        Self::new(40035, format!("不合法的参数: {name}"))
    }

    /// A person the company does not have.
    pub(super) fn unknown_user(userid: &str) -> Self {
        Self::new(33012, format!("无效的USERID: {userid}"))
    }
}

/// How a path is called and who answers it.
struct Row {
    method: Method,
    door: Door,
}

enum Door {
    /// Needs no token.
    Open(fn(&mut World, &ApiCall) -> Outcome),
    /// Needs the token of an app.
    Token(fn(&mut World, &App, &ApiCall) -> Outcome),
}

fn row(path: &str) -> Option<Row> {
    let get = |door| {
        Some(Row {
            method: Method::GET,
            door,
        })
    };
    let post = |door| {
        Some(Row {
            method: Method::POST,
            door,
        })
    };
    match path {
        "/gettoken" => get(Door::Open(token::gettoken)),
        "/get_jsapi_ticket" => get(Door::Token(h5::ticket)),
        "/user/getuserinfo" => get(Door::Token(h5::user)),
        "/topapi/v2/user/getuserinfo" => post(Door::Token(h5::user_v2)),
        "/call_back/register_call_back" => post(Door::Token(callback::register)),
        "/call_back/update_call_back" => post(Door::Token(callback::update)),
        "/call_back/get_call_back" => get(Door::Token(callback::get)),
        "/call_back/delete_call_back" => get(Door::Token(callback::delete)),
        "/call_back/get_call_back_failed_result" => get(Door::Token(callback::failed)),
        "/service/get_suite_token" => post(Door::Open(suite::get_suite_token)),
        "/service/get_permanent_code" => post(Door::Open(suite::get_permanent_code)),
        "/service/activate_suite" => post(Door::Open(suite::activate_suite)),
        "/service/get_corp_token" => post(Door::Open(suite::get_corp_token)),
        "/service/get_auth_info" => post(Door::Open(suite::get_auth_info)),
        "/robot/sendBySession" => post(Door::Open(robot::send_by_session)),
        "/chat/create" => post(Door::Token(chat::create)),
        "/chat/update" => post(Door::Token(chat::update)),
        "/chat/get" => get(Door::Token(chat::get)),
        "/chat/send" => post(Door::Token(chat::send)),
        "/chat/getReadList" => get(Door::Token(chat::read_list)),
        "/auth/scopes" => get(Door::Token(contacts::scopes)),
        "/user/get" => get(Door::Token(contacts::user_get)),
        "/user/getDeptMember" => get(Door::Token(contacts::user_ids_legacy)),
        "/user/listbypage" => get(Door::Token(contacts::list_by_page)),
        "/user/getUseridByUnionid" => get(Door::Token(contacts::by_union_id_legacy)),
        "/user/get_org_user_count" => get(Door::Token(contacts::count_legacy)),
        "/topapi/v2/user/get" => post(Door::Token(contacts::user_get_v2)),
        "/topapi/user/listid" => post(Door::Token(contacts::user_ids)),
        "/topapi/v2/user/list" => post(Door::Token(contacts::user_list_v2)),
        "/topapi/user/listsimple" => post(Door::Token(contacts::list_simple)),
        "/topapi/user/getbyunionid" => post(Door::Token(contacts::by_union_id)),
        "/topapi/v2/user/getbymobile" => post(Door::Token(contacts::by_mobile)),
        "/topapi/user/count" => post(Door::Token(contacts::count)),
        "/department/list_ids" => get(Door::Token(contacts::department_ids)),
        "/department/list" => get(Door::Token(contacts::department_list)),
        "/department/get" => get(Door::Token(contacts::department_get)),
        "/department/list_parent_depts" => get(Door::Token(contacts::parents_of_user)),
        "/department/list_parent_depts_by_dept" => {
            get(Door::Token(contacts::parents_of_department))
        }
        "/topapi/v2/department/listsubid" => post(Door::Token(contacts::department_sub_ids)),
        "/topapi/v2/department/listsub" => post(Door::Token(contacts::department_sub)),
        "/topapi/v2/department/get" => post(Door::Token(contacts::department_get_v2)),
        "/topapi/v2/department/listparentbyuser" => post(Door::Token(contacts::parents_of_user_v2)),
        "/topapi/v2/department/listparentbydept" => {
            post(Door::Token(contacts::parents_of_department_v2))
        }
        "/topapi/message/corpconversation/asyncsend_v2" => post(Door::Token(notice::send)),
        "/topapi/message/corpconversation/sendbytemplate" => {
            post(Door::Token(notice::send_by_template))
        }
        "/topapi/message/corpconversation/getsendprogress" => post(Door::Token(notice::progress)),
        "/topapi/message/corpconversation/getsendresult" => post(Door::Token(notice::result)),
        "/topapi/message/corpconversation/recall" => post(Door::Token(notice::recall)),
        "/topapi/message/corpconversation/status_bar/update" => {
            post(Door::Token(notice::status_bar))
        }
        "/media/upload" => post(Door::Token(media::upload)),
        "/topapi/processinstance/create" => post(Door::Token(approval::create)),
        "/topapi/processinstance/get" => post(Door::Token(approval::get)),
        "/topapi/processinstance/listids" => post(Door::Token(approval::list_ids)),
        "/topapi/process/instance/terminate" => post(Door::Token(approval::terminate)),
        "/topapi/process/instance/execute" => post(Door::Token(approval::execute)),
        "/topapi/process/instance/comment/add" => post(Door::Token(approval::comment)),
        "/topapi/process/get_by_name" => post(Door::Token(approval::get_by_name)),
        "/topapi/process/listbyuserid" => post(Door::Token(approval::list_by_user)),
        "/topapi/process/gettodonum" => post(Door::Token(approval::count_pending)),
        "/topapi/processinstance/cspace/info" => post(Door::Token(approval::space)),
        "/topapi/processinstance/file/url/get" => post(Door::Token(approval::file_url)),
        "/topapi/process/dentry/auth" => post(Door::Token(approval::allow_download)),
        "/topapi/im/chat/scenegroup/create" => post(Door::Token(scene::create_legacy)),
        "/topapi/im/chat/scenegroup/update" => post(Door::Token(scene::update_legacy)),
        "/topapi/im/chat/scenegroup/member/add" => post(Door::Token(scene::add_legacy)),
        "/topapi/im/chat/scenegroup/member/delete" => post(Door::Token(scene::remove_legacy)),
        "/topapi/im/chat/scencegroup/message/send_v2" => post(Door::Token(scene::send)),
        _ => None,
    }
}

/// Answers one call; the HTTP status is 200 whatever happens.
pub(super) fn answer(world: &mut World, call: &ApiCall) -> Reply {
    let is_top = call.path.starts_with("/topapi/");
    let Some(row) = row(&call.path) else {
        return if is_top {
            invalid_method()
        } else {
            refusal(404, "请求的URI地址不存在", false)
        };
    };
    if call.method != row.method {
        let wants_get = row.method == Method::GET;
        let (code, text) = if wants_get {
            (43001, "需要GET请求")
        } else {
            (43002, "需要POST请求")
        };
        return refusal(code, text, is_top);
    }
    if let Some(Refusal { code, text }) = check_body(call, is_top) {
        return refusal(code, &text, is_top);
    }
    let outcome = match row.door {
        Door::Open(answer) => answer(world, call),
        Door::Token(answer) => match caller(world, call) {
            Ok(app) => match permission::missing(world, &app, call) {
                Some(point) => Err(Refusal::new(
                    60011,
                    format!("应用尚未开通所需的权限：[{point}]"),
                )),
                None if world.admits(&app, call) => answer(world, &app, call),
                None => Err(Refusal::new(
                    90018,
                    "您的服务器调用钉钉开放平台所有接口的请求都被暂时禁用了",
                )),
            },
            Err(refused) if is_top => return wrapped(&refused),
            Err(refused) => Err(refused),
        },
    };
    match outcome {
        Ok(mut members) => {
            members.insert("errcode".to_owned(), json!(0));
            members.insert("errmsg".to_owned(), json!("ok"));
            if is_top {
                members.insert("request_id".to_owned(), json!(random_text(12)));
            }
            Reply::json(200, Value::Object(members))
        }
        // A missing permission is wrapped as a bad token is.
        Err(refused) if is_top && refused.code == 60011 => wrapped(&refused),
        Err(refused) => refusal(refused.code, &refused.text, is_top),
    }
}

/// A refusal that a fault asks for.
pub(super) fn fault(errcode: i64, errmsg: &str, sub_code: Option<&str>) -> Reply {
    let mut body = json!({"errcode": errcode, "errmsg": errmsg, "request_id": random_text(12)});
    if let Some(sub_code) = sub_code {
        body["sub_code"] = json!(sub_code);
        body["sub_msg"] = json!(errmsg);
    }
    Reply::json(200, body)
}

fn refusal(code: i64, text: &str, is_top: bool) -> Reply {
    let mut body = json!({"errcode": code, "errmsg": text});
    if is_top {
        body["request_id"] = json!(random_text(12));
    }
    Reply::json(200, body)
}

/// topapi wraps what is wrong with the token or the permissions in code 88, with the code itself as text.
fn wrapped(Refusal { code, text }: &Refusal) -> Reply {
    Reply::json(
        200,
        json!({
            "errcode": 88,
            "sub_code": code.to_string(),
            "sub_msg": text,
            "errmsg": format!("ding talk error[subcode={code},submsg={text}]"),
            "request_id": random_text(12),
        }),
    )
}

fn invalid_method() -> Reply {
    Reply::json(
        200,
        json!({
            "errcode": 22,
            "sub_code": "isv.invalid-method",
            "sub_msg": "不合法ApiName",
            "errmsg": "Invalid method",
            "request_id": random_text(12),
        }),
    )
}

fn check_body(call: &ApiCall, is_top: bool) -> Option<Refusal> {
    if call.method != Method::POST {
        return None;
    }
    match &call.body {
        CallBody::Files(_) if call.path == "/media/upload" => None,
        _ if call.path == "/media/upload" => Some(Refusal::new(43008, "需要multipart类型")),
        CallBody::Json(_) | CallBody::Empty => None,
        CallBody::Form(_) if is_top => None,
        CallBody::Form(_) | CallBody::Files(_) | CallBody::Other(_) => {
            Some(Refusal::new(43004, "无效的HTTP HEADER Content-Type"))
        }
        CallBody::Broken(_) if call.path == "/chat/send" => {
            Some(Refusal::new(34014, "会话消息的json结构无效或不完整"))
        }
        CallBody::Broken(_) => Some(Refusal::new(40035, "不合法的参数: body is not JSON")),
    }
}

/// Finds the app of the query's token; a token in a header is not read here.
pub(super) fn caller(world: &World, call: &ApiCall) -> Result<std::sync::Arc<App>, Refusal> {
    let is_top = call.path.starts_with("/topapi/");
    let Some(text) = call.query("access_token") else {
        let (code, text) = if is_top {
            (40000, "access_token is blank")
        } else {
            (41001, "缺少access_token参数")
        };
        return Err(Refusal::new(code, text));
    };
    world
        .app_of_token(text, call.now)
        .ok_or_else(|| Refusal::new(40014, "不合法的access_token"))
}

/// Builds the members of an answer from a JSON object.
pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
