//! The rules that forms have for the values of their controls.

use serde_json::Value;

use super::FormValue;
use crate::company::{Field, Template};

/// Characters of a value.
const VALUE_CHARS: usize = 65_535;
/// Pictures and related instances of one control.
const NINE: usize = 9;

/// The first control whose rule is broken, with what is wrong. Labels that the form does not have are let through.
pub(crate) fn broken_rule(template: &Template, values: &[FormValue]) -> Option<String> {
    let given: Vec<(&str, &str)> = values
        .iter()
        .map(|value| (value.name.as_str(), value.value.as_str()))
        .collect();
    broken(&template.fields, &given)
}

fn broken(fields: &[Field], given: &[(&str, &str)]) -> Option<String> {
    for (name, value) in given {
        if value.chars().count() > VALUE_CHARS {
            return Some(format!("{name}: 超过{VALUE_CHARS}个字符"));
        }
        let field = fields.iter().find(|field| is_named(field, name));
        let why = field.and_then(|field| why_not(field, value));
        if let Some(why) = why {
            return Some(format!("{name}: {why}"));
        }
    }
    let missing = fields.iter().find(|field| {
        field.required
            && !given
                .iter()
                .any(|(name, value)| is_named(field, name) && !value.is_empty())
    });
    missing.map(|field| format!("{}: 必填", field.name))
}

/// A control with two labels has them as JSON, in which blanks do not matter.
fn is_named(field: &Field, name: &str) -> bool {
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
    field.name == name || list(&field.name).is_some_and(|labels| Some(labels) == list(name))
}

fn why_not(field: &Field, value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return None;
    }
    let list = serde_json::from_str::<Vec<Value>>(value).ok();
    let texts = serde_json::from_str::<Vec<String>>(value).ok();
    let fits = match field.component_type.as_str() {
        "NumberField" | "MoneyField" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "DDSelectField" => field.options.iter().any(|option| option == value),
        "DDMultiSelectField" => texts.is_some_and(|texts| {
            !texts.is_empty() && texts.iter().all(|text| field.options.contains(text))
        }),
        "DDDateField" => is_date(value),
        "DDDateRangeField" => {
            texts.is_some_and(|texts| texts.len() == 2 && texts.iter().all(|text| is_date(text)))
        }
        "DDPhotoField" | "RelateField" => {
            texts.is_some_and(|texts| (1..=NINE).contains(&texts.len()))
        }
        "InnerContactField" => texts.is_some_and(|texts| !texts.is_empty()),
        "DepartmentField" => value.split(',').all(|id| id.parse::<i64>().is_ok()),
        "DDAttachment" => list.is_some_and(|files| {
            let members = ["spaceId", "fileName", "fileSize", "fileType", "fileId"];
            let is_whole = |file: &Value| members.iter().all(|name| file[name].is_string());
            !files.is_empty() && files.iter().all(is_whole)
        }),
        "TableField" => {
            let rows = serde_json::from_str::<Vec<Vec<Value>>>(value).unwrap_or_default();
            !rows.is_empty() && rows.iter().all(|row| is_row(field, row))
        }
        "TextNote" => false,
        _ => true,
    };
    (!fits).then_some("值不符合控件的格式")
}

fn is_row(table: &Field, row: &[Value]) -> bool {
    let cells: Option<Vec<(&str, &str)>> = row
        .iter()
        .map(|cell| Some((cell["name"].as_str()?, cell["value"].as_str()?)))
        .collect();
    cells.is_some_and(|cells| broken(&table.children, &cells).is_none())
}

fn is_date(text: &str) -> bool {
    let day = text.get(..10).unwrap_or_default();
    let is_time = match text.get(10..) {
        Some("") => true,
        Some(time) => {
            let parts: Option<(u8, u8)> = time
                .strip_prefix(' ')
                .and_then(|time| time.split_once(':'))
                .and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
            parts.is_some_and(|(hour, minute)| hour < 24 && minute < 60)
        }
        None => false,
    };
    is_time && day.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::company::Company;

    #[test]
    fn values_are_held_against_their_controls() {
        let company = Company::sample();
        let template = company.template("PROC-FORM").expect("the sample has it");
        let check = |name: &str, value: &str, is_right: bool| {
            let values = [("事由", "x"), (name, value)].map(|(name, value)| FormValue {
                name: name.to_owned(),
                value: value.to_owned(),
                ext_value: None,
            });
            let broken = broken_rule(template, &values);
            assert_eq!(broken.is_none(), is_right, "{name} {value} {broken:?}");
        };
        check("金额", "12.50", true);
        check("金额", "much", false);
        check("类型", "出差", true);
        check("类型", "休假", false);
        check("城市", r#"["北京"]"#, true);
        check("城市", "北京", false);
        check("日期", "2024-02-29", true);
        check("日期", "2024-02-29 08:30", true);
        check("日期", "2024-02-30", false);
        check("日期", "29.2.2024", false);
        check(
            r#"["开始时间", "结束时间"]"#,
            r#"["2024-02-01","2024-02-02"]"#,
            true,
        );
        check(r#"["开始时间","结束时间"]"#, "2024-02-01", false);
        check(
            "图片",
            r#"["a","b","c","d","e","f","g","h","i","j"]"#,
            false,
        );
        check("提示", "x", false);
        check(
            "明细",
            r#"[[{"name":"名称","value":"a"},{"name":"数量","value":"2"}]]"#,
            true,
        );
        check("明细", r#"[[{"name":"数量","value":"2"}]]"#, false);
        check("不在表单里", "x", true);
        check("事由", "y", true);
        assert_eq!(broken_rule(template, &[]).as_deref(), Some("事由: 必填"));
    }
}
