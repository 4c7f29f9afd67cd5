//! Which permission a call needs. An app has all of them unless its scope lists some.

use super::call::ApiCall;
use crate::options::App;
use crate::state::World;

const INSTANCE_WRITE: &str = "Workflow.Instance.Write";
const INSTANCE_READ: &str = "Workflow.Instance.Read";
const FORM_READ: &str = "Workflow.Form.Read";
const ROBOT: &str = "qyapi_robot_sendmsg";
const CHAT: &str = "qyapi_chat_manage";

/// The permission that the app lacks for this call.
pub(super) fn missing(world: &World, app: &App, call: &ApiCall) -> Option<&'static str> {
    let point = needed(call.method.as_str(), &call.path)?;
    (!world.contacts.permits(&app.name, point)).then_some(point)
}

/// The permission of approvals, robots and groups; contacts look after their own. Only those of the newer approvals are
/// documented, the others stand in.
fn needed(method: &str, path: &str) -> Option<&'static str> {
    if path.starts_with("/v1.0/workflow/forms/") || path.contains("/processCentres/") {
        return Some(FORM_READ);
    }
    if let Some(action) = path.strip_prefix("/v1.0/workflow/") {
        let reads = method == "GET" || action.ends_with("/query") || action.ends_with("/download");
        return Some(if reads { INSTANCE_READ } else { INSTANCE_WRITE });
    }
    if path.starts_with("/topapi/process") {
        let action = path.rsplit('/').next().unwrap_or_default();
        let writes = matches!(action, "create" | "terminate" | "execute" | "add" | "auth");
        return Some(if writes {
            INSTANCE_WRITE
        } else {
            INSTANCE_READ
        });
    }
    if path.starts_with("/v1.0/robot/") && path.contains("Messages/") {
        return Some(ROBOT);
    }
    let is_chat = ["/chat/", "/topapi/im/chat/", "/v1.0/im/"];
    is_chat
        .iter()
        .any(|start| path.starts_with(start))
        .then_some(CHAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_permission() {
        for (method, path, point) in [
            (
                "POST",
                "/v1.0/workflow/processInstances",
                Some(INSTANCE_WRITE),
            ),
            (
                "GET",
                "/v1.0/workflow/processInstances",
                Some(INSTANCE_READ),
            ),
            (
                "POST",
                "/v1.0/workflow/processes/instanceIds/query",
                Some(INSTANCE_READ),
            ),
            (
                "GET",
                "/v1.0/workflow/forms/schemas/processCodes",
                Some(FORM_READ),
            ),
            (
                "POST",
                "/topapi/processinstance/create",
                Some(INSTANCE_WRITE),
            ),
            ("POST", "/topapi/processinstance/get", Some(INSTANCE_READ)),
            ("POST", "/v1.0/robot/groupMessages/send", Some(ROBOT)),
            ("POST", "/v1.0/robot/messageFiles/download", None),
            ("POST", "/chat/send", Some(CHAT)),
            ("POST", "/topapi/v2/user/get", None),
        ] {
            assert_eq!(needed(method, path), point, "{path}");
        }
    }
}
