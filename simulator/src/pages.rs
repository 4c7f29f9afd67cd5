//! Gives out the tickets that sign pages and the codes that tell who opened one.

use std::collections::HashMap;

use crate::crypto::random_text;

/// How long a ticket lives, in seconds, as the answers say it.
pub(crate) const TICKET_SECONDS: i64 = 7200;
/// A ticket is renewed until it is a day old.
const TICKET_MOST_MS: i64 = 24 * 3600 * 1000;
/// How long a code lives.
const CODE_MS: i64 = 5 * 60 * 1000;

/// The tickets and codes of all apps.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    tickets: HashMap<String, Ticket>,
    codes: HashMap<String, Code>,
}

#[derive(Debug)]
struct Ticket {
    text: String,
    made: i64,
    expires: i64,
}

#[derive(Debug)]
struct Code {
    app: String,
    userid: String,
    expires: i64,
}

impl Pages {
    /// The app's ticket: the same while it lives, with a new lease that ends a day after it was made.
    pub(crate) fn ticket(&mut self, app: &str, now: i64) -> &str {
        let fresh = || Ticket {
            text: random_text(64),
            made: now,
            expires: now,
        };
        let ticket = self.tickets.entry(app.to_owned()).or_insert_with(fresh);
        if ticket.expires <= now {
            *ticket = fresh();
        }
        ticket.expires = (now + TICKET_SECONDS * 1000).min(ticket.made + TICKET_MOST_MS);
        &ticket.text
    }

    /// A code as a page gets it when a person opens it.
    pub(crate) fn code(&mut self, app: &str, userid: &str, now: i64) -> String {
        let code = random_text(32);
        let (app, userid) = (app.to_owned(), userid.to_owned());
        let expires = now + CODE_MS;
        self.codes.insert(
            code.clone(),
            Code {
                app,
                userid,
                expires,
            },
        );
        code
    }

    /// Whose code this is; it counts once, and for its app only.
    pub(crate) fn redeem(&mut self, app: &str, code: &str, now: i64) -> Option<String> {
        let is_good = |code: &Code| code.app == app && code.expires > now;
        self.codes.get(code).filter(|code| is_good(code))?;
        self.codes.remove(code).map(|code| code.userid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_renewed_for_a_day_and_no_longer() {
        let mut pages = Pages::default();
        let first = pages.ticket("acme", 0).to_owned();
        assert_eq!(pages.ticket("acme", 7_199_000), first);
        for hour in 3..24 {
            assert_eq!(pages.ticket("acme", hour * 3_600_000), first, "{hour}");
        }
        assert_ne!(pages.ticket("acme", TICKET_MOST_MS), first);
        assert_ne!(pages.ticket("other", 0), first);
    }

    #[test]
    fn a_code_counts_once_for_its_app_and_for_five_minutes() {
        let mut pages = Pages::default();
        let code = pages.code("acme", "alice", 0);
        assert_eq!(pages.redeem("other", &code, 1), None);
        assert_eq!(pages.redeem("acme", &code, 1).as_deref(), Some("alice"));
        assert_eq!(pages.redeem("acme", &code, 2), None);
        let code = pages.code("acme", "alice", 0);
        assert_eq!(pages.redeem("acme", &code, CODE_MS), None);
    }
}
