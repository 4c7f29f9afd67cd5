//! Sorts DingTalk's codes by what the caller can do.

use std::time::Duration;

use super::{ApiError, Effect, Failure};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a robot that sent too much is switched off.
const ROBOT_PAUSE: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy)]
enum Class {
    TokenRefused,
    Denied,
    RateLimited(Duration),
    Invalid,
    NotFound,
    Unavailable,
    /// The system failed in the middle of something.
    Uncertain,
    Credentials,
}

/// An `errcode` or `sub_code` of the older API.
pub(crate) fn oapi(code: &str, message: &str, effect: Effect) -> Failure {
    build(oapi_class(code), code, message, effect)
}

/// A `code` of the v1.0 API with its HTTP status.
pub(crate) fn api(status: u16, code: &str, message: &str, effect: Effect) -> Failure {
    build(api_class(status, code), code, message, effect)
}

/// An answer without a code that can be read.
pub(crate) fn status(status: u16, code: &str, message: &str, effect: Effect) -> Failure {
    let class = match status {
        401 | 403 => Class::Denied,
        404 => Class::NotFound,
        408 => Class::Uncertain,
        429 => Class::RateLimited(SECOND),
        300..=499 => Class::Invalid,
        _ => Class::Uncertain,
    };
    build(class, code, message, effect)
}

fn build(class: Class, code: &str, message: &str, effect: Effect) -> Failure {
    let code = code.to_owned();
    let message = message.to_owned();
    Failure::Other(match class {
        Class::TokenRefused => return Failure::TokenRefused { code, message },
        Class::Denied => ApiError::Denied { code, message },
        Class::RateLimited(retry_after) => ApiError::RateLimited {
            code,
            message,
            retry_after,
        },
        Class::Invalid => ApiError::Invalid { code, message },
        Class::NotFound => ApiError::NotFound { code, message },
        Class::Unavailable => ApiError::Unavailable { code, message },
        Class::Uncertain => return Failure::Other(effect.uncertain(code, message)),
        Class::Credentials => ApiError::Credentials { code, message },
    })
}

fn oapi_class(code: &str) -> Class {
    let Ok(number) = code.parse::<i64>() else {
        return Class::Invalid;
    };
    match number {
        40001 | 40014 | 42001 | 33001 => Class::TokenRefused,
        40002 | 40089 | 40096 | 40083 | 40086 | 853_001..=853_004 => Class::Credentials,
        // The ticket is not the newest one: the next is pushed within hours, or was just now.
        40085 | 41023 => Class::Unavailable,
        // The system is busy or sending failed: DingTalk itself says to try again.
        -1 | 34015 => Class::Unavailable,
        500 | 400_001 => Class::Uncertain,

        90002 | 90018 => Class::RateLimited(SECOND),
        90001
        | 90003..=90017
        | 41046
        | 41047
        | 143_103
        | 143_104
        | 143_203
        | 143_204
        | 1_430_003 => Class::RateLimited(MINUTE),
        130_101 | 410_100 | 660_026 => Class::RateLimited(ROBOT_PAUSE),
        41045 | 143_105 | 143_205 => Class::RateLimited(DAY),

        // 88 wraps authentication and permissions; 90020 is the month's quota, which a person must raise.
        88 | 90020 | 60011 | 60020 | 48002 | 50001..=50005 | 43007 | 41028 | 1_430_004 => {
            Class::Denied
        }
        41030 | 41031 | 70001 => Class::Denied,
        40056 | 70002..=70004 | 52019 | 8_100_017 | 310_000 | 400_102 => Class::Denied,

        33012 | 40003 | 46004 | 60111 | 60121 | 60003 | 40009 | 40066 => Class::NotFound,
        34001 | 34013 | 40016 | 49000 | 300_001 | 400_013 | 400_101 | 400_106 => Class::NotFound,
        820_004 | 830_001 => Class::NotFound,
        _ => Class::Invalid,
    }
}

