//! Kills belfry again and again while events arrive, and judges by the simulator's record what became of them.
//!
//! DingTalk and Alertmanager are played true to their rules: what is not acknowledged comes again, what was acknowledged
//! comes again now and then. After each kill the journal is read to learn which calls are in doubt. At the end belfry
//! runs until everything is done, and what DingTalk saw is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use belfry::call::Fate;
use belfry::ids::EventId;
use belfry::journal::{Effect, Filter, SqliteJournal, State};
use serde_json::Value;
use tokio::sync::watch;

use self::deck::{Aim, Deck, Random};
use self::judge::{Deed, Evidence, judge};
use self::lanes::Lanes;
use self::life::{End, Life};
use crate::{Bot, Doors, Stage};

pub use self::judge::{Count, Way};
pub use self::report::Report;

mod deck;
mod judge;
mod lanes;
mod life;
mod report;

/// DingTalk's pauses of 10 and 30 seconds, so much shorter as belfry's lives are.
const PUSH_RETRIES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(450)];
/// How long belfry serves before it is killed at any time, at most.
const LIFE_MS: u64 = 500;
/// How long a start takes that is killed at any time, about.
const START_MS: u64 = 400;
/// How long a failpoint may take to be reached; after that belfry is killed where it is.
const FAILPOINT: Duration = Duration::from_secs(3);
/// How long everything may take to be done at the end.
const CALM: Duration = Duration::from_secs(60);
/// How long DingTalk is watched after that, for what nobody should do any more.
const SILENCE: Duration = Duration::from_secs(1);
/// What is told of the run now and then.
const PROGRESS: u32 = Deck::SIZE;

/// What a run is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often belfry is killed.
    pub kills: u32,
    /// Decides what is sent and where belfry is killed. When, the machine decides with it.
    pub seed: u64,
    /// Whether a line on standard error tells of the progress.
    pub progress: bool,
}

/// Runs to the end.
///
/// # Panics
///
/// When belfry does not start, or does not come to rest at the end.
pub async fn run(options: Options) -> Report {
    let began = Instant::now();
    let mut random = Random::new(options.seed);
    let simulated = simulator::Options {
        push_retries: PUSH_RETRIES.to_vec(),
        rate_limit: None,
        ..simulator::Options::default()
    };
    let stage = Stage::with(&bot(0), simulated).await;
    // The app is there before belfry is; nobody listens on that port.
    stage.push_to(SocketAddr::from(([127, 0, 0, 1], 9)));
    let (told, public) = watch::channel(None);
    let lanes = Lanes::start(&stage.dingtalk, public, &mut random);
    let mut run = Run {
        stage,
        told,
        random,
        revision: 0,
        witness: Witness::default(),
        kills: Aim::all().map(|aim| (aim.name(), 0)).collect(),
        troubles: Vec::new(),
    };
    let mut deck = Deck::new();
    for number in 1..=options.kills {
        let aim = match number {
            // The store is made before anything else is tried on it.
            1 => Aim::Serving,
            _ => deck.deal(&mut run.random),
        };
        run.kill(aim).await;
        run.witness.look(&run.stage).await;
        if options.progress && (number % PROGRESS == 0 || number == options.kills) {
            let (sent, acknowledged) = lanes.progress();
            let seconds = began.elapsed().as_secs();
            eprintln!(
                "{number} of {} kills after {seconds} s: {sent} events, {acknowledged} acknowledged",
                options.kills
            );
        }
    }
    run.calm(lanes, options.seed, began).await
}

fn bot(revision: u32) -> Bot {
    let bot = Bot::new()
        .app("pace = { calls = 0 }")
        .retry("first-delay = \"50ms\"")
        .hook("ops", "alertmanager", "");
    lanes::plugins(revision).fold(bot, Bot::plugin)
}

struct Run {
    stage: Stage,
    told: watch::Sender<Option<SocketAddr>>,
    random: Random,
    revision: u32,
    witness: Witness,
    kills: BTreeMap<&'static str, u32>,
    troubles: Vec<String>,
}

impl Run {
    /// Starts belfry and kills it.
    async fn kill(&mut self, aim: Aim) {
        let end = match aim {
            Aim::Migrating => self.migrate().await,
            aim => self.live(aim).await,
        };
        let met = match (aim, end) {
            (_, End::Itself(trouble)) => {
                self.troubles.push(trouble);
                return;
            }
            // It did not come by: killed all the same.
            (Aim::At(..) | Aim::Migrating, End::Killed) => Aim::Serving,
            (aim, _) => aim,
        };
        *self.kills.entry(met.name()).or_default() += 1;
    }

