//! Every host function: its name, what a call of it does, and what happens to a call whose end is unknown.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a call does, which decides how it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It asks and changes nothing; its answer is recorded.
    Read,
    /// It changes something outside: it is recorded before the request leaves, and again when it ended.
    Write,
    /// It changes the plugin's own values: value and record are one transaction.
    KvWrite,
    /// It changes the plugin's timers: timer and record are one transaction. What was done is not done again, though the
    /// plugin begins anew: the timer may have fired.
    TimerWrite,
    /// It is a function of the delivery and the configuration, so it is not recorded.
    Local,
}

impl Class {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::KvWrite => "kv-write",
            Self::TimerWrite => "timer-write",
            Self::Local => "local",
        }
    }

    /// Whether a call changes anything.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::KvWrite | Self::TimerWrite)
    }

    /// Whether what was done stays done when the plugin begins anew.
    pub fn stays_done(self) -> bool {
        matches!(self, Self::Write | Self::TimerWrite)
    }
}

/// What happens to a write that was begun and whose end nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// It is sent again, with the same idempotency key where DingTalk takes one.
    Resend,
    /// belfry looks whether it was done, and sends it again only if it certainly was not.
    Look,
    /// The plugin hears `outcome-unknown`.
    Unknown,
}

impl Policy {
    /// The word in `bot.toml` and in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Look => "look",
            Self::Unknown => "unknown",
        }
    }

    /// The policy of that word.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Resend, Self::Look, Self::Unknown]
            .into_iter()
            .find(|policy| policy.as_str() == text)
    }
}

/// What is known of one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    function: Function,
    name: &'static str,
    class: Class,
    /// For [`Class::Write`]: what happens unless `bot.toml` says otherwise.
    policy: Option<Policy>,
}

const fn read(function: Function, name: &'static str) -> Row {
    row(function, name, Class::Read, None)
}

const fn write(function: Function, name: &'static str, policy: Policy) -> Row {
    row(function, name, Class::Write, Some(policy))
}

const fn timer_write(function: Function, name: &'static str) -> Row {
    row(function, name, Class::TimerWrite, None)
}

const fn row(function: Function, name: &'static str, class: Class, policy: Option<Policy>) -> Row {
    Row {
        function,
        name,
        class,
        policy,
    }
}

/// A host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the names are those of the WIT package, which documents them"
)]
pub enum Function {
    ChatCreate,
    ChatGet,
    ChatUpdate,
    ChatSend,
    ChatReaders,
    ChatCreateScene,
    ChatUpdateScene,
    ChatAddSceneMembers,
    ChatRemoveSceneMembers,
    ChatSceneMembers,
    ChatSendScene,
    NoticeSend,
    NoticeSendTemplate,
    NoticeProgress,
    NoticeOutcome,
    NoticeRecall,
    NoticeUpdateStatusBar,
    ApprovalCreate,
    ApprovalGet,
    ApprovalListIds,
    ApprovalTerminate,
    ApprovalExecute,
    ApprovalComment,
    ApprovalFindTemplate,
    ApprovalListTemplates,
    ApprovalGetForm,
    ApprovalEncode,
    ApprovalCheck,
    ApprovalHistory,
    ApprovalRedirect,
    ApprovalCommentWithFiles,
    ApprovalExecuteWithFiles,
    ApprovalCountPending,
    ApprovalAttachmentSpace,
    ApprovalAttachmentLink,
    ApprovalAllowDownload,
    ContactsGetUser,
    ContactsFindByUnionId,
    ContactsFindByMobile,
    ContactsListUserIds,
    ContactsListUsers,
    ContactsCountUsers,
    ContactsGetDepartment,
    ContactsListDepartments,
    ContactsListDepartmentIds,
    ContactsGetPath,
    ContactsListPathsOfUser,
    ContactsGetScope,
    MediaUpload,
    MediaDownload,
    MediaDownloadUrl,
    RobotReply,
    RobotSend,
    RobotSendPeople,
    RobotState,
    RobotPeopleState,
    RobotRecall,
    RobotRecallPeople,
    KvGet,
    KvListKeys,
    KvSet,
    KvDelete,
    KvCompareAndSet,
    ScheduleSet,
    ScheduleCancel,
    ScheduleListTimers,
    ConfigGet,
    ConfigJson,
    DeliveryRawJson,
    HttpRead,
    HttpHandle,
}

