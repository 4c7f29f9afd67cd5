//! `belfry:bot/approval`: approvals.

use serde::Serialize;

use self::convert::{new_instance, to_guest, to_listing};
use self::granted::{covers_all, covers_code, covers_instance, covers_step};
use super::bindings::belfry::bot::api::{Error, InstanceId, ProcessCode, TaskId, UserId};
use super::bindings::belfry::bot::approval::{
    Attachment, Field, FileLink, FilePlace, Form, Host, Instance, Listing, NewInstance, Operation,
    Page, TemplatePage, Value,
};
use super::bindings::belfry::bot::event::Decision;
use super::recorded::Call;
use super::{api_error, upstream};
use crate::engine::State;
use crate::function::Function;

mod convert;
mod granted;
mod look;

impl Host for State {
    async fn create(
        &mut self,
        instance: NewInstance,
    ) -> wasmtime::Result<Result<InstanceId, Error>> {
        let call = self.asks(Function::ApprovalCreate, &instance)?;
        let task = call.task();
        let allowed = covers_code(&task, &instance.process_code);
        let instance = new_instance(instance);
        call.write(async { allowed }, move |step| {
            let (task, instance) = (task.clone(), instance.clone());
            async move {
                if let Some(id) = look::created(&task, &instance, &step).await? {
                    return Ok(id);
                }
                upstream(&task, task.client.approval_create(&instance)).await
            }
        })
        .await
    }

    async fn get(&mut self, instance_id: InstanceId) -> wasmtime::Result<Result<Instance, Error>> {
        let asked = Get {
            instance_id: &instance_id,
        };
        let call = self.asks(Function::ApprovalGet, &asked)?;
        let task = call.task();
        call.read(async {
            covers_instance(&task, &instance_id).await?;
            let instance = upstream(&task, task.client.approval_get(&instance_id)).await;
            instance.map(to_guest)
        })
        .await
    }

    async fn list_ids(&mut self, listing: Listing) -> wasmtime::Result<Result<Page, Error>> {
        let call = self.asks(Function::ApprovalListIds, &listing)?;
        let task = call.task();
        call.read(async {
            covers_code(&task, &listing.process_code)?;
            let listing = to_listing(listing)?;
            let page = upstream(&task, task.client.approval_list_ids(&listing)).await?;
            Ok(Page {
                instances: page.instances,
                next_cursor: page.next_cursor,
            })
        })
        .await
    }

    async fn terminate(
        &mut self,
        instance_id: InstanceId,
        operator: Option<UserId>,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Terminate {
            instance_id: &instance_id,
            operator: operator.as_deref(),
            remark: &remark,
        };
        let call = self.asks(Function::ApprovalTerminate, &asked)?;
        let (asking, task) = (call.task(), call.task());
        call.write(
            covers_instance(&asking, &instance_id.clone()),
            move |step| {
                let (task, id) = (task.clone(), instance_id.clone());
                let (operator, remark) = (operator.clone(), remark.clone());
                async move {
                    if look::terminated(&task, &id, &step).await? {
                        return Ok(());
                    }
                    let client = &task.client;
                    let call = client.approval_terminate(&id, operator.as_deref(), &remark);
                    upstream(&task, call).await
                }
            },
        )
        .await
    }

    async fn execute(
        &mut self,
        instance_id: InstanceId,
        task_id: TaskId,
        approver: UserId,
        decision: Decision,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Execute {
            instance_id: &instance_id,
            task_id: &task_id,
            approver: &approver,
            decision,
            remark: &remark,
        };
        let call = self.asks(Function::ApprovalExecute, &asked)?;
        let verdict = dingtalk::Verdict {
            instance_id,
            task_id,
            approver,
            decision: convert::decision(decision),
            remark,
            files: dingtalk::Files::default(),
        };
        execute(call, verdict).await
    }

    async fn comment(
        &mut self,
        instance_id: InstanceId,
        user_id: UserId,
        text: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Comment {
            instance_id: &instance_id,
            user_id: &user_id,
            text: &text,
        };
        let call = self.asks(Function::ApprovalComment, &asked)?;
        let comment = dingtalk::Comment {
            instance_id,
            user_id,
            text,
            files: dingtalk::Files::default(),
        };
        say(call, comment).await
    }

    async fn find_template(
        &mut self,
        name: String,
    ) -> wasmtime::Result<Result<ProcessCode, Error>> {
        let call = self.asks(
            Function::ApprovalFindTemplate,
            &FindTemplate { name: &name },
        )?;
        let task = call.task();
        call.read(async {
            let code = upstream(&task, task.client.approval_template(&name)).await?;
            covers_code(&task, &code)?;
            Ok(code)
        })
        .await
    }

