//! People and departments.

use super::param::{bit, boolean, department, id, integer, text, word};
use super::{Access, Api, Family, Param, get, post};

const fn read(name: &'static str, summary: &'static str) -> Api {
    Api::new(Family::Contacts, Access::Read, name, summary)
}

const LANG: Param = text("lang", 16);
const LANGUAGE: Param = text("language", 16);
const LIMITED: Param = boolean("contain_access_limit");
const ORDERS: &[&str] = &[
    "entry_asc",
    "entry_desc",
    "modify_asc",
    "modify_desc",
    "custom",
];

pub(super) const APIS: &[Api] = &[
    read("user.get", "Reads what is known of a person.")
        .gateway("userinfo")
        .legacy(get("/user/get", &[id("userid").required(), LANG]))
        .modern(post(
            "/topapi/v2/user/get",
            &[id("userid").required(), LANGUAGE],
        )),
    read("user.list-ids", "Lists the ids of a department's people.")
        .gateway("getDeptMember")
        .legacy(get(
            "/user/getDeptMember",
            &[department("deptId").required()],
        ))
        .modern(post(
            "/topapi/user/listid",
            &[department("dept_id").required()],
        )),
    read(
        "user.list",
        "Reads the people of a department, page by page.",
    )
    .gateway("listbypage")
    .legacy(get(
        "/user/listbypage",
        &[
            department("department_id").required(),
            integer("offset", 0, i64::MAX).required(),
            integer("size", 1, 100).required(),
            word("order", ORDERS),
            LANG,
        ],
    ))
    .modern(post(
        "/topapi/v2/user/list",
        &[
            department("dept_id").required(),
            integer("cursor", 0, i64::MAX).required(),
            integer("size", 1, 100).required(),
            word("order_field", ORDERS),
            LIMITED,
            LANGUAGE,
        ],
    )),
    read(
        "user.list-simple",
        "Lists ids and names of a department's people, page by page.",
    )
    .modern(post(
        "/topapi/user/listsimple",
        &[
            department("dept_id").required(),
            integer("cursor", 0, i64::MAX).required(),
            integer("size", 1, 100).required(),
            word("order_field", ORDERS),
            LIMITED,
            LANGUAGE,
        ],
    )),
    read("user.by-unionid", "Finds a person by union id.")
        .gateway("getUseridByUnionid")
        .legacy(get("/user/getUseridByUnionid", &[id("unionid").required()]))
        .modern(post(
            "/topapi/user/getbyunionid",
            &[id("unionid").required()],
        )),
    read("user.by-mobile", "Finds a person by mobile number.").modern(post(
        "/topapi/v2/user/getbymobile",
        &[text("mobile", 32).required()],
    )),
    read("user.count", "Counts the organisation's people.")
        .gateway("get_org_user_count")
        .legacy(get(
            "/user/get_org_user_count",
            &[bit("onlyActive").required()],
        ))
        .modern(post(
            "/topapi/user/count",
            &[boolean("only_active").required()],
        )),
    read(
        "user.parent-departments",
        "Lists the departments a person is in, each with all above it.",
    )
    .gateway("list_parent_depts")
    .legacy(get(
        "/department/list_parent_depts",
        &[id("userId").required()],
    ))
    .modern(post(
        "/topapi/v2/department/listparentbyuser",
        &[id("userid").required()],
    )),
    read(
        "department.list-ids",
        "Lists the ids of the departments directly below one.",
    )
    .gateway("list_ids")
    .legacy(get("/department/list_ids", &[department("id").required()]))
    .modern(post(
        "/topapi/v2/department/listsubid",
        &[department("dept_id").required()],
    )),
    read("department.list", "Reads the departments below one.")
        .gateway("list")
        .legacy(get(
            "/department/list",
            &[department("id"), boolean("fetch_child"), LANG],
        ))
        .modern(post(
            "/topapi/v2/department/listsub",
            &[department("dept_id"), LANGUAGE],
        )),
    read("department.get", "Reads what is known of a department.")
        .gateway("departmentget")
        .legacy(get("/department/get", &[department("id").required(), LANG]))
        .modern(post(
            "/topapi/v2/department/get",
            &[department("dept_id").required(), LANGUAGE],
        )),
    read(
        "department.parents",
        "Lists a department and all above it, the root last.",
    )
    .gateway("list_parent_depts_by_dept")
    .legacy(get(
        "/department/list_parent_depts_by_dept",
        &[department("id").required()],
    ))
    .modern(post(
        "/topapi/v2/department/listparentbydept",
        &[department("dept_id").required()],
    )),
    read("auth.scopes", "Tells whom and what the app may see.")
        .gateway("authScopes")
        .legacy(get("/auth/scopes", &[])),
];
