//! Arguments that are wrong: empty, too much, of the wrong form.

use belfry_tests::Stage;
use dingtalk::ApiStyle;
use serde_json::Value;

use super::declared::{self, Mistake, Wrong};
use super::{bot, made, word};

/// What is no mistake although it looks like one: belfry lets it pass, and either means something by it or leaves it to
/// DingTalk, which documents nothing against it. By the end of the place.
const PASSES: &[(Wrong, &[&str])] = &[
    (
        Wrong::Empty,
        &[
            // The first page, and from the first on.
            "chat.readers cursor",
            "listing.cursor",
            "list-templates cursor",
            "next-token",
            "after",
            "prefix",
            "list-keys limit",
            // What need not be given.
            "remark",
            "listing.originators",
            "instance.steps",
            "instance.cc",
            "fields[].value",
            "approval.check fields",
            "-with-files photos",
            "-with-files attachments",
            "changes.add-members",
            "changes.remove-members",
            "named.users",
            "named.departments",
            "recipients.users",
            "recipients.departments",
            "scene.members",
            "message.mentions",
            "message.receivers",
            "message.values",
            "values[].value",
            "message.media",
            "media[].value",
            "send-template values",
            "mentions.user-ids",
            "mentions.mobiles",
            "robot.reply message.link.pic-url",
            "robot.reply message.feed-card[].pic-url",
            "oa.pc-message-url",
            "oa.head-text",
            "oa.body.title",
            "oa.body.form",
            "oa.body.form[].key",
            "oa.body.form[].value",
            "oa.body.rich.num",
            "oa.body.rich.unit",
            "oa.body.content",
            "oa.body.image",
            "oa.body.file-count",
            "oa.body.author",
            // Values of their own.
            "value.text",
            "value.rating",
            "place.address",
            "place.accuracy",
            "table[][].value",
            "kv.set value",
            "compare-and-set value",
            "compare-and-set expected",
            "timer.payload",
            "rule.after-ms",
            // There is none of that name.
            "schedule.cancel name",
        ],
    ),
    (
        Wrong::TooMuch,
        &[
            "chat.readers cursor",
            "listing.cursor",
            "list-templates cursor",
            "list-keys prefix",
            "list-keys after",
            "list-keys limit",
            "compare-and-set expected",
            "rule.after-ms",
            "schedule.cancel name",
            "oa.body.file-count",
            // As long as the whole has at most 65,535 characters.
            "value.choices",
            "value.people",
            "value.departments",
            "value.rating",
            "place.accuracy",
            // Of one name all are one.
            "send-template values",
            "message.values",
            "message.media",
        ],
    ),
];

fn passes(mistake: &Mistake) -> bool {
    PASSES.iter().any(|(wrong, ends)| {
        *wrong == mistake.wrong && ends.iter().any(|end| mistake.place.ends_with(end))
    })
}

/// The message with which belfry itself refused a call.
fn refusal(answer: &Value) -> Option<&str> {
    let error = &answer["Err"];
    if let Some(told) = answer["prefix"].as_str() {
        // By `approval.encode`.
        return told
            .starts_with("Err(Error::Invalid(Detail { code: \"belfry.")
            .then_some(told);
    }
    if error == "InvalidKey" || error["ValueTooLarge"].is_number() {
        return Some("the error says it all");
    }
    if let Some(reason) = error["Invalid"].as_str() {
        return Some(reason);
    }
    let code = error["Invalid"]["code"].as_str()?;
    let message = error["Invalid"]["message"].as_str()?;
    code.starts_with("belfry.").then_some(message)
}

#[tokio::test]
async fn every_wrong_argument_is_refused_before_anything_is_sent() {
    for style in [ApiStyle::Modern, ApiStyle::Legacy] {
        let style = word(style);
        let stage = Stage::new(&bot().app(&format!("api = {style:?}"))).await;
        let belfry = stage.host().await;
        let (mut tried, mut wrongly) = (0, Vec::new());
        for function in declared::all() {
            let mut mistakes = function.mistakes();
            mistakes.retain(|mistake| !passes(mistake));
            let calls = mistakes.iter().map(|mistake| mistake.arguments.clone());
            let answers = made(&stage, &belfry, &function.name, calls.collect()).await;
            for (mistake, answer) in mistakes.iter().zip(&answers) {
                let Mistake { place, wrong, .. } = mistake;
                // Whoever reads the message sees it whole.
                let is_told = refusal(answer)
                    .is_some_and(|message| (10..300).contains(&message.chars().count()));
                if !is_told {
                    let text: String = answer.to_string().chars().take(300).collect();
                    wrongly.push(format!("{place} {wrong:?}: {text}"));
                }
                tried += 1;
            }
        }
        assert!(wrongly.is_empty(), "{style}:\n{}", wrongly.join("\n"));
        assert!(tried > 400, "{tried}");
        // A form is read to know what fits it, and nothing else is asked.
        let sent = stage.dingtalk.get("calls").await;
        for call in sent.as_array().unwrap() {
            let path = call["path"].as_str().unwrap();
            let is_for_form = path.ends_with("/accessToken") || path.ends_with("/processCodes");
            assert!(is_for_form, "{style}: {call}");
        }
        belfry.stop().await;
    }
}

#[tokio::test]
async fn what_is_right_is_not_refused_by_belfry() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    let mut wrongly = Vec::new();
    for function in declared::all() {
        let mut mistakes = function.mistakes();
        mistakes.retain(passes);
        let calls = mistakes.iter().map(|mistake| mistake.arguments.clone());
        let mut calls: Vec<_> = calls.collect();
        calls.push(function.sample());
        let mut answers = made(&stage, &belfry, &function.name, calls).await;
        // Otherwise everything else might be refused for what is wrong in the samples.
        let of_sample = answers.pop().unwrap();
        if let Some(message) = refusal(&of_sample) {
            wrongly.push(format!("{}: {message}", function.name));
        }
        for (Mistake { place, wrong, .. }, answer) in mistakes.iter().zip(&answers) {
            if let Some(message) = refusal(answer) {
                wrongly.push(format!("{place} {wrong:?}: {message}"));
            }
        }
    }
    assert!(wrongly.is_empty(), "{}", wrongly.join("\n"));
    belfry.stop().await;
}
