//! Access tokens. The client fetches and keeps them itself, so these rows cannot be called raw.

use super::param::{id, text};
use super::{Access, Api, Call, Family, Manner, get, post};

const fn credentials(call: Call) -> Call {
    call.manner(Manner::Credentials)
}

pub(super) const APIS: &[Api] = &[Api::new(
    Family::Token,
    Access::Read,
    "token.get",
    "Fetches the app's access token.",
)
.legacy(credentials(get(
    "/gettoken",
    &[id("appkey").required(), text("appsecret", 512).required()],
)))
.modern(credentials(post(
    "/v1.0/oauth2/accessToken",
    &[id("appKey").required(), text("appSecret", 512).required()],
)))];
