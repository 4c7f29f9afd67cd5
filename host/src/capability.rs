//! What a component asks for, what it is granted, and the difference.

use crate::config::{Grant, Recipients, Scope};

/// One interface that needs a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Groups.
    Chat,
    /// Work notices.
    Notice,
    /// Approvals.
    Approval,
    /// People and departments.
    Contacts,
    /// Files.
    Media,
    /// The robot.
    Robot,
    /// The plugin's own values.
    Kv,
    /// Times at which the plugin wants an event.
    Schedule,
    /// Outgoing HTTP.
    Http,
}

impl Capability {
    /// Every one, in the order of the table in the manual.
    pub const ALL: [Self; 9] = [
        Self::Chat,
        Self::Notice,
        Self::Approval,
        Self::Contacts,
        Self::Media,
        Self::Robot,
        Self::Kv,
        Self::Schedule,
        Self::Http,
    ];

    /// The key of the grant; except for HTTP also the name of the interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Notice => "notice",
            Self::Approval => "approval",
            Self::Contacts => "contacts",
            Self::Media => "media",
            Self::Robot => "robot",
            Self::Kv => "kv",
            Self::Schedule => "schedule",
            Self::Http => "http",
        }
    }

    /// The interface, with its package.
    fn interface(self) -> String {
        match self {
            Self::Http => "wasi:http/outgoing-handler".to_owned(),
            own => format!("{OWN}/{}", own.name()),
        }
    }

    /// Whether a grant has anything of it.
    pub fn is_granted(self, grant: &Grant) -> bool {
        match self {
            Self::Chat => grant.chat.is_granted(),
            Self::Notice => grant.notice != Recipients::Nobody,
            Self::Approval => grant.approval.is_granted(),
            Self::Contacts => grant.contacts.is_granted(),
            Self::Media => grant.media,
            Self::Robot => grant.robot.is_granted(),
            Self::Kv => grant.kv.is_some(),
            Self::Schedule => grant.schedule,
            Self::Http => !grant.http.is_empty(),
        }
    }

    /// Adds what lets the plugin be loaded. Where ids can only be guessed, an example stands in for them.
    fn add_to(self, grant: &mut Grant) {
        match self {
            Self::Chat => grant.chat = Scope::Everything,
            Self::Notice => grant.notice = Recipients::Everybody,
            Self::Approval => grant.approval = Scope::Only(vec!["PROC-…".to_owned()]),
            Self::Contacts => grant.contacts = Scope::Everything,
            Self::Media => grant.media = true,
            Self::Robot => grant.robot = Scope::Everything,
            Self::Kv => grant.kv = Some(Grant::KV_BYTES),
            Self::Schedule => grant.schedule = true,
            Self::Http => grant.http.extend("api.example.com".parse()),
        }
    }
}

/// Our package, and the versions of it that this host has.
const OWN: &str = "belfry:bot";
const OWN_VERSIONS: &str = "0.1.";
/// The version of WASI that this host has.
const WASI_VERSIONS: &str = "0.2.";
/// Interfaces of our package that everybody gets: types, the plugin's own settings and its log.
const AMBIENT_OWN: [&str; 6] = ["api", "message", "event", "delivery", "config", "log"];
/// Packages of WASI that standard libraries always import; they are virtualised.
const AMBIENT_WASI: [&str; 5] = [
    "wasi:io",
    "wasi:clocks",
    "wasi:random",
    "wasi:cli",
    "wasi:filesystem",
];

/// The sockets of WASI 0.2. A C library that is linked whole, as CPython's is, imports all of them whether or not the
/// program ever opens one, so all together ask for nothing; the host's refuse every call. Some of them alone were
/// written by somebody who wants a socket and will not get one.
const WHOLE_SOCKETS: [&str; 7] = [
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// What one import is.
#[derive(Debug, PartialEq, Eq)]
pub enum Import {
    /// Everybody gets it.
    Ambient,
    /// Harmless where all of them are asked for, as a C library that is linked whole does.
    Socket,
    /// It needs a grant.
    Grantable(Capability),
    /// This host has the interface in another version, which is told.
    OtherVersion(&'static str),
    /// This host has nothing of the kind.
    Unknown,
}

/// Sorts an import such as `belfry:bot/chat@0.1.0`.
pub fn classify(import: &str) -> Import {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let Some((package, interface)) = path.split_once('/') else {
        return Import::Unknown;
    };
    let (found, has) = if package == OWN {
        let granted = Capability::ALL
            .into_iter()
            .find(|capability| *capability != Capability::Http && capability.name() == interface);
        let found = if AMBIENT_OWN.contains(&interface) {
            Import::Ambient
        } else {
            granted.map_or(Import::Unknown, Import::Grantable)
        };
        (found, OWN_VERSIONS)
    } else if package == "wasi:http" && matches!(interface, "types" | "outgoing-handler") {
        (Import::Grantable(Capability::Http), WASI_VERSIONS)
    } else if AMBIENT_WASI.contains(&package) {
        (Import::Ambient, WASI_VERSIONS)
    } else if WHOLE_SOCKETS.contains(&path) {
        (Import::Socket, WASI_VERSIONS)
    } else {
        return Import::Unknown;
    };
    if found == Import::Unknown || version.starts_with(has) {
        found
    } else {
        Import::OtherVersion(has)
    }
}

/// What a component asks for and gets, or why it is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Requests {
    /// Asked for and granted: exactly these are linked.
    pub granted: Vec<Capability>,
    /// Granted but not asked for.
    pub unused: Vec<&'static str>,
}

/// Why a component is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It asks for interfaces that its `grant` does not name.
    #[error("it imports {} without a grant; to allow it, its [[plugin]] in bot.toml needs: {grant}", list(.missing))]
    NotGranted {
        /// The interfaces.
        missing: Vec<Capability>,
        /// What there is already, with what is missing added.
        grant: Box<Grant>,
    },
    /// It asks for interfaces that belfry does not have, each with what is to be said of it.
    #[error("it imports {}", .0.join(", and "))]
    Unknown(Vec<String>),
}

