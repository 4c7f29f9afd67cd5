//! Writes every kind of control, and breaks every rule.
#![allow(clippy::unwrap_used)]

use super::*;

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn range(start: &str, end: &str) -> FieldValue {
    FieldValue::DateRange(DateRange {
        end_label: text("结束时间"),
        start: text(start),
        end: text(end),
    })
}

fn file(size: &str) -> FieldValue {
    FieldValue::Attachments(vec![Attachment {
        space_id: text("7"),
        file_id: text("8"),
        name: text("a.pdf"),
        size: text(size),
        kind: text("pdf"),
    }])
}

fn place(at: &str, latitude: f64) -> FieldValue {
    FieldValue::Place(Place {
        place_label: text("当前地点"),
        at: text(at),
        longitude: 116.5,
        latitude,
        address: text("望京"),
        accuracy: 100,
    })
}

fn address(city: &str) -> FieldValue {
    FieldValue::Address(Address {
        province: text("北京"),
        city: text(city),
        district: text("河东区"),
    })
}

#[test]
fn every_control_is_written_as_text() {
    let row = vec![FieldValue::Number(text("3")).field("数量").unwrap()];
    for (value, name, expected) in [
        (FieldValue::Text(text("一\r\n二")), "事由", "一\r\n二"),
        (FieldValue::Number(text("-12.50")), "事由", "-12.50"),
        (FieldValue::Choice(text("年假")), "事由", "年假"),
        (FieldValue::Choices(texts(&["a"])), "事由", r#"["a"]"#),
        (FieldValue::Date(text("2019-02-19")), "事由", "2019-02-19"),
        (
            FieldValue::Date(text("2019-02-19 08:30")),
            "事由",
            "2019-02-19 08:30",
        ),
        (
            range("2019-02-19", "2019-02-25"),
            r#"["事由","结束时间"]"#,
            r#"["2019-02-19","2019-02-25"]"#,
        ),
        (
            FieldValue::Photos(texts(&["https://x/a.png"])),
            "事由",
            r#"["https://x/a.png"]"#,
        ),
        (
            file("10"),
            "事由",
            r#"[{"fileId":"8","fileName":"a.pdf","fileSize":"10","fileType":"pdf","spaceId":"7"}]"#,
        ),
        (
            FieldValue::People(texts(&["u1", "u2"])),
            "事由",
            r#"["u1","u2"]"#,
        ),
        (FieldValue::Departments(texts(&["1", "2"])), "事由", "1,2"),
        (FieldValue::Related(texts(&["i1"])), "事由", r#"["i1"]"#),
        (address("北京市"), "事由", "北京,北京市,河东区"),
        (FieldValue::Rating(5), "事由", "5"),
        (
            place("2019-02-19 08:30:00", 39.9),
            r#"["事由","当前地点"]"#,
            r#"["2019-02-19 08:30:00",116.5,39.9,"望京",100]"#,
        ),
        (
            FieldValue::Table(vec![row]),
            "事由",
            r#"[[{"name":"数量","value":"3"}]]"#,
        ),
    ] {
        let field = value.field("事由").unwrap();
        assert_eq!(
            (field.name.as_str(), field.value.as_str()),
            (name, expected)
        );
    }
}

#[test]
fn a_broken_rule_is_named_with_the_label() {
    let many = || texts(&["x"; 10]);
    for (value, rule) in [
        (
            FieldValue::Number(text("12,50")),
            "is not a decimal number such as 12.50",
        ),
        (
            FieldValue::Number(text("1e5")),
            "is not a decimal number such as 12.50",
        ),
        (
            FieldValue::Number(text(".")),
            "is not a decimal number such as 12.50",
        ),
        (FieldValue::Choice(text("")), "has an empty choice"),
        (FieldValue::Choices(Vec::new()), "has no choice"),
        (
            FieldValue::Date(text("2019-2-19")),
            "is not a date written yyyy-MM-dd or yyyy-MM-dd HH:mm",
        ),
        (
            FieldValue::Date(text("2019-02-30")),
            "is not a date written yyyy-MM-dd or yyyy-MM-dd HH:mm",
        ),
        (
            range("2019-02-19", "tomorrow"),
            "is not a date written yyyy-MM-dd or yyyy-MM-dd HH:mm",
        ),
        (
            FieldValue::Photos(many()),
            "has 10 entries (picture), dingtalk takes 9",
        ),
        (
            FieldValue::Related(many()),
            "has 10 entries (instance id), dingtalk takes 9",
        ),
        (
            FieldValue::People(texts(&["u1", ""])),
            "has an empty user id",
        ),
        (
            FieldValue::Departments(texts(&["研发部"])),
            "has a department id that is not a decimal number",
        ),
        (
            file("10 KB"),
            "has a file without space, id, name, ending or size in bytes",
        ),
        (
            address("a,b"),
            "has a province, city or district that is empty or contains a comma",
        ),
        (
            place("2019-02-19", 39.9),
            "has a time that is not written yyyy-MM-dd HH:mm:ss",
        ),
        (
            place("2019-02-19 08:30:00", 139.9),
            "has a place that is not on this planet",
        ),
        (FieldValue::Table(Vec::new()), "has no row"),
        (
            FieldValue::Text("字".repeat(65_536)),
            "has more than 65535 characters",
        ),
    ] {
        let error = value.field("事由").unwrap_err();
        assert_eq!(error.to_string(), format!("the field \"事由\" {rule}"));
    }
    assert!(FieldValue::Rating(1).field("").is_err());
}
