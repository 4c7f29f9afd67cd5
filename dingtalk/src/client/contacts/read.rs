//! Reads people and departments in both of DingTalk's dialects.

use serde_json::Value;

use super::{Department, User, UserRole};
use crate::members::Members;

/// A person, in the names of either dialect.
pub(super) fn user(person: Members<'_>) -> User {
    let text = |names: &[&str]| person.first_text(names);
    let flag = |names: &[&str]| names.iter().any(|name| person.flag(name) == Some(true));
    User {
        user_id: text(&["userid"]).unwrap_or_default(),
        union_id: text(&["unionid"]),
        name: text(&["name"]).unwrap_or_default(),
        title: text(&["title", "position"]),
        mobile: text(&["mobile"]),
        email: text(&["email"]),
        job_number: text(&["job_number", "jobnumber"]),
        avatar: text(&["avatar"]),
        manager: text(&["manager_userid", "managerUserid"]),
        hired_at: person
            .time("hired_date")
            .or_else(|| person.time("hiredDate")),
        is_active: flag(&["active"]),
        is_admin: flag(&["admin", "isAdmin"]),
        is_boss: flag(&["boss", "isBoss"]),
        departments: match person.get("dept_id_list") {
            Some(_) => person.texts("dept_id_list"),
            None => person.texts("department"),
        },
        leads: leads(person),
        roles: ["role_list", "roles"]
            .into_iter()
            .flat_map(|list| person.objects(list))
            .filter_map(role)
            .collect(),
    }
}

/// The people of a page of one department.
pub(super) fn page(answer: Members<'_>, list: &str, department: &str) -> Vec<User> {
    let people = answer.objects(list).map(|person| {
        let leads = [person.flag("leader"), person.flag("isLeader")].contains(&Some(true));
        let mut user = user(person);
        if leads && !user.leads.iter().any(|led| led == department) {
            user.leads.push(department.to_owned());
        }
        user
    });
    people.filter(|user| !user.user_id.is_empty()).collect()
}

fn leads(person: Members<'_>) -> Vec<String> {
    if person.get("leader_in_dept").is_some() {
        return person
            .objects("leader_in_dept")
            .filter(|entry| entry.flag("leader") == Some(true))
            .filter_map(|entry| entry.text("dept_id"))
            .collect();
    }
    let text = person.text("isLeaderInDepts").unwrap_or_default();
    pairs(&text)
        .filter(|(_, leads)| *leads == "true")
        .map(|(department, _)| department.to_owned())
        .collect()
}

/// The pairs of a text such as `{1:true,23:false}`, which is not JSON because its keys have no quotes; some versions of
/// the call give them quotes.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.trim()
        .trim_start_matches('{')
        .trim_end_matches('}')
        .split(',')
        .filter_map(|pair| pair.split_once(':'))
        .map(|(key, value)| (unquoted(key), unquoted(value)))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"').trim()
}

fn role(role: Members<'_>) -> Option<UserRole> {
    Some(UserRole {
        id: role.text("id")?,
        name: role.text("name").unwrap_or_default(),
        group: role.first_text(&["group_name", "groupName"]),
    })
}

