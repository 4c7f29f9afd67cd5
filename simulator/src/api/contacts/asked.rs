//! The parameters of a contacts call, in the query of the older and the body of the newer ones.

use axum::http::Method;

use crate::api::call::ApiCall;
use crate::api::oapi::Refusal;

/// Where the parameters of one call stand.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a>(&'a ApiCall);

impl<'a> Asked<'a> {
    pub(super) fn of(call: &'a ApiCall) -> Self {
        Self(call)
    }

    fn is_query(self) -> bool {
        self.0.method == Method::GET
    }

    /// A text that must be there.
    pub(super) fn text(self, name: &str) -> Result<&'a str, Refusal> {
        let text = if self.is_query() {
            self.0.query(name)
        } else {
            self.0.members().text(name)
        };
        text.ok_or_else(|| Refusal::parameter(name))
    }

    /// A whole number, if it is there; text that is none is refused.
    pub(super) fn maybe_integer(self, name: &str) -> Result<Option<i64>, Refusal> {
        if self.is_query() {
            let text = self.0.query(name);
            return text
                .map(|text| text.trim().parse().map_err(|_| Refusal::parameter(name)))
                .transpose();
        }
        let members = self.0.members();
        match members.get(name) {
            None => Ok(None),
            Some(_) => members
                .integer(name)
                .map(Some)
                .ok_or_else(|| Refusal::parameter(name)),
        }
    }

    /// A whole number that must be there.
    pub(super) fn integer(self, name: &str) -> Result<i64, Refusal> {
        self.maybe_integer(name)?
            .ok_or_else(|| Refusal::parameter(name))
    }

    /// A truth value, if it is there.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        if self.is_query() {
            // Clients in Python write it with a capital.
            return self.0.query(name)?.to_ascii_lowercase().parse().ok();
        }
        self.0.members().flag(name)
    }

    /// The place where a page begins and how many fit on it.
    pub(super) fn page(self, start: &str) -> Result<(usize, usize), Refusal> {
        let from = usize::try_from(self.integer(start)?)
            .map_err(|_| Refusal::new(40068, "不合法的偏移量"))?;
        let size = self.integer("size")?;
        match usize::try_from(size) {
            Ok(size @ 1..=100) => Ok((from, size)),
            _ => Err(Refusal::new(40069, "不合法的分页大小")),
        }
    }

    /// Whether a list is turned round; a word that names no order is refused.
    pub(super) fn is_reversed(self, name: &str) -> Result<bool, Refusal> {
        match self.text(name).unwrap_or("custom") {
            "custom" | "entry_asc" | "modify_asc" => Ok(false),
            "entry_desc" | "modify_desc" => Ok(true),
            _ => Err(Refusal::parameter(name)),
        }
    }
}
