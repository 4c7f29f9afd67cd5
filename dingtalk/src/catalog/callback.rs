//! The registration of event callbacks.

use super::param::{sized, text, texts};
use super::{Access, Api, Call, Family, Param, get, post};

const fn write(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Callback, Access::Write, name, summary)
}

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Callback, Access::Read, name, summary)
}

const REGISTRATION: &[Param] = &[
    texts("call_back_tag", 100).required(),
    sized("token", 6, 63).required(),
    sized("aes_key", 43, 43).required(),
    text("url", 1024).required(),
];

const fn registration(path: &'static str) -> Call {
    post(path, REGISTRATION).rule(super::check::url_is_web)
}

pub(super) const APIS: &[Api] = &[
    write(
        "callback.register",
        "Registers the address for events; DingTalk checks it before it answers.",
    )
    .gateway("registerCallBack")
    .legacy(registration("/call_back/register_call_back")),
    write(
        "callback.update",
        "Changes the address for events; DingTalk checks it before it answers.",
    )
    .gateway("updateCallBack")
    .legacy(registration("/call_back/update_call_back")),
    read(
        "callback.get",
        "Reads the registered address; the answer has its keys in clear.",
    )
    .gateway("getCallBack")
    .legacy(get("/call_back/get_call_back", &[])),
    write("callback.delete", "Removes the registered address.")
        .gateway("deleteCallBack")
        .legacy(get("/call_back/delete_call_back", &[])),
    // Reading takes the events out of DingTalk's list, so it is a write.
    write(
        "callback.failed",
        "Takes events that could not be pushed, at most 200.",
    )
    .legacy(get("/call_back/get_call_back_failed_result", &[])),
];