/// A department, in the names of either dialect.
pub(super) fn department(answer: Members<'_>, asked: &str) -> Department {
    // The older call gives the ids of the leaders in one text.
    let leaders = match answer.get("dept_manager_userid_list") {
        Some(_) => answer.texts("dept_manager_userid_list"),
        None => answer
            .text("deptManagerUseridList")
            .unwrap_or_default()
            .split('|')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    Department {
        id: answer
            .first_text(&["dept_id", "id"])
            .unwrap_or_else(|| asked.to_owned()),
        name: answer.text("name").unwrap_or_default(),
        parent: answer.first_text(&["parent_id", "parentid"]),
        leaders,
        member_count: answer
            .integer("member_count")
            .and_then(|count| u64::try_from(count).ok()),
        chat_id: answer.first_text(&["dept_group_chat_id", "deptGroupChatId"]),
    }
}

/// A list of departments; one without an id is left out.
pub(super) fn departments(answer: Members<'_>, list: &str) -> Vec<Department> {
    answer
        .objects(list)
        .map(|entry| department(entry, ""))
        .filter(|department| !department.id.is_empty())
        .collect()
}

/// Ways to the root: documented as one list of numbers, and described as one list for each department.
pub(super) fn paths(value: Option<&Value>) -> Vec<Vec<String>> {
    let ids = |items: &[Value]| -> Vec<String> {
        let texts = items.iter().map(|item| match item {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        texts.collect()
    };
    let Some(items) = value.and_then(Value::as_array) else {
        return Vec::new();
    };
    if items.iter().all(|item| !item.is_array()) {
        return if items.is_empty() {
            Vec::new()
        } else {
            vec![ids(items)]
        };
    }
    items
        .iter()
        .filter_map(Value::as_array)
        .map(|path| ids(path))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_user(value: &Value) -> User {
        user(Members::of(value).unwrap())
    }

    #[test]
    fn both_dialects_say_the_same_of_a_person() {
        let modern = json!({
            "userid": "u1", "unionid": "n1", "name": "张三", "title": "工程师", "mobile": "13800000000", "job_number": "A1",
            "manager_userid": "u2", "hired_date": 1_625_068_800_000_i64, "active": true, "admin": true, "boss": false,
            "dept_id_list": [1, 23], "leader_in_dept": [{"dept_id": 1, "leader": false}, {"dept_id": 23, "leader": true}],
            "role_list": [{"id": 7, "name": "主管", "group_name": "默认"}],
        });
        let legacy = json!({
            "userid": "u1", "unionid": "n1", "name": "张三", "position": "工程师", "mobile": "13800000000", "jobnumber": "A1",
            "managerUserid": "u2", "hiredDate": 1_625_068_800_000_i64, "active": true, "isAdmin": true, "isBoss": false,
            "department": [1, 23], "isLeaderInDepts": "{1:false,23:true}", "orderInDepts": "{1:1,23:176318668975061512}",
            "roles": [{"id": 7, "name": "主管", "groupName": "默认", "type": 101}],
        });
        let user = read_user(&modern);
        assert_eq!(user, read_user(&legacy));
        assert_eq!(
            (user.departments, user.leads),
            (vec!["1".to_owned(), "23".to_owned()], vec!["23".to_owned()])
        );
        assert_eq!(
            (user.is_active, user.is_admin, user.is_boss),
            (true, true, false)
        );
        assert!(!format!("{:?}", read_user(&modern)).contains("1380"));
    }

    #[test]
    fn samples_with_quoted_scalars_are_read_too() {
        let user = read_user(&json!({
            "userid": "u1", "name": "x", "active": "true", "admin": "false", "hired_date": "1625068800000",
            "dept_id_list": ["1"], "leader_in_dept": [{"dept_id": "1", "leader": "true"}], "role_list": {},
        }));
        assert!(user.is_active && !user.is_admin);
        assert_eq!(
            (user.departments, user.leads),
            (vec!["1".to_owned()], vec!["1".to_owned()])
        );
        assert_eq!(user.hired_at.map(|at| at.0), Some(1_625_068_800_000));
    }

    #[test]
    fn texts_that_only_look_like_json_are_taken_apart() {
        for (text, expected) in [
            ("{1:true}", vec![("1", "true")]),
            ("{1:true, 23:false}", vec![("1", "true"), ("23", "false")]),
            ("{\"1\":\"true\"}", vec![("1", "true")]),
            ("{}", vec![]),
            ("", vec![]),
            ("nonsense", vec![]),
        ] {
            assert_eq!(pairs(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn ways_to_the_root_come_in_two_forms() {
        let owned = |paths: &[&[&str]]| -> Vec<Vec<String>> {
            let path = |path: &&[&str]| path.iter().map(|id| (*id).to_owned()).collect();
            paths.iter().map(path).collect()
        };
        for (value, expected) in [
            (
                json!([[456, 123, 1], [789, 1]]),
                owned(&[&["456", "123", "1"], &["789", "1"]]),
            ),
            (json!([456, 123, 1]), owned(&[&["456", "123", "1"]])),
            (json!(["456", "1"]), owned(&[&["456", "1"]])),
            (json!([]), owned(&[])),
            (json!({}), owned(&[])),
        ] {
            assert_eq!(paths(Some(&value)), expected, "{value}");
        }
        assert_eq!(paths(None), owned(&[]));
    }

    #[test]
    fn leaders_come_as_a_list_or_as_one_text() {
        let read = |value: &Value| department(Members::of(value).unwrap(), "9");
        let modern = json!({"dept_id": 2, "name": "n", "parent_id": 1, "dept_manager_userid_list": ["a", "b"], "member_count": 5});
        let legacy = json!({"id": "2", "name": "n", "parentid": 1, "deptManagerUseridList": "a|b"});
        assert_eq!(read(&modern).leaders, read(&legacy).leaders);
        assert_eq!(read(&modern).member_count, Some(5));
        assert_eq!(read(&json!({"name": "n"})).id, "9");
    }
}
