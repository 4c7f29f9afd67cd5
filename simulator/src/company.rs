//! The company the simulator starts with: people, departments, groups and approval templates.

/// Everything that is there after a start or a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Everybody who can write, approve and be told something.
    pub people: Vec<Person>,
    /// The departments; 1 is the root.
    pub departments: Vec<Department>,
    /// The groups that exist before any app makes one; the robots of all apps are members.
    pub groups: Vec<SeedGroup>,
    /// The approval templates that apps may start.
    pub templates: Vec<Template>,
}

/// One member of the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user id, unique in the company.
    pub userid: String,
    /// The name other people see.
    pub name: String,
    /// The job title.
    pub title: String,
    /// The colour of the avatar on the page, as CSS writes it.
    pub avatar_color: String,
    /// Whether the person administers the company.
    pub admin: bool,
    /// The ids of the person's departments.
    pub departments: Vec<i64>,
}

/// One department of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    /// The department id; 1 is the root.
    pub id: i64,
    /// The department above, 0 for the root.
    pub parent: i64,
    /// The name people see.
    pub name: String,
}

/// A group that is there from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The label, by which values are given.
    pub name: String,
    /// The kind of control, such as `TextField`.
    pub component_type: String,
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

impl Default for Company {
    fn default() -> Self {
        let everybody = [
            ("manager", "王建国", "部门经理", "#3b6ef5", true, 1),
            ("alice", "林爱丽", "后端工程师", "#e8684a", false, 2),
            ("bob", "陈博", "前端工程师", "#5ad8a6", false, 2),
            ("carol", "高可", "测试工程师", "#f6bd16", false, 2),
            ("dave", "杜维", "架构师", "#6f5ef9", false, 2),
            ("zhangsan", "张三", "运维工程师", "#6dc8ec", false, 3),
            ("lisi", "李四", "运维工程师", "#945fb9", false, 3),
            ("wangwu", "王五", "数据库管理员", "#ff9845", false, 3),
            ("zhaoliu", "赵六", "网络工程师", "#1e9493", false, 3),
            ("sunqi", "孙琪", "人事专员", "#ff99c3", true, 4),
            ("zhouba", "周芭", "行政专员", "#269a99", false, 4),
            ("wujiu", "吴久", "财务", "#bda29a", false, 4),
        ];
        let people = everybody
            .into_iter()
            .map(|(userid, name, title, color, admin, department)| Person {
                userid: userid.to_owned(),
                name: name.to_owned(),
                title: title.to_owned(),
                avatar_color: color.to_owned(),
                admin,
                departments: vec![department],
            })
            .collect();
        let departments = [
            (1, 0, "示例公司"),
            (2, 1, "研发部"),
            (3, 1, "运维部"),
            (4, 1, "人事行政部"),
        ]
        .into_iter()
        .map(|(id, parent, name)| Department {
            id,
            parent,
            name: name.to_owned(),
        })
        .collect();
        Self {
            people,
            departments,
            groups: vec![
                group(
                    ("cidOncall==", "chatoncall", "值班群 On-call"),
                    &[
                        "manager", "alice", "bob", "carol", "zhangsan", "lisi", "wangwu",
                    ],
                ),
                group(
                    ("cidDev==", "chatdev", "研发群"),
                    &[
                        "manager", "alice", "bob", "carol", "dave", "zhangsan", "lisi",
                    ],
                ),
            ],
            templates: vec![
                template("PROC-LEAVE", "请假", &["请假类型", "请假天数", "请假事由"]),
                template("PROC-1", "通用审批", &["事由"]),
            ],
        }
    }
}

fn group((id, chatid, name): (&str, &str, &str), members: &[&str]) -> SeedGroup {
    SeedGroup {
        id: id.to_owned(),
        chatid: chatid.to_owned(),
        name: name.to_owned(),
        owner: "manager".to_owned(),
        members: members.iter().map(|&userid| userid.to_owned()).collect(),
    }
}

fn template(process_code: &str, name: &str, fields: &[&str]) -> Template {
    let field = |&name: &&str| Field {
        name: name.to_owned(),
        component_type: if name.ends_with("事由") {
            "TextareaField"
        } else {
            "TextField"
        }
        .to_owned(),
    };
    Template {
        process_code: process_code.to_owned(),
        name: name.to_owned(),
        fields: fields.iter().map(field).collect(),
        approvers: vec!["manager".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_names_only_people_it_has() {
        let company = Company::default();
        for group in &company.groups {
            assert!(group.members.contains(&group.owner));
            assert!(
                group
                    .members
                    .iter()
                    .all(|userid| company.person(userid).is_some())
            );
        }
        for template in &company.templates {
            assert!(
                template
                    .approvers
                    .iter()
                    .all(|userid| company.person(userid).is_some())
            );
        }
    }

    #[test]
    fn root_department_reaches_everybody() {
        let company = Company::default();
        assert_eq!(company.people_under(1).len(), company.people.len());
        assert_eq!(company.people_under(3).len(), 4);
    }
}