    async fn list_templates(
        &mut self,
        user_id: UserId,
        cursor: u32,
        size: u32,
    ) -> wasmtime::Result<Result<TemplatePage, Error>> {
        let asked = ListTemplates {
            user_id: &user_id,
            cursor,
            size,
        };
        let call = self.asks(Function::ApprovalListTemplates, &asked)?;
        let task = call.task();
        call.read(async {
            let page = task.client.approval_templates(&user_id, cursor, size);
            let mut page = upstream(&task, page).await?;
            let granted = &task.grant.approval;
            page.templates
                .retain(|template| granted.covers(&template.process_code));
            Ok(convert::templates(page))
        })
        .await
    }

    async fn get_form(
        &mut self,
        process_code: ProcessCode,
    ) -> wasmtime::Result<Result<Form, Error>> {
        let asked = OfTemplate {
            process_code: &process_code,
        };
        let call = self.asks(Function::ApprovalGetForm, &asked)?;
        let task = call.task();
        call.read(async {
            covers_code(&task, &process_code)?;
            let form = upstream(&task, task.client.approval_form(&process_code)).await;
            form.map(convert::form)
        })
        .await
    }

    async fn encode(
        &mut self,
        label: String,
        value: Value,
    ) -> wasmtime::Result<Result<Field, Error>> {
        self.call(Function::ApprovalEncode)?;
        let field = convert::value(value).field(&label);
        Ok(field
            .map(convert::field_to_guest)
            .map_err(|error| api_error(error.into())))
    }

    async fn check(
        &mut self,
        process_code: ProcessCode,
        fields: Vec<Field>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Check {
            process_code: &process_code,
            fields: &fields,
        };
        let call = self.asks(Function::ApprovalCheck, &asked)?;
        let task = call.task();
        let fields = convert::fields(fields);
        call.read(async {
            covers_code(&task, &process_code)?;
            upstream(&task, task.client.approval_check(&process_code, &fields)).await
        })
        .await
    }

    async fn history(
        &mut self,
        instance_id: InstanceId,
    ) -> wasmtime::Result<Result<Vec<Operation>, Error>> {
        let asked = Get {
            instance_id: &instance_id,
        };
        let call = self.asks(Function::ApprovalHistory, &asked)?;
        let task = call.task();
        call.read(async {
            covers_instance(&task, &instance_id).await?;
            let instance = upstream(&task, task.client.approval_get(&instance_id)).await?;
            Ok(instance
                .records
                .into_iter()
                .map(convert::operation)
                .collect())
        })
        .await
    }

    async fn redirect(
        &mut self,
        instance_id: InstanceId,
        task_id: TaskId,
        holder: UserId,
        to: UserId,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Redirect {
            instance_id: &instance_id,
            task_id: &task_id,
            holder: &holder,
            to: &to,
            remark: &remark,
        };
        let call = self.asks(Function::ApprovalRedirect, &asked)?;
        let (asking, task) = (call.task(), call.task());
        let (about, step_id) = (instance_id.clone(), task_id.clone());
        let redirection = dingtalk::Redirection {
            task_id,
            from: holder,
            to,
            remark,
        };
        call.write(covers_step(&asking, &about, &step_id), move |step| {
            let (task, id, redirection) = (task.clone(), instance_id.clone(), redirection.clone());
            async move {
                if look::redirected(&task, &id, &redirection, &step).await? {
                    return Ok(());
                }
                upstream(&task, task.client.approval_redirect(&redirection)).await
            }
        })
        .await
    }

    async fn comment_with_files(
        &mut self,
        instance_id: InstanceId,
        user_id: UserId,
        text: String,
        photos: Vec<String>,
        attachments: Vec<Attachment>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = CommentWithFiles {
            instance_id: &instance_id,
            user_id: &user_id,
            text: &text,
            photos: &photos,
            attachments: &attachments,
        };
        let call = self.asks(Function::ApprovalCommentWithFiles, &asked)?;
        let comment = dingtalk::Comment {
            instance_id,
            user_id,
            text,
            files: dingtalk::Files {
                photos,
                attachments: convert::attachments(attachments),
            },
        };
        say(call, comment).await
    }

    async fn execute_with_files(
        &mut self,
        instance_id: InstanceId,
        task_id: TaskId,
        approver: UserId,
        decision: Decision,
        remark: String,
        photos: Vec<String>,
        attachments: Vec<Attachment>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = ExecuteWithFiles {
            instance_id: &instance_id,
            task_id: &task_id,
            approver: &approver,
            decision,
            remark: &remark,
            photos: &photos,
            attachments: &attachments,
        };
        let call = self.asks(Function::ApprovalExecuteWithFiles, &asked)?;
        let verdict = dingtalk::Verdict {
            instance_id,
            task_id,
            approver,
            decision: convert::decision(decision),
            remark,
            files: dingtalk::Files {
                photos,
                attachments: convert::attachments(attachments),
            },
        };
        execute(call, verdict).await
    }

