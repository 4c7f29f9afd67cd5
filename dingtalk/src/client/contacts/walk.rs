//! Walks the tree of departments and tells of its people page by page, without holding either.

use super::{PAGE, User};
use crate::{ApiError, Client};

/// DingTalk allows far fewer levels; a tree that is deeper goes in a circle.
const MAX_DEPTH: usize = 64;

/// A walk through a department and everything below it.
///
/// What it holds is one page of at most 100 people and the ids of the departments that it has seen and not entered. A
/// person of several departments is met in each of them.
#[derive(Debug)]
pub struct ContactsWalk {
    client: Client,
    /// Departments to enter, the next one last.
    ahead: Vec<Ahead>,
    /// The department it is in, and where its next page begins.
    inside: Option<(String, u64)>,
}

#[derive(Debug)]
struct Ahead {
    department: String,
    depth: usize,
}

/// Some people of a department that the walk came through. A department with nobody in it is told once, with no people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The department.
    pub department: String,
    /// At most 100 of its direct members.
    pub users: Vec<User>,
}

impl ContactsWalk {
    pub(super) fn new(client: Client, department: &str) -> Self {
        let start = Ahead {
            department: department.to_owned(),
            depth: 0,
        };
        Self {
            client,
            ahead: vec![start],
            inside: None,
        }
    }

    /// The next page of people; `None` at the end. After an error the walk stands where it was, so a call after a pause
    /// goes on without losing or repeating anybody.
    pub async fn next(&mut self) -> Result<Option<Visit>, ApiError> {
        let (department, start) = match self.inside.take() {
            Some(inside) => inside,
            None => match self.enter().await? {
                Some(department) => (department, 0),
                None => return Ok(None),
            },
        };
        let page = match self.client.users(&department, start, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                self.inside = Some((department, start));
                return Err(error);
            }
        };
        self.inside = page.next.map(|next| (department.clone(), next));
        Ok(Some(Visit {
            department,
            users: page.users,
        }))
    }

    async fn enter(&mut self) -> Result<Option<String>, ApiError> {
        let Some(next) = self.ahead.last() else {
            return Ok(None);
        };
        if next.depth > MAX_DEPTH {
            return Err(ApiError::Invalid {
                code: "client.depth".to_owned(),
                message: format!("the departments lie deeper than {MAX_DEPTH} levels"),
            });
        }
        let below = self.client.department_ids(&next.department).await?;
        let depth = next.depth + 1;
        let entered = self.ahead.pop().map(|next| next.department);
        // Turned round, so that they are entered in DingTalk's order.
        self.ahead.extend(
            below
                .into_iter()
                .rev()
                .map(|department| Ahead { department, depth }),
        );
        Ok(entered)
    }
}