impl Function {
    /// `docs/guarantees.md` has the same table, with the reasons.
    const ROWS: &[Row; 71] = &[
        write(Self::ChatCreate, "chat.create", Policy::Unknown),
        read(Self::ChatGet, "chat.get"),
        write(Self::ChatUpdate, "chat.update", Policy::Resend),
        write(Self::ChatSend, "chat.send", Policy::Unknown),
        read(Self::ChatReaders, "chat.readers"),
        write(Self::ChatCreateScene, "chat.create-scene", Policy::Resend),
        write(Self::ChatUpdateScene, "chat.update-scene", Policy::Resend),
        write(
            Self::ChatAddSceneMembers,
            "chat.add-scene-members",
            Policy::Resend,
        ),
        write(
            Self::ChatRemoveSceneMembers,
            "chat.remove-scene-members",
            Policy::Resend,
        ),
        read(Self::ChatSceneMembers, "chat.scene-members"),
        write(Self::ChatSendScene, "chat.send-scene", Policy::Unknown),
        write(Self::NoticeSend, "notice.send", Policy::Resend),
        write(
            Self::NoticeSendTemplate,
            "notice.send-template",
            Policy::Resend,
        ),
        read(Self::NoticeProgress, "notice.progress"),
        read(Self::NoticeOutcome, "notice.outcome"),
        write(Self::NoticeRecall, "notice.recall", Policy::Resend),
        write(
            Self::NoticeUpdateStatusBar,
            "notice.update-status-bar",
            Policy::Resend,
        ),
        write(Self::ApprovalCreate, "approval.create", Policy::Look),
        read(Self::ApprovalGet, "approval.get"),
        read(Self::ApprovalListIds, "approval.list-ids"),
        write(Self::ApprovalTerminate, "approval.terminate", Policy::Look),
        write(Self::ApprovalExecute, "approval.execute", Policy::Look),
        write(Self::ApprovalComment, "approval.comment", Policy::Unknown),
        read(Self::ApprovalFindTemplate, "approval.find-template"),
        read(Self::ApprovalListTemplates, "approval.list-templates"),
        read(Self::ApprovalGetForm, "approval.get-form"),
        row(Self::ApprovalEncode, "approval.encode", Class::Local, None),
        read(Self::ApprovalCheck, "approval.check"),
        read(Self::ApprovalHistory, "approval.history"),
        write(Self::ApprovalRedirect, "approval.redirect", Policy::Look),
        write(
            Self::ApprovalCommentWithFiles,
            "approval.comment-with-files",
            Policy::Unknown,
        ),
        write(
            Self::ApprovalExecuteWithFiles,
            "approval.execute-with-files",
            Policy::Look,
        ),
        read(Self::ApprovalCountPending, "approval.count-pending"),
        write(
            Self::ApprovalAttachmentSpace,
            "approval.attachment-space",
            Policy::Resend,
        ),
        read(Self::ApprovalAttachmentLink, "approval.attachment-link"),
        write(
            Self::ApprovalAllowDownload,
            "approval.allow-download",
            Policy::Resend,
        ),
        read(Self::ContactsGetUser, "contacts.get-user"),
        read(Self::ContactsFindByUnionId, "contacts.find-by-union-id"),
        read(Self::ContactsFindByMobile, "contacts.find-by-mobile"),
        read(Self::ContactsListUserIds, "contacts.list-user-ids"),
        read(Self::ContactsListUsers, "contacts.list-users"),
        read(Self::ContactsCountUsers, "contacts.count-users"),
        read(Self::ContactsGetDepartment, "contacts.get-department"),
        read(Self::ContactsListDepartments, "contacts.list-departments"),
        read(
            Self::ContactsListDepartmentIds,
            "contacts.list-department-ids",
        ),
        read(Self::ContactsGetPath, "contacts.get-path"),
        read(Self::ContactsListPathsOfUser, "contacts.list-paths-of-user"),
        read(Self::ContactsGetScope, "contacts.get-scope"),
        write(Self::MediaUpload, "media.upload", Policy::Resend),
        read(Self::MediaDownload, "media.download"),
        read(Self::MediaDownloadUrl, "media.download-url"),
        write(Self::RobotReply, "robot.reply", Policy::Resend),
        write(Self::RobotSend, "robot.send", Policy::Unknown),
        write(Self::RobotSendPeople, "robot.send-people", Policy::Unknown),
        read(Self::RobotState, "robot.state"),
        read(Self::RobotPeopleState, "robot.people-state"),
        write(Self::RobotRecall, "robot.recall", Policy::Resend),
        write(
            Self::RobotRecallPeople,
            "robot.recall-people",
            Policy::Resend,
        ),
        read(Self::KvGet, "kv.get"),
        read(Self::KvListKeys, "kv.list-keys"),
        row(Self::KvSet, "kv.set", Class::KvWrite, None),
        row(Self::KvDelete, "kv.delete", Class::KvWrite, None),
        row(
            Self::KvCompareAndSet,
            "kv.compare-and-set",
            Class::KvWrite,
            None,
        ),
        timer_write(Self::ScheduleSet, "schedule.set"),
        timer_write(Self::ScheduleCancel, "schedule.cancel"),
        read(Self::ScheduleListTimers, "schedule.list-timers"),
        row(Self::ConfigGet, "config.get", Class::Local, None),
        row(Self::ConfigJson, "config.json", Class::Local, None),
        row(
            Self::DeliveryRawJson,
            "delivery.raw-json",
            Class::Local,
            None,
        ),
        // One function of WASI, which asks or changes something by its method.
        read(Self::HttpRead, "http.read"),
        write(Self::HttpHandle, "http.handle", Policy::Unknown),
    ];

