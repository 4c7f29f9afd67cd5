//! `belfry:bot/contacts`: people and departments.

use dingtalk::ApiError;
use serde::Serialize;

use super::bindings::belfry::bot::api::{DeptId, Error, UserId};
use super::bindings::belfry::bot::contacts::{
    AppScope, Department, FoundUser, Host, User, UsersPage,
};
use super::{invalid, not_granted, to_f64, upstream};
use crate::config::Scope;
use crate::engine::{State, Task};
use crate::function::Function;

impl Host for State {
    async fn get_user(&mut self, user_id: UserId) -> wasmtime::Result<Result<User, Error>> {
        let asked = OfUser { user_id: &user_id };
        let call = self.asks(Function::ContactsGetUser, &asked)?;
        let task = call.task();
        call.read(async {
            let user = upstream(&task, task.client.user(&user_id)).await?;
            visible(&task, &user)?;
            Ok(to_guest(user))
        })
        .await
    }

    async fn find_by_union_id(
        &mut self,
        union_id: String,
    ) -> wasmtime::Result<Result<FoundUser, Error>> {
        let asked = OfUnionId {
            union_id: &union_id,
        };
        let call = self.asks(Function::ContactsFindByUnionId, &asked)?;
        let task = call.task();
        call.read(async {
            let found = upstream(&task, task.client.user_by_union_id(&union_id)).await?;
            visible_id(&task, &found.user_id).await?;
            Ok(FoundUser {
                user_id: found.user_id,
                external: found.is_external,
            })
        })
        .await
    }

    async fn find_by_mobile(&mut self, mobile: String) -> wasmtime::Result<Result<UserId, Error>> {
        let asked = OfMobile { mobile: &mobile };
        let call = self.asks(Function::ContactsFindByMobile, &asked)?;
        let task = call.task();
        call.read(async {
            let user_id = upstream(&task, task.client.user_by_mobile(&mobile)).await?;
            visible_id(&task, &user_id).await?;
            Ok(user_id)
        })
        .await
    }

    async fn list_user_ids(
        &mut self,
        dept_id: DeptId,
    ) -> wasmtime::Result<Result<Vec<UserId>, Error>> {
        self.of_department(Function::ContactsListUserIds, dept_id, async |task, id| {
            task.client.user_ids(id).await
        })
        .await
    }

    async fn list_users(
        &mut self,
        dept_id: DeptId,
        cursor: Option<String>,
        size: u32,
    ) -> wasmtime::Result<Result<UsersPage, Error>> {
        let asked = Page {
            dept_id: &dept_id,
            cursor: cursor.as_deref(),
            size,
        };
        let call = self.asks(Function::ContactsListUsers, &asked)?;
        let task = call.task();
        call.read(async {
            granted(&task, &dept_id)?;
            let start = match &cursor {
                None => 0,
                Some(cursor) => cursor
                    .parse()
                    .map_err(|_| invalid("the cursor is not one that belfry gave"))?,
            };
            let page = upstream(&task, task.client.users(&dept_id, start, size)).await?;
            Ok(UsersPage {
                users: page.users.into_iter().map(to_guest).collect(),
                next_cursor: page.next.map(|next| next.to_string()),
            })
        })
        .await
    }

    async fn count_users(&mut self, only_active: bool) -> wasmtime::Result<Result<u32, Error>> {
        let asked = Count { only_active };
        let call = self.asks(Function::ContactsCountUsers, &asked)?;
        let task = call.task();
        call.read(async {
            everything(&task, "the number of all people")?;
            let counted = if only_active {
                dingtalk::Headcount::Activated
            } else {
                dingtalk::Headcount::Everybody
            };
            let count = upstream(&task, task.client.headcount(counted)).await?;
            Ok(u32::try_from(count).unwrap_or(u32::MAX))
        })
        .await
    }

    async fn get_department(
        &mut self,
        dept_id: DeptId,
    ) -> wasmtime::Result<Result<Department, Error>> {
        self.of_department(
            Function::ContactsGetDepartment,
            dept_id,
            async |task, id| task.client.department(id).await.map(department),
        )
        .await
    }

    async fn list_departments(
        &mut self,
        dept_id: DeptId,
    ) -> wasmtime::Result<Result<Vec<Department>, Error>> {
        let function = Function::ContactsListDepartments;
        self.of_department(function, dept_id, async |task, id| {
            let below = task.client.departments(id).await?;
            Ok(below.into_iter().map(department).collect())
        })
        .await
    }

    async fn list_department_ids(
        &mut self,
        dept_id: DeptId,
    ) -> wasmtime::Result<Result<Vec<DeptId>, Error>> {
        let function = Function::ContactsListDepartmentIds;
        self.of_department(function, dept_id, async |task, id| {
            task.client.department_ids(id).await
        })
        .await
    }

