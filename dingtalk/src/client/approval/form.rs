//! The form of a template, and whether fields fit it.

use serde_json::Value;

use super::control::{date, decimal};
use super::{Field, FieldError, check};
use crate::members::Members;
use crate::{ApiError, Client};

/// The form of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The template's name.
    pub name: String,
    /// Its controls, in order.
    pub controls: Vec<Control>,
}

/// A control of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its id in the template.
    pub id: String,
    /// Its label, by which values are given. A control with two labels has both, as a JSON list in text.
    pub label: String,
    /// DingTalk's word for its kind, such as `DDSelectField`.
    pub kind: String,
    /// Whether it must be filled in.
    pub required: bool,
    /// What can be chosen.
    pub options: Vec<String>,
    /// The controls of a row, of a table.
    pub children: Vec<Control>,
}

impl Client {
    /// Reads the form of a template. Only the newer API has the call, so it is made whatever the style.
    pub async fn approval_form(&self, process_code: &str) -> Result<Form, ApiError> {
        check::process_code(process_code)?;
        let path = "/v1.0/workflow/forms/schemas/processCodes";
        let answer = self.api_get(path, &[("processCode", process_code)]).await?;
        let result = answer.object("result")?;
        let content = result
            .object("schemaContent")
            .ok_or_else(|| answer.lacks("result.schemaContent"))?;
        Ok(Form {
            name: result
                .text("name")
                .or_else(|| content.text("title"))
                .unwrap_or_default(),
            controls: content.objects("items").map(control).collect(),
        })
    }

    /// Reads the form of a template and checks fields against it, as [`Form::check`]: [`ApiError::Invalid`] names field and
    /// rule.
    pub async fn approval_check(
        &self,
        process_code: &str,
        fields: &[Field],
    ) -> Result<(), ApiError> {
        check::fields(fields, check::most_fields(self.style))?;
        let form = self.approval_form(process_code).await?;
        Ok(form.check(fields)?)
    }
}

fn control(item: Members<'_>) -> Control {
    let props = item.object("props");
    let text = |name| props.and_then(|props| props.text(name)).unwrap_or_default();
    Control {
        id: text("id"),
        label: text("label"),
        kind: item.text("componentName").unwrap_or_default(),
        required: props
            .and_then(|props| props.flag("required"))
            .unwrap_or(false),
        options: props
            .map(|props| props.texts("options"))
            .unwrap_or_default()
            .into_iter()
            .map(option)
            .collect(),
        children: item.objects("children").map(control).collect(),
    }
}

/// An option is its text, or JSON with the text in it.
fn option(text: String) -> String {
    let value = serde_json::from_str::<Value>(&text).ok();
    let inner = value.as_ref().and_then(|value| value["value"].as_str());
    inner.map(str::to_owned).unwrap_or(text)
}

impl Form {
    /// Finds the first field that DingTalk would refuse: of no control, missing, or against the rules of its control.
    pub fn check(&self, fields: &[Field]) -> Result<(), FieldError> {
        fit(&self.controls, fields, Strangers::Refused)
    }

    /// As [`Form::check`], but fields of no control pass: some controls bring more fields than their form tells.
    pub(super) fn refuse(&self, fields: &[Field]) -> Result<(), FieldError> {
        fit(&self.controls, fields, Strangers::Pass)
    }
}

/// What becomes of fields of no control.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strangers {
    Refused,
    Pass,
}

fn fit(controls: &[Control], fields: &[Field], strangers: Strangers) -> Result<(), FieldError> {
    for field in fields {
        let broken = |rule: String| FieldError::new(&field.name, rule);
        let named = controls
            .iter()
            .find(|control| control.is_named(&field.name));
        if named.is_none() && strangers == Strangers::Pass {
            continue;
        }
        let control = named.ok_or_else(|| {
            let labels: Vec<_> = controls
                .iter()
                .map(|control| control.label.as_str())
                .collect();
            broken(format!(
                "is not in the template, which has {}",
                labels.join(", ")
            ))
        })?;
        if !field.value.is_empty() {
            control.fits(&field.value, strangers).map_err(broken)?;
        }
    }
    let is_filled = |control: &Control| {
        fields
            .iter()
            .any(|field| control.is_named(&field.name) && !field.value.is_empty())
    };
    let missing = controls
        .iter()
        .find(|control| control.required && !is_filled(control));
    match missing {
        Some(control) => Err(FieldError::new(
            &control.label,
            "is required by the template",
        )),
        None => Ok(()),
    }
}

