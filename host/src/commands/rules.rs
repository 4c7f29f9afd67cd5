//! `belfry rules`: why a plugin gets an event or does not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::active::rules_of;
use belfry::clock::{self, UnixMs};
use belfry::config::Config;
use belfry::event::Origin;
use belfry::explain::{Question, explain_with};
use belfry::ids::EventId;
use belfry::journal::{Filter, SqliteJournal};
use belfry::rules::{Explanation, Reason};

use super::{ConfigFile, Output, print_json};

/// Bytes of an event file: what the public listener takes at most.
const MAX_EVENT: u64 = 2 << 20;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Say which plugins would get an event, and why the others would not.
    ///
    /// Reads bot.toml as it is now and loads no plugin.
    Explain(Explain),
}

#[derive(clap::Args)]
pub(super) struct Explain {
    /// A decrypted callback, a robot message or the body of an alert, as JSON; `-` reads standard input.
    #[arg(required_unless_present = "event", conflicts_with = "event")]
    file: Option<PathBuf>,

    /// An event of the journal instead of a file, at the time at which it came.
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,

    /// The app, where there are several.
    #[arg(long)]
    app: Option<String>,

    /// The hook of an alert, where several can read it.
    #[arg(long)]
    hook: Option<String>,

    /// When the event comes, such as 2026-11-22T18:00:00+08:00; now, if it is left out.
    #[arg(long)]
    at: Option<jiff::Timestamp>,

    #[command(flatten)]
    config: ConfigFile,

    /// How the answer is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

#[allow(clippy::print_stdout)]
pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Explain(options) = command;
    let config = Config::load(&options.config.config)?;
    let mut question = match (&options.file, options.event) {
        (Some(file), _) => Question {
            text: read(file)?,
            at: clock::now(),
            ..Question::default()
        },
        (None, Some(id)) => recorded(&config, id)?,
        (None, None) => bail!("name a file or an event of the journal"),
    };
    if let Some(at) = options.at {
        question.at = UnixMs(at.as_millisecond());
    }
    question.app = options.app.or(question.app);
    question.hook = options.hook;
    let explanation = explain_with(&config, &rules_of(&config), &question)?;
    match options.output {
        Output::Json => print_json(&explanation)?,
        Output::Text => print!("{}", text(&explanation)),
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<String> {
    use std::io::Read;
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| format!("cannot read {file:?}"))?)
    };
    let mut text = String::new();
    from.take(MAX_EVENT + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {file:?}"))?;
    if text.len() as u64 > MAX_EVENT {
        bail!("{file:?} is larger than {} MiB", MAX_EVENT >> 20);
    }
    Ok(text)
}

fn recorded(config: &Config, id: EventId) -> anyhow::Result<Question> {
    let path = &config.store.path;
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let events = SqliteJournal::list_file(path, &filter)
        .with_context(|| format!("cannot read the journal {path:?}"))?;
    let Some(event) = events.into_iter().next() else {
        bail!("there is no event {id}")
    };
    Ok(Question {
        origin: Origin::from_text(&event.origin),
        app: Some(event.app.to_string()),
        at: UnixMs(event.received_at.as_millisecond()),
        text: event.raw.unwrap_or_default(),
        hook: None,
    })
}

fn text(explanation: &Explanation) -> String {
    let kind = match &explanation.event_type {
        Some(event_type) => format!("{} ({event_type})", explanation.kind.as_str()),
        None => explanation.kind.as_str().to_owned(),
    };
    let mut lines = format!(
        "app   {}\nkind  {kind}\nat    {:.3}\n\n",
        explanation.app, explanation.at
    );
    if explanation.verdicts.is_empty() {
        lines.push_str("there is no plugin\n");
    }
    for verdict in &explanation.verdicts {
        let mark = if verdict.reason == Reason::Gets {
            '+'
        } else {
            '-'
        };
        lines.push_str(&format!("{mark} {}: {}\n", verdict.plugin, verdict.text));
        for (path, value) in &verdict.values {
            let value = if value.is_null() {
                "not there".to_owned()
            } else {
                value.to_string()
            };
            lines.push_str(&format!("    {path} = {value}\n"));
        }
    }
    lines
}
