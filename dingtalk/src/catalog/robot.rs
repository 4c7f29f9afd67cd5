//! The app's robot, by the v1.0 API.

use super::param::{id, integer, robot_code, text, texts};
use super::{Access, Api, Family, Param, get, post};

const fn write(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Robot, Access::Write, name, summary)
}

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Robot, Access::Read, name, summary)
}

const ROBOT: Param = robot_code("robotCode").required();
/// JSON in a text; DingTalk takes 15,000 bytes of it.
const MESSAGE: Param = text("msgParam", 15_000).required();

pub(super) const APIS: &[Api] = &[
    write("robot.send-group", "Sends a message to a group.").modern(post(
        "/v1.0/robot/groupMessages/send",
        &[
            ROBOT,
            id("openConversationId").required(),
            id("msgKey").required(),
            MESSAGE,
            id("coolAppCode"),
        ],
    )),
    read(
        "robot.query-group",
        "Tells whether a message to a group was sent and who read it.",
    )
    .modern(post(
        "/v1.0/robot/groupMessages/query",
        &[
            ROBOT,
            id("openConversationId"),
            id("processQueryKey").required(),
            integer("maxResults", 1, 200),
            id("nextToken"),
        ],
    )),
    write("robot.recall-group", "Takes messages to a group back.").modern(post(
        "/v1.0/robot/groupMessages/recall",
        &[
            ROBOT,
            id("openConversationId").required(),
            texts("processQueryKeys", 20).required(),
        ],
    )),
    write("robot.send-users", "Sends a message to people.").modern(post(
        "/v1.0/robot/oToMessages/batchSend",
        &[
            ROBOT,
            texts("userIds", 20).required(),
            id("msgKey").required(),
            MESSAGE,
        ],
    )),
    read(
        "robot.query-users",
        "Tells whether a message to people was sent and who read it, within 24 hours.",
    )
    .modern(get(
        "/v1.0/robot/oToMessages/readStatus",
        &[ROBOT, id("processQueryKey").required()],
    )),
    write(
        "robot.recall-users",
        "Takes messages to people back, within 24 hours.",
    )
    .modern(post(
        // The small t is DingTalk's.
        "/v1.0/robot/otoMessages/batchRecall",
        &[ROBOT, texts("processQueryKeys", 20).required()],
    )),
];
