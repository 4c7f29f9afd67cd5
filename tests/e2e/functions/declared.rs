//! What plugins may give to host functions: read from the WIT package, with samples and with values that are wrong.

use wit_parser::{Function, Resolve, Type, TypeDefKind};

use belfry_tests::components;
use serde_json::{Map, Value, json};

/// Longer than anything that is text may be, and many more than there may be of anything.
const LONG: usize = 100_001;
const MANY: usize = 5_001;

/// A host function as the package declares it.
pub(super) struct Declared {
    /// Such as `chat.send`.
    pub(super) name: String,
    params: Vec<(String, Shape)>,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// A text or a list with nothing in it, or the number 0.
    Empty,
    /// A text, a list or a number with more than there may be.
    TooMuch,
    /// A text that is not of the form that its kind has.
    Malformed,
}

/// Arguments of which one is wrong.
pub(super) struct Mistake {
    /// Function and argument, such as `chat.create chat.members`.
    pub(super) place: String,
    /// What is wrong there.
    pub(super) wrong: Wrong,
    /// All arguments.
    pub(super) arguments: Vec<Value>,
}

/// The form of an argument in the JSON that the guest reads.
enum Shape {
    /// With the name of its kind, such as `user-id`.
    Text(Option<String>),
    Bytes,
    Number,
    Time,
    Degrees,
    Flag,
    Word(String),
    Maybe(Box<Shape>),
    List(Box<Shape>),
    Record(Vec<(String, Shape)>),
    Variant(Vec<(String, Option<Shape>)>),
}

/// All functions of the interfaces that plugins import and that must be granted.
pub(super) fn all() -> Vec<Declared> {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(components::checkout().join("wit"))
        .unwrap();
    let granted = |name: &str| !["log", "config", "delivery"].contains(&name);
    let mut declared = Vec::new();
    for (_, interface) in &resolve.interfaces {
        let name = interface.name.as_deref().unwrap();
        if !granted(name) || name == "handler" {
            continue;
        }
        for function in interface.functions.values() {
            declared.push(Declared::of(&resolve, name, function));
        }
    }
    declared
}

impl Declared {
    fn of(resolve: &Resolve, interface: &str, function: &Function) -> Self {
        let params = function.params.iter();
        Self {
            name: format!("{interface}.{}", function.name),
            params: params
                .map(|param| (param.name.clone(), shape(resolve, param.ty)))
                .collect(),
        }
    }

    /// Arguments that nothing is wrong with.
    pub(super) fn sample(&self) -> Vec<Value> {
        self.params
            .iter()
            .map(|(name, shape)| sample(shape, &format!("{} {name}", self.name)))
            .collect()
    }

    /// Arguments in which every id is one that nobody has.
    pub(super) fn unknown(&self) -> Vec<Value> {
        let text = json!(self.sample()).to_string();
        let text = text.replace("\"alice\"", "\"nobody\"");
        let text = text.replace("\"1\"", "\"987654\"");
        let text = text.replace("PROC-LEAVE", "PROC-NOBODY");
        serde_json::from_str(&text.replace("13800000001", "13899999999")).unwrap()
    }

    /// Every way in which one of its arguments can be wrong.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let sample = self.sample();
        let mut mistakes = Vec::new();
        for (index, (name, shape)) in self.params.iter().enumerate() {
            for (place, wrong, value) in mistakes_of(shape, format!("{} {name}", self.name)) {
                let mut arguments = sample.clone();
                arguments[index] = value;
                mistakes.push(Mistake {
                    place,
                    wrong,
                    arguments,
                });
            }
        }
        mistakes
    }
}

fn shape(resolve: &Resolve, ty: Type) -> Shape {
    let Type::Id(id) = ty else {
        return match ty {
            Type::String => Shape::Text(None),
            Type::U32 => Shape::Number,
            Type::F64 => Shape::Degrees,
            Type::Bool => Shape::Flag,
            other => panic!("no function takes {other:?} yet"),
        };
    };
    let definition = &resolve.types[id];
    match &definition.kind {
        TypeDefKind::Type(Type::String) => Shape::Text(definition.name.clone()),
        // The only other name for a kind of number.
        TypeDefKind::Type(Type::F64) => Shape::Time,
        TypeDefKind::Type(ty) => shape(resolve, *ty),
        TypeDefKind::Option(ty) => Shape::Maybe(Box::new(shape(resolve, *ty))),
        TypeDefKind::List(Type::U8) => Shape::Bytes,
        TypeDefKind::List(ty) => Shape::List(Box::new(shape(resolve, *ty))),
        TypeDefKind::Enum(words) => Shape::Word(upper(&words.cases[0].name)),
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|field| (field.name.clone(), shape(resolve, field.ty)));
            Shape::Record(fields.collect())
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases = cases.map(|case| (case.name.clone(), case.ty.map(|ty| shape(resolve, ty))));
            Shape::Variant(cases.collect())
        }
        other => panic!("no function takes {other:?} yet"),
    }
}

/// `action-card` as Rust names the case of a variant.
fn upper(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capital).collect()
}

fn case(name: &str, payload: Option<Value>) -> Value {
    match payload {
        None => json!(upper(name)),
        Some(payload) => json!({upper(name): payload}),
    }
}