    async fn get_path(&mut self, dept_id: DeptId) -> wasmtime::Result<Result<Vec<DeptId>, Error>> {
        self.of_department(Function::ContactsGetPath, dept_id, async |task, id| {
            task.client.path_of_department(id).await
        })
        .await
    }

    async fn list_paths_of_user(
        &mut self,
        user_id: UserId,
    ) -> wasmtime::Result<Result<Vec<Vec<DeptId>>, Error>> {
        let asked = OfUser { user_id: &user_id };
        let call = self.asks(Function::ContactsListPathsOfUser, &asked)?;
        let task = call.task();
        call.read(async {
            let paths = upstream(&task, task.client.paths_of_user(&user_id)).await?;
            let mut own = paths.iter().filter_map(|path| path.first());
            if !own.any(|id| task.grant.contacts.covers(id)) {
                everything(&task, &format!("the user {user_id:?}"))?;
            }
            Ok(paths)
        })
        .await
    }

    async fn get_scope(&mut self) -> wasmtime::Result<Result<AppScope, Error>> {
        let call = self.asks(Function::ContactsGetScope, &Nothing {})?;
        let task = call.task();
        call.read(async {
            everything(&task, "the scope of the app")?;
            let scope = upstream(&task, task.client.contacts_scope()).await?;
            Ok(AppScope {
                users: scope.users,
                departments: scope.departments,
            })
        })
        .await
    }
}

impl State {
    /// A question about one department.
    async fn of_department<T>(
        &mut self,
        function: Function,
        dept_id: DeptId,
        ask: impl AsyncFnOnce(&Task, &str) -> Result<T, ApiError>,
    ) -> wasmtime::Result<Result<T, Error>>
    where
        T: Serialize + serde::de::DeserializeOwned + Send + 'static,
    {
        let asked = OfDepartment { dept_id: &dept_id };
        let call = self.asks(function, &asked)?;
        let task = call.task();
        call.read(async {
            granted(&task, &dept_id)?;
            upstream(&task, ask(&task, &dept_id)).await
        })
        .await
    }
}

#[derive(Serialize)]
struct OfUser<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct OfUnionId<'a> {
    union_id: &'a str,
}

#[derive(Serialize)]
struct OfMobile<'a> {
    mobile: &'a str,
}

#[derive(Serialize)]
struct OfDepartment<'a> {
    dept_id: &'a str,
}

#[derive(Serialize)]
struct Page<'a> {
    dept_id: &'a str,
    cursor: Option<&'a str>,
    size: u32,
}

#[derive(Serialize)]
struct Count {
    only_active: bool,
}

#[derive(Serialize)]
struct Nothing {}

fn granted(task: &Task, department: &str) -> Result<(), Error> {
    if task.grant.contacts.covers(department) {
        Ok(())
    } else {
        let what = format!("the department {department:?}");
        Err(not_granted("contacts", &what))
    }
}

fn everything(task: &Task, what: &str) -> Result<(), Error> {
    if task.grant.contacts == Scope::Everything {
        Ok(())
    } else {
        Err(not_granted("contacts", what))
    }
}

/// A grant for certain departments covers their direct members. Whose member somebody is stands in DingTalk's answer
/// only, so the question is asked first; the plugin hears nothing of an answer that is not for it.
fn visible(task: &Task, user: &dingtalk::User) -> Result<(), Error> {
    let mut departments = user.departments.iter();
    if departments.any(|id| task.grant.contacts.covers(id)) {
        return Ok(());
    }
    everything(task, &format!("the user {:?}", user.user_id))
}

async fn visible_id(task: &Task, user_id: &str) -> Result<(), Error> {
    if task.grant.contacts == Scope::Everything {
        return Ok(());
    }
    let user = upstream(task, task.client.user(user_id)).await?;
    visible(task, &user)
}

fn to_guest(user: dingtalk::User) -> User {
    User {
        user_id: user.user_id,
        union_id: user.union_id,
        name: user.name,
        title: user.title,
        mobile: user.mobile,
        email: user.email,
        job_number: user.job_number,
        manager: user.manager,
        hired_at: user.hired_at.map(to_f64),
        active: user.is_active,
        admin: user.is_admin,
        boss: user.is_boss,
        departments: user.departments,
        leads: user.leads,
        roles: user.roles.into_iter().map(|role| role.name).collect(),
    }
}

fn department(department: dingtalk::Department) -> Department {
    Department {
        dept_id: department.id,
        name: department.name,
        parent: department.parent,
        leaders: department.leaders,
        member_count: department
            .member_count
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
    }
}
