//! Keeps the groups, their members and what was said in them.

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::company::Company;
use crate::crypto::random_text;
use crate::mentions::Mentions;

/// How many messages a group keeps; the oldest go first.
const MESSAGES_KEPT: usize = 10_000;

/// The flags of a group, 0 or 1 each.
pub(crate) const FLAGS: [&str; 6] = [
    "showHistoryType",
    "searchable",
    "validationType",
    "mentionAllAuthority",
    "managementType",
    "chatBannedType",
];

/// All groups, in the order they came to be.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
}

/// One group, or the single chat of a person with an app's robot.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) chatid: String,
    pub(crate) kind: GroupKind,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) members: Vec<String>,
    pub(crate) robots: Vec<String>,
    pub(crate) disbanded: bool,
    /// The app that made it; `None` belongs to the company and is open to every app.
    #[serde(rename = "createdBy")]
    pub(crate) created_by: Option<String>,
    /// The template that it was made from (场景群).
    #[serde(rename = "templateId", skip_serializing_if = "Option::is_none")]
    pub(crate) template_id: Option<String>,
    /// The caller's word for it, for which there is one group only.
    #[serde(skip)]
    pub(crate) uuid: Option<String>,
    #[serde(skip)]
    pub(crate) icon: String,
    #[serde(skip)]
    pub(crate) flags: Map<String, Value>,
    pub(crate) messages: VecDeque<Message>,
}

/// Whether several people talk or one with a robot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupKind {
    Group,
    Single,
}

/// One message as the group shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) at: i64,
    pub(crate) sender: Sender,
    pub(crate) msgtype: String,
    pub(crate) content: Value,
    pub(crate) mentions: Vec<String>,
    pub(crate) all: bool,
    /// Who alone sees it; empty for everybody in the group.
    #[serde(rename = "onlyFor", skip_serializing_if = "Vec::is_empty")]
    pub(crate) only_for: Vec<String>,
    /// By which a robot's message can be queried and recalled; messages to several people share it.
    #[serde(rename = "processQueryKey", skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recalled: bool,
    #[serde(skip)]
    pub(crate) read_by: BTreeSet<String>,
}

/// Who wrote a message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sender {
    pub(crate) kind: SenderKind,
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What kind of writer it is: a person, an app by `chat/send`, or an app's robot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SenderKind {
    User,
    App,
    Robot,
}

impl Message {
    /// A message with an id of its own.
    pub(crate) fn new(sender: Sender, msgtype: &str, content: Value, now: i64) -> Self {
        Self {
            id: format!("msg{}", random_text(21)),
            at: now,
            sender,
            msgtype: msgtype.to_owned(),
            content,
            mentions: Vec::new(),
            all: false,
            only_for: Vec::new(),
            key: None,
            recalled: false,
            read_by: BTreeSet::new(),
        }
    }

    /// The same message with the key by which its robot can ask for it.
    pub(crate) fn keyed(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The same message with the people it calls.
    pub(crate) fn mentioning(mut self, mentions: Mentions) -> Self {
        self.mentions = mentions.userids;
        self.all = mentions.all;
        self
    }

    /// The same message, seen by these people alone if there are any.
    pub(crate) fn only_for(mut self, people: Vec<String>) -> Self {
        self.only_for = people;
        self
    }
}

impl Groups {
    /// The groups of a fresh company.
    pub(crate) fn seed(company: &Company) -> Self {
        let groups = company.groups.iter().map(|seed| Group {
            id: seed.id.clone(),
            chatid: seed.chatid.clone(),
            kind: GroupKind::Group,
            name: seed.name.clone(),
            owner: seed.owner.clone(),
            members: seed.members.clone(),
            robots: Vec::new(),
            disbanded: false,
            created_by: None,
            template_id: None,
            uuid: None,
            icon: String::new(),
            flags: default_flags(),
            messages: VecDeque::new(),
        });
        Self {
            groups: groups.collect(),
        }
    }

    /// Puts the robots of these apps into the groups that every app shares.
    pub(crate) fn set_seed_robots(&mut self, apps: &[String]) {
        for group in &mut self.groups {
            if group.created_by.is_none() && group.kind == GroupKind::Group {
                group.robots = apps.to_vec();
            }
        }
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[Group] {
        &self.groups
    }

    /// The group of an open conversation id.
    pub(crate) fn by_id(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.id == id)
    }

