//! The newer calls (`v1.0/workflow/*`).

use serde_json::{Value, json};

use super::attachment::Files;
use super::{
    Comment, Instance, Listing, NewInstance, Page, Redirection, Verdict, read, rule, word,
};
use crate::client::number;
use crate::error::Effect;
use crate::{ApiError, Client, UnixMs};

const INSTANCES: &str = "/v1.0/workflow/processInstances";

impl Client {
    pub(super) async fn modern_create(&self, instance: &NewInstance) -> Result<String, ApiError> {
        let fields = instance.fields.iter();
        let fields: Value = fields
            .map(|field| json!({"name": field.name, "value": field.value}))
            .collect();
        let mut body = json!({
            "processCode": instance.process_code,
            "originatorUserId": instance.originator,
            "deptId": number("department id", &instance.dept_id)?,
            "formComponentValues": fields,
        });
        if let Some(agent_id) = self.inner.credentials.agent_id {
            body["microappAgentId"] = json!(agent_id);
        }
        if !instance.steps.is_empty() {
            let steps = instance.steps.iter();
            body["approvers"] = steps
                .map(|step| json!({"actionType": rule(step.rule), "userIds": step.approvers}))
                .collect();
        }
        if !instance.cc.is_empty() {
            body["ccList"] = json!(instance.cc);
            body["ccPosition"] = json!("FINISH");
        }
        // Here the id has another name than in all the other calls.
        self.api(INSTANCES, &body, Effect::Write)
            .await?
            .text("instanceId")
    }

    pub(super) async fn modern_get(&self, instance_id: &str) -> Result<Instance, ApiError> {
        let query = [("processInstanceId", instance_id)];
        let answer = self.api_get(INSTANCES, &query).await?;
        answer.accepted()?;
        read::instance(answer.object("result")?, minute)
            .ok_or_else(|| answer.lacks("result.status"))
    }

    pub(super) async fn modern_list_ids(&self, listing: &Listing) -> Result<Page, ApiError> {
        let mut body = json!({
            "processCode": listing.process_code,
            "startTime": listing.start,
            "nextToken": listing.cursor,
            "maxResults": listing.size,
        });
        if let Some(end) = listing.end {
            body["endTime"] = json!(end);
        }
        if !listing.originators.is_empty() {
            body["userIds"] = json!(listing.originators);
        }
        let path = "/v1.0/workflow/processes/instanceIds/query";
        let answer = self.api(path, &body, Effect::Read).await?;
        answer.accepted()?;
        let page = answer.object("result")?;
        Ok(Page {
            instances: page.texts("list"),
            // A number went out, a text comes back.
            next_cursor: page
                .integer("nextToken")
                .and_then(|cursor| u32::try_from(cursor).ok()),
        })
    }

    pub(super) async fn modern_terminate(
        &self,
        instance_id: &str,
        operator: Option<&str>,
        remark: &str,
    ) -> Result<(), ApiError> {
        let mut body = json!({
            "processInstanceId": instance_id,
            // DingTalk's table calls it optional, and has an error for its absence.
            "isSystem": operator.is_none(),
            "remark": remark,
        });
        if let Some(operator) = operator {
            body["operatingUserId"] = json!(operator);
        }
        self.modern_act("processInstances/terminate", &body).await
    }

    pub(super) async fn modern_execute(&self, verdict: &Verdict) -> Result<(), ApiError> {
        let mut body = json!({
            "processInstanceId": verdict.instance_id,
            "taskId": number("task id", &verdict.task_id)?,
            "actionerUserId": verdict.approver,
            "result": word(verdict.decision),
            "remark": verdict.remark,
        });
        if !verdict.files.is_empty() {
            body["file"] = files(&verdict.files);
        }
        self.modern_act("processInstances/execute", &body).await
    }

    pub(super) async fn modern_redirect(&self, redirection: &Redirection) -> Result<(), ApiError> {
        let mut body = json!({
            "taskId": number("task id", &redirection.task_id)?,
            "operateUserId": redirection.from,
            "toUserId": redirection.to,
        });
        if !redirection.remark.is_empty() {
            body["remark"] = json!(redirection.remark);
        }
        self.modern_act("tasks/redirect", &body).await
    }

    pub(super) async fn modern_comment(&self, comment: &Comment) -> Result<(), ApiError> {
        let mut body = json!({
            "processInstanceId": comment.instance_id,
            "commentUserId": comment.user_id,
            "text": comment.text,
        });
        if !comment.files.is_empty() {
            body["file"] = files(&comment.files);
        }
        self.modern_act("processInstances/comments", &body).await
    }

    pub(super) async fn modern_count_pending(&self, user_id: &str) -> Result<u32, ApiError> {
        let path = "/v1.0/workflow/processes/todoTasks/numbers";
        let answer = self.api_get(path, &[("userId", user_id)]).await?;
        let count = answer.members().integer("result");
        count
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| answer.lacks("result"))
    }

    async fn modern_act(&self, action: &str, body: &Value) -> Result<(), ApiError> {
        let path = format!("/v1.0/workflow/{action}");
        self.api(&path, body, Effect::Write).await?.accepted()
    }
}

fn files(files: &Files) -> Value {
    let attachments = files.attachments.iter().map(|file| {
        json!({
            "spaceId": file.space_id,
            "fileId": file.file_id,
            "fileName": file.name,
            "fileSize": file.size,
            "fileType": file.kind,
        })
    });
    json!({"photos": files.photos, "attachments": attachments.collect::<Vec<_>>()})
}

/// `2022-08-31T11:52Z`: there are no seconds, which many readers of ISO 8601 refuse.
fn minute(text: &str) -> Option<UnixMs> {
    let civil = jiff::civil::DateTime::strptime("%Y-%m-%dT%H:%MZ", text)
        .or_else(|_| jiff::civil::DateTime::strptime("%Y-%m-%dT%H:%M:%SZ", text))
        .ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(UnixMs(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_seconds() {
        let at = Some(UnixMs(1_661_946_720_000));
        assert_eq!(minute("2022-08-31T11:52Z"), at);
        assert_eq!(minute("2022-08-31T11:52:00Z"), at);
        for text in ["", "2022-08-31", "2022-08-31T25:00Z", "2022-08-31 11:52:00"] {
            assert_eq!(minute(text), None, "{text}");
        }
    }
}
