//! Files of approvals, which lie in a space of DingTalk's drive.

use std::fmt;

use serde_json::json;

use super::check;
use crate::client::{limit, number};
use crate::error::Effect;
use crate::{ApiError, ApiStyle, Client};

const SPACES: &str = "/v1.0/workflow/processInstances/spaces";

/// A file in the space of approvals, as a form or a comment names it.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The space, a decimal number as text.
    pub space_id: String,
    /// The file.
    pub file_id: String,
    /// Its name.
    pub name: String,
    /// Its bytes, a decimal number as text.
    pub size: String,
    /// Its ending, such as `pdf`.
    pub kind: String,
}

/// A file that came with a record of an instance.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachedFile {
    /// The file.
    pub file_id: String,
    /// Its name.
    pub name: String,
    /// Its ending, such as `pdf`.
    pub kind: String,
    /// Its bytes, a decimal number as text.
    pub size: String,
}

/// What comes with a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Addresses of pictures.
    pub photos: Vec<String>,
    /// At most 20.
    pub attachments: Vec<Attachment>,
}

impl Files {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.photos.is_empty() && self.attachments.is_empty()
    }
}

/// Where a file can be fetched for 15 minutes, by whoever has the address.
#[derive(Clone, PartialEq, Eq)]
pub struct FileLink {
    /// The address.
    pub url: String,
    /// The space that the file is in.
    pub space_id: Option<String>,
}

impl Client {
    /// The space for the files of approvals. Asking lets the person upload there, so ask before each upload.
    pub async fn approval_space(&self, user_id: &str) -> Result<String, ApiError> {
        check::user_id(user_id)?;
        let agent_id = self.inner.credentials.agent_id;
        let answer = match self.style {
            ApiStyle::Modern => {
                let body = json!({"userId": user_id, "agentId": agent_id});
                let path = format!("{SPACES}/infos/query");
                self.api(&path, &body, Effect::Write).await?
            }
            ApiStyle::Legacy => {
                let body = json!({"user_id": user_id, "agent_id": agent_id});
                self.oapi("/topapi/processinstance/cspace/info", body, Effect::Write)
                    .await?
            }
        };
        answer.accepted()?;
        let result = answer.object("result")?;
        result
            .first_text(&["spaceId", "space_id"])
            .ok_or_else(|| answer.lacks("result.space_id"))
    }

    /// Where a file of an instance's form can be fetched.
    pub async fn approval_file(
        &self,
        instance_id: &str,
        file_id: &str,
    ) -> Result<FileLink, ApiError> {
        check::instance_id(instance_id)?;
        limit::given("the file id", file_id)?;
        let answer = match self.style {
            ApiStyle::Modern => {
                let body = json!({"processInstanceId": instance_id, "fileId": file_id});
                let path = format!("{SPACES}/files/urls/download");
                self.api(&path, &body, Effect::Read).await?
            }
            ApiStyle::Legacy => {
                let request = json!({"process_instance_id": instance_id, "file_id": file_id});
                let path = "/topapi/processinstance/file/url/get";
                self.oapi(path, json!({"request": request}), Effect::Read)
                    .await?
            }
        };
        answer.accepted()?;
        let result = answer.object("result")?;
        Ok(FileLink {
            url: result
                .first_text(&["downloadUri", "download_uri"])
                .ok_or_else(|| answer.lacks("result.download_uri"))?,
            space_id: result.first_text(&["spaceId", "space_id"]),
        })
    }

    /// Lets a person open files of the space in DingTalk; each is a space and a file id.
    pub async fn approval_allow_download(
        &self,
        user_id: &str,
        files: &[(String, String)],
    ) -> Result<(), ApiError> {
        check::user_id(user_id)?;
        limit::some("files", files.len(), 20)?;
        for (_, file_id) in files {
            limit::id("the file id", file_id)?;
        }
        let infos = |space: &str, file: &str| {
            let infos = files.iter();
            let infos = infos.map(|(space_id, file_id)| {
                Ok(json!({space: number("space id", space_id)?, file: file_id}))
            });
            infos.collect::<Result<Vec<_>, ApiError>>()
        };
        let answer = match self.style {
            ApiStyle::Modern => {
                let body = json!({"userId": user_id, "fileInfos": infos("spaceId", "fileId")?});
                let path = format!("{SPACES}/files/authDownload");
                self.api(&path, &body, Effect::Write).await?
            }
            ApiStyle::Legacy => {
                let infos = infos("space_id", "file_id")?;
                let request = json!({"userid": user_id, "file_infos": infos});
                let path = "/topapi/process/dentry/auth";
                self.oapi(path, json!({"request": request}), Effect::Write)
                    .await?
            }
        };
        answer.accepted()
    }
}

// Names of files and the addresses of their contents stay out of debug output.

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("space_id", &self.space_id)
            .field("file_id", &self.file_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AttachedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedFile")
            .field("file_id", &self.file_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FileLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLink")
            .field("space_id", &self.space_id)
            .finish_non_exhaustive()
    }
}
