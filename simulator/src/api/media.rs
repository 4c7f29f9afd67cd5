//! Uploads, and the files that people sent to robots.

use serde_json::{Value, json};

use super::call::{ApiCall, CallBody, FilePart};
use super::oapi::{Outcome, Refusal, members};
use super::v1;
use crate::files::Uploaded;
use crate::options::App;
use crate::state::World;

const MIB: usize = 1024 * 1024;

/// The types, the endings of their files, and how large one may be.
const TYPES: [(&str, &[&str], usize); 4] = [
    ("image", &["jpg", "jpeg", "gif", "png", "bmp"], 20 * MIB),
    ("voice", &["amr", "mp3", "wav"], 2 * MIB),
    ("video", &["mp4"], 20 * MIB),
    (
        "file",
        &[
            "doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar",
        ],
        20 * MIB,
    ),
];

/// `POST /media/upload`, a form with the file in the part `media`.
pub(super) fn upload(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let CallBody::Files(parts) = &call.body else {
        return Err(Refusal::new(43008, "需要multipart类型"));
    };
    let kind = call
        .query("type")
        .or_else(|| part(parts, "type").and_then(FilePart::text))
        .unwrap_or_default();
    let (kind, endings, most) = TYPES
        .into_iter()
        .find(|(name, _, _)| *name == kind)
        .ok_or_else(|| Refusal::new(40004, "不合法的媒体文件类型"))?;
    let file = part(parts, "media").ok_or_else(|| Refusal::new(41005, "缺少多媒体文件数据"))?;
    if file.bytes.is_empty() {
        return Err(Refusal::new(44001, "多媒体文件为空"));
    }
    let name = file.file_name.clone().unwrap_or_default();
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .unwrap_or_default();
    if !endings.contains(&ending.as_str()) {
        return Err(Refusal::new(40005, "不合法的文件类型"));
    }
    if file.bytes.len() > most {
        return Err(Refusal::new(40006, "不合法的文件大小"));
    }
    let uploaded = world.files.upload(Uploaded {
        media_id: String::new(),
        app: app.name.clone(),
        kind: kind.to_owned(),
        name,
        bytes: file.bytes.len(),
        at: call.now,
    });
    Ok(members(json!({
        "type": kind,
        "media_id": uploaded.media_id,
        "created_at": uploaded.at,
    })))
}

/// `POST /v1.0/robot/messageFiles/download`.
pub(super) fn download(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    let body = call.members();
    if body.text("robotCode") != Some(&app.robot_code) {
        return Err(v1::Refusal::new(
            "invalidParameter.robotCode.notExsit",
            "robotCode 不存在",
        ));
    }
    let code = body.text("downloadCode").unwrap_or_default();
    let address = world.files.address(&app.name, code).ok_or_else(|| {
        v1::Refusal::new("invalidParameter.downloadCode.invalid", "downloadCode 无效")
    })?;
    let url = format!("http://{}/_sim/files/{address}", world.address);
    Ok(Value::Object(members(json!({"downloadUrl": url}))))
}

fn part<'a>(parts: &'a [FilePart], name: &str) -> Option<&'a FilePart> {
    parts.iter().find(|part| part.name == name)
}
