//! Work notices (工作通知).

use super::param::{agent_id, boolean, id, joined, message, number, text};
use super::{Access, Api, Call, Family, Param, post};

const fn write(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Notice, Access::Write, name, summary)
}

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Notice, Access::Read, name, summary)
}

const AGENT: Param = agent_id("agent_id").required();

const ABOUT_TASK: &[Param] = &[AGENT, number("task_id").required()];

const fn about_task(path: &'static str) -> Call {
    post(path, ABOUT_TASK)
}

pub(super) const APIS: &[Api] = &[
    write(
        "notice.send",
        "Sends a notice to people, departments or everybody.",
    )
    .gateway("asyncsend_v2")
    .modern(
        post(
            "/topapi/message/corpconversation/asyncsend_v2",
            &[
                AGENT,
                joined("userid_list", 100),
                joined("dept_id_list", 20),
                boolean("to_all_user"),
                message("msg").required(),
            ],
        )
        .any_of(&["userid_list", "dept_id_list", "to_all_user"]),
    ),
    read(
        "notice.progress",
        "Tells how far sending a notice has come.",
    )
    .gateway("getsendprogress")
    .modern(about_task(
        "/topapi/message/corpconversation/getsendprogress",
    )),
    read(
        "notice.outcome",
        "Tells who got and who read a notice, within 24 hours.",
    )
    .gateway("getsendresult")
    .modern(about_task("/topapi/message/corpconversation/getsendresult")),
    write("notice.recall", "Takes a notice back, within 24 hours.").modern(post(
        "/topapi/message/corpconversation/recall",
        &[AGENT, number("msg_task_id").required()],
    )),
    write(
        "notice.status-bar",
        "Changes the status bar of an OA notice, within 7 days.",
    )
    .modern(post(
        "/topapi/message/corpconversation/status_bar/update",
        &[
            AGENT,
            number("task_id").required(),
            text("status_value", 64).required(),
            text("status_bg", 16),
        ],
    )),
    write(
        "notice.send-template",
        "Sends a notice by template, as third-party apps must.",
    )
    .modern(
        post(
            "/topapi/message/corpconversation/sendbytemplate",
            &[
                AGENT,
                id("template_id").required(),
                joined("userid_list", 5000),
                joined("dept_id_list", 500),
                text("data", 20_000),
            ],
        )
        .any_of(&["userid_list", "dept_id_list"]),
    ),
];
