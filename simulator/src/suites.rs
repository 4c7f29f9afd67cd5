//! Third-party apps: tickets, authorisations of companies, and the tokens that go with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::crypto::random_text;
use crate::options::{App, Suite};

/// A ticket that DingTalk takes from suites that are being tested.
const TEST_TICKET: &str = "TestSuiteTicket";

/// All suites with what became of them.
#[derive(Debug, Default)]
pub(crate) struct Suites {
    list: Vec<Arc<Suite>>,
    by_key: BTreeMap<String, Standing>,
}

/// What became of one suite.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    ticket: Option<String>,
    token: Option<String>,
    /// Codes that were pushed and not exchanged, with their companies.
    codes: BTreeMap<String, String>,
    used: BTreeSet<String>,
    /// The permanent codes of companies.
    permanent: BTreeMap<String, String>,
    activated: BTreeSet<String>,
}

impl Suites {
    pub(crate) fn set(&mut self, suites: Vec<Suite>) {
        self.list = suites.into_iter().map(Arc::new).collect();
    }

    pub(crate) fn all(&self) -> Vec<Arc<Suite>> {
        self.list.clone()
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<Suite>> {
        self.list
            .iter()
            .find(|suite| suite.name == name)
            .map(Arc::clone)
    }

    pub(crate) fn of_key(&self, key: &str) -> Option<Arc<Suite>> {
        self.list
            .iter()
            .find(|suite| suite.suite_key == key)
            .map(Arc::clone)
    }

    pub(crate) fn standing(&mut self, suite: &Suite) -> &mut Standing {
        self.by_key.entry(suite.suite_key.clone()).or_default()
    }

    /// Back to the start: nobody has authorised anything.
    pub(crate) fn reset(&mut self) {
        self.by_key.clear();
    }

    /// What each activated company sees as an app.
    pub(crate) fn apps(&self) -> Vec<App> {
        let mut apps = Vec::new();
        for suite in &self.list {
            let Some(standing) = self.by_key.get(&suite.suite_key) else {
                continue;
            };
            apps.extend(standing.activated.iter().map(|corp| app_of(suite, corp)));
        }
        apps
    }

    /// Whether an app of that name is a third-party app in one of its companies.
    pub(crate) fn has_app(&self, app: &str) -> bool {
        let mut of_corps = self
            .list
            .iter()
            .flat_map(|suite| suite.corps.iter().map(move |corp| app_name(suite, corp)));
        of_corps.any(|name| name == app)
    }

    /// For the control door; no secrets.
    pub(crate) fn show(&self) -> Value {
        let suites = self.list.iter().map(|suite| {
            let standing = self.by_key.get(&suite.suite_key);
            json!({
                "name": suite.name,
                "suiteKey": suite.suite_key,
                "corps": suite.corps,
                "hasTicket": standing.is_some_and(|standing| standing.ticket.is_some()),
                "activated": standing.map(|standing| standing.activated.clone()).unwrap_or_default(),
            })
        });
        suites.collect()
    }
}

/// The name by which an app of a company is found: `suite@corp`.
pub(crate) fn app_name(suite: &Suite, corp: &str) -> String {
    format!("{}@{corp}", suite.name)
}

fn app_of(suite: &Suite, corp: &str) -> App {
    let place = suite.corps.iter().position(|other| other == corp);
    App {
        name: app_name(suite, corp),
        corp_id: corp.to_owned(),
        app_key: format!("{}@{corp}", suite.suite_key),
        // Nobody gets a token with it.
        app_secret: random_text(32),
        agent_id: agent_id(place.unwrap_or_default()),
        robot_code: suite.suite_key.clone(),
        callback: suite.callback.clone(),
        robot_url: None,
    }
}

fn agent_id(place: usize) -> i64 {
    2001 + i64::try_from(place).unwrap_or_default()
}

impl Suite {
    /// The app's number in a company.
    pub(crate) fn agent_id(&self, corp: &str) -> i64 {
        let place = self.corps.iter().position(|other| other == corp);
        agent_id(place.unwrap_or_default())
    }
}

impl Standing {
    /// A new ticket; the one before is worth nothing any more.
    pub(crate) fn new_ticket(&mut self) -> String {
        self.ticket.insert(random_text(24)).clone()
    }

    pub(crate) fn takes_ticket(&self, ticket: &str) -> bool {
        ticket == TEST_TICKET || self.ticket.as_deref() == Some(ticket)
    }

    pub(crate) fn new_token(&mut self) -> String {
        self.token.insert(random_text(32)).clone()
    }

    pub(crate) fn takes_token(&self, token: &str) -> bool {
        self.token.as_deref() == Some(token)
    }

    /// A company opens the app for the first time.
    pub(crate) fn new_code(&mut self, corp: &str) -> String {
        let code = random_text(24);
        self.codes.insert(code.clone(), corp.to_owned());
        code
    }

    /// The company of a code, which is good for one exchange; `Err` with whether it was used before.
    pub(crate) fn exchange(&mut self, code: &str) -> Result<(String, String), bool> {
        let corp = self
            .codes
            .remove(code)
            .ok_or_else(|| self.used.contains(code))?;
        self.used.insert(code.to_owned());
        let permanent = self
            .permanent
            .entry(corp.clone())
            .or_insert_with(|| random_text(32))
            .clone();
        Ok((corp, permanent))
    }

    pub(crate) fn activate(&mut self, corp: &str, permanent: &str) -> bool {
        let fits = self
            .permanent
            .get(corp)
            .is_some_and(|code| code == permanent);
        if fits {
            self.activated.insert(corp.to_owned());
        }
        fits
    }

    pub(crate) fn has_authorized(&self, corp: &str) -> bool {
        self.permanent.contains_key(corp)
    }

    /// The company removes the app.
    pub(crate) fn relieve(&mut self, corp: &str) {
        self.permanent.remove(corp);
        self.activated.remove(corp);
    }
}
