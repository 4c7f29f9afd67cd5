//! Values of form controls: DingTalk takes them as text, each kind with rules of its own.

use serde_json::{Value, json};

use super::check::{NAME_CHARS, VALUE_CHARS};
use super::{Attachment, Field};
use crate::ApiError;

/// Pictures and related instances of one control.
const NINE: usize = 9;

/// A value of a form control.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// One or several lines of text (`TextField`, `TextareaField`), or a phone number (`PhoneField`).
    Text(String),
    /// A decimal number (`NumberField`, `MoneyField`), such as `12.50`.
    Number(String),
    /// One of the options (`DDSelectField`), by its text.
    Choice(String),
    /// Some of the options (`DDMultiSelectField`), by their texts.
    Choices(Vec<String>),
    /// A day (`DDDateField`), `yyyy-MM-dd`, or `yyyy-MM-dd HH:mm` where the template asks for the time.
    Date(String),
    /// Two days (`DDDateRangeField`).
    DateRange(DateRange),
    /// Pictures by their addresses (`DDPhotoField`), at most 9.
    Photos(Vec<String>),
    /// Files in the space of approvals (`DDAttachment`).
    Attachments(Vec<Attachment>),
    /// People by user id (`InnerContactField`).
    People(Vec<String>),
    /// Departments by id (`DepartmentField`).
    Departments(Vec<String>),
    /// Other instances by id (`RelateField`), at most 9.
    Related(Vec<String>),
    /// A place of residence (`AddressField`).
    Address(Address),
    /// Stars (`StarRatingField`).
    Rating(u32),
    /// Where somebody is and when (`TimeAndLocationField`).
    Place(Place),
    /// Rows of cells (`TableField`).
    Table(Vec<Vec<Field>>),
}

/// Two days of one control, which has two labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// The label of the second day; the first is the field's own.
    pub end_label: String,
    /// The first day, as a [`FieldValue::Date`].
    pub start: String,
    /// The second day.
    pub end: String,
}

/// A province, a city and a district.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Such as 北京.
    pub province: String,
    /// Such as 北京市.
    pub city: String,
    /// Such as 河东区.
    pub district: String,
}

/// A time and a place of one control, which has two labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The label of the place; the label of the time is the field's own.
    pub place_label: String,
    /// `yyyy-MM-dd HH:mm:ss`.
    pub at: String,
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
    /// In words.
    pub address: String,
    /// How far off it may be, in metres.
    pub accuracy: u32,
}

/// Why a field of a form cannot be sent: DingTalk would refuse the form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {label:?} {rule}")]
pub struct FieldError {
    /// The control's label.
    pub label: String,
    /// The rule that it breaks.
    pub rule: String,
}

impl FieldError {
    pub(super) fn new(label: &str, rule: impl Into<String>) -> Self {
        Self {
            label: label.to_owned(),
            rule: rule.into(),
        }
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::Invalid {
            code: "client.field".to_owned(),
            message: error.to_string(),
        }
    }
}

impl FieldValue {
    /// The field as DingTalk takes it, for the control with that label.
    pub fn field(&self, label: &str) -> Result<Field, FieldError> {
        let second = match self {
            Self::DateRange(range) => Some(range.end_label.as_str()),
            Self::Place(place) => Some(place.place_label.as_str()),
            _ => None,
        };
        for label in [Some(label), second].into_iter().flatten() {
            if label.is_empty() {
                return Err(FieldError::new(label, "has no label"));
            }
            if label.chars().count() > NAME_CHARS {
                let start: String = label.chars().take(20).collect();
                let rule = format!("has a label of more than {NAME_CHARS} characters");
                return Err(FieldError::new(&format!("{start}…"), rule));
            }
        }
        let broken = |rule: String| FieldError::new(label, rule);
        let value = self.text().map_err(broken)?;
        if value.chars().count() > VALUE_CHARS {
            return Err(broken(format!("has more than {VALUE_CHARS} characters")));
        }
        let name = match second {
            Some(second) => json!([label, second]).to_string(),
            None => label.to_owned(),
        };
        Ok(Field { name, value })
    }

