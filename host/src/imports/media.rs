//! `belfry:bot/media`: files.

use dingtalk::Upload;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::bindings::belfry::bot::api::{Error, MediaId};
use super::bindings::belfry::bot::media::{Host, MediaKind};
use super::upstream;
use super::value::Value;
use crate::engine::State;
use crate::function::Function;

/// Bytes of a file that a plugin gets at once: what of it as text the journal takes with a record.
const MAX_DOWNLOAD: usize = 512 << 10;

impl Host for State {
    async fn upload(
        &mut self,
        kind: MediaKind,
        name: String,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<MediaId, Error>> {
        // The record has no room for the file; its digest tells it from any other.
        let asked = Asked {
            kind,
            name: &name,
            bytes: bytes.len(),
            sha256: hex(&Sha256::digest(&bytes)),
        };
        let call = self.asks(Function::MediaUpload, &asked)?;
        let upload = Upload {
            kind: match kind {
                MediaKind::Image => dingtalk::MediaKind::Image,
                MediaKind::Voice => dingtalk::MediaKind::Voice,
                MediaKind::Video => dingtalk::MediaKind::Video,
                MediaKind::File => dingtalk::MediaKind::File,
            },
            file_name: name,
            bytes,
        };
        call.write_alike(async { Ok(()) }, upload, |task, upload| async move {
            upstream(&task, task.client.media_upload(upload)).await
        })
        .await
    }

    async fn download(
        &mut self,
        download_code: String,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let asked = Code {
            download_code: &download_code,
        };
        let call = self.asks(Function::MediaDownload, &asked)?;
        let task = call.task();
        let told = call.read(async {
            let fetched = task.client.robot_file(&download_code, MAX_DOWNLOAD);
            upstream(&task, fetched).await.map(Value::from)
        });
        Ok(told.await?.map(Value::into_bytes))
    }

    async fn download_url(
        &mut self,
        download_code: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        let asked = Code {
            download_code: &download_code,
        };
        let call = self.asks(Function::MediaDownloadUrl, &asked)?;
        let task = call.task();
        call.read(async {
            let url = upstream(&task, task.client.robot_file_url(&download_code)).await?;
            Ok(url.to_string())
        })
        .await
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    kind: MediaKind,
    name: &'a str,
    bytes: usize,
    sha256: String,
}

#[derive(Serialize)]
struct Code<'a> {
    download_code: &'a str,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
