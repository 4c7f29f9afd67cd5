//! Apps for many organisations. These calls are signed with the suite's ticket instead of a token.

use super::param::{id, text};
use super::{Access, Api, Call, Family, Manner, post};

const fn suite(call: Call) -> Call {
    call.manner(Manner::Suite)
}

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Isv, Access::Read, name, summary)
}

pub(super) const APIS: &[Api] = &[
    read(
        "isv.auth-info",
        "Tells what an organisation has granted the suite.",
    )
    .gateway("getAuthInfo")
    .legacy(suite(post(
        "/service/get_auth_info",
        // `app` is belfry's: which of the third-party apps asks.
        &[id("auth_corpid").required(), id("suite_key"), id("app")],
    ))),
    read("isv.corp-token", "Fetches the token for one organisation.")
        .legacy(suite(post(
            "/service/get_corp_token",
            &[id("auth_corpid").required()],
        )))
        .modern(suite(post(
            "/v1.0/oauth2/corpAccessToken",
            &[
                id("suiteKey").required(),
                text("suiteSecret", 512).required(),
                id("authCorpId").required(),
                text("suiteTicket", 512).required(),
            ],
        ))),
    read("isv.suite-token", "Fetches the suite's own token.").legacy(suite(post(
        "/service/get_suite_token",
        &[
            id("suite_key").required(),
            text("suite_secret", 512).required(),
            text("suite_ticket", 512).required(),
        ],
    ))),
    Api::new(
        Family::Isv,
        Access::Write,
        "isv.permanent-code",
        "Trades a temporary code of an organisation for its permanent one.",
    )
    .legacy(suite(post(
        "/service/get_permanent_code",
        &[id("tmp_auth_code").required()],
    ))),
    Api::new(
        Family::Isv,
        Access::Write,
        "isv.activate",
        "Switches the suite on in an organisation.",
    )
    .legacy(suite(post(
        "/service/activate_suite",
        &[
            id("suite_key").required(),
            id("auth_corpid").required(),
            id("permanent_code").required(),
        ],
    ))),
];
