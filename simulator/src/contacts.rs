//! Finds people and departments quickly, and knows what each app may see of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::company::{Company, Department, Person, Role, Scope};

/// The directory of a company and the scopes of its apps.
pub(crate) struct Contacts {
    company: Arc<Company>,
    people: HashMap<String, usize>,
    unions: HashMap<String, usize>,
    mobiles: HashMap<String, usize>,
    departments: HashMap<i64, usize>,
    children: HashMap<i64, Vec<i64>>,
    members: HashMap<i64, Vec<usize>>,
    scopes: HashMap<String, Scope>,
}

impl Contacts {
    /// The directory of a company, with the scopes it starts with.
    pub(crate) fn of(company: &Arc<Company>) -> Self {
        let mut contacts = Self {
            company: Arc::clone(company),
            people: HashMap::new(),
            unions: HashMap::new(),
            mobiles: HashMap::new(),
            departments: HashMap::new(),
            children: HashMap::new(),
            members: HashMap::new(),
            scopes: HashMap::new(),
        };
        for (place, person) in company.people.iter().enumerate() {
            contacts.people.insert(person.userid.clone(), place);
            contacts.unions.insert(person.union_id(), place);
            if let Some(mobile) = &person.mobile {
                contacts.mobiles.insert(mobile.clone(), place);
            }
            for id in &person.departments {
                contacts.members.entry(*id).or_default().push(place);
            }
        }
        for (place, department) in company.departments.iter().enumerate() {
            contacts.departments.insert(department.id, place);
            if department.id != 1 {
                let above = contacts.children.entry(department.parent);
                above.or_default().push(department.id);
            }
        }
        for scope in &company.scopes {
            contacts.set_scope(scope.clone());
        }
        contacts
    }

    /// Changes what an app may see.
    pub(crate) fn set_scope(&mut self, scope: Scope) {
        self.scopes.insert(scope.app.clone(), scope);
    }

    pub(crate) fn person(&self, userid: &str) -> Option<&Person> {
        self.at(self.people.get(userid))
    }

    pub(crate) fn by_union_id(&self, unionid: &str) -> Option<&Person> {
        self.at(self.unions.get(unionid))
    }

    pub(crate) fn by_mobile(&self, mobile: &str) -> Option<&Person> {
        self.at(self.mobiles.get(mobile))
    }

    pub(crate) fn department(&self, id: i64) -> Option<&Department> {
        Some(&self.company.departments[*self.departments.get(&id)?])
    }

    pub(crate) fn role(&self, id: i64) -> Option<&Role> {
        self.company.roles.iter().find(|role| role.id == id)
    }

    /// The departments directly below one.
    pub(crate) fn children(&self, id: i64) -> &[i64] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// All departments below one, each before those below it.
    pub(crate) fn below(&self, id: i64) -> Vec<i64> {
        let mut found = self.children(id).to_vec();
        let mut next = 0;
        while let Some(id) = found.get(next) {
            found.extend(self.children(*id).to_vec());
            next += 1;
        }
        found
    }

    /// The direct members of a department, in the order of the company's list.
    pub(crate) fn members(&self, id: i64) -> impl Iterator<Item = &Person> {
        let places = self.members.get(&id).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.company.people[*place])
    }

    /// How many direct members a department has.
    pub(crate) fn member_count(&self, id: i64) -> usize {
        self.members.get(&id).map_or(0, Vec::len)
    }

    /// A department and those above it, the root last.
    pub(crate) fn path(&self, mut id: i64) -> Vec<i64> {
        let mut path = Vec::new();
        let mut seen = HashSet::new();
        while let Some(department) = self.department(id) {
            if !seen.insert(id) {
                break;
            }
            path.push(id);
            id = department.parent;
        }
        path
    }

    /// Everybody, in the order of the company's list.
    pub(crate) fn everybody(&self) -> &[Person] {
        &self.company.people
    }

    /// The place of a person in the company's list.
    pub(crate) fn place(&self, userid: &str) -> usize {
        self.people.get(userid).copied().unwrap_or_default()
    }

    /// What was said about the app, if anything.
    pub(crate) fn scope(&self, app: &str) -> Option<&Scope> {
        self.scopes.get(app)
    }

    pub(crate) fn sees_department(&self, app: &str, id: i64) -> bool {
        self.scope(app).is_none_or(|scope| {
            let path = self.path(id);
            scope.departments.iter().any(|seen| path.contains(seen))
        })
    }

    pub(crate) fn sees_person(&self, app: &str, person: &Person) -> bool {
        self.scope(app)
            .is_none_or(|scope| scope.users.contains(&person.userid))
            || person
                .departments
                .iter()
                .any(|id| self.sees_department(app, *id))
    }

    /// Whether the app was granted a permission point.
    pub(crate) fn permits(&self, app: &str, point: &str) -> bool {
        let granted = self.scope(app).and_then(|scope| scope.permissions.as_ref());
        granted.is_none_or(|granted| granted.iter().any(|given| given == point))
    }

    fn at(&self, place: Option<&usize>) -> Option<&Person> {
        Some(&self.company.people[*place?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts() -> Contacts {
        Contacts::of(&Arc::new(Company::sample()))
    }

    #[test]
    fn paths_lead_to_the_root() {
        let contacts = contacts();
        assert_eq!(contacts.path(21), [21, 2, 1]);
        assert_eq!(contacts.path(99), [0; 0]);
        assert_eq!(contacts.below(1), [2, 3, 4, 21]);
    }

    #[test]
    fn a_scope_covers_what_is_below_its_departments_and_its_people() {
        let mut contacts = contacts();
        let alice = contacts.person("alice").unwrap().clone();
        assert!(contacts.sees_person("acme", &alice));
        contacts.set_scope(Scope {
            app: "acme".to_owned(),
            departments: vec![2],
            users: vec!["manager".to_owned()],
            permissions: Some(vec!["qyapi_get_member".to_owned()]),
        });
        for (userid, seen) in [
            ("alice", true),
            ("dave", true),
            ("manager", true),
            ("lisi", false),
        ] {
            let person = contacts.person(userid).unwrap();
            assert_eq!(contacts.sees_person("acme", person), seen, "{userid}");
        }
        assert!(contacts.sees_department("acme", 21) && !contacts.sees_department("acme", 1));
        assert!(contacts.permits("acme", "qyapi_get_member"));
        assert!(!contacts.permits("acme", "fieldMobile"));
        assert!(contacts.sees_department("other", 1) && contacts.permits("other", "fieldMobile"));
    }
}
