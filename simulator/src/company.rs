//! The company the simulator starts with: people, departments, groups and approval templates.

use std::collections::BTreeMap;

use serde::Deserialize;

pub use fixture::FixtureError;

mod fixture;

/// Everything that is there after a start or a reset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Company {
    /// Everybody who can write, approve and be told something.
    #[serde(rename = "person")]
    pub people: Vec<Person>,
    /// The departments; 1 is the root.
    #[serde(rename = "department")]
    pub departments: Vec<Department>,
    /// What people can be.
    #[serde(rename = "role")]
    pub roles: Vec<Role>,
    /// The groups that exist before any app makes one; the robots of all apps are members.
    #[serde(rename = "group")]
    pub groups: Vec<SeedGroup>,
    /// The approval templates that apps may start.
    #[serde(rename = "template")]
    pub templates: Vec<Template>,
    /// The templates of work notices, which third-party apps send.
    #[serde(rename = "notice-template")]
    pub notice_templates: Vec<NoticeTemplate>,
    /// What apps may see; an app that is not among them sees everything.
    #[serde(rename = "scope")]
    pub scopes: Vec<Scope>,
}

/// One member of the company.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Person {
    /// The user id, unique in the company.
    pub userid: String,
    /// The id that is the same in all apps of a developer; left out, it is `union-` and the user id.
    #[serde(default)]
    pub unionid: Option<String>,
    /// The name other people see.
    pub name: String,
    /// The job title.
    #[serde(default)]
    pub title: String,
    /// The mobile number, by which a person can be found.
    #[serde(default)]
    pub mobile: Option<String>,
    /// The address.
    #[serde(default)]
    pub email: Option<String>,
    /// The number in the company.
    #[serde(default)]
    pub job_number: Option<String>,
    /// The colour of the avatar on the page, as CSS writes it.
    #[serde(default = "grey")]
    pub avatar_color: String,
    /// Whether the person administers the company.
    #[serde(default)]
    pub admin: bool,
    /// Whether the person heads the company.
    #[serde(default)]
    pub boss: bool,
    /// Whether the account is activated.
    #[serde(default = "yes")]
    pub active: bool,
    /// The ids of the person's departments.
    pub departments: Vec<i64>,
    /// Those of them that the person leads.
    #[serde(default)]
    pub leads: Vec<i64>,
    /// Whom the person reports to.
    #[serde(default)]
    pub manager: Option<String>,
    /// The ids of the person's roles.
    #[serde(default)]
    pub roles: Vec<i64>,
    /// The first day, as `2021-07-01`.
    #[serde(default)]
    pub hired: Option<jiff::civil::Date>,
}

fn grey() -> String {
    "#8c8c8c".to_owned()
}

fn yes() -> bool {
    true
}

/// One department of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// The department id; 1 is the root.
    pub id: i64,
    /// The department above, 0 for the root.
    #[serde(default)]
    pub parent: i64,
    /// The name people see.
    pub name: String,
}

/// Something that people can be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The role.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The name of its group.
    pub group: String,
}

/// A group that is there from the start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedGroup {
    /// The open conversation id (`cid…==`).
    pub id: String,
    /// The id for the old group calls (`chat…`).
    pub chatid: String,
    /// The title of the group.
    pub name: String,
    /// The owner's user id, one of the members.
    pub owner: String,
    /// The members' user ids.
    pub members: Vec<String>,
}

/// An approval form and its standing approvers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Template {
    /// The template's code (`PROC-…`).
    pub process_code: String,
    /// The name people see.
    pub name: String,
    /// The controls of the form, in order.
    pub fields: Vec<Field>,
    /// Who decides when a request names no approvers, one after another.
    pub approvers: Vec<String>,
}

/// One control of an approval form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Field {
    /// The label, by which values are given.
    pub name: String,
    /// The kind of control, such as `TextField`.
    pub component_type: String,
    /// Whether it must be filled in.
    #[serde(default)]
    pub required: bool,
    /// What can be chosen.
    #[serde(default)]
    pub options: Vec<String>,
    /// The controls of a row, of a table.
    #[serde(default)]
    pub children: Vec<Field>,
}

/// A work notice with places for values, as a vendor makes it in the developer console.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTemplate {
    /// The template.
    pub id: String,
    /// What it says, with values in the places of `${name}`.
    pub text: String,
}

/// What one app may see of the contacts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The app's name.
    pub app: String,
    /// Departments, with everything below them.
    #[serde(default)]
    pub departments: Vec<i64>,
    /// Single people.
    #[serde(default)]
    pub users: Vec<String>,
    /// The permission points that were granted; `None` for all of them.
    #[serde(default)]
    pub permissions: Option<Vec<String>>,
}

impl Company {
    /// Finds a person by user id.
    pub(crate) fn person(&self, userid: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.userid == userid)
    }

    /// The name of a person, or the id itself for a stranger.
    pub(crate) fn name_of<'a>(&'a self, userid: &'a str) -> &'a str {
        self.person(userid)
            .map_or(userid, |person| person.name.as_str())
    }

    /// Finds a template by its code.
    pub(crate) fn template(&self, process_code: &str) -> Option<&Template> {
        self.templates
            .iter()
            .find(|template| template.process_code == process_code)
    }

    /// Finds a template of work notices.
    pub(crate) fn notice_template(&self, id: &str) -> Option<&NoticeTemplate> {
        self.notice_templates
            .iter()
            .find(|template| template.id == id)
    }

    /// Finds a department by id; -1 is another name of the root.
    pub(crate) fn department(&self, id: i64) -> Option<&Department> {
        let id = if id == -1 { 1 } else { id };
        self.departments
            .iter()
            .find(|department| department.id == id)
    }

    /// Everybody in a department or below it, in the order of the company's list.
    pub(crate) fn people_under(&self, department: i64) -> Vec<&Person> {
        self.people
            .iter()
            .filter(|person| {
                person
                    .departments
                    .iter()
                    .any(|id| self.is_under(*id, department))
            })
            .collect()
    }

    fn is_under(&self, mut id: i64, above: i64) -> bool {
        // The list is short and comes from a person, so a loop in it must not hang the simulator.
        for _ in 0..=self.departments.len() {
            if id == above {
                return true;
            }
            match self.department(id) {
                Some(department) => id = department.parent,
                None => return false,
            }
        }
        false
    }
}

impl NoticeTemplate {
    /// The text with its values, or the name of the first that is missing.
    pub(crate) fn render(&self, values: &BTreeMap<String, String>) -> Result<String, String> {
        let mut parts = self.text.split("${");
        let mut said = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').ok_or_else(|| part.to_owned())?;
            said.push_str(values.get(name).ok_or_else(|| name.to_owned())?);
            said.push_str(rest);
        }
        Ok(said)
    }
}

impl Person {
    /// The id that is the same in all apps of a developer.
    pub(crate) fn union_id(&self) -> String {
        self.unionid
            .clone()
            .unwrap_or_else(|| format!("union-{}", self.userid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_department_reaches_everybody() {
        let company = Company::sample();
        assert_eq!(company.people_under(1).len(), company.people.len());
        assert_eq!(company.people_under(3).len(), 4);
    }
}
