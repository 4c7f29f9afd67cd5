//! Turns what a host function refused into how the event ends.

use std::time::Duration;

use crate::api::{Detail, Error};
use crate::{Failure, Retry, kv, schedule};

impl Failure {
    /// Asks for another attempt on the host's own schedule; the reason is one line for the operator.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry(Retry {
            reason: reason.into(),
            after_ms: None,
        })
    }

    /// Asks for another attempt, not before `delay` has passed; the reason is one line for the operator.
    pub fn retry_after(reason: impl Into<String>, delay: Duration) -> Self {
        let after_ms = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        Self::Retry(Retry {
            reason: reason.into(),
            after_ms: Some(after_ms),
        })
    }

    /// Gives up: the event becomes a dead letter with this line for the operator.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent(reason.into())
    }

    /// Whether another attempt was asked for.
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry(_))
    }

    /// The line for the operator.
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry(retry) => &retry.reason,
            Self::Permanent(reason) => reason,
        }
    }
}

/// Retries what was certainly not done and may work later. An unknown outcome is permanent: only the plugin can know
/// whether doing it twice would hurt, so a plugin that does handles [`Error::OutcomeUnknown`] itself.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::RateLimited(limit) => Self::retry_after(
                explain("too many calls", &limit.detail),
                Duration::from_millis(limit.retry_after_ms.into()),
            ),
            Error::Unavailable(detail) => Self::retry(explain("not available now", &detail)),
            Error::Denied(detail) => Self::permanent(explain("not allowed", &detail)),
            Error::Invalid(detail) => Self::permanent(explain("refused as invalid", &detail)),
            Error::NotFound(detail) => Self::permanent(explain("not found", &detail)),
            Error::OutcomeUnknown(detail) => Self::permanent(explain(
                "no answer came, so it may or may not have been done; look before doing it again",
                &detail,
            )),
        }
    }
}

/// Only a store that cannot be written at the moment is worth another attempt.
impl From<kv::Error> for Failure {
    fn from(error: kv::Error) -> Self {
        match error {
            kv::Error::Unavailable => Self::retry("the key-value store cannot be written now"),
            kv::Error::InvalidKey => Self::permanent("key is empty or longer than 512 bytes"),
            kv::Error::ValueTooLarge(limit) => {
                Self::permanent(format!("value is longer than {limit} bytes"))
            }
            kv::Error::Full(limit) => {
                Self::permanent(format!("stored values would take more than {limit} bytes"))
            }
        }
    }
}

/// Only a journal that cannot be written at the moment is worth another attempt.
impl From<schedule::Error> for Failure {
    fn from(error: schedule::Error) -> Self {
        match error {
            schedule::Error::Unavailable => Self::retry("timers cannot be kept now"),
            schedule::Error::Invalid(reason) => {
                Self::permanent(format!("timer refused as invalid: {reason}"))
            }
            schedule::Error::Full(limit) => {
                Self::permanent(format!("a plugin can have {limit} timers"))
            }
        }
    }
}

fn explain(what: &str, detail: &Detail) -> String {
    format!("{what}: {} ({})", detail.message, detail.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TooMany;

    fn detail() -> Detail {
        Detail {
            code: "88".to_owned(),
            message: "slow down".to_owned(),
        }
    }

    #[test]
    fn a_rate_limit_is_tried_again_after_its_delay() {
        let failure = Failure::from(Error::RateLimited(TooMany {
            detail: detail(),
            retry_after_ms: 1500,
        }));
        assert_eq!(
            failure,
            Failure::retry_after(
                "too many calls: slow down (88)",
                Duration::from_millis(1500)
            )
        );
    }

    #[test]
    fn only_what_was_not_done_and_may_work_later_is_tried_again() {
        for (error, again) in [
            (Error::Unavailable(detail()), true),
            (Error::Denied(detail()), false),
            (Error::Invalid(detail()), false),
            (Error::NotFound(detail()), false),
            (Error::OutcomeUnknown(detail()), false),
        ] {
            assert_eq!(Failure::from(error.clone()).is_retry(), again, "{error:?}");
        }
        assert!(Failure::from(kv::Error::Unavailable).is_retry());
        assert!(!Failure::from(kv::Error::Full(10)).is_retry());
        assert!(Failure::from(schedule::Error::Unavailable).is_retry());
        assert!(!Failure::from(schedule::Error::Full(256)).is_retry());
    }

    #[test]
    fn an_unknown_outcome_says_so() {
        assert!(
            Failure::from(Error::OutcomeUnknown(detail()))
                .reason()
                .contains("may or may not")
        );
    }

    #[test]
    fn a_delay_longer_than_the_field_is_cut() {
        let Failure::Retry(retry) = Failure::retry_after("x", Duration::MAX) else {
            unreachable!()
        };
        assert_eq!(retry.after_ms, Some(u32::MAX));
    }
}
