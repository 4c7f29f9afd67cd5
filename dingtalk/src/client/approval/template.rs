//! The templates of approvals: by name, and as a person sees them.

use serde_json::json;

use super::check;
use crate::client::limit;
use crate::error::Effect;
use crate::{ApiError, ApiStyle, Client};

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its code.
    pub process_code: String,
    /// Its name.
    pub name: String,
}

/// A page of templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplatePage {
    /// The templates.
    pub templates: Vec<Template>,
    /// Absent on the last page.
    pub next_cursor: Option<u32>,
}

impl Client {
    /// The code of the template with that name.
    pub async fn approval_template(&self, name: &str) -> Result<String, ApiError> {
        limit::given("the template's name", name)?;
        match self.style {
            ApiStyle::Modern => {
                let path = "/v1.0/workflow/processCentres/schemaNames/processCodes";
                let answer = self.api_get(path, &[("name", name)]).await?;
                let code = answer.object("result")?.text("processCode");
                code.ok_or_else(|| answer.lacks("result.processCode"))
            }
            // The older answer has the code at the top and not in `result`.
            ApiStyle::Legacy => {
                let body = json!({"name": name});
                self.oapi("/topapi/process/get_by_name", body, Effect::Read)
                    .await?
                    .text("process_code")
            }
        }
    }

    /// The templates that a person may start, 1 to 100 a page; `cursor` is 0 first.
    pub async fn approval_templates(
        &self,
        user_id: &str,
        cursor: u32,
        size: u32,
    ) -> Result<TemplatePage, ApiError> {
        check::user_id(user_id)?;
        limit::page(size, 100)?;
        let answer = match self.style {
            ApiStyle::Modern => {
                let (cursor, size) = (cursor.to_string(), size.to_string());
                let query = [
                    ("userId", user_id),
                    ("nextToken", &cursor),
                    ("maxResults", &size),
                ];
                let path = "/v1.0/workflow/processes/userVisibilities/templates";
                self.api_get(path, &query).await?
            }
            ApiStyle::Legacy => {
                let body = json!({"userid": user_id, "offset": cursor, "size": size});
                self.oapi("/topapi/process/listbyuserid", body, Effect::Read)
                    .await?
            }
        };
        let page = answer.object("result")?;
        let next = page
            .integer("nextToken")
            .or_else(|| page.integer("next_cursor"));
        let list = ["processList", "process_list"];
        let templates = list.into_iter().flat_map(|list| page.objects(list));
        Ok(TemplatePage {
            templates: templates
                .map(|template| Template {
                    process_code: template
                        .first_text(&["processCode", "process_code"])
                        .unwrap_or_default(),
                    name: template.text("name").unwrap_or_default(),
                })
                .collect(),
            next_cursor: next.and_then(|next| u32::try_from(next).ok()),
        })
    }
}
