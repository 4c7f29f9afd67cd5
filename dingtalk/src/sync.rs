//! Batches of changes that DingTalk pushes to third-party apps (SyncHTTP).

use serde_json::{Value, json};

use crate::Secret;
use crate::members::Members;

/// A change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncRow {
    /// A new suite ticket.
    Ticket(Secret),
    /// An organisation authorised the app or changed the authorisation.
    Authorized {
        /// The organisation.
        corp_id: String,
        /// The app's number there.
        agent_id: Option<i64>,
    },
    /// An organisation removed the app.
    Relieved {
        /// The organisation.
        corp_id: String,
    },
    /// Anything else, in the form of a push.
    Event {
        /// By what a second arrival is recognised.
        key: String,
        /// The text that [`crate::Event::parse`] reads; its `EventType` is the row's `syncAction`.
        json: String,
    },
}

/// The rows of a batch (`SYNC_HTTP_PUSH_HIGH` or `_MEDIUM`); `None` for any other event. A row whose data cannot be read
/// becomes an event that carries it whole.
pub fn sync_rows(json: &str) -> Option<Vec<SyncRow>> {
    let value: Value = serde_json::from_str(json).ok()?;
    let event = Members::of(&value)?;
    let event_type = event.text("EventType")?;
    if !event_type.starts_with("SYNC_HTTP_PUSH") {
        return None;
    }
    let rows = event.get("bizData")?.as_array()?;
    Some(rows.iter().map(row).collect())
}

fn row(row: &Value) -> SyncRow {
    read(row).unwrap_or_else(|| SyncRow::Event {
        key: format!("sync:{}", crate::crypto::sha256_hex(&row.to_string())),
        json: json!({"EventType": "unreadable_sync_row", "entry": row}).to_string(),
    })
}

fn read(row: &Value) -> Option<SyncRow> {
    let row = Members::of(row)?;
    let text = |name| row.text(name).unwrap_or_default();
    let corp_id = text("corp_id");
    let data = match row.get("biz_data")? {
        // It is JSON in a text.
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let mut data = data.as_object()?.clone();
    let action = Members(&data).text("syncAction")?;
    Some(match action.as_str() {
        "suite_ticket" => SyncRow::Ticket(Members(&data).text("suiteTicket")?.into()),
        "org_suite_auth" | "org_suite_change" => {
            let agents = Members(&data).object("auth_info");
            SyncRow::Authorized {
                agent_id: agents.and_then(|info| info.objects("agent").next()?.integer("agentid")),
                corp_id,
            }
        }
        "org_suite_relieve" => SyncRow::Relieved { corp_id },
        _ => {
            // A row is replaced when the same thing changes again, so its time belongs to its key.
            let parts = ["subscribe_id", "biz_type", "biz_id", "gmt_modified"].map(text);
            let key = format!("sync:{corp_id}:{}", parts.join(":"));
            data.insert("EventType".to_owned(), json!(action));
            data.insert("CorpId".to_owned(), json!(corp_id));
            data.entry("bizId").or_insert_with(|| json!(text("biz_id")));
            SyncRow::Event {
                key,
                json: Value::Object(data).to_string(),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    #[test]
    fn rows_of_a_batch_are_told_apart() {
        let row = |biz_type: u32, data: Value| {
            json!({"subscribe_id": "s", "corp_id": "ding1", "biz_type": biz_type, "biz_id": "b", "gmt_modified": 7,
                "biz_data": data.to_string()})
        };
        let batch = json!({"EventType": "SYNC_HTTP_PUSH_HIGH", "bizData": [
            row(2, json!({"syncAction": "suite_ticket", "suiteTicket": "t"})),
            row(4, json!({"syncAction": "org_suite_auth", "auth_info": {"agent": [{"agentid": 9}]}})),
            row(4, json!({"syncAction": "org_suite_relieve"})),
            row(13, json!({"syncAction": "user_add_org", "userid": "u"})),
            {"biz_data": "no json"},
        ]});
        let rows = sync_rows(&batch.to_string()).unwrap();
        assert_eq!(rows[0], SyncRow::Ticket("t".into()));
        let corp_id = "ding1".to_owned();
        assert_eq!(
            rows[1],
            SyncRow::Authorized {
                corp_id: corp_id.clone(),
                agent_id: Some(9)
            }
        );
        assert_eq!(rows[2], SyncRow::Relieved { corp_id });
        let SyncRow::Event { key, json } = &rows[3] else {
            panic!("{rows:?}")
        };
        assert_eq!(key, "sync:ding1:s:13:b:7");
        let event = Event::parse(json).unwrap();
        assert_eq!(
            (event.event_type.as_str(), event.corp_id.as_deref()),
            ("user_add_org", Some("ding1"))
        );
        let SyncRow::Event { json, .. } = &rows[4] else {
            panic!("{rows:?}")
        };
        assert!(json.contains("unreadable_sync_row"));
        assert_eq!(sync_rows(r#"{"EventType":"org_change"}"#), None);
    }
}
