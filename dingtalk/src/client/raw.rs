//! Makes any call of the catalogue, with arguments and answer as DingTalk writes them.

use serde_json::{Map, Value};

use super::invalid;
use crate::catalog::{Access, Api, Call, Fill, Host, Manner, Verb};
use crate::error::Effect;
use crate::{ApiError, ApiStyle, Client};

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

    /// Makes one call with arguments that [`Call::check`] gave.
    pub async fn call_checked(
        &self,
        access: Access,
        call: &Call,
        mut arguments: Map<String, Value>,
    ) -> Result<Value, ApiError> {
        if call.manner != Manner::Token {
            return Err(invalid(format!(
                "{} cannot be called with plain arguments, because it takes a file, a suite's signature or the app's secret",
                call.path
            )));
        }
        self.fill(call, &mut arguments)?;
        self.fit_call(call, &arguments).await?;
        let effect = match access {
            Access::Read => Effect::Read,
            Access::Write => Effect::Write,
        };
        let body = match call.envelope {
            Some(envelope) => Value::Object(Map::from_iter([(
                envelope.to_owned(),
                arguments.clone().into(),
            )])),
            None => Value::Object(arguments.clone()),
        };
        let answer = match (call.verb, call.host()) {
            (Verb::Post, Host::Oapi) => self.oapi(call.path, body, effect).await?,
            (Verb::Post, Host::Api) => self.api(call.path, &body, effect).await?,
            (Verb::Get, host) => {
                let query: Vec<(&str, String)> = arguments
                    .iter()
                    .map(|(name, value)| (name.as_str(), in_query(value)))
                    .collect();
                let query: Vec<(&str, &str)> = query
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                match host {
                    Host::Oapi => self.oapi_get_as(call.path, &query, effect).await?,
                    // All of them are reads.
                    Host::Api => self.api_get(call.path, &query).await?,
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
fn in_query(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
