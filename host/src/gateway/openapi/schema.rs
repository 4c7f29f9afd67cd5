//! What an argument may be, as JSON Schema.

use std::sync::LazyLock;

use dingtalk::catalog::{Kind, LONGEST_ID, MAX_MESSAGE, MESSAGES, Param};
use serde_json::{Value, json};

/// A range of so few numbers is written out, where numbers come as text.
const SPELLED_OUT: i64 = 1000;

/// What counts as blank, for the brackets of a pattern. Engines differ in what `\s` is, so it is spelled out.
static BLANKS: LazyLock<String> = LazyLock::new(|| {
    let blanks = ('\0'..=char::MAX).filter(|letter| letter.is_whitespace());
    blanks
        .map(|letter| format!("\\u{:04x}", u32::from(letter)))
        .collect()
});

/// A member of a body. What need not be there may be null.
pub(super) fn member(param: &Param) -> Value {
    if param.is_needed() {
        given(param.kind)
    } else {
        json!({"anyOf": [value(param.kind), {"type": "null"}]})
    }
}

/// A value that is there and says something.
pub(super) fn given(kind: Kind) -> Value {
    let mut schema = value(kind);
    match kind {
        Kind::Text(_) => {
            schema["minLength"] = json!(1);
            schema["pattern"] = json!(not_blank());
        }
        Kind::Sized(..) => schema["pattern"] = json!(not_blank()),
        Kind::Texts(_) | Kind::Objects(_) | Kind::Fields(_) => schema["minItems"] = json!(1),
        Kind::Joined(most) => {
            schema["anyOf"][0]["pattern"] = json!(format!("^{}$", joined(most)));
            schema["anyOf"][1]["minItems"] = json!(1);
        }
        Kind::Object => schema["minProperties"] = json!(1),
        Kind::Word(_) | Kind::Integer(..) | Kind::Boolean | Kind::Message => {}
    }
    schema
}

fn value(kind: Kind) -> Value {
    match kind {
        Kind::Text(most) => json!({"type": "string", "maxLength": most}),
        Kind::Sized(least, most) => {
            json!({"type": "string", "minLength": least, "maxLength": most})
        }
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Integer(least, most) => json!({"anyOf": [
            {"type": "integer", "minimum": least, "maximum": most},
            {"type": "string", "pattern": number(least, most)},
        ]}),
        Kind::Boolean => json!({"enum": [true, false, "true", "false"]}),
        Kind::Texts(most) => json!({
            "type": "array",
            "maxItems": most,
            "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": not_blank()},
        }),
        Kind::Joined(most) => json!({
            "description": format!("Ids of at most {LONGEST_ID} characters"),
            "anyOf": [
                {"type": "string", "pattern": format!("^({})?$", joined(most))},
                {"type": "array", "maxItems": most, "items": {
                    "type": "string", "maxLength": LONGEST_ID, "pattern": format!("^{}$", id()),
                }},
            ],
        }),
        Kind::Objects(most) => {
            json!({"type": "array", "maxItems": most, "items": {"type": "object"}})
        }
        Kind::Fields(most) => json!({"type": "array", "maxItems": most, "items": {
            "type": "object",
            "required": ["name", "value"],
            "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
        }}),
        Kind::Object => json!({"type": "object"}),
        Kind::Message => {
            let kinds = MESSAGES.iter().map(|kind| {
                json!({
                    "type": "object",
                    "required": ["msgtype", kind],
                    "properties": {
                        "msgtype": {"type": "string", "enum": [kind]},
                        *kind: {"type": "object"},
                    },
                })
            });
            json!({
                "description": format!("At most {MAX_MESSAGE} bytes of JSON"),
                "anyOf": kinds.collect::<Vec<_>>(),
            })
        }
    }
}

/// An argument in a query. What need not be there may be empty, as forms send it.
pub(super) fn in_query(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Joined(most) => json!({"type": "string", "pattern": format!("^{}$", joined(most))}),
        Kind::Text(_) if !param.is_needed() => return value(param.kind),
        Kind::Text(_) | Kind::Sized(..) | Kind::Word(_) => given(param.kind),
        Kind::Texts(_) | Kind::Objects(_) | Kind::Fields(_) | Kind::Object | Kind::Message => {
            json!({"type": "string", "contentMediaType": "application/json"})
        }
    };
    if param.is_needed() {
        schema
    } else {
        json!({"anyOf": [schema, {"type": "string", "maxLength": 0}]})
    }
}

fn not_blank() -> String {
    format!("[^{}]", *BLANKS)
}

fn id() -> String {
    format!("[^,{}]+", *BLANKS)
}

/// One id or more, with commas between them.
fn joined(most: usize) -> String {
    format!("{0}(,{0}){{0,{1}}}", id(), most.saturating_sub(1))
}

/// A number of that range as a text, without a plus sign and without zeros before it.
fn number(least: i64, most: i64) -> String {
    let numbers: Vec<String> = if most.saturating_sub(least) <= SPELLED_OUT {
        (least..=most).map(|number| number.to_string()).collect()
    } else {
        let below = (least..0).map(|number| number.to_string());
        below.chain(up_to(&most.to_string())).collect()
    };
    format!("^({})$", numbers.join("|"))
}

/// Patterns of the numbers from 0 to one that is written down here.
fn up_to(most: &str) -> Vec<String> {
    let mut patterns = vec!["0".to_owned()];
    if most.len() > 1 {
        patterns.push(format!("[1-9][0-9]{{0,{}}}", most.len() - 2));
    }
    // As long as the largest one, and smaller at one place.
    for (place, digit) in most.bytes().enumerate() {
        let least = if place == 0 { b'1' } else { b'0' };
        if digit > least {
            let (before, rest) = (&most[..place], most.len() - place - 1);
            let (low, high) = (char::from(least), char::from(digit - 1));
            patterns.push(format!("{before}[{low}-{high}][0-9]{{{rest}}}"));
        }
    }
    patterns.push(most.to_owned());
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_have_the_range_of_the_number() {
        assert_eq!(number(0, 1), "^(0|1)$");
        assert_eq!(
            up_to("2034").join(" "),
            "0 [1-9][0-9]{0,2} [1-1][0-9]{3} 20[0-2][0-9]{1} 203[0-3][0-9]{0} 2034"
        );
        let all = number(-1, i64::MAX);
        assert!(all.starts_with("^(-1|0|[1-9][0-9]{0,17}|[1-8][0-9]{18}|9[0-1][0-9]{17}|"));
        assert!(all.ends_with("|9223372036854775807)$"), "{all}");
    }

    #[test]
    fn what_is_blank_is_spelled_out() {
        let blanks = BLANKS.as_str();
        for part in ["\\u0009", "\\u0020", "\\u0085", "\\u3000"] {
            assert!(blanks.contains(part), "{blanks}");
        }
        assert!(!blanks.contains("ufeff"));
    }
}
