//! Sends numbered events over every way in, as DingTalk and Alertmanager do it, whether or not belfry is there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::deck::Random;
use super::judge::{Deed, Mark, Policy, Sent, Wanted, Way};
use crate::bot::Plugin;
use crate::{DEV, Dingtalk, ONCALL};

/// Between two events of a lane, at most.
const PAUSE_MS: u64 = 40;
/// How long a sender of alerts waits for an answer.
const ANSWER: Duration = Duration::from_secs(3);

/// The plugins of a run: name, own steps, and what happens to a group message in doubt.
const PLUGINS: [(&str, &str, Policy); 3] = [
    ("first", "reply say later again", Policy::Resend),
    ("careful", "say", Policy::Unknown),
    ("asker", "ask", Policy::Unknown),
];

/// The plugins as `bot.toml` has them. The revision changes it without changing what they do.
pub(super) fn plugins(revision: u32) -> impl Iterator<Item = Plugin> {
    PLUGINS.into_iter().map(move |(name, steps, policy)| {
        let resend = match policy {
            Policy::Resend => "ambiguous = { \"chat.send\" = \"resend\" }",
            Policy::Look | Policy::Unknown => "",
        };
        Plugin::new(name, "tally")
            .line("events = [\"chat-message\", \"chat-change\", \"alert\"]")
            .granted(&format!("schedule = true, {resend}"))
            .line(&format!(
                "config = {{ name = {name:?}, steps = {steps:?}, revision = \"{revision}\" }}"
            ))
    })
}

