//! Every API that belfry knows: its name, where it is and what it takes.
//!
//! One table serves the raw call ([`Client::call`](crate::Client::call)), the command line, the REST gateway and its
//! OpenAPI document, and the table of the documentation. What DingTalk must refuse is found here, before anything is
//! sent, and the error names the field.

mod approval;
mod callback;
mod chat;
mod check;
mod contacts;
mod h5;
mod isv;
mod media;
mod notice;
mod param;
mod robot;
mod token;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::ApiStyle;

pub use self::check::{ArgumentError, MAX_MESSAGE};
pub use self::param::{Fill, Kind, LONGEST_ID, MESSAGES, Param};

/// Rows that belong together; scopes of the gateway's keys are families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Access tokens, which the client fetches by itself.
    Token,
    /// People and departments.
    Contacts,
    /// Work notices.
    Notice,
    /// Groups.
    Chat,
    /// The app's robot.
    Robot,
    /// Approvals.
    Approval,
    /// The registration of event callbacks.
    Callback,
    /// Files.
    Media,
    /// Pages inside DingTalk.
    H5,
    /// Apps for many organisations.
    Isv,
}

impl Family {
    /// Its name in scopes and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Contacts => "contacts",
            Self::Notice => "notice",
            Self::Chat => "chat",
            Self::Robot => "robot",
            Self::Approval => "approval",
            Self::Callback => "callback",
            Self::Media => "media",
            Self::H5 => "h5",
            Self::Isv => "isv",
        }
    }
}

/// Whether a call changes anything at DingTalk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads, so it may be made again.
    Read,
    /// It changes something, so it must not be made again blindly.
    Write,
}

/// Which of DingTalk's hosts answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The older API, with `errcode` in its answers.
    Oapi,
    /// The v1.0 API, with HTTP status codes.
    Api,
}

/// The HTTP method of a call. Arguments of a GET go into the query, of a POST into the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Arguments in the query.
    Get,
    /// Arguments in a JSON body.
    Post,
}

/// How a call proves who makes it, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With the app's access token and arguments in JSON: what a raw call can make.
    Token,
    /// With the app's own key and secret: the client makes it by itself.
    Credentials,
    /// With a suite's ticket and signature.
    Suite,
    /// With a file in the part of a form that has this name, and arguments in the query.
    Upload(&'static str),
}

/// One request that DingTalk documents.
#[derive(Debug)]
pub struct Call {
    /// The HTTP method.
    pub verb: Verb,
    /// The path, without host and query.
    pub path: &'static str,
    /// What it takes.
    pub params: &'static [Param],
    /// At least one of these must be given.
    pub any_of: &'static [&'static str],
    /// The member of the body that holds the arguments, where they are not its members themselves.
    pub envelope: Option<&'static str>,
    /// How it is made.
    pub manner: Manner,
    /// What must hold among several arguments.
    rule: Option<check::Rule>,
}

impl Call {
    /// Which host answers it.
    pub fn host(&self) -> Host {
        if self.path.starts_with("/v1.0/") {
            Host::Api
        } else {
            Host::Oapi
        }
    }

    const fn new(verb: Verb, path: &'static str, params: &'static [Param]) -> Self {
        Self {
            verb,
            path,
            params,
            any_of: &[],
            envelope: None,
            manner: Manner::Token,
            rule: None,
        }
    }

    const fn any_of(self, any_of: &'static [&'static str]) -> Self {
        Self { any_of, ..self }
    }

    const fn within(self, envelope: &'static str) -> Self {
        Self {
            envelope: Some(envelope),
            ..self
        }
    }

    const fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    const fn rule(self, rule: check::Rule) -> Self {
        Self {
            rule: Some(rule),
            ..self
        }
    }
}

const fn get(path: &'static str, params: &'static [Param]) -> Call {
    Call::new(Verb::Get, path, params)
}

const fn post(path: &'static str, params: &'static [Param]) -> Call {
    Call::new(Verb::Post, path, params)
}

/// One thing that DingTalk can be asked for. **Invariant:** it has a call of at least one style.
#[derive(Debug)]
pub struct Api {
    /// Its name here, such as `chat.send`.
    pub name: &'static str,
    /// Its name in the REST gateway, if it is there.
    pub gateway: Option<&'static str>,
    /// Which rows it belongs to.
    pub family: Family,
    /// Whether it changes anything.
    pub access: Access,
    /// What it does, in one sentence.
    pub summary: &'static str,
    legacy: Option<Call>,
    modern: Option<Call>,
}

impl Api {
    /// The call of one style, if there is one.
    pub fn styled(&self, style: ApiStyle) -> Option<&Call> {
        match style {
            ApiStyle::Legacy => self.legacy.as_ref(),
            ApiStyle::Modern => self.modern.as_ref(),
        }
    }

    /// Its calls, that of the preferred style first.
    pub fn calls(&self, preferred: ApiStyle) -> impl Iterator<Item = &Call> {
        let other = match preferred {
            ApiStyle::Legacy => ApiStyle::Modern,
            ApiStyle::Modern => ApiStyle::Legacy,
        };
        [preferred, other]
            .into_iter()
            .filter_map(|style| self.styled(style))
    }

    const fn new(
        family: Family,
        access: Access,
        name: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            name,
            gateway: None,
            family,
            access,
            summary,
            legacy: None,
            modern: None,
        }
    }

    const fn gateway(mut self, name: &'static str) -> Self {
        self.gateway = Some(name);
        self
    }

    const fn legacy(mut self, call: Call) -> Self {
        self.legacy = Some(call);
        self
    }

    const fn modern(mut self, call: Call) -> Self {
        self.modern = Some(call);
        self
    }
}

const FAMILIES: &[&[Api]] = &[
    token::APIS,
    contacts::APIS,
    notice::APIS,
    chat::APIS,
    robot::APIS,
    approval::APIS,
    callback::APIS,
    media::APIS,
    h5::APIS,
    isv::APIS,
];

/// All rows, family by family.
pub fn apis() -> impl Iterator<Item = &'static Api> {
    FAMILIES.iter().copied().flatten()
}

/// The row of a name such as `chat.send`.
pub fn find(name: &str) -> Option<&'static Api> {
    apis().find(|api| api.name == name)
}

/// The row that the gateway serves under a name such as `chatSend`.
pub fn find_gateway(name: &str) -> Option<&'static Api> {
    apis().find(|api| api.gateway == Some(name))
}

/// The call of a path.
pub(crate) fn call_at(verb: Verb, path: &str) -> Option<&'static Call> {
    static CALLS: LazyLock<HashMap<(Verb, &'static str), &'static Call>> = LazyLock::new(|| {
        apis()
            .flat_map(|api| api.calls(ApiStyle::Modern))
            .map(|call| ((call.verb, call.path), call))
            .collect()
    });
    CALLS.get(&(verb, path)).copied()
}

#[cfg(test)]
mod tests;
