//! Answers host calls from somewhere else than the world: a dry run that must not send, a script that a test wrote.

use crate::call::{Arguments, Json};
use crate::function::Function;

/// What to do about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// This is the answer, as JSON: `{"Ok": …}` or `{"Err": …}` with the fields of the WIT package.
    Answer(Json),
    /// As [`Given::Answer`], unless the grant does not cover the call: then the plugin hears that.
    Granted(Json),
    /// It is made, as it would be without this; not recorded, and not to be used for writes that must not happen.
    Make,
    /// There is no answer: the attempt ends with this reason.
    Nothing(String),
}

/// Answers calls in the order in which they are made.
pub trait Answers: Send + Sync {
    /// The answer of the next call.
    fn answer(&self, function: Function, arguments: &Arguments) -> Given;

    /// Hears what the plugin was told of a call that was made or may have been refused.
    fn told(&self, _function: Function, _arguments: &Arguments, _answer: &Json) {}
}

/// What a write usually answers, for who stands in for the world; `number` makes ids differ. What a read answers only the
/// world can know.
pub fn usual(function: Function, number: u32) -> Option<String> {
    Some(match function {
        Function::ChatCreate | Function::ChatCreateScene => {
            format!(r#"{{"Ok":{{"chat_id":"chat-{number}","conversation_id":"cid-{number}"}}}}"#)
        }
        Function::ChatSend => format!(r#"{{"Ok":"message-{number}"}}"#),
        Function::NoticeSend | Function::NoticeSendTemplate => format!(r#"{{"Ok":"{number}"}}"#),
        Function::ApprovalCreate => format!(r#"{{"Ok":"instance-{number}"}}"#),
        Function::ApprovalAttachmentSpace => format!(r#"{{"Ok":"space-{number}"}}"#),
        Function::MediaUpload => format!(r#"{{"Ok":"@media-{number}"}}"#),
        Function::RobotSend | Function::ChatSendScene => {
            format!(r#"{{"Ok":"query-key-{number}"}}"#)
        }
        Function::RobotSendPeople => {
            format!(r#"{{"Ok":{{"key":"query-key-{number}","invalid":[],"flow_controlled":[]}}}}"#)
        }
        Function::RobotRecall | Function::RobotRecallPeople => {
            r#"{"Ok":{"keys":[],"failed":[]}}"#.to_owned()
        }
        Function::ChatUpdate
        | Function::ChatUpdateScene
        | Function::ChatAddSceneMembers
        | Function::ChatRemoveSceneMembers
        | Function::NoticeRecall
        | Function::NoticeUpdateStatusBar
        | Function::ApprovalTerminate
        | Function::ApprovalExecute
        | Function::ApprovalExecuteWithFiles
        | Function::ApprovalComment
        | Function::ApprovalCommentWithFiles
        | Function::ApprovalRedirect
        | Function::ApprovalAllowDownload
        | Function::RobotReply
        | Function::ScheduleSet => r#"{"Ok":null}"#.to_owned(),
        Function::ScheduleCancel => r#"{"Ok":true}"#.to_owned(),
        Function::HttpHandle => r#"{"Ok":{"status":200,"headers":[],"body":""}}"#.to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_that_stays_done_has_a_usual_answer() {
        for function in Function::all().filter(|function| function.class().stays_done()) {
            let answer = usual(function, 1).unwrap_or_default();
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
            assert!(answer.get("Ok").is_some(), "{function}");
        }
    }
}
