//! What the API can answer, by what the caller can do about it.

pub(crate) mod classify;

use std::time::Duration;

use crate::MessageError;

/// Why a call of the DingTalk API failed.
///
/// `code` is DingTalk's own (`sub_code` before `errcode`, or the `code` of the v1.0 API), or begins with `client.`
/// where the answer was not DingTalk's: `client.connect`, `client.timeout`, `client.http-502` and the like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The app may not do this. Nothing was done; a person must grant a permission, raise a quota or allow an address.
    #[error("dingtalk denied the call: {message} ({code})")]
    Denied {
        /// DingTalk's code.
        code: String,
        /// DingTalk's text.
        message: String,
    },
    /// Too many calls. Nothing was done; call again after the delay, not before.
    #[error("dingtalk limits the rate: {message} ({code})")]
    RateLimited {
        /// DingTalk's code.
        code: String,
        /// DingTalk's text.
        message: String,
        /// How long to wait at least.
        retry_after: Duration,
    },
    /// The arguments are wrong, as DingTalk says or as is known before it is asked. Nothing was done; do not repeat the
    /// call unchanged.
    #[error("the arguments are wrong: {message} ({code})")]
    Invalid {
        /// DingTalk's code, or one that begins with `client.` where DingTalk was not asked.
        code: String,
        /// DingTalk's text, or the client's.
        message: String,
    },
    /// What the call names does not exist. Nothing was done; look the name up again.
    #[error("dingtalk does not know what was named: {message} ({code})")]
    NotFound {
        /// DingTalk's code.
        code: String,
        /// DingTalk's text.
        message: String,
    },
    /// DingTalk could not be reached or is busy. Nothing was done; call again later with back-off.
    #[error("dingtalk is not available: {message} ({code})")]
    Unavailable {
        /// DingTalk's code.
        code: String,
        /// What went wrong.
        message: String,
    },
    /// A write was sent and no usable answer came. It may have been done; look before doing it again.
    #[error("it is unknown whether dingtalk did it: {message} ({code})")]
    OutcomeUnknown {
        /// DingTalk's code.
        code: String,
        /// What went wrong.
        message: String,
    },
    /// The app key or secret is wrong. Nothing was done; correct the configuration, and do not repeat the call until then.
    #[error("dingtalk does not accept the app's credentials: {message} ({code})")]
    Credentials {
        /// DingTalk's code.
        code: String,
        /// DingTalk's text.
        message: String,
    },
}

impl ApiError {
    /// DingTalk's code, or one of ours beginning with `client.`.
    pub fn code(&self) -> &str {
        self.parts().0
    }

    /// The text that came with the code.
    pub fn message(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        match self {
            Self::Denied { code, message }
            | Self::RateLimited { code, message, .. }
            | Self::Invalid { code, message }
            | Self::NotFound { code, message }
            | Self::Unavailable { code, message }
            | Self::OutcomeUnknown { code, message }
            | Self::Credentials { code, message } => (code, message),
        }
    }
}

impl From<MessageError> for ApiError {
    fn from(error: MessageError) -> Self {
        Self::Invalid {
            code: "client.message".to_owned(),
            message: error.to_string(),
        }
    }
}

/// Whether a call changes anything at DingTalk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

impl Effect {
    /// The error of a call that left and came to nothing that can be trusted.
    pub(crate) fn uncertain(self, code: impl Into<String>, message: impl Into<String>) -> ApiError {
        let (code, message) = (code.into(), message.into());
        match self {
            Self::Read => ApiError::Unavailable { code, message },
            Self::Write => ApiError::OutcomeUnknown { code, message },
        }
    }
}

/// A failed call, before a refused token has had its second chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    TokenRefused { code: String, message: String },
    Other(ApiError),
}

impl Failure {
    /// The error when there is no second chance: a token that DingTalk has just given out and refuses.
    pub(crate) fn last(self) -> ApiError {
        match self {
            Self::TokenRefused { code, message } => ApiError::Credentials { code, message },
            Self::Other(error) => error,
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}
