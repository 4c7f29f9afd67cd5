//! The DingTalk (钉钉) protocol for bots: encrypted callbacks, typed events, messages and the HTTP API.
//!
//! The crate opens no listener and stores nothing. A server hands it what arrived and acts on what it returns:
//!
//! - [`Callback`] verifies, decrypts and answers an HTTP event push;
//! - [`Event`] is the decrypted event, [`RobotMessage`] what somebody wrote to a robot;
//! - [`Message`] and [`RobotOut`] are what can be sent;
//! - [`Client`] calls the API of one app, looks after its access tokens and types every failure by what the
//!   caller can do about it ([`ApiError`]);
//! - [`catalog`] is the table of every API, for raw calls and for whoever describes them.
//!
//! No token, key, secret or message text appears in a `Debug` output, an error text or a log line.

mod callback;
pub mod catalog;
mod client;
mod crypto;
mod error;
mod event;
mod members;
mod message;
pub mod metric;
mod pace;
mod reach;
mod robot;
mod secret;
mod sync;
mod time;
mod token;

pub use callback::{
    Callback, CallbackError, CallbackQuery, CallbackReply, KeyError, Nonce, Opened,
};
pub use client::approval::{
    Address, AttachedFile, Attachment, Comment, Control, DateRange, Field, FieldError, FieldValue,
    FileLink, Files, Form, Instance, InstanceRecord, InstanceStatus, InstanceTask, Listing,
    NewInstance, Page, Place, Redirection, Step, StepRule, Template as ApprovalTemplate,
    TemplatePage, Verdict,
};
pub use client::callback::{FailedPush, FailedPushes, Registration};
pub use client::chat::{
    ChatInfo, ChatUpdate, CreatedChat, MemberPage, NewChat, NewScene, ReaderPage, SceneChanges,
    SceneMessage,
};
pub use client::contacts::{
    ContactsScope, ContactsWalk, Department, FoundUser, Headcount, User, UserRole, UsersPage, Visit,
};
pub use client::h5::{PageDigest, PageRequest, PageUser};
pub use client::isv::{CorpAuthorization, PermanentCode, Suite, suite_signature};
pub use client::media::{MediaKind, Upload};
pub use client::notice::{
    NamedRecipients, NoticeOutcome, NoticeProgress, NoticeState, Recipients, Refusal,
};
pub use client::raw::NamedFile;
pub use client::robot::{Recalled, SendState, SentState, SentToPeople};
pub use client::{
    ApiStyle, BuildError, Client, Credentials, Endpoints, KeyKind, Options, Timeouts,
};
pub use error::ApiError;
pub use event::{
    ApprovalInstance, ApprovalTask, ChatChange, ChatChangeKind, CheckIn, CheckInKind,
    CheckInRecord, ContactsChange, Decision, Event, EventBody, EventError, InstanceChange,
    SuiteChange, SuiteEvent, TaskChange, TaskDecision, approval_end_key,
};
pub use message::{
    ActionCard, Button, ButtonRow, CardButtons, FeedLink, Link, Markdown, Mentions, Message,
    MessageError, Oa, OaBody, OaFigure, OaRow, Orientation, RobotOut, Template, Voice,
};
pub use pace::Pace;
pub use robot::{
    ConversationKind, MessageKind, RobotMessage, RobotMessageError, SessionWebhook, SignError,
    verify_sign,
};
pub use secret::Secret;
pub use sync::{SyncRow, sync_rows};
pub use time::UnixMs;
pub use token::{Token, needs_refresh};