    async fn live(&mut self, aim: Aim) -> End {
        let failpoints = match aim {
            Aim::At(point, most) => format!("{point}:{}", 1 + self.random.below(most.into())),
            _ => String::new(),
        };
        let mut life = Life::start(&self.stage.file("bot.toml"), &failpoints);
        if aim == Aim::Starting {
            life.ends_within(self.moment(START_MS)).await;
            return life.end().await;
        }
        let Some(doors) = life.doors().await else {
            // It is dying and not dead yet.
            life.ends_within(FAILPOINT).await;
            return life.end().await;
        };
        self.announce(&doors);
        match aim {
            Aim::Serving => {
                let reload = self.random.one_in(3).then(|| self.change());
                let moment = self.moment(LIFE_MS);
                tokio::select! {
                    () = life.ends_within(moment) => {}
                    () = reload_if(reload, &doors) => life.ends_within(moment).await,
                }
            }
            Aim::At("in-swap", _) => {
                life.ends_within(self.moment(LIFE_MS / 2)).await;
                self.change();
                tokio::select! {
                    () = life.ends_within(FAILPOINT) => {}
                    () = reload_if(Some(()), &doors) => life.ends_within(FAILPOINT).await,
                }
            }
            _ => life.ends_within(FAILPOINT).await,
        }
        life.end().await
    }

