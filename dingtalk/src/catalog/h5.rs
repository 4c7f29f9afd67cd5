//! Pages inside DingTalk.

use super::param::id;
use super::{Access, Api, Family, get, post};

pub(super) const APIS: &[Api] = &[
    Api::new(
        Family::H5,
        Access::Read,
        "h5.ticket",
        "Fetches the ticket that signs pages.",
    )
    .legacy(get("/get_jsapi_ticket", &[]))
    .modern(post("/v1.0/oauth2/jsapiTickets", &[])),
    // The code is used up, so that asking again is not asking the same.
    Api::new(
        Family::H5,
        Access::Write,
        "h5.user",
        "Tells who opened a page, by a code that counts once.",
    )
    .legacy(get("/user/getuserinfo", &[id("code").required()]))
    .modern(post(
        "/topapi/v2/user/getuserinfo",
        &[id("code").required()],
    )),
];
