//! Reads a company from its file and checks that it hangs together.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::Company;

/// The company that the program carries.
const SAMPLE: &str = include_str!("../../company.toml");

/// Why a file is no company.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixtureError {
    /// It is no TOML, or not of this form.
    #[error("cannot read the company: {0}")]
    Form(String),
    /// It names what is not there, or one thing twice.
    #[error("the company does not hang together: {}", .0.join("; "))]
    Content(Vec<String>),
}

impl Company {
    /// Reads a company, with every problem at once.
    pub fn parse(text: &str) -> Result<Self, FixtureError> {
        let company: Self =
            toml::from_str(text).map_err(|error| FixtureError::Form(error.to_string()))?;
        let problems = problems(&company);
        if problems.is_empty() {
            Ok(company)
        } else {
            Err(FixtureError::Content(problems))
        }
    }

    /// The small company of `company.toml`: twelve people, two groups, two templates.
    pub fn sample() -> Self {
        Self::parse(SAMPLE).expect("a test reads the company that the program carries")
    }
}

fn problems(company: &Company) -> Vec<String> {
    let mut found = Vec::new();
    let departments = unique(
        "department",
        company.departments.iter().map(|it| it.id),
        &mut found,
    );
    let roles = unique("role", company.roles.iter().map(|it| it.id), &mut found);
    let people = unique(
        "person",
        company.people.iter().map(|it| it.userid.as_str()),
        &mut found,
    );
    unique(
        "group",
        company.groups.iter().map(|it| it.id.as_str()),
        &mut found,
    );
    unique(
        "template",
        company.templates.iter().map(|it| it.process_code.as_str()),
        &mut found,
    );
    unique(
        "notice template",
        company.notice_templates.iter().map(|it| it.id.as_str()),
        &mut found,
    );
    let mut check = |known: bool, place: &dyn Debug, what: &str, name: &dyn Debug| {
        if !known {
            found.push(format!(
                "{place:?} names the {what} {name:?}, which is not there"
            ));
        }
    };
    check(departments.contains(&1), &"the tree", "root", &1);
    for department in company.departments.iter().filter(|it| it.id != 1) {
        let known = departments.contains(&department.parent);
        check(known, &department.name, "department", &department.parent);
    }
    for person in &company.people {
        for id in &person.departments {
            check(departments.contains(id), &person.userid, "department", id);
        }
        for id in &person.leads {
            check(
                person.departments.contains(id),
                &person.userid,
                "led department",
                id,
            );
        }
        for id in &person.roles {
            check(roles.contains(id), &person.userid, "role", id);
        }
        if let Some(manager) = &person.manager {
            check(
                people.contains(manager.as_str()),
                &person.userid,
                "manager",
                manager,
            );
        }
    }
    for group in &company.groups {
        check(
            group.members.contains(&group.owner),
            &group.name,
            "owner",
            &group.owner,
        );
        for member in &group.members {
            check(
                people.contains(member.as_str()),
                &group.name,
                "member",
                member,
            );
        }
    }
    for template in &company.templates {
        for approver in &template.approvers {
            check(
                people.contains(approver.as_str()),
                &template.name,
                "approver",
                approver,
            );
        }
    }
    for scope in &company.scopes {
        for id in &scope.departments {
            check(departments.contains(id), &scope.app, "department", id);
        }
        for user in &scope.users {
            check(people.contains(user.as_str()), &scope.app, "user", user);
        }
    }
    found
}

fn unique<T: Ord + Copy + Debug>(
    what: &str,
    ids: impl Iterator<Item = T>,
    found: &mut Vec<String>,
) -> BTreeSet<T> {
    let mut known = BTreeSet::new();
    for id in ids {
        if !known.insert(id) {
            found.push(format!("the {what} {id:?} is there twice"));
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_company_that_is_carried_hangs_together() {
        let company = Company::parse(SAMPLE).unwrap();
        assert_eq!(company.people.len(), 12);
        assert!(company.person("dave").unwrap().leads.contains(&21));
    }

    #[test]
    fn what_is_wrong_is_told_at_once() {
        let text = r#"
            [[department]]
            id = 2
            parent = 7
            name = "研发部"
            [[person]]
            userid = "a"
            name = "甲"
            departments = [2, 9]
            leads = [3]
            manager = "b"
            [[person]]
            userid = "a"
            name = "乙"
            departments = []
            [[group]]
            id = "cid1"
            chatid = "chat1"
            name = "群"
            owner = "c"
            members = ["a"]
        "#;
        let told = Company::parse(text).unwrap_err().to_string();
        for problem in [
            "the person \"a\" is there twice",
            "\"the tree\" names the root 1, which is not there",
            "\"研发部\" names the department 7, which is not there",
            "\"a\" names the department 9, which is not there",
            "\"a\" names the led department 3, which is not there",
            "\"a\" names the manager \"b\", which is not there",
            "\"群\" names the owner \"c\", which is not there",
        ] {
            assert!(told.contains(problem), "{problem} is not in {told}");
        }
        let told = Company::parse("[[person]]\nuserid = \"a\"\ncolour = 1").unwrap_err();
        assert!(told.to_string().contains("colour"), "{told}");
    }
}