/// Who sends, one event after the other.
#[derive(Debug, Clone, Copy)]
enum Sender {
    /// DingTalk, about a group.
    Group(&'static str),
    /// A person, in a group or with the robot alone.
    Person {
        conversation: Option<&'static str>,
        userid: &'static str,
    },
    /// A monitoring system, about one problem.
    Monitor(&'static str),
}

const SENDERS: [Sender; 8] = [
    Sender::Group("chatone"),
    Sender::Group("chattwo"),
    Sender::Person {
        conversation: Some(ONCALL),
        userid: "alice",
    },
    Sender::Person {
        conversation: Some(DEV),
        userid: "bob",
    },
    Sender::Person {
        conversation: None,
        userid: "carol",
    },
    Sender::Monitor("disk"),
    Sender::Monitor("load"),
    Sender::Monitor("rain"),
];

impl Sender {
    fn way(self) -> Way {
        match self {
            Self::Group(_) => Way::Callback,
            Self::Person { .. } => Way::Robot,
            Self::Monitor(_) => Way::Hook,
        }
    }

    /// The steps that the plugins are to take, now and then more than one.
    fn steps(self, random: &mut Random) -> String {
        let mut steps = vec!["say"];
        if let Self::Person { .. } = self {
            steps.insert(0, "reply");
            if random.one_in(4) {
                steps.push("later");
            }
        }
        if random.one_in(8) {
            steps.push("ask");
        }
        if random.one_in(8) {
            steps.push("again");
        }
        steps.join(" ")
    }
}

/// Everything that sends.
pub(super) struct Lanes {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    dingtalk: Dingtalk,
    http: reqwest::Client,
    public: watch::Receiver<Option<SocketAddr>>,
    last: AtomicU32,
    sent: Mutex<BTreeMap<Mark, Sent>>,
    stopping: AtomicBool,
}

impl Lanes {
    /// Begins to send. `public` is where belfry is at the moment.
    pub(super) fn start(
        dingtalk: &Dingtalk,
        public: watch::Receiver<Option<SocketAddr>>,
        random: &mut Random,
    ) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER);
        let shared = Arc::new(Shared {
            dingtalk: dingtalk.clone(),
            http: http.build().unwrap(),
            public,
            last: AtomicU32::new(0),
            sent: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for sender in SENDERS {
            let random = Random::new(random.below(u64::MAX));
            tasks.spawn(Arc::clone(&shared).drive(sender, random));
        }
        Self { shared, tasks }
    }

    /// Events so far, and how many of them were acknowledged.
    pub(super) fn progress(&self) -> (usize, usize) {
        let sent = self.shared.sent();
        let acknowledged = sent.values().filter(|event| event.acknowledged);
        (sent.len(), acknowledged.count())
    }

    /// Lets everybody finish the event that is being sent, and answers with all of them. belfry must be there.
    pub(super) async fn finish(mut self) -> Vec<Sent> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let sent = std::mem::take(&mut *self.shared.sent());
        sent.into_values().collect()
    }
}

impl Shared {
    fn sent(&self) -> MutexGuard<'_, BTreeMap<Mark, Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn drive(self: Arc<Self>, sender: Sender, mut random: Random) {
        while !self.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(random.below(PAUSE_MS))).await;
            let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            let mark = Mark {
                way: sender.way(),
                number,
            };
            let steps = sender.steps(&mut random);
            let event = Event {
                sender,
                mark,
                text: format!("{mark} {steps}"),
            };
            self.note(&event, &steps, false);
            if self.send(&event).await {
                self.note(&event, &steps, true);
                if random.one_in(10) {
                    // It comes again though it was acknowledged: late, and known.
                    self.send(&event).await;
                }
            }
        }
    }

    /// Keeps what was sent, and again when it was acknowledged, with the timer that comes of it.
    fn note(&self, event: &Event, steps: &str, acknowledged: bool) {
        let mut sent = self.sent();
        let mut keep = |mark: Mark, key: String, steps: &str| {
            let event = Sent {
                mark,
                acknowledged,
                key,
                wanted: wanted(mark, steps),
            };
            sent.insert(mark, event);
        };
        keep(event.mark, format!("{:?}", event.sender), steps);
        if steps.split(' ').any(|step| step == "later") {
            let timer = Mark {
                way: Way::Timer,
                number: event.mark.number,
            };
            keep(timer, timer.to_string(), "say");
        }
    }

    /// Sends an event as its sender would, with its retries; says whether it heard success.
    async fn send(&self, event: &Event) -> bool {
        let Event { sender, mark, text } = event;
        match sender {
            Sender::Group(chat) => {
                let mut change = json!({"EventType": "chat_update_title", "CorpId": "dingcorp", "chatId": chat, "title": text});
                if mark.number.is_multiple_of(2) {
                    // Without one the hash of the whole is what it is recognised by.
                    change["eventId"] = json!(mark.to_string());
                }
                let report = self.dingtalk.push(change, json!({})).await;
                report["delivered"] == true
            }
            Sender::Person {
                conversation,
                userid,
            } => {
                let mut message = json!({"app": "acme", "senderStaffId": userid, "text": text, "msgId": mark.to_string()});
                if let Some(conversation) = conversation {
                    message["conversationId"] = json!(conversation);
                }
                let report = self.dingtalk.post("messages", message).await;
                report["delivered"] == true
            }
            Sender::Monitor(problem) => self.alert(problem, text).await,
        }
    }

    /// Alertmanager's webhook, which comes again until it is taken.
    async fn alert(&self, problem: &str, text: &str) -> bool {
        let body = json!({
            "version": "4", "groupKey": problem, "status": "firing", "receiver": "belfry",
            "commonAnnotations": {"summary": text}, "alerts": [],
        });
        let mut pause = Duration::from_millis(50);
        loop {
            let public = *self.public.borrow();
            if let Some(public) = public {
                let url = format!("http://{public}/hooks/ops");
                let answer = self.http.post(url).body(body.to_string()).send().await;
                if answer.is_ok_and(|answer| answer.status() == 200) {
                    return true;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    }
}

struct Event {
    sender: Sender,
    mark: Mark,
    text: String,
}

/// What the plugins are to do for an event.
fn wanted(mark: Mark, steps: &str) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (plugin, own, say) in PLUGINS {
        // A timer belongs to the plugin that set it.
        if mark.way == Way::Timer && !own.contains("later") {
            continue;
        }
        for step in steps.split(' ') {
            if !own.split(' ').any(|own| own == step) {
                continue;
            }
            let (function, policy) = match step {
                "reply" => ("robot.reply", Policy::Resend),
                "say" => ("chat.send", say),
                "ask" => ("approval.create", Policy::Look),
                _ => continue,
            };
            let plugin = plugin.to_owned();
            wanted.push(Wanted {
                deed: Deed {
                    plugin,
                    function,
                    mark,
                },
                policy,
            });
        }
    }
    wanted
}
