//! What the app's robot says.

mod sent;

use serde_json::json;
use url::Url;

use super::{invalid, limit};
use crate::{ApiError, Client, Mentions, RobotOut};

pub use self::sent::{Recalled, SendState, SentState, SentToPeople};

impl Client {
    /// Answers through the session webhook of a message. Only an address at the configured oapi base is called: the
    /// webhook came from outside, and whoever forged it must not make this process call elsewhere.
    ///
    /// `key` goes along as `msgUuid`, by which DingTalk recognises a repetition. It documents that for the webhooks of
    /// custom robots, which take the same messages; that session webhooks heed it is unverified.
    pub async fn robot_reply(
        &self,
        webhook: &str,
        message: &RobotOut,
        mentions: &Mentions,
        key: Option<&str>,
    ) -> Result<(), ApiError> {
        let url = session_webhook(&self.inner.endpoints.oapi, webhook)
            .ok_or_else(|| invalid("session webhook is not an address of dingtalk"))?;
        let mut body = message.to_webhook(mentions)?;
        if let Some(key) = key {
            body["msgUuid"] = json!(key);
        }
        self.webhook(url, &body).await
    }

    /// Sends to a group that the robot is in (`robot/groupMessages/send`) and answers with the `processQueryKey`. It
    /// cannot mention anybody.
    pub async fn robot_send_group(
        &self,
        open_conversation_id: &str,
        message: &RobotOut,
    ) -> Result<String, ApiError> {
        limit::given("the conversation id", open_conversation_id)?;
        let template = message.to_template()?;
        let body = json!({
            "robotCode": self.inner.credentials.robot_code,
            "openConversationId": open_conversation_id,
            "msgKey": template.msg_key,
            "msgParam": template.msg_param,
        });
        let answer = self
            .api_in_conversation(
                "/v1.0/robot/groupMessages/send",
                open_conversation_id,
                &body,
            )
            .await?;
        answer.text("processQueryKey")
    }
}

/// The webhook's address if it lies below `/robot/` of the base.
fn session_webhook(base: &Url, webhook: &str) -> Option<Url> {
    let url = Url::parse(webhook).ok()?;
    let same_place = url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default();
    let no_user = url.username().is_empty() && url.password().is_none();
    let root = format!("{}/robot/", base.path().trim_end_matches('/'));
    (same_place && no_user && url.path().starts_with(&root)).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_webhooks_at_the_base_are_called() {
        let check = |base: &str, webhook: &str, expected: bool| {
            let base = Url::parse(base).expect("a test's base is valid");
            assert_eq!(
                session_webhook(&base, webhook).is_some(),
                expected,
                "{webhook}"
            );
        };
        let real = "https://oapi.dingtalk.com";
        check(
            real,
            "https://oapi.dingtalk.com/robot/sendBySession?session=x",
            true,
        );
        check(
            real,
            "https://oapi.dingtalk.com:443/robot/sendBySession?session=x",
            true,
        );
        check(real, "https://OAPI.dingtalk.com/robot/sendBySession", true);
        check(real, "http://oapi.dingtalk.com/robot/sendBySession", false);
        check(
            real,
            "https://oapi.dingtalk.com:8443/robot/sendBySession",
            false,
        );
        check(real, "https://oapi.dingtalk.com/chat/send", false);
        check(real, "https://oapi.dingtalk.com/robot/../chat/send", false);
        check(
            real,
            "https://oapi.dingtalk.com/robot/%2e%2e/chat/send",
            false,
        );
        check(
            real,
            "https://oapi.dingtalk.com.evil.example/robot/sendBySession",
            false,
        );
        check(
            real,
            "https://oapi.dingtalk.com@evil.example/robot/sendBySession",
            false,
        );
        check(
            real,
            "https://user@oapi.dingtalk.com/robot/sendBySession",
            false,
        );
        check(real, "https://169.254.169.254/robot/", false);
        check(real, "file:///robot/x", false);
        check(real, "", false);
        check(
            "http://127.0.0.1:8790",
            "http://127.0.0.1:8790/robot/sendBySession",
            true,
        );
        check(
            "http://127.0.0.1:8790",
            "http://127.0.0.1:8791/robot/sendBySession",
            false,
        );
        check(
            "http://127.0.0.1:8790/fake/",
            "http://127.0.0.1:8790/fake/robot/x",
            true,
        );
        check(
            "http://127.0.0.1:8790/fake/",
            "http://127.0.0.1:8790/robot/x",
            false,
        );
    }
}
