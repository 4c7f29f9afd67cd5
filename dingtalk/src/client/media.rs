//! Files: uploads for messages, and what people sent to the robot.

use reqwest::multipart::{Form, Part};
use serde_json::json;
use std::time::Duration;
use url::Url;

use super::answer::Answer;
use super::invalid;
use crate::error::Effect;
use crate::{ApiError, Client};

/// How long an upload or a download may take in all.
const TRANSFER: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;

/// What a file is, which decides where it can be used and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// jpg, gif, png or bmp, at most 20 MiB.
    Image,
    /// amr, mp3 or wav, at most 2 MiB.
    Voice,
    /// mp4, at most 20 MiB.
    Video,
    /// Documents and archives, at most 20 MiB.
    File,
}

impl MediaKind {
    const ALL: [Self; 4] = [Self::Image, Self::Voice, Self::Video, Self::File];

    /// DingTalk's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::File => "file",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The endings of names that DingTalk takes, by the page about uploads.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["jpg", "gif", "png", "bmp"],
            Self::Voice => &["amr", "mp3", "wav"],
            Self::Video => &["mp4"],
            Self::File => &[
                "doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar",
            ],
        }
    }

    /// Bytes of a file of the kind, by the page about uploads. An older table of errors has smaller ones.
    pub fn max_bytes(self) -> usize {
        match self {
            Self::Voice => 2 * MIB,
            Self::Image | Self::Video | Self::File => 20 * MIB,
        }
    }
}

/// A file to upload.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// What it is.
    pub kind: MediaKind,
    /// Its name with the ending by which DingTalk knows its form.
    pub file_name: String,
    /// The file itself, not empty.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("kind", &self.kind)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Upload {
    fn check(&self) -> Result<(), ApiError> {
        let (kind, most) = (self.kind.as_str(), self.kind.max_bytes());
        if self.bytes.is_empty() {
            return Err(invalid("the file is empty"));
        }
        if self.bytes.len() > most {
            let most = most / MIB;
            return Err(invalid(format!("a {kind} has at most {most} MiB")));
        }
        let name = &self.file_name;
        if name.is_empty() || name.len() > 255 || name.contains(['/', '\\']) {
            return Err(invalid("the file's name is empty, too long or a path"));
        }
        if name.chars().any(char::is_control) {
            return Err(invalid("the file's name has control characters"));
        }
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let endings = self.kind.endings();
        if !endings.contains(&ending.to_ascii_lowercase().as_str()) {
            let endings = endings.join(", ");
            return Err(invalid(format!(
                "the name of a file of the kind {kind} must end in one of {endings}"
            )));
        }
        Ok(())
    }
}

impl Client {
    /// Uploads a file (`media/upload`) and answers with its media id, which messages of the same organisation can name.
    pub async fn media_upload(&self, upload: Upload) -> Result<String, ApiError> {
        self.send_file(upload).await?.text("media_id")
    }

    pub(super) async fn send_file(&self, upload: Upload) -> Result<Answer, ApiError> {
        upload.check()?;
        let kind = upload.kind.as_str();
        let bytes = bytes_of(upload.bytes);
        let name = upload.file_name;
        let attach = |request: reqwest::RequestBuilder| {
            let part = Part::stream_with_length(bytes.clone(), bytes.len() as u64);
            let form = Form::new().part("media", part.file_name(name.clone()));
            request.multipart(form).timeout(TRANSFER)
        };
        // Without the type in the query some clients hear 40004.
        self.oapi_with("/media/upload", &[("type", kind)], attach)
            .await
    }

    /// The address of a file that somebody sent to the robot (`robot/messageFiles/download`). It works for a while and
    /// for whoever has it, so it belongs in no log.
    pub async fn robot_file_url(&self, download_code: &str) -> Result<Url, ApiError> {
        if download_code.is_empty() {
            return Err(invalid("the download code is empty"));
        }
        let body = json!({
            "downloadCode": download_code,
            "robotCode": self.inner.credentials.robot_code,
        });
        let path = "/v1.0/robot/messageFiles/download";
        let answer = self.api(path, &body, Effect::Read).await?;
        let url = Url::parse(&answer.text("downloadUrl")?).ok();
        url.filter(|url| self.may_fetch(url))
            .ok_or_else(|| answer.lacks("downloadUrl"))
    }

    /// Fetches a file that somebody sent to the robot, of at most `max_bytes`.
    pub async fn robot_file(
        &self,
        download_code: &str,
        max_bytes: usize,
    ) -> Result<Vec<u8>, ApiError> {
        let url = self.robot_file_url(download_code).await?;
        self.fetch(url, max_bytes, TRANSFER).await
    }

    /// A file is fetched without TLS only where the API itself is called without.
    fn may_fetch(&self, url: &Url) -> bool {
        let is_plain = self.inner.endpoints.api.scheme() == "http";
        url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_plain))
    }
}

/// Bytes that can be sent a second time, when a token was refused, without being copied.
fn bytes_of(bytes: Vec<u8>) -> bytes::Bytes {
    bytes.into()
}
