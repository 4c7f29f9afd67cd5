//! Approvals (OA审批).

use super::param::{
    agent_id, boolean, department, fields, id, integer, joined, number, object, objects, text,
    texts, word,
};
use super::{Access, Api, Family, Param, get, post};

const fn write(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Approval, Access::Write, name, summary)
}

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Approval, Access::Read, name, summary)
}

const OLD_INSTANCE: Param = id("process_instance_id").required();
const INSTANCE: Param = id("processInstanceId").required();
const VERDICT: Param = word("result", &["agree", "refuse"]).required();
const COPIES: &[&str] = &["START", "FINISH", "START_FINISH"];

pub(super) const APIS: &[Api] = &[
    write("approval.create", "Starts an approval.")
        .gateway("createProcessInstance")
        .legacy(post(
            "/topapi/processinstance/create",
            &[
                id("process_code").required(),
                id("originator_user_id").required(),
                department("dept_id").required(),
                fields("form_component_values", 200).required(),
                number("agent_id"),
                joined("approvers", 20),
                objects("approvers_v2", 20),
                joined("cc_list", 20),
                word("cc_position", COPIES),
            ],
        ))
        .modern(
            post(
                "/v1.0/workflow/processInstances",
                &[
                    id("processCode").required(),
                    id("originatorUserId").required(),
                    department("deptId"),
                    fields("formComponentValues", 150).required(),
                    number("microappAgentId"),
                    objects("approvers", 20),
                    texts("ccList", 50),
                    word("ccPosition", COPIES),
                    objects("targetSelectActioners", 20),
                    text("bizDetailPageUrl", 2000),
                ],
            )
            .any_of(&["deptId", "approvers"]),
        ),
    read("approval.get", "Reads an approval with its steps.")
        .gateway("getProcessInstance")
        .legacy(post("/topapi/processinstance/get", &[OLD_INSTANCE]))
        .modern(get("/v1.0/workflow/processInstances", &[INSTANCE])),
    read(
        "approval.list-ids",
        "Lists the approvals of a template in a span of at most 120 days.",
    )
    .gateway("listProcessInstanceIds")
    .legacy(post(
        "/topapi/processinstance/listids",
        &[
            id("process_code").required(),
            number("start_time").required(),
            number("end_time"),
            integer("size", 1, 20),
            integer("cursor", 0, i64::MAX),
            joined("userid_list", 10),
        ],
    ))
    .modern(post(
        "/v1.0/workflow/processes/instanceIds/query",
        &[
            id("processCode").required(),
            number("startTime").required(),
            number("endTime"),
            integer("nextToken", 0, i64::MAX).required(),
            integer("maxResults", 1, 20).required(),
            texts("userIds", 10),
            texts("statuses", 10),
        ],
    )),
    write(
        "approval.terminate",
        "Withdraws an approval, 15 seconds after its start at the earliest.",
    )
    .gateway("terminateProcessInstance")
    .legacy(
        post(
            "/topapi/process/instance/terminate",
            &[
                OLD_INSTANCE,
                boolean("is_system").required(),
                text("remark", 1024),
                id("operating_userid"),
            ],
        )
        .within("request")
        .any_of(&["is_system", "operating_userid"]),
    )
    .modern(
        post(
            "/v1.0/workflow/processInstances/terminate",
            &[
                INSTANCE,
                boolean("isSystem").required(),
                text("remark", 1024),
                id("operatingUserId"),
            ],
        )
        .any_of(&["isSystem", "operatingUserId"]),
    ),
    write("approval.execute", "Decides a step.")
        .legacy(
            post(
                "/topapi/process/instance/execute",
                &[
                    OLD_INSTANCE,
                    number("task_id").required(),
                    id("actioner_userid").required(),
                    VERDICT,
                    text("remark", 1024),
                    object("file"),
                ],
            )
            .within("request"),
        )
        .modern(post(
            "/v1.0/workflow/processInstances/execute",
            &[
                INSTANCE,
                number("taskId").required(),
                id("actionerUserId").required(),
                VERDICT,
                text("remark", 1024),
                object("file"),
            ],
        )),
    write("approval.redirect", "Hands a step to somebody else.").modern(post(
        "/v1.0/workflow/tasks/redirect",
        &[
            number("taskId").required(),
            id("toUserId").required(),
            id("operateUserId").required(),
            text("remark", 256),
            text("actionName", 64),
            object("file"),
        ],
    )),
    write("approval.comment", "Adds a comment.")
        .legacy(
            post(
                "/topapi/process/instance/comment/add",
                &[
                    OLD_INSTANCE,
                    id("comment_userid").required(),
                    text("text", 1024).required(),
                    object("file"),
                ],
            )
            .within("request"),
        )
        .modern(post(
            "/v1.0/workflow/processInstances/comments",
            &[
                INSTANCE,
                id("commentUserId").required(),
                text("text", 1024).required(),
                object("file"),
            ],
        )),
    read(
        "approval.template-by-name",
        "Finds the code of a template by its name.",
    )
    .legacy(post(
        "/topapi/process/get_by_name",
        &[text("name", 200).required()],
    ))
    .modern(get(
        "/v1.0/workflow/processCentres/schemaNames/processCodes",
        &[text("name", 200).required()],
    )),
    read("approval.form-schema", "Reads the form of a template.").modern(get(
        "/v1.0/workflow/forms/schemas/processCodes",
        &[id("processCode").required(), id("appUuid")],
    )),
    read("approval.templates", "Lists the templates a person sees.")
        .legacy(post(
            "/topapi/process/listbyuserid",
            &[
                id("userid"),
                integer("offset", 0, i64::MAX).required(),
                integer("size", 1, 100).required(),
            ],
        ))
        .modern(get(
            "/v1.0/workflow/processes/userVisibilities/templates",
            &[
                id("userId"),
                integer("maxResults", 1, 100).required(),
                integer("nextToken", 0, i64::MAX).required(),
            ],
        )),
    read(
        "approval.todo-count",
        "Counts the steps that wait for a person.",
    )
    .legacy(post(
        "/topapi/process/gettodonum",
        &[id("userid").required()],
    ))
    .modern(get(
        "/v1.0/workflow/processes/todoTasks/numbers",
        &[id("userId").required()],
    )),
    read(
        "approval.file-url",
        "Gives an address for an attachment, good for 15 minutes.",
    )
    .legacy(
        post(
            "/topapi/processinstance/file/url/get",
            &[OLD_INSTANCE, id("file_id").required()],
        )
        .within("request"),
    )
    .modern(post(
        "/v1.0/workflow/processInstances/spaces/files/urls/download",
        &[INSTANCE, id("fileId").required()],
    )),
    write(
        "approval.space",
        "Names the space for attachments and lets a person upload to it.",
    )
    .legacy(post(
        "/topapi/processinstance/cspace/info",
        &[id("user_id").required(), agent_id("agent_id")],
    ))
    .modern(post(
        "/v1.0/workflow/processInstances/spaces/infos/query",
        &[id("userId").required(), agent_id("agentId")],
    )),
    write(
        "approval.allow-download",
        "Lets a person open attachments in DingTalk.",
    )
    .legacy(
        post(
            "/topapi/process/dentry/auth",
            &[
                id("userid").required(),
                objects("file_infos", 20).required(),
            ],
        )
        .within("request"),
    )
    .modern(post(
        "/v1.0/workflow/processInstances/spaces/files/authDownload",
        &[id("userId").required(), objects("fileInfos", 20).required()],
    )),
];
