//! Carries the values of approvals between plugins and the client.

use super::super::bindings::belfry::bot::api::Error;
use super::super::bindings::belfry::bot::approval::{
    Attachment, Control, Field, Form, Instance, Listing, NewInstance, Operation, Status, StepRule,
    Task as Stage, Template, TemplatePage, Value,
};
use super::super::bindings::belfry::bot::event::Decision;
use super::super::{from_f64, to_f64};

pub(super) fn new_instance(instance: NewInstance) -> dingtalk::NewInstance {
    dingtalk::NewInstance {
        process_code: instance.process_code,
        originator: instance.originator,
        dept_id: instance.dept_id,
        fields: fields(instance.fields),
        steps: instance
            .steps
            .into_iter()
            .map(|step| dingtalk::Step {
                rule: match step.rule {
                    StepRule::Single => dingtalk::StepRule::Single,
                    StepRule::AllOf => dingtalk::StepRule::AllOf,
                    StepRule::AnyOf => dingtalk::StepRule::AnyOf,
                },
                approvers: step.approvers,
            })
            .collect(),
        cc: instance.cc,
    }
}

pub(super) fn to_listing(listing: Listing) -> Result<dingtalk::Listing, Error> {
    Ok(dingtalk::Listing {
        process_code: listing.process_code,
        start: from_f64(listing.start)?,
        end: listing.end.map(from_f64).transpose()?,
        originators: listing.originators,
        cursor: listing.cursor,
        size: listing.size,
    })
}

pub(super) fn to_guest(instance: dingtalk::Instance) -> Instance {
    Instance {
        title: instance.title,
        status: match instance.status {
            dingtalk::InstanceStatus::Pending => Status::Pending,
            dingtalk::InstanceStatus::Running => Status::Running,
            dingtalk::InstanceStatus::Terminated => Status::Terminated,
            dingtalk::InstanceStatus::Completed => Status::Completed,
            dingtalk::InstanceStatus::Canceled => Status::Canceled,
        },
        decision: instance.decision.map(|decision| match decision {
            dingtalk::Decision::Agree => Decision::Agree,
            dingtalk::Decision::Refuse => Decision::Refuse,
        }),
        originator: instance.originator,
        originator_dept: instance.originator_dept,
        business_id: instance.business_id,
        fields: instance.fields.into_iter().map(field_to_guest).collect(),
        tasks: instance
            .tasks
            .into_iter()
            .map(|task| Stage {
                task_id: task.task_id,
                approver: task.approver,
                status: task.status,
                outcome: task.outcome,
            })
            .collect(),
        created_at: instance.created_at.map(to_f64),
        finished_at: instance.finished_at.map(to_f64),
    }
}

pub(super) fn decision(decision: Decision) -> dingtalk::Decision {
    match decision {
        Decision::Agree => dingtalk::Decision::Agree,
        Decision::Refuse => dingtalk::Decision::Refuse,
    }
}

pub(super) fn field_to_guest(field: dingtalk::Field) -> Field {
    Field {
        name: field.name,
        value: field.value,
    }
}

pub(super) fn fields(fields: Vec<Field>) -> Vec<dingtalk::Field> {
    let fields = fields.into_iter();
    fields
        .map(|field| dingtalk::Field {
            name: field.name,
            value: field.value,
        })
        .collect()
}

pub(super) fn attachments(files: Vec<Attachment>) -> Vec<dingtalk::Attachment> {
    let files = files.into_iter();
    files
        .map(|file| dingtalk::Attachment {
            space_id: file.space_id,
            file_id: file.file_id,
            name: file.name,
            size: file.size,
            kind: file.kind,
        })
        .collect()
}

pub(super) fn value(value: Value) -> dingtalk::FieldValue {
    use dingtalk::FieldValue as To;
    match value {
        Value::Text(text) => To::Text(text),
        Value::Number(number) => To::Number(number),
        Value::Choice(option) => To::Choice(option),
        Value::Choices(options) => To::Choices(options),
        Value::Date(day) => To::Date(day),
        Value::DateRange(range) => To::DateRange(dingtalk::DateRange {
            end_label: range.end_label,
            start: range.start,
            end: range.end,
        }),
        Value::Photos(urls) => To::Photos(urls),
        Value::Attachments(files) => To::Attachments(attachments(files)),
        Value::People(ids) => To::People(ids),
        Value::Departments(ids) => To::Departments(ids),
        Value::Related(ids) => To::Related(ids),
        Value::Address(address) => To::Address(dingtalk::Address {
            province: address.province,
            city: address.city,
            district: address.district,
        }),
        Value::Rating(stars) => To::Rating(stars),
        Value::Place(place) => To::Place(dingtalk::Place {
            place_label: place.place_label,
            at: place.at,
            longitude: place.longitude,
            latitude: place.latitude,
            address: place.address,
            accuracy: place.accuracy,
        }),
        Value::Table(rows) => To::Table(rows.into_iter().map(fields).collect()),
    }
}

pub(super) fn templates(page: dingtalk::TemplatePage) -> TemplatePage {
    let templates = page.templates.into_iter();
    TemplatePage {
        templates: templates
            .map(|template| Template {
                process_code: template.process_code,
                name: template.name,
            })
            .collect(),
        next_cursor: page.next_cursor,
    }
}

/// The tree of controls as a list: WIT has no types that hold themselves.
pub(super) fn form(form: dingtalk::Form) -> Form {
    let mut controls = Vec::new();
    flatten(form.controls, None, &mut controls);
    Form {
        name: form.name,
        controls,
    }
}

fn flatten(tree: Vec<dingtalk::Control>, parent: Option<u32>, list: &mut Vec<Control>) {
    for control in tree {
        let index = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.push(Control {
            index,
            parent,
            id: control.id,
            label: control.label,
            kind: control.kind,
            required: control.required,
            options: control.options,
        });
        // The answer that they come from is bounded, and so are its depths: it is JSON that was parsed.
        flatten(control.children, Some(index), list);
    }
}

pub(super) fn operation(record: dingtalk::InstanceRecord) -> Operation {
    Operation {
        user_id: record.user_id,
        at: record.at.map(to_f64),
        kind: record.kind,
        outcome: record.outcome,
        remark: record.remark,
        files: record.files.into_iter().map(|file| file.file_id).collect(),
    }
}
