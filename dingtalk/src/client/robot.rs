//! What the app's robot says.

use crate::{ApiError, Client, Mentions, RobotOut};

impl Client {
    /// Answers through the session webhook of a message. Only an address at the configured oapi base is called.
    pub async fn robot_reply(
        &self,
        webhook: &str,
        message: &RobotOut,
        mentions: &Mentions,
    ) -> Result<(), ApiError> {
        let _ = (webhook, message, mentions);
        todo!()
    }

    /// Sends to a group that the robot is in (`robot/groupMessages/send`) and answers with the `processQueryKey`. It
    /// cannot mention anybody.
    pub async fn robot_send_group(
        &self,
        open_conversation_id: &str,
        message: &RobotOut,
    ) -> Result<String, ApiError> {
        let _ = (open_conversation_id, message);
        todo!()
    }
}