    async fn count_pending(&mut self, user_id: UserId) -> wasmtime::Result<Result<u32, Error>> {
        let asked = OfPerson { user_id: &user_id };
        let call = self.asks(Function::ApprovalCountPending, &asked)?;
        let task = call.task();
        call.read(async {
            covers_all(&task, "what waits for a person in all templates")?;
            upstream(&task, task.client.approval_count_pending(&user_id)).await
        })
        .await
    }

    async fn attachment_space(
        &mut self,
        user_id: UserId,
    ) -> wasmtime::Result<Result<String, Error>> {
        let asked = OfPerson { user_id: &user_id };
        let call = self.asks(Function::ApprovalAttachmentSpace, &asked)?;
        call.write_alike(async { Ok(()) }, user_id, |task, user_id| async move {
            upstream(&task, task.client.approval_space(&user_id)).await
        })
        .await
    }

    async fn attachment_link(
        &mut self,
        instance_id: InstanceId,
        file_id: String,
    ) -> wasmtime::Result<Result<FileLink, Error>> {
        let asked = AttachmentLink {
            instance_id: &instance_id,
            file_id: &file_id,
        };
        let call = self.asks(Function::ApprovalAttachmentLink, &asked)?;
        let task = call.task();
        call.read(async {
            covers_instance(&task, &instance_id).await?;
            let link = task.client.approval_file(&instance_id, &file_id);
            let link = upstream(&task, link).await?;
            Ok(FileLink {
                url: link.url,
                space_id: link.space_id,
            })
        })
        .await
    }

    async fn allow_download(
        &mut self,
        user_id: UserId,
        files: Vec<FilePlace>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = AllowDownload {
            user_id: &user_id,
            files: &files,
        };
        let call = self.asks(Function::ApprovalAllowDownload, &asked)?;
        let task = call.task();
        let allowed = covers_all(&task, "files of all templates");
        let files: Vec<_> = files
            .into_iter()
            .map(|file| (file.space_id, file.file_id))
            .collect();
        call.write_alike(
            async { allowed },
            (user_id, files),
            |task, (user_id, files)| async move {
                upstream(&task, task.client.approval_allow_download(&user_id, &files)).await
            },
        )
        .await
    }
}

async fn execute(call: Call, verdict: dingtalk::Verdict) -> wasmtime::Result<Result<(), Error>> {
    let (asking, task) = (call.task(), call.task());
    let about = verdict.instance_id.clone();
    call.write(covers_instance(&asking, &about), move |step| {
        let (task, verdict) = (task.clone(), verdict.clone());
        async move {
            if look::executed(&task, &verdict, &step).await? {
                return Ok(());
            }
            upstream(&task, task.client.approval_execute(&verdict)).await
        }
    })
    .await
}

async fn say(call: Call, comment: dingtalk::Comment) -> wasmtime::Result<Result<(), Error>> {
    let (task, about) = (call.task(), comment.instance_id.clone());
    call.write_alike(covers_instance(&task, &about), comment, |task, comment| async move {
        upstream(&task, task.client.approval_comment(&comment)).await
    })
    .await
}

#[derive(Serialize)]
struct Get<'a> {
    instance_id: &'a str,
}

#[derive(Serialize)]
struct Terminate<'a> {
    instance_id: &'a str,
    operator: Option<&'a str>,
    remark: &'a str,
}

#[derive(Serialize)]
struct Execute<'a> {
    instance_id: &'a str,
    task_id: &'a str,
    approver: &'a str,
    decision: Decision,
    remark: &'a str,
}

#[derive(Serialize)]
struct Comment<'a> {
    instance_id: &'a str,
    user_id: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct FindTemplate<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct ListTemplates<'a> {
    user_id: &'a str,
    cursor: u32,
    size: u32,
}

#[derive(Serialize)]
struct OfTemplate<'a> {
    process_code: &'a str,
}

#[derive(Serialize)]
struct Check<'a> {
    process_code: &'a str,
    fields: &'a [Field],
}

#[derive(Serialize)]
struct Redirect<'a> {
    instance_id: &'a str,
    task_id: &'a str,
    holder: &'a str,
    to: &'a str,
    remark: &'a str,
}

#[derive(Serialize)]
struct CommentWithFiles<'a> {
    instance_id: &'a str,
    user_id: &'a str,
    text: &'a str,
    photos: &'a [String],
    attachments: &'a [Attachment],
}

#[derive(Serialize)]
struct ExecuteWithFiles<'a> {
    instance_id: &'a str,
    task_id: &'a str,
    approver: &'a str,
    decision: Decision,
    remark: &'a str,
    photos: &'a [String],
    attachments: &'a [Attachment],
}

#[derive(Serialize)]
struct OfPerson<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct AttachmentLink<'a> {
    instance_id: &'a str,
    file_id: &'a str,
}

#[derive(Serialize)]
struct AllowDownload<'a> {
    user_id: &'a str,
    files: &'a [FilePlace],
}