impl Control {
    /// Controls with two labels are written as JSON, whose blanks do not matter.
    fn is_named(&self, name: &str) -> bool {
        if self.label == name {
            return true;
        }
        match (
            serde_json::from_str::<Value>(&self.label),
            serde_json::from_str::<Value>(name),
        ) {
            (Ok(label), Ok(name)) => label.is_array() && label == name,
            _ => false,
        }
    }

    /// Whether a value follows the rules of the control, or the rule that it breaks.
    fn fits(&self, value: &str, strangers: Strangers) -> Result<(), String> {
        match self.kind.as_str() {
            "NumberField" | "MoneyField" => decimal(value),
            "DDSelectField" => self.has_option(value),
            "DDMultiSelectField" => list(value)?.iter().try_for_each(|entry| {
                let text = entry.as_str().ok_or_else(|| not_texts(1, usize::MAX))?;
                self.has_option(text)
            }),
            "DDDateField" => date(value),
            "DDDateRangeField" => match list(value)?.as_slice() {
                [Value::String(start), Value::String(end)] => date(start).and_then(|()| date(end)),
                _ => Err(not_texts(2, 2)),
            },
            "DDPhotoField" | "RelateField" => texts(value, 9),
            "InnerContactField" => texts(value, usize::MAX),
            "DDAttachment" => list(value).map(|_| ()),
            "TableField" => self.rows(value, strangers),
            "TextNote" => Err("is a note and takes no value".to_owned()),
            _ => Ok(()),
        }
    }

    fn has_option(&self, value: &str) -> Result<(), String> {
        if self.options.is_empty() || self.options.iter().any(|option| option == value) {
            return Ok(());
        }
        Err(format!(
            "has no option {value:?}, only {}",
            self.options.join(", ")
        ))
    }

    fn rows(&self, value: &str, strangers: Strangers) -> Result<(), String> {
        for row in list(value)? {
            let cells = row.as_array().into_iter().flatten();
            let cells: Option<Vec<Field>> = cells
                .map(|cell| {
                    Some(Field {
                        name: cell["name"].as_str()?.to_owned(),
                        value: cell["value"].as_str()?.to_owned(),
                    })
                })
                .collect();
            let cells = cells
                .filter(|_| row.is_array())
                .ok_or("is not rows of cells with name and value")?;
            if !self.children.is_empty() {
                fit(&self.children, &cells, strangers)
                    .map_err(|error| format!("has a row in which {error}"))?;
            }
        }
        Ok(())
    }
}

fn list(value: &str) -> Result<Vec<Value>, String> {
    match serde_json::from_str(value) {
        Ok(Value::Array(entries)) if !entries.is_empty() => Ok(entries),
        _ => Err("is not a JSON list in text".to_owned()),
    }
}

fn texts(value: &str, limit: usize) -> Result<(), String> {
    let entries = list(value)?;
    if entries.len() > limit || !entries.iter().all(Value::is_string) {
        return Err(not_texts(1, limit));
    }
    Ok(())
}

