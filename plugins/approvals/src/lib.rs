//! Leave approvals: `/leave 2d reason` starts one, and its end is told to a group and to the applicant.

mod ending;
mod request;

use belfry_plugin::approval::{Field, NewInstance};
use belfry_plugin::event::{ApprovalInstance, ChatMessage};
use belfry_plugin::notice::{NamedRecipients, Recipients};
use belfry_plugin::prelude::*;
use request::{Command, Leave};

const NOT_A_MEMBER: &str = "无法发起审批: 没有你的用户 ID, 只有本组织成员可以, 且应用须已发布。\n\
    Cannot start an approval: your user id is unknown. Only members of the organisation can, once the app is published.";
const OUTCOME_UNKNOWN: &str = "不确定审批是否已发起, 请先在钉钉审批中查看。\n\
    It is not certain whether the approval was started: look for it before asking again.";

struct Approvals;

impl Plugin for Approvals {
    fn describe() -> Description {
        request::COMMANDS.iter().fold(
            Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .on(EventKind::ChatMessage)
                .on(EventKind::ApprovalInstance)
                .config_schema(include_str!("../config.schema.json")),
            |description, command| description.command(command, request::USAGE),
        )
    }

    fn handle(event: Event) -> Result<(), Failure> {
        match event.body {
            EventBody::ChatMessage(message) => answer(&message),
            EventBody::ApprovalInstance(instance) => announce(&instance),
            _ => Ok(()),
        }
    }
}

fn answer(message: &ChatMessage) -> Result<(), Failure> {
    let leave = match request::read(&message.text) {
        Command::None => return Ok(()),
        Command::Misused => return Ok(reply_text(request::USAGE)?),
        Command::Leave(leave) => leave,
    };
    let Some(applicant) = &message.sender_id else {
        return Ok(reply_text(NOT_A_MEMBER)?);
    };
    match approval::create(&instance(&leave, applicant)?) {
        Ok(id) => reply_text(&started(&leave, &id)).map_err(|error| {
            // Another attempt would start a second approval.
            let reason = Failure::from(error);
            Failure::permanent(format!(
                "approval {id} was started but not answered: {}",
                reason.reason()
            ))
        }),
        Err(api::Error::Invalid(detail) | api::Error::NotFound(detail)) => {
            let text = format!(
                "无法发起审批 cannot start the approval: {} ({})",
                detail.message, detail.code
            );
            Ok(reply_text(&text)?)
        }
        Err(error @ api::Error::OutcomeUnknown(_)) => {
            // The failure below matters more to the operator than whether this could be said.
            let _ = reply_text(OUTCOME_UNKNOWN);
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The form as `config` wants it; the template's own flow chooses the approvers.
fn instance(leave: &Leave, applicant: &str) -> Result<NewInstance, Failure> {
    let mut fields = Vec::new();
    let kind_field = config::get_or("type-field", "请假类型");
    if !kind_field.is_empty() {
        fields.push(Field {
            name: kind_field,
            value: config::get_or("type", "事假"),
        });
    }
    fields.push(Field {
        name: config::get_or("days-field", "请假天数"),
        value: leave.days.to_string(),
    });
    fields.push(Field {
        name: config::get_or("reason-field", "请假事由"),
        value: leave.reason.clone(),
    });
    Ok(NewInstance {
        process_code: config::require("process-code")?,
        originator: applicant.to_owned(),
        dept_id: "-1".to_owned(),
        fields,
        steps: Vec::new(),
        cc: Vec::new(),
    })
}

fn started(leave: &Leave, id: &str) -> String {
    format!(
        "已发起请假 {} 天: {}\nLeave request started, instance: {id}",
        leave.days, leave.reason
    )
}

/// Tells the applicant before the group, because a repeated notice is harmless (DingTalk drops the second) and a
/// repeated message in a group is not: whatever asks for another attempt happens before the group was told.
fn announce(instance: &ApprovalInstance) -> Result<(), Failure> {
    let Some(ending) = ending::of(instance, &config::require("process-code")?) else {
        return Ok(());
    };
    let group = config::require("chat")?;
    let recipients = Recipients::Named(NamedRecipients {
        users: vec![instance.originator.clone()],
        departments: Vec::new(),
    });
    let notified =
        notice::send(&recipients, &Message::Text(ending.applicant)).map_err(Failure::from);
    if notified.as_ref().is_err_and(Failure::is_retry) {
        return notified.map(drop);
    }
    chat::send(&group, &Message::Text(ending.group))?;
    notified.map(drop)
}

belfry_plugin::export!(Approvals);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_what_was_started() {
        let Command::Leave(leave) = request::read("/leave 1.5d dentist") else {
            panic!("not understood");
        };
        let text = started(&leave, "inst-1");
        for part in ["1.5", "dentist", "inst-1"] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }

    #[test]
    fn it_describes_commands_and_configuration() {
        let description = Approvals::describe();
        assert_eq!(
            description.subscriptions,
            [EventKind::ChatMessage, EventKind::ApprovalInstance]
        );
        let names: Vec<_> = description
            .commands
            .iter()
            .map(|command| command.name.as_str())
            .collect();
        assert_eq!(names, ["/leave", "/请假"]);
        let schema = description.config_schema.expect("it has one");
        serde_json::from_str::<serde_json::Value>(&schema).expect("it is JSON");
    }
}
