//! People and departments of the organisation.

mod read;
mod walk;

use std::fmt;

use serde_json::{Value, json};

use super::answer::Answer;
use super::{invalid, number};
use crate::error::Effect;
use crate::members::Members;
use crate::{ApiError, ApiStyle, Client, UnixMs};

pub use walk::{ContactsWalk, Visit};

/// People on one page at most.
pub(crate) const PAGE: u32 = 100;

/// A person of the organisation. What the app has no permission for is absent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The id within the organisation.
    pub user_id: String,
    /// The id that is the same in all apps of a developer.
    pub union_id: Option<String>,
    /// The name.
    pub name: String,
    /// The job title.
    pub title: Option<String>,
    /// The mobile number; needs a permission of its own.
    pub mobile: Option<String>,
    /// The address; needs a permission of its own.
    pub email: Option<String>,
    /// The number within the organisation.
    pub job_number: Option<String>,
    /// Address of the picture; absent while it is the default one.
    pub avatar: Option<String>,
    /// Whom the person reports to.
    pub manager: Option<String>,
    /// When the person came.
    pub hired_at: Option<UnixMs>,
    /// Whether the account is activated.
    pub is_active: bool,
    /// Whether the person administers the organisation.
    pub is_admin: bool,
    /// Whether the person heads the organisation.
    pub is_boss: bool,
    /// The person's departments, decimal numbers as text.
    pub departments: Vec<String>,
    /// Those of them that the person leads. On a page of [`Client::users`] only the department that was asked for.
    pub leads: Vec<String>,
    /// The person's roles; left out on pages of [`Client::users`].
    pub roles: Vec<UserRole>,
}

/// A role of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRole {
    /// The role.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of its group.
    pub group: Option<String>,
}

/// Who a union id or a mobile number belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// The id within the organisation.
    pub user_id: String,
    /// Whether it is an outside contact and no member of the organisation.
    pub is_external: bool,
}

/// Some people of a department.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersPage {
    /// The people.
    pub users: Vec<User>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<u64>,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headcount {
    /// Everybody.
    Everybody,
    /// Who has activated the account.
    Activated,
}

/// A department.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Department {
    /// A decimal number as text; `1` is the root.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The department above; absent for the root.
    pub parent: Option<String>,
    /// Who leads it; left out in [`Client::departments`].
    pub leaders: Vec<String>,
    /// How many direct members it has; only the newer [`Client::department`] says so.
    pub member_count: Option<u64>,
    /// The group chat that belongs to it.
    pub chat_id: Option<String>,
}

/// What the app may see of the contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactsScope {
    /// Single people.
    pub users: Vec<String>,
    /// Departments, with everything below them.
    pub departments: Vec<String>,
    /// The members of people that may be read, in DingTalk's names.
    pub fields: Vec<String>,
}

