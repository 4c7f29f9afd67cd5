//! What can be sent: messages of the app ([`Message`]) and of its robot ([`RobotOut`]).

mod app;
mod redact;
mod robot;

pub use robot::Template;

/// Text in DingTalk's subset of Markdown.
#[derive(Clone, PartialEq, Eq)]
pub struct Markdown {
    /// What the list of conversations shows.
    pub title: String,
    /// The text, at most 5000 characters.
    pub text: String,
}

/// A link with a picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// At most 100 characters.
    pub title: String,
    /// At most 500 characters.
    pub text: String,
    /// Where it leads.
    pub message_url: String,
    /// A media id or a URL.
    pub pic_url: String,
}

/// A button that opens a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Button {
    /// At most 20 characters.
    pub title: String,
    /// Where it leads.
    pub url: String,
}

/// How several buttons are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// One above the other.
    Vertical,
    /// Side by side.
    Horizontal,
}

/// Several buttons.
#[derive(Clone, PartialEq, Eq)]
pub struct ButtonRow {
    /// How they are laid out.
    pub orientation: Orientation,
    /// At least one.
    pub buttons: Vec<Button>,
}

/// The buttons of an action card.
#[derive(Clone, PartialEq, Eq)]
pub enum CardButtons {
    /// The whole card is one button.
    Single(Button),
    /// Several buttons.
    Several(ButtonRow),
}

/// A card with buttons.
#[derive(Clone, PartialEq, Eq)]
pub struct ActionCard {
    /// What the list of conversations shows.
    pub title: String,
    /// The text in Markdown.
    pub markdown: String,
    /// What can be pressed.
    pub buttons: CardButtons,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The uploaded recording.
    pub media_id: String,
    /// Its length in seconds, 1 to 59.
    pub duration_s: u32,
}

/// A row of the form in an OA message.
#[derive(Clone, PartialEq, Eq)]
pub struct OaRow {
    /// The label.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A large figure in an OA message.
#[derive(Clone, PartialEq, Eq)]
pub struct OaFigure {
    /// The number as text.
    pub num: String,
    /// Its unit.
    pub unit: String,
}

/// The body of an OA message.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OaBody {
    /// At most 50 characters.
    pub title: Option<String>,
    /// Six rows are shown.
    pub form: Vec<OaRow>,
    /// A large figure.
    pub rich: Option<OaFigure>,
    /// Three lines are shown.
    pub content: Option<String>,
    /// A media id.
    pub image: Option<String>,
    /// The number of attachments, shown only.
    pub file_count: Option<u32>,
    /// The author's name.
    pub author: Option<String>,
}

/// An OA message: a form-like card.
#[derive(Clone, PartialEq, Eq)]
pub struct Oa {
    /// Where it leads on a phone.
    pub message_url: String,
    /// Where it leads on a computer.
    pub pc_message_url: Option<String>,
    /// Colour of its head, eight hex digits ARGB.
    pub head_bgcolor: String,
    /// Text of its head; work notices show the app's name instead.
    pub head_text: String,
    /// What it says.
    pub body: OaBody,
}

/// A message for a group (`chat/send`) or a work notice (`asyncsend_v2`). It serializes to DingTalk's `msg` object.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Plain text.
    Text(String),
    /// Markdown.
    Markdown(Markdown),
    /// A link.
    Link(Link),
    /// A card with buttons.
    ActionCard(ActionCard),
    /// A picture, by media id.
    Image(String),
    /// A recording.
    Voice(Voice),
    /// A file, by media id.
    File(String),
    /// A form-like card.
    Oa(Oa),
}

/// An entry of a feed card.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedLink {
    /// Its title.
    pub title: String,
    /// Where it leads.
    pub message_url: String,
    /// Its picture, a URL.
    pub pic_url: String,
}

/// A message that a robot can send. Webhooks and the v1.0 API want it in different shapes.
#[derive(Clone, PartialEq, Eq)]
pub enum RobotOut {
    /// Plain text.
    Text(String),
    /// Markdown.
    Markdown(Markdown),
    /// A link.
    Link(Link),
    /// A card with buttons.
    ActionCard(ActionCard),
    /// Several links; only webhooks take it.
    FeedCard(Vec<FeedLink>),
}

/// Whom a robot's reply mentions. The text must also have `@` and the id where it is to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// By user id.
    pub user_ids: Vec<String>,
    /// By mobile number.
    pub mobiles: Vec<String>,
    /// Everybody.
    pub all: bool,
}

/// Why a message cannot be sent: DingTalk would refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A text is longer than DingTalk takes.
    #[error("{part} has {actual} characters, dingtalk takes {limit}")]
    TooLong {
        /// Which text.
        part: &'static str,
        /// Its length in characters.
        actual: usize,
        /// The limit in characters.
        limit: usize,
    },
    /// The encoded message is larger than DingTalk takes.
    #[error("message has {actual} bytes, dingtalk takes {limit}")]
    TooLarge {
        /// Its size in bytes.
        actual: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A part that DingTalk requires is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The head of an OA message has a colour as ARGB.
    #[error("oa head colour is not eight hex digits, such as FF78C06E")]
    Colour,
    /// A recording must last 1 to 59 seconds.
    #[error("a voice message lasts {0} seconds, dingtalk takes 1 to 59")]
    Duration(u32),
    /// More buttons than this way of sending has room for.
    #[error("a robot's card has {0} buttons, dingtalk takes 1 to 5")]
    Buttons(usize),
    /// More people than a reply can mention.
    #[error("{0} people are mentioned, dingtalk takes 50")]
    Mentions(usize),
    /// A feed card can only be a reply.
    #[error("a feed card can only be sent as a reply")]
    FeedCard,
}

/// Whether a text is there and not too long.
fn check_text(part: &'static str, text: &str, limit: usize) -> Result<(), MessageError> {
    if text.is_empty() {
        return Err(MessageError::Empty(part));
    }
    check_length(part, text, limit)
}

fn check_length(part: &'static str, text: &str, limit: usize) -> Result<(), MessageError> {
    // A character has at least a byte, so most texts need no counting.
    if text.len() <= limit {
        return Ok(());
    }
    match text.chars().count() {
        actual if actual > limit => Err(MessageError::TooLong {
            part,
            actual,
            limit,
        }),
        _ => Ok(()),
    }
}