    /// Dies while a new store is laid out, and looks whether the next start makes it good.
    async fn migrate(&mut self) -> End {
        let folder = self.stage.file("fresh");
        let _ = std::fs::remove_dir_all(&folder);
        bot(self.revision).write(&folder, self.stage.simulator());
        let config = folder.join("bot.toml");
        let mut life = Life::start(&config, "in-migration");
        life.ends_within(FAILPOINT * 3).await;
        let end = life.end().await;
        let mut life = Life::start(&config, "");
        let Some(doors) = life.doors().await else {
            life.ends_within(FAILPOINT).await;
            return life.end().await;
        };
        let (status, _) = doors.hook("ops", r#"{"alerts":[]}"#.to_owned()).await;
        let events = doors.events().await.len();
        if (status, events) != (200, 1) {
            self.troubles.push(format!(
                "after a kill in a migration a hook is answered with {status} and {events} events are kept"
            ));
        }
        match life.end().await {
            End::Itself(trouble) => End::Itself(trouble),
            _ => end,
        }
    }

    /// Tells everybody where belfry is now.
    fn announce(&self, doors: &Doors) {
        self.stage.push_to(doors.public);
        let _ = self.told.send(Some(doors.public));
    }

    /// Writes another `bot.toml`.
    fn change(&mut self) {
        self.revision += 1;
        self.stage.write(&bot(self.revision));
    }

    fn moment(&mut self, below_ms: u64) -> Duration {
        Duration::from_millis(self.random.below(below_ms))
    }

    /// Lets belfry finish everything in peace, and judges.
    async fn calm(mut self, lanes: Lanes, seed: u64, began: Instant) -> Report {
        let mut life = Life::start(&self.stage.file("bot.toml"), "");
        let doors = life.doors().await.expect("belfry starts");
        self.announce(&doors);
        let sent = tokio::time::timeout(CALM, lanes.finish());
        let sent = sent.await.expect("everybody has sent the last event");
        let waited = Instant::now();
        loop {
            self.witness.calls(&self.stage).await;
            self.witness.answers(&self.stage.file("belfry.db"));
            let open = doors.get("/api/events?state=pending&limit=1").await;
            let is_quiet = open.as_array().is_some_and(Vec::is_empty);
            let verdict = judge(&sent, &self.witness.evidence);
            let lost: u32 = verdict.counts.values().map(|count| count.lost).sum();
            if (is_quiet && lost == 0) || waited.elapsed() > CALM {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(SILENCE).await;
        self.witness.calls(&self.stage).await;
        for state in ["pending", "parked", "dead"] {
            let events = doors
                .get(&format!("/api/events?state={state}&limit=5"))
                .await;
            let events = events.as_array().cloned().unwrap_or_default();
            let left = events.iter().map(|event| format!("left {state}: {event}"));
            self.troubles.extend(left);
        }
        if let End::Itself(trouble) = life.end().await {
            self.troubles.push(trouble);
        }
        let verdict = judge(&sent, &self.witness.evidence);
        let wrong = self.troubles.into_iter().chain(verdict.wrong).collect();
        Report {
            seed,
            took: began.elapsed(),
            kills: self.kills,
            calls: self.witness.evidence.seen.len(),
            doubts: self.witness.evidence.doubts.values().sum(),
            counts: verdict.counts,
            wrong,
        }
    }
}

/// Asks for a reload; never ends when there is none to ask for.
async fn reload_if(wanted: Option<()>, doors: &Doors) {
    match wanted {
        Some(()) => {
            let url = format!("http://{}/-/reload", doors.admin);
            // It may die over it.
            let _ = doors.http.post(url).send().await;
        }
        None => std::future::pending().await,
    }
}

/// Reads what there is to know from outside belfry.
#[derive(Default)]
struct Witness {
    evidence: Evidence,
    /// Events with calls that were in doubt.
    doubted: BTreeSet<EventId>,
    /// The number of the last call that was read.
    last_call: u64,
}

impl Witness {
    /// Looks at the store of a dead belfry and at DingTalk.
    async fn look(&mut self, stage: &Stage) {
        self.doubts(&stage.file("belfry.db"));
        self.calls(stage).await;
    }

    fn doubts(&mut self, store: &Path) {
        let of = |filter: &Filter| {
            SqliteJournal::list_file(store, filter).expect("the journal can be read after a kill")
        };
        let pending = of(&Filter {
            state: Some(State::Pending),
            ..Filter::default()
        });
        for event in pending {
            let whole = of(&Filter {
                id: Some(event.id),
                ..Filter::default()
            });
            let deliveries = whole.iter().flat_map(|event| &event.deliveries);
            for delivery in deliveries.filter(|delivery| delivery.state == State::Pending) {
                let begun = delivery.calls.iter().filter(|call| call.answer.is_none());
                for deed in begun.filter_map(deed_of) {
                    *self.evidence.doubts.entry(deed).or_default() += 1;
                    self.doubted.insert(event.id);
                }
            }
        }
    }

    /// Reads what plugins were told of the calls that were in doubt.
    fn answers(&mut self, store: &Path) {
        for event in &self.doubted {
            let filter = Filter {
                id: Some(*event),
                ..Filter::default()
            };
            let whole = SqliteJournal::list_file(store, &filter).expect("the journal can be read");
            let deliveries = whole.iter().flat_map(|event| &event.deliveries);
            let calls = deliveries.flat_map(|delivery| &delivery.calls);
            let unknown = calls.filter(|call| {
                let fate = call.answer.as_ref().map(|answer| answer.fate);
                fate == Some(Fate::Unknown)
            });
            self.evidence.told.extend(unknown.filter_map(deed_of));
        }
    }

    /// Reads the calls that came since the last look.
    async fn calls(&mut self, stage: &Stage) {
        let since = self.last_call + 1;
        let calls = stage.dingtalk.get(&format!("calls?since={since}")).await;
        for call in calls.as_array().into_iter().flatten() {
            self.last_call = call["seq"].as_u64().unwrap_or(self.last_call);
            let function = match call["path"].as_str().unwrap_or_default() {
                "/chat/send" => "chat.send",
                "/robot/sendBySession" => "robot.reply",
                "/topapi/processinstance/create" | "/v1.0/workflow/processInstances" => {
                    "approval.create"
                }
                _ => continue,
            };
            if call["method"] == "POST" && is_success(call) {
                let deed = Deed::in_call(function, &call["body"]);
                self.evidence.seen.extend(deed);
            }
        }
    }
}

/// The older hosts tell a refusal by their code, the newer ones by the status.
fn is_success(call: &Value) -> bool {
    let code = &call["response"]["errcode"];
    call["status"] == 200 && (code.is_null() || *code == 0)
}

/// What a recorded call does, if it is one of those that are counted.
fn deed_of(call: &Effect) -> Option<Deed> {
    let call = serde_json::to_value(call).expect("a record is JSON");
    let known = [
        "chat.send",
        "robot.reply",
        "approval.create",
        "schedule.set",
    ];
    let function = known
        .into_iter()
        .find(|function| call["function"] == *function)?;
    Deed::in_call(function, &call["arguments"])
}