fn not_texts(least: usize, most: usize) -> String {
    let count = match (least, most) {
        (least, most) if least == most => least.to_string(),
        (least, usize::MAX) => format!("{least} or more"),
        (least, most) => format!("{least} to {most}"),
    };
    format!("is not a JSON list of {count} texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(label: &str, kind: &str) -> Control {
        Control {
            id: String::new(),
            label: label.to_owned(),
            kind: kind.to_owned(),
            required: false,
            options: vec!["年假".to_owned(), "事假".to_owned()],
            children: Vec::new(),
        }
    }

    fn field(name: &str, value: &str) -> Field {
        Field {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn values_must_follow_the_rules_of_their_controls() {
        let check = |kind: &str, value: &str, expected: &str| {
            let form = Form {
                name: String::new(),
                controls: vec![control("x", kind)],
            };
            let told = form.check(&[field("x", value)]);
            let told = told
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            let expected = if expected.is_empty() {
                String::new()
            } else {
                format!("the field \"x\" {expected}")
            };
            assert_eq!(told, expected, "{kind} {value}");
        };
        check("TextField", "anything", "");
        check("NumberField", "2.5", "");
        check("MoneyField", "2,5", "is not a decimal number such as 12.50");
        check("DDSelectField", "年假", "");
        check(
            "DDSelectField",
            "病假",
            "has no option \"病假\", only 年假, 事假",
        );
        check("DDMultiSelectField", r#"["年假"]"#, "");
        check("DDMultiSelectField", "年假", "is not a JSON list in text");
        check(
            "DDMultiSelectField",
            r#"["病假"]"#,
            "has no option \"病假\", only 年假, 事假",
        );
        check(
            "DDDateField",
            "2024-02-30",
            "is not a date written yyyy-MM-dd or yyyy-MM-dd HH:mm",
        );
        check("DDDateRangeField", r#"["2024-02-01","2024-02-02"]"#, "");
        check(
            "DDDateRangeField",
            r#"["2024-02-01"]"#,
            "is not a JSON list of 2 texts",
        );
        check(
            "DDPhotoField",
            r#"["a","b","c","d","e","f","g","h","i","j"]"#,
            "is not a JSON list of 1 to 9 texts",
        );
        check(
            "InnerContactField",
            "[7]",
            "is not a JSON list of 1 or more texts",
        );
        check("TextNote", "x", "is a note and takes no value");
        check(
            "TableField",
            "[1]",
            "is not rows of cells with name and value",
        );
        check("TableField", r#"[[{"name":"a","value":"b"}]]"#, "");
        check("SomethingNew", "anything", "");
    }

    #[test]
    fn fields_must_be_in_the_template_and_required_ones_there() {
        let mut table = control("明细", "TableField");
        table.children = vec![control("数量", "NumberField")];
        let required = Control {
            required: true,
            ..control("事由", "TextField")
        };
        let range = control(r#"["开始时间", "结束时间"]"#, "DDDateRangeField");
        let form = Form {
            name: String::new(),
            controls: vec![required, table, range],
        };
        let told = |fields: &[Field]| form.check(fields).err().map(|error| error.to_string());
        let reason = field("事由", "x");
        assert_eq!(told(std::slice::from_ref(&reason)), None);
        let days = field(
            r#"["开始时间","结束时间"]"#,
            r#"["2024-02-01","2024-02-02"]"#,
        );
        assert_eq!(told(&[reason.clone(), days]), None);
        assert_eq!(
            told(&[]).unwrap(),
            "the field \"事由\" is required by the template"
        );
        assert_eq!(
            told(&[field("事由", "")]).unwrap(),
            "the field \"事由\" is required by the template"
        );
        assert_eq!(
            told(&[field("原因", "x")]).unwrap(),
            "the field \"原因\" is not in the template, which has 事由, 明细, [\"开始时间\", \"结束时间\"]"
        );
        let rows = field("明细", r#"[[{"name":"数量","value":"many"}]]"#);
        assert_eq!(
            told(&[reason, rows]).unwrap(),
            "the field \"明细\" has a row in which the field \"数量\" is not a decimal number such as 12.50"
        );
    }

    #[test]
    fn an_option_may_be_wrapped_in_json() {
        assert_eq!(
            option(r#"{"value":"年假","key":"option_0"}"#.to_owned()),
            "年假"
        );
        assert_eq!(option("年假".to_owned()), "年假");
        assert_eq!(option("7".to_owned()), "7");
    }
}
