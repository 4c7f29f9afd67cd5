//! Keeps the forms of templates, so that what breaks their rules is found before it is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Field, Form};
use crate::catalog::{Call, Verb};
use crate::{ApiError, Client};

/// Templates whose forms are kept at the same time. The codes come from plugins, so there may be any number of them.
const KEPT: usize = 512;
/// How long reading a form may hold a request up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an app that may not read a form is not asked to, at most.
const AFTER_REFUSAL: Duration = Duration::from_secs(3600);
/// How long nobody tries again after a form could not be read for now, at most.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);

/// The forms of an app's templates.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    /// How long a form is used; zero checks nothing.
    keep: Duration,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// **Invariant**: at most one reads the form of a template, because that needs the lock.
type Slot = tokio::sync::Mutex<Option<Known>>;

#[derive(Debug)]
struct Known {
    /// Absent if it could not be read.
    form: Option<Form>,
    until: Instant,
}

impl Forms {
    pub(crate) fn new(keep: Duration) -> Self {
        Self {
            keep,
            slots: Mutex::default(),
        }
    }

    fn slot(&self, code: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(code) {
            return Arc::clone(slot);
        }
        if slots.len() >= KEPT {
            slots.clear();
        }
        Arc::clone(slots.entry(code.to_owned()).or_default())
    }
}

impl Client {
    /// Refuses fields that the template's form is against. A form is read once and kept; whatever was changed in it since
    /// can only let something through, because fields are refused by a form that was read just now. Where it cannot be
    /// read, DingTalk decides.
    pub(super) async fn fit_template(&self, code: &str, fields: &[Field]) -> Result<(), ApiError> {
        // Third-party apps cannot read forms.
        if self.inner.forms.keep.is_zero() || self.inner.suite.is_some() {
            return Ok(());
        }
        let slot = self.inner.forms.slot(code);
        let mut known = slot.lock().await;
        let is_kept = known
            .as_ref()
            .is_some_and(|known| Instant::now() < known.until);
        if is_kept && !is_against(known.as_ref(), fields) {
            return Ok(());
        }
        let known = known.insert(self.read_form(code).await);
        match known.form.as_ref().map(|form| form.refuse(fields)) {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn read_form(&self, code: &str) -> Known {
        let keep = self.inner.forms.keep;
        let read = tokio::time::timeout(PATIENCE, self.approval_form(code)).await;
        let (form, keep) = match read {
            Ok(Ok(form)) => (Some(form), keep),
            Ok(Err(
                ApiError::Denied { .. } | ApiError::Invalid { .. } | ApiError::NotFound { .. },
            )) => (None, keep.min(AFTER_REFUSAL)),
            Ok(Err(_)) | Err(_) => (None, keep.min(AFTER_TROUBLE)),
        };
        Known {
            form,
            until: Instant::now() + keep,
        }
    }

    /// As [`Client::fit_template`], for a call with plain arguments; other calls have no form.
    pub(in crate::client) async fn fit_call(
        &self,
        call: &Call,
        arguments: &Map<String, Value>,
    ) -> Result<(), ApiError> {
        let (code, fields) = match (call.verb, call.path) {
            (Verb::Post, "/topapi/processinstance/create") => {
                ("process_code", "form_component_values")
            }
            (Verb::Post, "/v1.0/workflow/processInstances") => {
                ("processCode", "formComponentValues")
            }
            _ => return Ok(()),
        };
        let Some(code) = arguments.get(code).and_then(Value::as_str) else {
            return Ok(());
        };
        let fields: Option<Vec<Field>> =
            arguments
                .get(fields)
                .and_then(Value::as_array)
                .map(|fields| {
                    let text = |field: &Value, name: &str| field[name].as_str().map(str::to_owned);
                    fields
                        .iter()
                        .filter_map(|field| {
                            Some(Field {
                                name: text(field, "name")?,
                                value: text(field, "value")?,
                            })
                        })
                        .collect()
                });
        self.fit_template(code, &fields.unwrap_or_default()).await
    }
}

fn is_against(known: Option<&Known>, fields: &[Field]) -> bool {
    let form = known.and_then(|known| known.form.as_ref());
    form.is_some_and(|form| form.refuse(fields).is_err())
}