    /// The value as text, or the rule that it breaks.
    fn text(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Number(number) => decimal(number).map(|()| number.clone()),
            Self::Choice(option) if option.is_empty() => Err("has an empty choice".to_owned()),
            Self::Choice(option) => Ok(option.clone()),
            Self::Choices(options) => some(options, "choice", usize::MAX),
            Self::Date(day) => date(day).map(|()| day.clone()),
            Self::DateRange(range) => {
                date(&range.start)?;
                date(&range.end)?;
                Ok(json!([range.start, range.end]).to_string())
            }
            Self::Photos(urls) => some(urls, "picture", NINE),
            Self::Attachments(files) => attachments(files),
            Self::People(ids) => some(ids, "user id", usize::MAX),
            Self::Departments(ids) => departments(ids),
            Self::Related(ids) => some(ids, "instance id", NINE),
            Self::Address(Address {
                province,
                city,
                district,
            }) => address([province, city, district]),
            Self::Rating(stars) => Ok(stars.to_string()),
            Self::Place(place) => {
                if !reads(&place.at, &["%Y-%m-%d %H:%M:%S"]) {
                    return Err("has a time that is not written yyyy-MM-dd HH:mm:ss".to_owned());
                }
                let (lng, lat) = (place.longitude, place.latitude);
                if !(-180.0..=180.0).contains(&lng) || !(-90.0..=90.0).contains(&lat) {
                    return Err("has a place that is not on this planet".to_owned());
                }
                Ok(json!([place.at, lng, lat, place.address, place.accuracy]).to_string())
            }
            Self::Table(rows) if rows.is_empty() => Err("has no row".to_owned()),
            Self::Table(rows) if rows.iter().any(Vec::is_empty) => {
                Err("has a row without a cell".to_owned())
            }
            Self::Table(rows) => {
                if rows.iter().flatten().any(|cell| cell.name.is_empty()) {
                    return Err("has a cell without a label".to_owned());
                }
                let row = |cells: &Vec<Field>| -> Value {
                    let cells = cells.iter();
                    cells
                        .map(|cell| json!({"name": cell.name, "value": cell.value}))
                        .collect()
                };
                Ok(rows.iter().map(row).collect::<Value>().to_string())
            }
        }
    }
}

/// A list as JSON text, which also one entry is written as.
fn some(entries: &[String], what: &str, limit: usize) -> Result<String, String> {
    if entries.is_empty() {
        return Err(format!("has no {what}"));
    }
    if entries.len() > limit {
        return Err(format!(
            "has {} entries ({what}), dingtalk takes {limit}",
            entries.len()
        ));
    }
    if entries.iter().any(String::is_empty) {
        return Err(format!("has an empty {what}"));
    }
    Ok(json!(entries).to_string())
}

fn attachments(files: &[Attachment]) -> Result<String, String> {
    if files.is_empty() {
        return Err("has no file".to_owned());
    }
    let whole = |file: &Attachment| {
        ![&file.space_id, &file.file_id, &file.name, &file.kind]
            .iter()
            .any(|part| part.is_empty())
            && file.size.bytes().all(|byte| byte.is_ascii_digit())
            && !file.size.is_empty()
    };
    if !files.iter().all(whole) {
        return Err("has a file without space, id, name, ending or size in bytes".to_owned());
    }
    let files: Value = files
        .iter()
        .map(|file| {
            json!({
                "spaceId": file.space_id,
                "fileName": file.name,
                "fileSize": file.size,
                "fileType": file.kind,
                "fileId": file.file_id,
            })
        })
        .collect();
    Ok(files.to_string())
}

/// DingTalk's newer page has the ids joined by commas.
fn departments(ids: &[String]) -> Result<String, String> {
    if ids.is_empty() {
        return Err("has no department".to_owned());
    }
    if ids.iter().any(|id| id.parse::<i64>().is_err()) {
        return Err("has a department id that is not a decimal number".to_owned());
    }
    Ok(ids.join(","))
}

fn address(parts: [&String; 3]) -> Result<String, String> {
    if parts
        .iter()
        .any(|part| part.is_empty() || part.contains(','))
    {
        return Err(
            "has a province, city or district that is empty or contains a comma".to_owned(),
        );
    }
    Ok(parts.map(String::as_str).join(","))
}

/// Digits with at most one point, and a sign before them.
pub(super) fn decimal(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(whole) && is_number(part) {
        Ok(())
    } else {
        Err("is not a decimal number such as 12.50".to_owned())
    }
}

/// A day, or a minute of a day.
pub(super) fn date(text: &str) -> Result<(), String> {
    if reads(text, &["%Y-%m-%d", "%Y-%m-%d %H:%M"]) {
        Ok(())
    } else {
        Err("is not a date written yyyy-MM-dd or yyyy-MM-dd HH:mm".to_owned())
    }
}

/// Whether a text is a time in one of these forms, with all their zeros.
fn reads(text: &str, forms: &[&str]) -> bool {
    forms.iter().any(|form| {
        let length = if form.contains("%S") {
            19
        } else if form.contains("%H") {
            16
        } else {
            10
        };
        text.len() == length
            && jiff::fmt::strtime::parse(form, text).is_ok_and(|time| time.to_date().is_ok())
    })
}

#[cfg(test)]
mod tests;