/// What stands in texts, by the end of their place.
const SAMPLES: &[(&str, &str)] = &[
    ("process-code", "PROC-LEAVE"),
    ("fields[].name", "请假事由"),
    ("url", "https://example.com/"),
    ("photos[]", "https://example.com/a.png"),
    ("mobile", "13800000001"),
    ("mobiles[]", "13800000001"),
    // Nobody comes and goes at once.
    ("remove-members[]", "bob"),
    // Not the name of the value beside it.
    ("message.media[].name", "picture"),
];

/// As [`SAMPLES`], of texts that must be of a certain form.
const FORMS: &[(&str, &str)] = &[
    ("attachments[].size", "10"),
    ("files[].space-id", "7"),
    ("update-status-bar color", "0xFF78C06E"),
    ("head-bgcolor", "FF78C06E"),
    ("media.upload name", "a.png"),
    ("cron.pattern", "0 9 * * *"),
    ("cron.time-zone", "Asia/Shanghai"),
    ("list-users cursor", "1"),
    ("value.number", "12.50"),
    ("value.date", "2026-11-30"),
    ("date-range.start", "2026-11-30"),
    ("date-range.end", "2026-12-01"),
    ("place.at", "2026-11-30 10:00:00"),
];

fn sample(shape: &Shape, place: &str) -> Value {
    match shape {
        Shape::Text(kind) => {
            let mut samples = FORMS.iter().chain(SAMPLES);
            let form = samples.find(|(end, _)| place.ends_with(end));
            match (form, kind.as_deref()) {
                (Some((_, form)), _) => json!(form),
                (None, Some("dept-id" | "task-id" | "notice-id")) => json!("1"),
                (None, Some("media-id")) => json!("@nobody"),
                (None, Some("user-id")) => json!("alice"),
                (None, _) => json!("nobody"),
            }
        }
        Shape::Bytes => json!("1"),
        Shape::Number => json!(1),
        Shape::Time => json!(now()),
        Shape::Degrees => json!(30.5),
        Shape::Flag => json!(false),
        Shape::Word(word) => json!(word),
        Shape::Maybe(_) => Value::Null,
        Shape::List(item) => json!([sample(item, &format!("{place}[]"))]),
        Shape::Record(fields) => record(fields, place).into(),
        Shape::Variant(cases) => {
            let (name, payload) = &cases[0];
            let payload = payload.as_ref();
            case(
                name,
                payload.map(|shape| sample(shape, &format!("{place}.{name}"))),
            )
        }
    }
}

fn record(fields: &[(String, Shape)], place: &str) -> Map<String, Value> {
    fields
        .iter()
        .map(|(name, shape)| {
            (
                name.replace('-', "_"),
                sample(shape, &format!("{place}.{name}")),
            )
        })
        .collect()
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

fn mistakes_of(shape: &Shape, place: String) -> Vec<(String, Wrong, Value)> {
    match shape {
        Shape::Text(kind) => {
            let mut wrong = vec![
                (Wrong::Empty, json!("")),
                (Wrong::TooMuch, json!({"repeat": "长", "times": LONG})),
            ];
            let is_number = matches!(kind.as_deref(), Some("dept-id" | "task-id" | "notice-id"));
            if is_number || FORMS.iter().any(|(end, _)| place.ends_with(end)) {
                wrong.push((Wrong::Malformed, json!("no such form")));
            }
            let with = |(wrong, value)| (place.clone(), wrong, value);
            wrong.into_iter().map(with).collect()
        }
        Shape::Bytes => vec![
            (place.clone(), Wrong::Empty, json!("")),
            (
                place,
                Wrong::TooMuch,
                json!({"repeat": "x", "times": (20 << 20) + 1}),
            ),
        ],
        Shape::Number => vec![
            (place.clone(), Wrong::Empty, json!(0)),
            (place, Wrong::TooMuch, json!(u32::MAX)),
        ],
        Shape::Time => vec![
            (place.clone(), Wrong::Malformed, json!(0.5)),
            (place.clone(), Wrong::Malformed, json!(-1.0)),
            (place, Wrong::TooMuch, json!(1e300)),
        ],
        Shape::Degrees => vec![
            (place.clone(), Wrong::Malformed, json!(-181.0)),
            (place, Wrong::TooMuch, json!(1e300)),
        ],
        Shape::Flag | Shape::Word(_) => Vec::new(),
        Shape::Maybe(shape) => mistakes_of(shape, place),
        Shape::List(item) => {
            let inner = format!("{place}[]");
            let many = json!({"copy": sample(item, &inner), "times": MANY});
            let mut wrong = vec![
                (place.clone(), Wrong::Empty, json!([])),
                (place, Wrong::TooMuch, many),
            ];
            let items = mistakes_of(item, inner).into_iter();
            wrong.extend(items.map(|(place, wrong, value)| (place, wrong, json!([value]))));
            wrong
        }
        Shape::Record(fields) => {
            let whole = record(fields, &place);
            let mut found = Vec::new();
            for (name, shape) in fields {
                for (place, wrong, value) in mistakes_of(shape, format!("{place}.{name}")) {
                    let mut record = whole.clone();
                    record.insert(name.replace('-', "_"), value);
                    found.push((place, wrong, record.into()));
                }
            }
            found
        }
        Shape::Variant(cases) => {
            let mut found = Vec::new();
            for (name, shape) in cases {
                let Some(shape) = shape else { continue };
                for (place, wrong, value) in mistakes_of(shape, format!("{place}.{name}")) {
                    found.push((place, wrong, case(name, Some(value))));
                }
            }
            found
        }
    }
}