    /// How many there are.
    pub const COUNT: usize = Self::ROWS.len();

    /// All functions, in the order of the document.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ROWS.iter().map(|row| row.function)
    }

    /// The function of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ROWS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.function)
    }

    /// Interface and function as the WIT package names them, such as `chat.send`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What a call does.
    pub fn class(self) -> Class {
        self.row().class
    }

    /// Whether a call changes something in DingTalk or among belfry's timers; plugins may do that less often than ask.
    pub fn is_send(self) -> bool {
        self.class().stays_done() && self != Self::HttpHandle
    }

    /// What happens to a call whose end is unknown, unless `bot.toml` says otherwise; `None` where there is no such call.
    pub fn policy(self) -> Option<Policy> {
        self.row().policy
    }

    /// The policies that `bot.toml` can choose for it. Looking is possible where it is the default and nowhere else.
    pub fn policies(self) -> &'static [Policy] {
        match self.policy() {
            None => &[],
            Some(Policy::Look) => &[Policy::Look, Policy::Resend, Policy::Unknown],
            Some(Policy::Resend | Policy::Unknown) => &[Policy::Resend, Policy::Unknown],
        }
    }

    fn row(self) -> &'static Row {
        // Several times a call, so it is not searched for.
        &Self::ROWS[self as usize]
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Function {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_its_row_in_its_place_and_one_name() {
        for function in Function::all() {
            assert_eq!(Function::from_name(function.name()), Some(function));
            assert_eq!(function.row().function, function);
        }
        let names: std::collections::BTreeSet<_> = Function::all().map(Function::name).collect();
        assert_eq!(names.len(), Function::ROWS.len());
        // The last one of the enum; a function without a row would make this too small.
        assert_eq!(Function::HttpHandle as usize + 1, Function::COUNT);
    }

    #[test]
    fn both_documents_have_every_function_with_its_class_and_policy() {
        let expected: Vec<String> = Function::all()
            .map(|function| {
                let policy = function.policy().map_or("", Policy::as_str);
                format!("`{function}` {} {policy}", function.class().as_str())
            })
            .collect();
        for document in [
            include_str!("../../docs/guarantees.md"),
            include_str!("../../docs/guarantees.zh-CN.md"),
        ] {
            let rows = document.lines().filter(|line| line.starts_with("| `"));
            let found: Vec<String> = rows
                .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
                .filter(|cells| cells.len() == 6)
                .map(|cells| format!("{} {} {}", cells[1], cells[2], cells[3]))
                .collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn only_writes_to_the_outside_can_be_ambiguous() {
        for function in Function::all() {
            assert_eq!(
                function.policy().is_some(),
                function.class() == Class::Write,
                "{function}"
            );
            if let Some(policy) = function.policy() {
                assert_eq!(Policy::from_text(policy.as_str()), Some(policy));
                assert!(function.policies().contains(&policy));
            }
        }
    }
}
