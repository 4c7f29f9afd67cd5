//! Gives out access tokens and knows whose they are and until when.

use std::collections::HashMap;

use crate::crypto::random_text;

/// How long a token lives, in seconds, as the answers say it.
pub(crate) const LIFE_SECONDS: i64 = 7200;

/// The tokens of all apps; one app has one living token for both API hosts.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_app: HashMap<String, Token>,
    /// Those of companies for suites: each request gives another one, and the older ones live on.
    others: Vec<(String, Token)>,
}

#[derive(Debug)]
struct Token {
    text: String,
    expires: i64,
}

impl Tokens {
    /// The app's token: the same while it lives, and with a new lease.
    pub(crate) fn give(&mut self, app: &str, now: i64) -> String {
        let expires = now + LIFE_SECONDS * 1000;
        let token = self
            .by_app
            .entry(app.to_owned())
            .and_modify(|token| {
                if token.expires <= now {
                    token.text = random_text(32);
                }
                token.expires = expires;
            })
            .or_insert_with(|| Token {
                text: random_text(32),
                expires,
            });
        token.text.clone()
    }

    /// Another token for the app, beside those it has.
    pub(crate) fn give_another(&mut self, app: &str, now: i64) -> String {
        let text = random_text(32);
        let token = Token {
            text: text.clone(),
            expires: now + LIFE_SECONDS * 1000,
        };
        self.others.push((app.to_owned(), token));
        text
    }

    /// Whose token this is, if it lives.
    pub(crate) fn owner(&self, text: &str, now: i64) -> Option<&str> {
        let others = self.others.iter().map(|(app, token)| (app, token));
        self.by_app
            .iter()
            .chain(others)
            .find(|(_, token)| token.text == text && token.expires > now)
            .map(|(app, _)| app.as_str())
    }

    /// Makes every token expired.
    pub(crate) fn expire_all(&mut self) {
        let others = self.others.iter_mut().map(|(_, token)| token);
        for token in self.by_app.values_mut().chain(others) {
            token.expires = 0;
        }
    }

    /// Forgets the tokens of apps that are gone.
    pub(crate) fn keep_apps(&mut self, names: &[String]) {
        self.by_app.retain(|app, _| names.contains(app));
        self.others.retain(|(app, _)| names.contains(app));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_token_is_given_again_with_a_longer_life() {
        let mut tokens = Tokens::default();
        let first = tokens.give("acme", 0);
        assert_eq!(tokens.give("acme", 7_000_000), first);
        assert_eq!(tokens.owner(&first, 14_000_000), Some("acme"));
        assert_eq!(tokens.owner(&first, 14_200_000), None);
        assert_ne!(tokens.give("acme", 14_200_000), first);
    }

    #[test]
    fn expired_tokens_belong_to_nobody() {
        let mut tokens = Tokens::default();
        let token = tokens.give("acme", 5);
        tokens.expire_all();
        assert_eq!(tokens.owner(&token, 6), None);
        assert_ne!(tokens.give("acme", 7), token);
    }
}
