//! Groups.

use super::check::{members_join_and_leave, owner_is_member};
use super::param::{
    bit, boolean, id, integer, joined, message, object, robot_code, text, texts, word,
};
use super::{Access, Api, Family, Param, get, post};

const fn write(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Chat, Access::Write, name, summary)
}

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Chat, Access::Read, name, summary)
}

const SCENE: Param = id("open_conversation_id").required();
const SCENE_CHANGES: &[Param] = &[SCENE, text("title", 30), id("owner_user_id"), id("icon")];
const SCENE_PEOPLE: &[Param] = &[SCENE, texts("user_ids", 40).required()];
const SCENE_PEOPLE_JOINED: &[Param] = &[SCENE, joined("user_ids", 40).required()];

pub(super) const APIS: &[Api] = &[
    write("chat.create", "Creates a group.")
        .gateway("createChat")
        .legacy(
            post(
                "/chat/create",
                &[
                    text("name", 20).required(),
                    id("owner").required(),
                    texts("useridlist", 40).required(),
                    bit("showHistoryType"),
                    bit("searchable"),
                    bit("validationType"),
                    bit("mentionAllAuthority"),
                    bit("managementType"),
                    bit("chatBannedType"),
                ],
            )
            .rule(owner_is_member),
        ),
    write("chat.update", "Changes a group.").legacy(
        post(
            "/chat/update",
            &[
                id("chatid").required(),
                text("name", 20),
                id("owner"),
                word("ownerType", &["emp", "ext"]),
                texts("add_useridlist", 40),
                texts("del_useridlist", 40),
                texts("add_extidlist", 40),
                texts("del_extidlist", 40),
                id("icon"),
                bit("showHistoryType"),
                bit("searchable"),
                bit("validationType"),
                bit("mentionAllAuthority"),
                bit("managementType"),
                bit("chatBannedType"),
                boolean("isBan"),
            ],
        )
        .rule(members_join_and_leave),
    ),
    read("chat.get", "Reads a group.")
        .gateway("chatInfo")
        .legacy(get("/chat/get", &[id("chatid").required()])),
    write("chat.send", "Sends a message to a group.")
        .gateway("chatSend")
        .legacy(post(
            "/chat/send",
            &[id("chatid").required(), message("msg").required()],
        )),
    read("chat.readers", "Lists who read a message of a group.")
        .gateway("getReadList")
        .legacy(get(
            "/chat/getReadList",
            &[
                id("messageId").required(),
                integer("cursor", 0, i64::MAX).required(),
                integer("size", 1, 100).required(),
            ],
        )),
    write("scene-group.create", "Creates a group from a template.")
        .legacy(post(
            "/topapi/im/chat/scenegroup/create",
            &[
                text("title", 30).required(),
                id("template_id").required(),
                id("owner_user_id").required(),
                joined("user_ids", 1000),
                joined("subadmin_ids", 1000),
                id("uuid"),
                id("icon"),
            ],
        ))
        .modern(post(
            "/v1.0/im/sceneGroup/create",
            &[
                text("title", 30).required(),
                id("template_id").required(),
                id("owner_user_id").required(),
                texts("user_ids", 1000),
                texts("subadmin_ids", 1000),
                id("uuid"),
                id("icon"),
                object("management_options"),
            ],
        )),
    write(
        "scene-group.update",
        "Changes a group that a template made.",
    )
    .legacy(post("/topapi/im/chat/scenegroup/update", SCENE_CHANGES))
    .modern(post("/v1.0/im/sceneGroup/update", SCENE_CHANGES)),
    write(
        "scene-group.add-members",
        "Adds people to a group that a template made.",
    )
    .legacy(post(
        "/topapi/im/chat/scenegroup/member/add",
        SCENE_PEOPLE_JOINED,
    ))
    .modern(post("/v1.0/im/sceneGroup/member/add", SCENE_PEOPLE)),
    write(
        "scene-group.remove-members",
        "Removes people from a group that a template made.",
    )
    .legacy(post(
        "/topapi/im/chat/scenegroup/member/delete",
        SCENE_PEOPLE_JOINED,
    ))
    .modern(post("/v1.0/im/sceneGroup/member/delete", SCENE_PEOPLE)),
    read(
        "scene-group.members",
        "Lists the members of a group that a template made.",
    )
    .modern(post(
        "/v1.0/im/sceneGroups/members/query",
        &[
            id("openConversationId").required(),
            id("cursor").required(),
            integer("size", 1, 100).required(),
        ],
    )),
    write(
        "scene-group.send",
        "Sends a message of a template to a group; it can mention people.",
    )
    .legacy(post(
        // The spelling is DingTalk's.
        "/topapi/im/chat/scencegroup/message/send_v2",
        &[
            robot_code("robot_code").required(),
            id("target_open_conversation_id").required(),
            id("msg_template_id").required(),
            text("msg_param_map", 20_000),
            text("msg_media_id_param_map", 20_000),
            joined("at_users", 50),
            joined("at_mobiles", 50),
            boolean("is_at_all"),
            joined("receiver_user_ids", 1000),
        ],
    )),
];
