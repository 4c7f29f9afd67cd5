//! What DingTalk surely refuses of an approval is not sent.

use super::{Comment, Field, Files, Listing, NewInstance, Redirection, Step, StepRule, Verdict};
use crate::client::{invalid, limit, number};
use crate::{ApiError, ApiStyle};

/// Characters of a value; DingTalk documents it for the newer call, and the older one ends in the same forms.
pub(super) const VALUE_CHARS: usize = 65_535;
const REMARK_CHARS: usize = 1024;
const REDIRECT_CHARS: usize = 256;
const ATTACHMENTS: usize = 20;
/// DingTalk documents no number; a control takes 9.
const PHOTOS: usize = 20;
const URL_CHARS: usize = 2048;
/// Characters of a control's label and of a file's name, for which DingTalk documents no number.
pub(super) const NAME_CHARS: usize = 256;
const SPAN_DAYS: i64 = 120;

const STEPS: usize = 20;

/// Form fields of an instance.
pub(super) fn most_fields(style: ApiStyle) -> usize {
    match style {
        ApiStyle::Modern => 150,
        ApiStyle::Legacy => 200,
    }
}

/// People who get a copy of an instance.
fn most_copies(style: ApiStyle) -> usize {
    match style {
        ApiStyle::Modern => 50,
        ApiStyle::Legacy => 20,
    }
}

pub(super) fn new_instance(instance: &NewInstance, style: ApiStyle) -> Result<(), ApiError> {
    process_code(&instance.process_code)?;
    limit::id("the originator", &instance.originator)?;
    fields(&instance.fields, most_fields(style))?;
    limit::at_most("steps", instance.steps.len(), STEPS)?;
    instance.steps.iter().try_for_each(step)?;
    limit::at_most("people in cc", instance.cc.len(), most_copies(style))?;
    instance.cc.iter().try_for_each(|id| user_id(id))
}

pub(super) fn fields(fields: &[Field], most: usize) -> Result<(), ApiError> {
    limit::at_most("form fields", fields.len(), most)?;
    fields.iter().try_for_each(field)
}

fn field(field: &Field) -> Result<(), ApiError> {
    limit::text("the name of a form field", &field.name, NAME_CHARS)?;
    let what = format!("the value of the form field {:?}", field.name);
    limit::short(&what, &field.value, VALUE_CHARS)
}

fn step(step: &Step) -> Result<(), ApiError> {
    let people = step.approvers.len();
    match step.rule {
        StepRule::Single if people != 1 => Err(invalid(format!(
            "a step of a single approver has {people}, dingtalk takes exactly 1"
        ))),
        StepRule::AllOf | StepRule::AnyOf if people < 2 => Err(invalid(format!(
            "a step that several decide has {people} approvers, dingtalk takes at least 2"
        ))),
        _ => step.approvers.iter().try_for_each(|id| user_id(id)),
    }
}

pub(super) fn process_code(code: &str) -> Result<(), ApiError> {
    limit::id("the process code", code)
}

pub(super) fn instance_id(id: &str) -> Result<(), ApiError> {
    limit::id("the instance id", id)
}

pub(super) fn user_id(id: &str) -> Result<(), ApiError> {
    limit::id("a user id", id)
}

pub(super) fn remark(remark: &str) -> Result<(), ApiError> {
    limit::short("the remark", remark, REMARK_CHARS)
}

pub(super) fn comment(comment: &Comment) -> Result<(), ApiError> {
    instance_id(&comment.instance_id)?;
    user_id(&comment.user_id)?;
    limit::text("the comment", &comment.text, REMARK_CHARS)?;
    files(&comment.files)
}

pub(super) fn verdict(verdict: &Verdict) -> Result<(), ApiError> {
    instance_id(&verdict.instance_id)?;
    user_id(&verdict.approver)?;
    remark(&verdict.remark)?;
    files(&verdict.files)
}

fn files(files: &Files) -> Result<(), ApiError> {
    limit::at_most("photos", files.photos.len(), PHOTOS)?;
    for photo in &files.photos {
        limit::text("the address of a photo", photo, URL_CHARS)?;
    }
    limit::at_most("attachments", files.attachments.len(), ATTACHMENTS)?;
    for file in &files.attachments {
        limit::id("the space of an attachment", &file.space_id)?;
        limit::id("the file id of an attachment", &file.file_id)?;
        limit::text("the name of an attachment", &file.name, NAME_CHARS)?;
        number("the size of an attachment", &file.size)?;
        limit::id("the kind of an attachment", &file.kind)?;
    }
    Ok(())
}

pub(super) fn redirection(redirection: &Redirection) -> Result<(), ApiError> {
    user_id(&redirection.from)?;
    user_id(&redirection.to)?;
    limit::short("the remark", &redirection.remark, REDIRECT_CHARS)
}

pub(super) fn listing(listing: &Listing) -> Result<(), ApiError> {
    process_code(&listing.process_code)?;
    limit::page(listing.size, 20)?;
    limit::at_most("originators", listing.originators.len(), 10)?;
    listing.originators.iter().try_for_each(|id| user_id(id))?;
    let Some(end) = listing.end else {
        return Ok(());
    };
    let span = end.0.saturating_sub(listing.start.0);
    if span < 0 {
        return Err(invalid("the listing ends before it starts"));
    }
    if span > SPAN_DAYS * 86_400_000 {
        return Err(invalid(format!(
            "the listing spans {} days, dingtalk takes {SPAN_DAYS}",
            span / 86_400_000
        )));
    }
    Ok(())
}
