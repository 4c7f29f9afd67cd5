//! Makes any call of the catalogue, with arguments and answer as DingTalk writes them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::invalid;
use super::media::{MediaKind, Upload};
use crate::catalog::{Access, Api, Call, Fill, Host, Manner, Verb};
use crate::error::Effect;
use crate::{ApiError, ApiStyle, Client};

/// A file for a raw call.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Its name with the ending by which DingTalk knows its form.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Client {
    /// Makes a call of the catalogue and gives DingTalk's answer as it came. Arguments that DingTalk must refuse are not
    /// sent: [`ApiError::Invalid`] with the code `client.argument` names the field.
    ///
    /// Where an API has an older and a newer call, the arguments decide; where they fit both, the client's style does.
    pub async fn call(&self, api: &Api, arguments: &Map<String, Value>) -> Result<Value, ApiError> {
        self.call_preferring(self.style(), api, arguments).await
    }

    /// As [`Client::call`], with the style that counts where the arguments fit both calls.
    pub async fn call_preferring(
        &self,
        style: ApiStyle,
        api: &Api,
        arguments: &Map<String, Value>,
    ) -> Result<Value, ApiError> {
        let (call, arguments) = api
            .choose(style, arguments)
            .map_err(|error| invalid(error.to_string()))?;
        self.call_checked(api.access, call, arguments).await
    }

    /// Makes a call that takes a file; the arguments say of what kind it is.
    pub async fn call_with_file(
        &self,
        api: &Api,
        arguments: &Map<String, Value>,
        file: NamedFile,
    ) -> Result<Value, ApiError> {
        let (call, arguments) = api
            .choose(self.style(), arguments)
            .map_err(|error| invalid(error.to_string()))?;
        let Manner::Upload(_) = call.manner else {
            return Err(invalid(format!("{} takes no file", call.path)));
        };
        let kind = arguments.get("type").and_then(Value::as_str);
        let upload = Upload {
            kind: kind
                .and_then(MediaKind::from_word)
                .ok_or_else(|| invalid("type is missing"))?,
            file_name: file.name,
            bytes: file.bytes,
        };
        Ok(self.send_file(upload).await?.into_value())
    }

    /// Makes one call with arguments that [`Call::check`] gave.
    pub async fn call_checked(
        &self,
        access: Access,
        call: &Call,
        mut arguments: Map<String, Value>,
    ) -> Result<Value, ApiError> {
        if call.manner != Manner::Token {
            return Err(invalid(format!(
                "{} cannot be called with plain arguments, because it takes {}",
                call.path,
                match call.manner {
                    Manner::Upload(_) => "a file",
                    Manner::Suite => "a suite's signature",
                    _ => "the app's secret",
                }
            )));
        }
        self.fill(call, &mut arguments)?;
        self.fit_call(call, &arguments).await?;
        let effect = match access {
            Access::Read => Effect::Read,
            Access::Write => Effect::Write,
        };
        let answer = match call.verb {
            Verb::Post => {
                let arguments = Value::Object(arguments);
                let body = match call.envelope {
                    Some(envelope) => Map::from_iter([(envelope.to_owned(), arguments)]).into(),
                    None => arguments,
                };
                match call.host() {
                    Host::Oapi => self.oapi_checked(call.path, body, effect).await?,
                    Host::Api => self.api_checked(call.path, &body, effect).await?,
                }
            }
            Verb::Get => {
                let texts: Vec<Cow<'_, str>> = arguments.values().map(in_query).collect();
                let names = arguments.keys().map(String::as_str);
                let query: Vec<(&str, &str)> = names.zip(texts.iter().map(Cow::as_ref)).collect();
                match call.host() {
                    Host::Oapi => self.oapi_get_checked(call.path, &query, effect).await?,
                    // All of them are reads.
                    Host::Api => self.api_get_checked(call.path, &query).await?,
                }
            }
        };
        Ok(answer.into_value())
    }

    /// Puts in what the client knows itself.
    fn fill(&self, call: &Call, arguments: &mut Map<String, Value>) -> Result<(), ApiError> {
        let credentials = self.credentials();
        for param in call.params {
            let Some(fill) = param.fill else { continue };
            if arguments.contains_key(param.name) {
                continue;
            }
            let value = match fill {
                Fill::AgentId => credentials.agent_id.map(Value::from),
                Fill::RobotCode => Some(credentials.robot_code.as_str().into()),
            };
            match value {
                Some(value) => {
                    arguments.insert(param.name.to_owned(), value);
                }
                None if param.is_required => {
                    return Err(invalid(format!(
                        "{} is missing, and the app has none configured",
                        param.name
                    )));
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// A value as it stands in a query.
fn in_query(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}
