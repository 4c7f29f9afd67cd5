//! Approvals end to end, by the newer and the older calls: the same story either way.

use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_for, wait_until};
use serde_json::{Value, json};
use simulator::Options;

const STYLES: [&str; 2] = ["modern", "legacy"];

fn bot(plugin: Plugin, style: &str) -> Bot {
    Bot::new()
        .retry("first-delay = \"50ms\"")
        .app(&format!("api = {style:?}"))
        .plugin(plugin)
}

async fn said(stage: &Stage, answers: &[&str]) {
    wait_until(&format!("{answers:?} are said"), async || {
        stage.dingtalk.answers(ONCALL).await == answers
    })
    .await;
}

async fn paths(stage: &Stage) -> Vec<String> {
    let calls = stage.dingtalk.get("calls").await;
    let calls = calls.as_array().unwrap().iter();
    calls
        .map(|call| call["path"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn leave_is_asked_for_granted_and_announced_in_both_styles() {
    for style in STYLES {
        let stage = Stage::new(&bot(Plugin::approvals(), style)).await;
        let belfry = stage.host().await;
        stage.dingtalk.say(ONCALL, "alice", "/leave 2d 看牙").await;
        let approval = wait_for("the approval was started", async || {
            stage
                .dingtalk
                .get("approvals")
                .await
                .as_array()?
                .first()
                .cloned()
        })
        .await;
        let id = approval["id"].as_str().unwrap();
        stage.dingtalk.decide(id, "agree").await;
        wait_until("its end was announced", async || {
            let answers = stage.dingtalk.answers(ONCALL).await;
            answers.len() == 2 && answers[1].contains(id)
        })
        .await;
        assert_eq!(stage.dingtalk.notices().await.len(), 1);
        let is_newer = |path: &String| path == "/v1.0/workflow/processInstances";
        assert_eq!(paths(&stage).await.iter().any(is_newer), style == "modern");
        belfry.stop().await;
    }
}

/// The first approval of `PROC-FORM`, started by hand.
async fn filled_form(stage: &Stage) -> (String, String) {
    let file = json!([{"spaceId": "2001", "fileName": "a.pdf", "fileSize": "10", "fileType": "pdf", "fileId": "f1"}]);
    let start = json!({"app": "acme", "processCode": "PROC-FORM", "originator": "alice", "fields": [
        {"name": "事由", "value": "出差"}, {"name": "附件", "value": file.to_string()}]});
    let made = stage.dingtalk.post("approvals", start).await;
    let task = made["tasks"][0]["taskId"].to_string();
    (made["id"].as_str().unwrap().to_owned(), task)
}

#[tokio::test]
async fn an_instance_is_read_commented_on_handed_on_and_decided_in_both_styles() {
    for style in STYLES {
        let stage = Stage::new(&bot(Plugin::scripted().granted(""), style)).await;
        let belfry = stage.host().await;
        let (id, task) = filled_form(&stage).await;
        let script = format!(
            "template 示例表单; status {id}; note {id} alice 见附件; handon {id} {task} manager bob; status {id}; \
             history {id}; pending bob; pending manager; space alice; link {id} f1"
        );
        stage.dingtalk.say(ONCALL, "alice", &script).await;
        let url = format!("http://{}/approval-files/f1", stage.simulator());
        said(
            &stage,
            &[
                "PROC-FORM",
                "Status::Running manager RUNNING",
                "noted",
                "handed on",
                "Status::Running manager COMPLETED, bob RUNNING",
                "START_PROCESS_INSTANCE ADD_REMARK[f1] REDIRECT_TASK",
                "1",
                "0",
                "2001",
                &url,
            ],
        )
        .await;
        let next: i64 = task.parse::<i64>().unwrap() + 1;
        stage
            .dingtalk
            .say(
                ONCALL,
                "alice",
                &format!("decide-with-file {id} {next} bob; history {id}"),
            )
            .await;
        wait_until("it is decided", async || {
            let approvals = stage.dingtalk.get("approvals").await;
            approvals[0]["status"] == "COMPLETED" && approvals[0]["result"] == "agree"
        })
        .await;
        let told = wait_for("the plugin tells of it", async || {
            let answers = stage.dingtalk.answers(ONCALL).await;
            answers.get(11).cloned()
        })
        .await;
        assert!(told.ends_with(" EXECUTE_TASK_NORMAL[f1]"), "{told}");
        belfry.stop().await;
    }
}

#[tokio::test]
async fn a_form_tells_its_rules_and_a_value_that_breaks_one_is_not_sent() {
    let stage = Stage::new(&bot(Plugin::scripted().granted(""), "modern")).await;
    let belfry = stage.host().await;
    let script = "number 天数 2.5; ~number 天数 two; fit PROC-FORM 事由 出差; ~fit PROC-FORM 类型 休假; \
                  ~fit PROC-FORM 原因 x; ~fit PROC-NONE 事由 x";
    stage.dingtalk.say(ONCALL, "alice", script).await;
    said(
        &stage,
        &[
            "天数=2.5",
            "refused as invalid: the field \"天数\" is not a decimal number such as 12.50 (belfry.field)",
            "it fits",
            "refused as invalid: the field \"类型\" has no option \"休假\", only 出差, 外出 (belfry.field)",
            "refused as invalid: the field \"原因\" is not in the template, which has 事由, 说明, 天数, 金额, 类型, 城市, \
             日期, [\"开始时间\",\"结束时间\"], 图片, 附件, 联系人, 部门, 关联审批单, 电话, 地址, 评分, 提示, 明细 (belfry.field)",
            "refused as invalid: 审批模板不存在: PROC-NONE (processCodeError)",
        ],
    )
    .await;
    assert!(
        stage
            .dingtalk
            .get("approvals")
            .await
            .as_array()
            .unwrap()
            .is_empty()
    );
    belfry.stop().await;
}

#[tokio::test]
async fn an_approval_that_its_form_is_against_is_not_sent() {
    const REFUSED: &str =
        "refused as invalid: the field \"事由\" is required by the template (belfry.field)";
    for style in STYLES {
        let stage = Stage::new(&bot(Plugin::scripted().granted(""), style)).await;
        let belfry = stage.host().await;
        let script = "start PROC-FORM 事由 出差; ~start PROC-FORM 天数 2; start PROC-FORM 事由 外出; start PROC-LEAVE 请假天数 1";
        stage.dingtalk.say(ONCALL, "alice", script).await;
        said(&stage, &["started", REFUSED, "started", "started"]).await;
        let paths = paths(&stage).await;
        let count = |wanted: &str| paths.iter().filter(|path| *path == wanted).count();
        let create = if style == "legacy" {
            "/topapi/processinstance/create"
        } else {
            "/v1.0/workflow/processInstances"
        };
        assert_eq!(count(create), 3, "{paths:?}");
        // Once for each template, and once more before something was refused.
        assert_eq!(count("/v1.0/workflow/forms/schemas/processCodes"), 3);
        belfry.stop().await;
    }
}

#[tokio::test]
async fn without_kept_forms_dingtalk_decides() {
    let bot = bot(Plugin::scripted().granted(""), "modern").app("keep-forms = \"0s\"");
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "~start PROC-FORM 天数 2")
        .await;
    said(
        &stage,
        &["refused as invalid: 表单控件校验失败: 事由: 必填 (formConverterError)"],
    )
    .await;
    let paths = paths(&stage).await;
    assert!(!paths.iter().any(|path| path.contains("/forms/")));
    belfry.stop().await;
}

/// What a script of a plugin with this grant is told.
async fn told(grant: &str, script: impl Fn(&str, &str) -> String) -> Vec<String> {
    let plugin = Plugin::scripted().line(&format!(
        "grant = {{ robot = true, chat = true, notice = true, contacts = true, media = true, kv = true, {grant} }}"
    ));
    let stage = Stage::new(&bot(plugin, "modern")).await;
    let belfry = stage.host().await;
    let (id, task) = filled_form(&stage).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", &script(&id, &task))
        .await;
    belfry.doors.ended("scripted").await;
    let answers = stage.dingtalk.answers(ONCALL).await;
    let handed_on = stage.dingtalk.calls("/v1.0/workflow/tasks/redirect").await;
    assert!(handed_on.is_empty());
    belfry.stop().await;
    answers
}

#[tokio::test]
async fn a_grant_for_one_template_reaches_nothing_of_another() {
    let answers = told("approval = [\"PROC-LEAVE\"]", |id, task| {
        format!(
            "~form PROC-FORM; ~template 示例表单; ~status {id}; ~history {id}; ~handon {id} {task} manager bob; \
             ~note {id} alice x; ~pending manager; ~link {id} f1; form PROC-LEAVE"
        )
    })
    .await;
    let (last, refused) = answers.split_last().unwrap();
    assert_eq!(last, "请假: 请假类型 请假天数 请假事由");
    assert_eq!(refused.len(), 8, "{refused:?}");
    for answer in refused {
        assert!(answer.contains("belfry.grant"), "{answer}");
    }
}

#[tokio::test]
async fn a_step_of_another_instance_is_not_handed_on_by_way_of_a_granted_one() {
    let answers = told("approval = [\"PROC-FORM\"]", |id, task| {
        let other: i64 = task.parse::<i64>().unwrap() + 100;
        format!("~handon {id} {other} manager bob")
    })
    .await;
    assert!(answers[0].contains("belfry.grant"), "{answers:?}");
}

#[tokio::test]
async fn an_app_without_the_permission_is_told_which_one_it_lacks() {
    let mut company = simulator::Company::sample();
    company.scopes.push(simulator::Scope {
        app: "acme".to_owned(),
        departments: vec![1],
        users: Vec::new(),
        permissions: Some(vec!["Workflow.Instance.Read".to_owned()]),
    });
    let options = Options {
        company,
        ..Options::default()
    };
    for (style, code) in [
        (
            "modern",
            "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        ),
        ("legacy", "60011"),
    ] {
        let bot = bot(Plugin::scripted().granted(""), style);
        let stage = Stage::with(&bot, options.clone()).await;
        let belfry = stage.host().await;
        stage
            .dingtalk
            .say(ONCALL, "alice", "~ask alice moving")
            .await;
        let answers: Vec<String> = wait_for("it was told", async || {
            let answers = stage.dingtalk.answers(ONCALL).await;
            (!answers.is_empty()).then_some(answers)
        })
        .await;
        assert!(answers[0].contains("not allowed"), "{answers:?}");
        assert!(
            answers[0].contains("Workflow.Instance.Write"),
            "{answers:?}"
        );
        assert!(answers[0].contains(code), "{answers:?}");
        let approvals: Value = stage.dingtalk.get("approvals").await;
        assert!(approvals.as_array().unwrap().is_empty());
        belfry.stop().await;
    }
}