fn list(missing: &[Capability]) -> String {
    let interfaces: Vec<String> = missing.iter().map(|missing| missing.interface()).collect();
    interfaces.join(", ")
}

fn not_offered(import: &str) -> String {
    format!("{import}, which this version of belfry does not offer")
}

/// Compares what a component imports with what it is granted.
pub fn compare<'a>(
    imports: impl Iterator<Item = &'a str>,
    grant: &Grant,
) -> Result<Requests, Refusal> {
    let mut requested = Vec::new();
    let mut sockets = Vec::new();
    let mut unknown = Vec::new();
    for import in imports {
        match classify(import) {
            Import::Ambient => {}
            Import::Socket => sockets.push(import),
            Import::Grantable(capability) if requested.contains(&capability) => {}
            Import::Grantable(capability) => requested.push(capability),
            Import::OtherVersion(has) => unknown.push(format!(
                "{import}, of which this version of belfry has {has}x"
            )),
            Import::Unknown => unknown.push(not_offered(import)),
        }
    }
    if sockets.len() < WHOLE_SOCKETS.len() {
        unknown.extend(sockets.into_iter().map(not_offered));
    }
    if !unknown.is_empty() {
        return Err(Refusal::Unknown(unknown));
    }
    let (granted, missing): (Vec<_>, Vec<_>) = requested
        .into_iter()
        .partition(|capability| capability.is_granted(grant));
    if !missing.is_empty() {
        let mut needed = grant.clone();
        for missing in &missing {
            missing.add_to(&mut needed);
        }
        return Err(Refusal::NotGranted {
            missing,
            grant: Box::new(needed),
        });
    }
    let unused = Capability::ALL
        .into_iter()
        .filter(|capability| capability.is_granted(grant) && !granted.contains(capability))
        .map(Capability::name)
        .collect();
    Ok(Requests { granted, unused })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WASI: &str = "wasi:io/streams@0.2.6";

    fn check(imports: &[&str], grant: &Grant) -> Result<Requests, String> {
        compare(imports.iter().copied(), grant).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_is_asked_for_must_be_granted_and_the_line_to_paste_is_told() {
        let grant = Grant {
            chat: Scope::Only(vec!["chat1".to_owned()]),
            ..Grant::default()
        };
        let imports = [
            WASI,
            "belfry:bot/chat@0.1.0",
            "belfry:bot/kv@0.1.0",
            "wasi:http/types@0.2.12",
            "wasi:http/outgoing-handler@0.2.12",
            "belfry:bot/approval@0.1.0",
        ];
        insta::assert_snapshot!(check(&imports, &grant).unwrap_err(), @r#"it imports belfry:bot/kv, wasi:http/outgoing-handler, belfry:bot/approval without a grant; to allow it, its [[plugin]] in bot.toml needs: grant = { chat = ["chat1"], approval = ["PROC-…"], kv = true, http = ["api.example.com"] }"#);
    }

    #[test]
    fn what_belfry_does_not_have_is_refused_by_name() {
        for import in [
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/incoming-handler@0.2.6",
            "wasi:keyvalue/store@0.2.0-draft",
            "belfry:bot/teleport@0.1.0",
            "belfry:bot/http@0.1.0",
            "env",
        ] {
            assert_eq!(
                check(&[import], &Grant::default()).unwrap_err(),
                format!("it imports {import}, which this version of belfry does not offer")
            );
        }
    }

    #[test]
    fn another_version_is_refused_with_the_one_there_is() {
        for (import, has) in [
            ("belfry:bot/chat@0.2.0", "0.1.x"),
            ("belfry:bot/log@0.10.0", "0.1.x"),
            ("belfry:bot/log", "0.1.x"),
            ("wasi:io/streams@0.3.0", "0.2.x"),
            ("wasi:http/outgoing-handler@0.3.0", "0.2.x"),
        ] {
            assert_eq!(
                check(&[import], &Grant::default()).unwrap_err(),
                format!("it imports {import}, of which this version of belfry has {has}")
            );
        }
    }

    #[test]
    fn a_whole_c_library_asks_for_no_socket() {
        let whole: Vec<String> = WHOLE_SOCKETS
            .iter()
            .map(|path| format!("{path}@0.2.9"))
            .collect();
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        assert!(check(&whole, &Grant::default()).is_ok());
        let refusal = check(&whole[1..], &Grant::default()).unwrap_err();
        assert!(
            refusal.contains("wasi:sockets/tcp-create-socket@0.2.9"),
            "{refusal}"
        );
    }

    #[test]
    fn grants_that_nobody_asked_for_are_named() {
        let grant = Grant {
            chat: Scope::Everything,
            kv: Some(1024),
            ..Grant::default()
        };
        let requests = check(
            &["belfry:bot/kv@0.1.0", "belfry:bot/log@0.1.0", WASI],
            &grant,
        )
        .unwrap();
        assert_eq!(
            requests,
            Requests {
                granted: vec![Capability::Kv],
                unused: vec!["chat"]
            }
        );
    }
}