/// Names and numbers of people belong in no log.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("user_id", &self.user_id)
            .field("departments", &self.departments)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Reads a person (`topapi/v2/user/get`, or `user/get`).
    pub async fn user(&self, user_id: &str) -> Result<User, ApiError> {
        let user_id = named("user id", user_id)?;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/v2/user/get", json!({"userid": user_id}))
                    .await?;
                Ok(read::user(answer.object("result")?))
            }
            ApiStyle::Legacy => {
                let answer = self.oapi_get("/user/get", &[("userid", user_id)]).await?;
                Ok(read::user(answer.members()))
            }
        }
    }

    /// The ids of a department's direct members (`topapi/user/listid`, or `user/getDeptMember`). The newer call is not
    /// limited by the app's scope.
    pub async fn user_ids(&self, department: &str) -> Result<Vec<String>, ApiError> {
        let id = department_id(department)?;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/user/listid", json!({"dept_id": id}))
                    .await?;
                Ok(answer.object("result")?.texts("userid_list"))
            }
            ApiStyle::Legacy => {
                let query = [("deptId", department)];
                let answer = self.oapi_get("/user/getDeptMember", &query).await?;
                Ok(answer.members().texts("userIds"))
            }
        }
    }

    /// A page of a department's direct members (`topapi/v2/user/list`, or `user/listbypage`), from `start`, which is 0
    /// for the first one; 1 to 100 people.
    pub async fn users(
        &self,
        department: &str,
        start: u64,
        size: u32,
    ) -> Result<UsersPage, ApiError> {
        let id = department_id(department)?;
        if !(1..=PAGE).contains(&size) {
            return Err(invalid("a page has 1 to 100 people"));
        }
        match self.style() {
            ApiStyle::Modern => {
                let body = json!({"dept_id": id, "cursor": start, "size": size});
                let answer = self.read("/topapi/v2/user/list", body).await?;
                let result = answer.object("result")?;
                let next = match result.flag("has_more") {
                    Some(true) => Some(place(&answer, result, "next_cursor")?),
                    _ => None,
                };
                let users = read::page(result, "list", department);
                Ok(UsersPage { users, next })
            }
            ApiStyle::Legacy => {
                let (start_text, size) = (start.to_string(), size.to_string());
                let query = [
                    ("department_id", department),
                    ("offset", &start_text),
                    ("size", &size),
                ];
                let answer = self.oapi_get("/user/listbypage", &query).await?;
                let users = read::page(answer.members(), "userlist", department);
                let more = answer.members().flag("hasMore") == Some(true);
                // A page that is empty and yet not the last one would be asked for again and again.
                let count = users.len() as u64;
                let next = (more && count > 0).then_some(start + count);
                Ok(UsersPage { users, next })
            }
        }
    }

    /// Who a union id belongs to (`topapi/user/getbyunionid`, or `user/getUseridByUnionid`).
    pub async fn user_by_union_id(&self, union_id: &str) -> Result<FoundUser, ApiError> {
        let union_id = named("union id", union_id)?;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/user/getbyunionid", json!({"unionid": union_id}))
                    .await?;
                found(&answer, answer.object("result")?, "contact_type")
            }
            ApiStyle::Legacy => {
                let query = [("unionid", union_id)];
                let answer = self.oapi_get("/user/getUseridByUnionid", &query).await?;
                found(&answer, answer.members(), "contactType")
            }
        }
    }

    /// The user id behind a mobile number (`topapi/v2/user/getbymobile`; there is no older call).
    pub async fn user_by_mobile(&self, mobile: &str) -> Result<String, ApiError> {
        let mobile = named("mobile number", mobile)?;
        let answer = self
            .read("/topapi/v2/user/getbymobile", json!({"mobile": mobile}))
            .await?;
        let user_id = answer.object("result")?.text("userid");
        user_id.ok_or_else(|| answer.lacks("result.userid"))
    }

    /// How many people the organisation has (`topapi/user/count`, or `user/get_org_user_count`).
    pub async fn headcount(&self, counted: Headcount) -> Result<u64, ApiError> {
        let only_active = counted == Headcount::Activated;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/user/count", json!({"only_active": only_active}))
                    .await?;
                place(&answer, answer.object("result")?, "count")
            }
            ApiStyle::Legacy => {
                let query = [("onlyActive", if only_active { "1" } else { "0" })];
                let answer = self.oapi_get("/user/get_org_user_count", &query).await?;
                place(&answer, answer.members(), "count")
            }
        }
    }

    /// Reads a department (`topapi/v2/department/get`, or `department/get`).
    pub async fn department(&self, department: &str) -> Result<Department, ApiError> {
        let id = department_id(department)?;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/v2/department/get", json!({"dept_id": id}))
                    .await?;
                Ok(read::department(answer.object("result")?, department))
            }
            ApiStyle::Legacy => {
                let query = [("id", department)];
                let answer = self.oapi_get("/department/get", &query).await?;
                Ok(read::department(answer.members(), department))
            }
        }
    }

    /// The departments directly below one (`topapi/v2/department/listsub`, or `department/list`).
    pub async fn departments(&self, department: &str) -> Result<Vec<Department>, ApiError> {
        let id = department_id(department)?;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/v2/department/listsub", json!({"dept_id": id}))
                    .await?;
                Ok(read::departments(answer.members(), "result"))
            }
            ApiStyle::Legacy => {
                let query = [("id", department), ("fetch_child", "false")];
                let answer = self.oapi_get("/department/list", &query).await?;
                Ok(read::departments(answer.members(), "department"))
            }
        }
    }

    /// The ids of the departments directly below one (`topapi/v2/department/listsubid`, or `department/list_ids`).
    pub async fn department_ids(&self, department: &str) -> Result<Vec<String>, ApiError> {
        let id = department_id(department)?;
        match self.style() {
            ApiStyle::Modern => {
                let answer = self
                    .read("/topapi/v2/department/listsubid", json!({"dept_id": id}))
                    .await?;
                Ok(answer.object("result")?.texts("dept_id_list"))
            }
            ApiStyle::Legacy => {
                let query = [("id", department)];
                let answer = self.oapi_get("/department/list_ids", &query).await?;
                Ok(answer.members().texts("sub_dept_id_list"))
            }
        }
    }

    /// For each department of a person the way to the root: itself first, the root last
    /// (`topapi/v2/department/listparentbyuser`, or `department/list_parent_depts`).
    pub async fn paths_of_user(&self, user_id: &str) -> Result<Vec<Vec<String>>, ApiError> {
        let user_id = named("user id", user_id)?;
        match self.style() {
            ApiStyle::Modern => {
                let body = json!({"userid": user_id});
                let path = "/topapi/v2/department/listparentbyuser";
                let answer = self.read(path, body).await?;
                let paths = answer.object("result")?;
                let paths = paths.objects("parent_list");
                Ok(paths
                    .map(|path| path.texts("parent_dept_id_list"))
                    .collect())
            }
            ApiStyle::Legacy => {
                let query = [("userId", user_id)];
                let answer = self
                    .oapi_get("/department/list_parent_depts", &query)
                    .await?;
                Ok(read::paths(answer.members().get("department")))
            }
        }
    }

    /// The way from a department to the root: itself first, the root last (`topapi/v2/department/listparentbydept`, or
    /// `department/list_parent_depts_by_dept`).
    pub async fn path_of_department(&self, department: &str) -> Result<Vec<String>, ApiError> {
        let id = department_id(department)?;
        match self.style() {
            ApiStyle::Modern => {
                let path = "/topapi/v2/department/listparentbydept";
                let answer = self.read(path, json!({"dept_id": id})).await?;
                Ok(answer.object("result")?.texts("parent_id_list"))
            }
            ApiStyle::Legacy => {
                let path = "/department/list_parent_depts_by_dept";
                let answer = self.oapi_get(path, &[("id", department)]).await?;
                Ok(answer.members().texts("parentIds"))
            }
        }
    }

    /// What the app may see of the contacts (`auth/scopes`).
    pub async fn contacts_scope(&self) -> Result<ContactsScope, ApiError> {
        let answer = self.oapi_get("/auth/scopes", &[]).await?;
        let scopes = answer.object("auth_org_scopes")?;
        Ok(ContactsScope {
            users: scopes.texts("authed_user"),
            departments: scopes.texts("authed_dept"),
            fields: answer.members().texts("auth_user_field"),
        })
    }

    /// Walks a department with everything below it, a page of people at a time.
    pub fn walk_contacts(&self, department: &str) -> Result<ContactsWalk, ApiError> {
        department_id(department)?;
        Ok(ContactsWalk::new(self.clone(), department))
    }

    async fn read(&self, path: &str, body: Value) -> Result<Answer, ApiError> {
        self.oapi(path, body, Effect::Read).await
    }
}

/// DingTalk answers an empty id with an error about something else.
fn named<'a>(what: &str, id: &'a str) -> Result<&'a str, ApiError> {
    if id.is_empty() {
        return Err(invalid(format!("the {what} is empty")));
    }
    Ok(id)
}

fn department_id(id: &str) -> Result<i64, ApiError> {
    number("department id", id)
}

fn place(answer: &Answer, members: Members<'_>, name: &'static str) -> Result<u64, ApiError> {
    members
        .integer(name)
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| answer.lacks(name))
}

fn found(answer: &Answer, members: Members<'_>, kind: &str) -> Result<FoundUser, ApiError> {
    Ok(FoundUser {
        user_id: members
            .text("userid")
            .ok_or_else(|| answer.lacks("userid"))?,
        is_external: members.integer(kind) == Some(1),
    })
}
