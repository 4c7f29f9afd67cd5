//! The older calls (`topapi/processinstance/*` and `topapi/process/instance/*`).

use serde_json::{Value, json};

use super::attachment::Files;
use super::{
    Comment, Field, Instance, Listing, NewInstance, Page, Step, Verdict, read, rule, word,
};
use crate::client::{comma_joined, number};
use crate::error::Effect;
use crate::{ApiError, Client, UnixMs};

impl Client {
    pub(super) async fn legacy_create(&self, instance: &NewInstance) -> Result<String, ApiError> {
        let mut body = json!({
            "process_code": instance.process_code,
            "originator_user_id": instance.originator,
            "dept_id": number("department id", &instance.dept_id)?,
            "form_component_values": form(&instance.fields),
        });
        if let Some(agent_id) = self.inner.credentials.agent_id {
            body["agent_id"] = json!(agent_id);
        }
        if !instance.steps.is_empty() {
            body["approvers_v2"] = instance.steps.iter().map(step).collect();
        }
        if !instance.cc.is_empty() {
            body["cc_list"] = json!(comma_joined("user id", &instance.cc)?);
            body["cc_position"] = json!("FINISH");
        }
        let answer = self
            .oapi("/topapi/processinstance/create", body, Effect::Write)
            .await?;
        answer.text("process_instance_id")
    }

    pub(super) async fn legacy_get(&self, instance_id: &str) -> Result<Instance, ApiError> {
        let body = json!({"process_instance_id": instance_id});
        let answer = self
            .oapi("/topapi/processinstance/get", body, Effect::Read)
            .await?;
        read::instance(answer.object("process_instance")?, beijing_time)
            .ok_or_else(|| answer.lacks("process_instance.status"))
    }

    pub(super) async fn legacy_list_ids(&self, listing: &Listing) -> Result<Page, ApiError> {
        let mut body = json!({
            "process_code": listing.process_code,
            "start_time": listing.start,
            "size": listing.size,
            "cursor": listing.cursor,
        });
        if let Some(end) = listing.end {
            body["end_time"] = json!(end);
        }
        if !listing.originators.is_empty() {
            body["userid_list"] = json!(comma_joined("user id", &listing.originators)?);
        }
        let answer = self
            .oapi("/topapi/processinstance/listids", body, Effect::Read)
            .await?;
        let page = answer.object("result")?;
        Ok(Page {
            instances: page.texts("list"),
            next_cursor: page
                .integer("next_cursor")
                .and_then(|cursor| u32::try_from(cursor).ok()),
        })
    }

    pub(super) async fn legacy_terminate(
        &self,
        instance_id: &str,
        operator: Option<&str>,
        remark: &str,
    ) -> Result<(), ApiError> {
        let mut request = json!({
            "process_instance_id": instance_id,
            "is_system": operator.is_none(),
            "remark": remark,
        });
        if let Some(operator) = operator {
            request["operating_userid"] = json!(operator);
        }
        self.legacy_act("terminate", request).await
    }

    pub(super) async fn legacy_execute(&self, verdict: &Verdict) -> Result<(), ApiError> {
        let mut request = json!({
            "process_instance_id": verdict.instance_id,
            "task_id": number("task id", &verdict.task_id)?,
            "actioner_userid": verdict.approver,
            "result": word(verdict.decision),
            "remark": verdict.remark,
        });
        if !verdict.files.is_empty() {
            request["file"] = files(&verdict.files);
        }
        self.legacy_act("execute", request).await
    }

    pub(super) async fn legacy_comment(&self, comment: &Comment) -> Result<(), ApiError> {
        let mut request = json!({
            "process_instance_id": comment.instance_id,
            "comment_userid": comment.user_id,
            "text": comment.text,
        });
        if !comment.files.is_empty() {
            request["file"] = files(&comment.files);
        }
        self.legacy_act("comment/add", request).await
    }

    pub(super) async fn legacy_count_pending(&self, user_id: &str) -> Result<u32, ApiError> {
        let body = json!({"userid": user_id});
        let answer = self
            .oapi("/topapi/process/gettodonum", body, Effect::Read)
            .await?;
        let count = answer.members().integer("count");
        count
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| answer.lacks("count"))
    }

    async fn legacy_act(&self, action: &str, request: Value) -> Result<(), ApiError> {
        let path = format!("/topapi/process/instance/{action}");
        self.oapi(&path, json!({"request": request}), Effect::Write)
            .await?
            .accepted()
    }
}

fn form(fields: &[Field]) -> Value {
    fields
        .iter()
        .map(|field| json!({"name": field.name, "value": field.value}))
        .collect()
}

fn step(step: &Step) -> Value {
    json!({"task_action_type": rule(step.rule), "user_ids": step.approvers})
}

fn files(files: &Files) -> Value {
    let attachments = files.attachments.iter().map(|file| {
        json!({
            "space_id": file.space_id,
            "file_id": file.file_id,
            "file_name": file.name,
            "file_size": file.size,
            "file_type": file.kind,
        })
    });
    json!({"photos": files.photos, "attachments": attachments.collect::<Vec<_>>()})
}

/// `yyyy-MM-dd HH:mm:ss` as clocks in Beijing show it, which have not been put forward or back since 1991.
fn beijing_time(text: &str) -> Option<UnixMs> {
    let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let zoned = civil
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)))
        .ok()?;
    Some(UnixMs(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_beijing_time() {
        assert_eq!(
            beijing_time("2021-12-28 17:13:09"),
            Some(UnixMs(1_640_682_789_000))
        );
        for text in [
            "",
            "2021-12-28",
            "2021-13-28 17:13:09",
            "9999-12-31 24:00:00",
            "soon",
        ] {
            assert_eq!(beijing_time(text), None, "{text}");
        }
    }
}
