//! Says how an approval ended.

use belfry_plugin::event::{ApprovalInstance, Decision, InstanceChange};

/// A title longer than this many characters is cut: a message may have 2048 bytes.
const MAX_TITLE: usize = 200;

/// The two texts about an ending.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// For the group.
    pub(crate) group: String,
    /// For the applicant. DingTalk drops a second notice of the same text on one day, so it names the instance.
    pub(crate) applicant: String,
}

/// The texts for a change, if the instance ended with it and was made from `template`.
pub(crate) fn of(instance: &ApprovalInstance, template: &str) -> Option<Ending> {
    if instance.process_code != template {
        return None;
    }
    let decision = match &instance.change {
        InstanceChange::Finished(Decision::Agree) => "同意 / agreed",
        InstanceChange::Finished(Decision::Refuse) => "拒绝 / refused",
        InstanceChange::Terminated => "撤销 / withdrawn",
        InstanceChange::Started | InstanceChange::Other(_) => return None,
    };
    let title = cut(&instance.title);
    let id = &instance.instance_id;
    let mut details = format!("{title}\n结果 result: {decision}\n实例 instance: {id}");
    if let Some(number) = &instance.business_id {
        details.push_str("\n编号 number: ");
        details.push_str(number);
    }
    Some(Ending {
        group: format!("审批结束 approval ended: {details}"),
        applicant: format!("你的审批已结束 your approval ended: {details}"),
    })
}

fn cut(title: &str) -> String {
    match title.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(change: InstanceChange) -> ApprovalInstance {
        ApprovalInstance {
            instance_id: "inst-1".to_owned(),
            process_code: "PROC-LEAVE".to_owned(),
            business_id: None,
            title: "张三提交的请假".to_owned(),
            originator: "zhangsan".to_owned(),
            change,
            created_at: None,
            finished_at: None,
            url: None,
        }
    }

    #[test]
    fn every_ending_names_title_instance_and_decision() {
        for (change, words) in [
            (
                InstanceChange::Finished(Decision::Agree),
                ["同意", "agreed"],
            ),
            (
                InstanceChange::Finished(Decision::Refuse),
                ["拒绝", "refused"],
            ),
            (InstanceChange::Terminated, ["撤销", "withdrawn"]),
        ] {
            let ending = of(&instance(change), "PROC-LEAVE").expect("it ended");
            for text in [&ending.group, &ending.applicant] {
                for word in words.iter().chain(&["张三提交的请假", "inst-1"]) {
                    assert!(text.contains(word), "{text} lacks {word}");
                }
            }
        }
    }

    #[test]
    fn starts_unknown_changes_and_other_templates_are_nobodys_news() {
        assert_eq!(of(&instance(InstanceChange::Started), "PROC-LEAVE"), None);
        assert_eq!(
            of(
                &instance(InstanceChange::Other("x".to_owned())),
                "PROC-LEAVE"
            ),
            None
        );
        assert_eq!(of(&instance(InstanceChange::Terminated), "PROC-1"), None);
    }

    #[test]
    fn a_long_title_leaves_room_in_the_message() {
        let mut long = instance(InstanceChange::Terminated);
        long.title = "长".repeat(5000);
        let ending = of(&long, "PROC-LEAVE").expect("it ended");
        assert!(ending.group.len() < 1000);
    }
}