fn api_class(status: u16, code: &str) -> Class {
    let has = |part: &str| code.contains(part);
    if code == "InvalidAuthentication" {
        Class::TokenRefused
    } else if code == "invalidClientIdOrSecret" {
        Class::Credentials
    } else if has("QpsLimit") || has("Throttling") {
        Class::RateLimited(SECOND)
    } else if ["QpmLimit", "RateLimited", "tooFast", "too.fast"]
        .into_iter()
        .any(has)
    {
        Class::RateLimited(MINUTE)
    } else if status >= 500
        || has("system.error")
        || matches!(code, "sysErrror" | "internalError" | "systemError")
    {
        // The first spelling of the three is DingTalk's.
        Class::Uncertain
    } else if has("notExsit") || has("otExist") || has("disbanded") || code == "session.expired" {
        // The first spelling is DingTalk's.
        Class::NotFound
    } else if code == "invalid.openConversationId" {
        Class::NotFound
    } else if code.starts_with("Forbidden")
        || has("notAllow")
        || has("org.notMatch")
        || matches!(code, "needAuth" | "processSetupNoPermission")
    {
        Class::Denied
    } else {
        match status {
            401 | 403 => Class::Denied,
            404 => Class::NotFound,
            429 => Class::RateLimited(SECOND),
            _ => Class::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(failure: &Failure) -> &'static str {
        match failure {
            Failure::TokenRefused { .. } => "token",
            Failure::Other(ApiError::Denied { .. }) => "denied",
            Failure::Other(ApiError::RateLimited { .. }) => "rate-limited",
            Failure::Other(ApiError::Invalid { .. }) => "invalid",
            Failure::Other(ApiError::NotFound { .. }) => "not-found",
            Failure::Other(ApiError::Unavailable { .. }) => "unavailable",
            Failure::Other(ApiError::OutcomeUnknown { .. }) => "outcome-unknown",
            Failure::Other(ApiError::Credentials { .. }) => "credentials",
        }
    }

    #[test]
    fn codes_of_the_older_api_are_sorted_by_what_can_be_done() {
        for (code, expected) in [
            ("40014", "token"),
            ("42001", "token"),
            ("40001", "token"),
            ("33001", "token"),
            ("40096", "credentials"),
            ("-1", "unavailable"),
            ("90002", "rate-limited"),
            ("90018", "rate-limited"),
            ("143105", "rate-limited"),
            ("410100", "rate-limited"),
            ("90020", "denied"),
            ("60011", "denied"),
            ("60020", "denied"),
            ("88", "denied"),
            ("40035", "invalid"),
            ("34016", "invalid"),
            ("143106", "invalid"),
            ("99999999", "invalid"),
            ("word", "invalid"),
            ("60121", "not-found"),
            ("34001", "not-found"),
            ("300001", "not-found"),
        ] {
            assert_eq!(shown(&oapi(code, "m", Effect::Write)), expected, "{code}");
        }
        assert_eq!(
            shown(&oapi("400001", "m", Effect::Write)),
            "outcome-unknown"
        );
        assert_eq!(shown(&oapi("400001", "m", Effect::Read)), "unavailable");
    }

    #[test]
    fn codes_of_the_newer_api_are_sorted_by_what_can_be_done() {
        for (status, code, expected) in [
            (400, "InvalidAuthentication", "token"),
            (400, "invalidClientIdOrSecret", "credentials"),
            (
                403,
                "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                "rate-limited",
            ),
            (
                403,
                "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi",
                "rate-limited",
            ),
            (403, "Forbidden.AccessDenied.ApiCountLimitForOrg", "denied"),
            (
                403,
                "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                "denied",
            ),
            (400, "send.too.fast", "rate-limited"),
            (400, "send.byToken.tooFast", "rate-limited"),
            (400, "invalidParameter.robotCode.notExsit", "not-found"),
            (400, "group.disbanded", "not-found"),
            (400, "processInstanceNotExist", "not-found"),
            (400, "aflowProcessInstNotExist", "not-found"),
            (400, "formConverterError", "invalid"),
            (400, "needAuth", "denied"),
            (400, "autoflowLikeTriggerRateLimited", "rate-limited"),
            (400, "sysErrror", "outcome-unknown"),
            (400, "invalidParameter.msgParam.invalid", "invalid"),
            (404, "InvalidAction.NotFound", "not-found"),
            (500, "system.error", "outcome-unknown"),
            (503, "Whatever", "outcome-unknown"),
        ] {
            assert_eq!(
                shown(&api(status, code, "m", Effect::Write)),
                expected,
                "{code}"
            );
        }
    }
}
