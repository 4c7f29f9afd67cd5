//! What one argument of a call may be.

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name, as DingTalk spells it.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether the call needs it.
    pub is_required: bool,
    /// What the client knows itself when it is left out.
    pub fill: Option<Fill>,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text of at most so many characters; a required one is not empty.
    Text(usize),
    /// A text of at least and at most so many characters.
    Sized(usize, usize),
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A whole number between two others.
    Integer(i64, i64),
    /// True or false.
    Boolean,
    /// A list of at most so many texts of at most [`LONGEST_ID`] characters.
    Texts(usize),
    /// At most so many such texts joined by commas.
    Joined(usize),
    /// A list of at most so many objects.
    Objects(usize),
    /// A form: at most so many objects with a text as `name` and a text as `value`; lists and objects are JSON in that
    /// text.
    Fields(usize),
    /// An object.
    Object,
    /// A message: an object with one of [`MESSAGES`] as `msgtype` and a member of that name.
    Message,
}

/// The kinds of messages that groups and notices take.
pub const MESSAGES: [&str; 8] = [
    "text",
    "image",
    "voice",
    "file",
    "link",
    "oa",
    "markdown",
    "action_card",
];

/// What the client puts in where the caller left it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The app's agent id.
    AgentId,
    /// The code of the app's robot.
    RobotCode,
}

impl Param {
    /// Whether the caller must give it.
    pub const fn is_needed(&self) -> bool {
        self.is_required && self.fill.is_none()
    }

    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(super) const fn filled(mut self, fill: Fill) -> Self {
        self.fill = Some(fill);
        self
    }
}

const fn param(name: &'static str, kind: Kind) -> Param {
    Param {
        name,
        kind,
        is_required: false,
        fill: None,
    }
}

/// The longest id that is sent, in characters; DingTalk's user ids have at most 64, its other ids a little more.
pub const LONGEST_ID: usize = 256;

pub(super) const fn id(name: &'static str) -> Param {
    param(name, Kind::Text(LONGEST_ID))
}

pub(super) const fn text(name: &'static str, most: usize) -> Param {
    param(name, Kind::Text(most))
}

/// A text whose length is given on both sides.
pub(super) const fn sized(name: &'static str, least: usize, most: usize) -> Param {
    param(name, Kind::Sized(least, most))
}

pub(super) const fn word(name: &'static str, words: &'static [&'static str]) -> Param {
    param(name, Kind::Word(words))
}

pub(super) const fn integer(name: &'static str, least: i64, most: i64) -> Param {
    param(name, Kind::Integer(least, most))
}

/// A number that DingTalk gave out, or a time.
pub(super) const fn number(name: &'static str) -> Param {
    integer(name, 0, i64::MAX)
}

/// A department; -1 is another name of the root.
pub(super) const fn department(name: &'static str) -> Param {
    integer(name, -1, i64::MAX)
}

/// A setting of a group: 0 or 1.
pub(super) const fn bit(name: &'static str) -> Param {
    integer(name, 0, 1)
}

pub(super) const fn boolean(name: &'static str) -> Param {
    param(name, Kind::Boolean)
}

pub(super) const fn texts(name: &'static str, most: usize) -> Param {
    param(name, Kind::Texts(most))
}

pub(super) const fn joined(name: &'static str, most: usize) -> Param {
    param(name, Kind::Joined(most))
}

pub(super) const fn objects(name: &'static str, most: usize) -> Param {
    param(name, Kind::Objects(most))
}

pub(super) const fn fields(name: &'static str, most: usize) -> Param {
    param(name, Kind::Fields(most))
}

pub(super) const fn object(name: &'static str) -> Param {
    param(name, Kind::Object)
}

pub(super) const fn message(name: &'static str) -> Param {
    param(name, Kind::Message)
}

pub(super) const fn agent_id(name: &'static str) -> Param {
    number(name).filled(Fill::AgentId)
}

pub(super) const fn robot_code(name: &'static str) -> Param {
    id(name).filled(Fill::RobotCode)
}