    /// The group of a chat id; single chats have none.
    pub(crate) fn by_chatid(&mut self, chatid: &str) -> Option<&mut Group> {
        self.groups
            .iter_mut()
            .find(|group| group.chatid == chatid && group.kind == GroupKind::Group)
    }

    /// The group that holds a message, with the message.
    pub(crate) fn message(&self, id: &str) -> Option<(&Group, &Message)> {
        self.groups.iter().find_map(|group| {
            group
                .messages
                .iter()
                .find(|message| message.id == id)
                .map(|message| (group, message))
        })
    }

    /// The groups that hold a robot's message of a key, each with the message.
    pub(crate) fn keyed<'g>(
        &'g mut self,
        app: &'g str,
        key: &'g str,
    ) -> impl Iterator<Item = (&'g str, &'g [String], &'g mut Message)> {
        self.groups.iter_mut().flat_map(move |group| {
            let (id, members) = (group.id.as_str(), group.members.as_slice());
            let messages = group.messages.iter_mut();
            let of_key = messages.filter(move |message| {
                message.key.as_deref() == Some(key) && message.sender.id == app
            });
            of_key.map(move |message| (id, members, message))
        })
    }

    /// The group that an app has made of a template with this word.
    pub(crate) fn by_uuid(&self, app: &str, uuid: &str) -> Option<&Group> {
        self.groups.iter().find(|group| {
            group.uuid.as_deref() == Some(uuid) && group.created_by.as_deref() == Some(app)
        })
    }

    /// Adds a group made by an app, whose robot becomes a member.
    pub(crate) fn create(
        &mut self,
        app: &str,
        name: &str,
        owner: &str,
        members: Vec<String>,
    ) -> &mut Group {
        let group = Group {
            id: format!("cid{}==", random_text(20)),
            chatid: format!("chat{}", random_text(28).to_lowercase()),
            kind: GroupKind::Group,
            name: name.to_owned(),
            owner: owner.to_owned(),
            members,
            robots: vec![app.to_owned()],
            disbanded: false,
            created_by: Some(app.to_owned()),
            template_id: None,
            uuid: None,
            icon: String::new(),
            flags: default_flags(),
            messages: VecDeque::new(),
        };
        self.groups.push(group);
        self.groups.last_mut().expect("a group was just added")
    }

    /// The single chat of a person with an app's robot.
    pub(crate) fn single(&mut self, app: &str, userid: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| {
            group.kind == GroupKind::Single && group.has_robot(app) && group.has_member(userid)
        })
    }

    /// Adds the single chat of a person with an app's robot.
    pub(crate) fn create_single(&mut self, app: &str, userid: &str) -> &mut Group {
        let group = Group {
            id: format!("cid{}==", random_text(20)),
            chatid: String::new(),
            kind: GroupKind::Single,
            name: app.to_owned(),
            owner: userid.to_owned(),
            members: vec![userid.to_owned()],
            robots: vec![app.to_owned()],
            disbanded: false,
            created_by: Some(app.to_owned()),
            template_id: None,
            uuid: None,
            icon: String::new(),
            flags: Map::new(),
            messages: VecDeque::new(),
        };
        self.groups.push(group);
        self.groups.last_mut().expect("a chat was just added")
    }
}

impl Group {
    /// Appends a message; a person who writes has read what stood before.
    pub(crate) fn say(&mut self, message: Message) {
        if message.sender.kind == SenderKind::User {
            for earlier in &mut self.messages {
                if earlier.sender.id != message.sender.id {
                    earlier.read_by.insert(message.sender.id.clone());
                }
            }
        }
        if self.messages.len() == MESSAGES_KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    /// Whether a person belongs to it.
    pub(crate) fn has_member(&self, userid: &str) -> bool {
        self.members.iter().any(|member| member == userid)
    }

    /// Whether an app's robot belongs to it.
    pub(crate) fn has_robot(&self, app: &str) -> bool {
        self.robots.iter().any(|robot| robot == app)
    }

    /// Whether an app may read and change it through the old group calls.
    pub(crate) fn is_open_to(&self, app: &str) -> bool {
        self.created_by.as_ref().is_none_or(|owner| owner == app)
    }
}

fn default_flags() -> Map<String, Value> {
    FLAGS
        .iter()
        .map(|&flag| (flag.to_owned(), Value::from(0)))
        .collect()
}
