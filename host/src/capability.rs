//! What a component asks for, what it is granted, and the difference.

use crate::config::Grant;

/// One interface that needs a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Groups.
    Chat,
    /// Work notices.
    Notice,
    /// Approvals.
    Approval,
    /// The robot.
    Robot,
    /// The plugin's own values.
    Kv,
    /// Times at which the plugin wants an event.
    Schedule,
}

impl Capability {
    /// Interface, key in `grant = { … }` and an example of the grant.
    const ROWS: [(Self, &'static str, &'static str); 6] = [
        (Self::Chat, "chat", "chat = true"),
        (Self::Notice, "notice", "notice = true"),
        (Self::Approval, "approval", "approval = [\"PROC-…\"]"),
        (Self::Robot, "robot", "robot = true"),
        (Self::Kv, "kv", "kv = true"),
        (Self::Schedule, "schedule", "schedule = true"),
    ];

    /// The interface and the key of the grant.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        Self::ROWS
            .iter()
            .find(|row| row.0 == self)
            .expect("every capability has a row")
    }

    fn is_granted(self, grant: &Grant) -> bool {
        match self {
            Self::Chat => grant.chat.is_granted(),
            Self::Notice => grant.notice.is_granted(),
            Self::Approval => grant.approval.is_granted(),
            Self::Robot => grant.robot.is_granted(),
            Self::Kv => grant.kv,
            Self::Schedule => grant.schedule,
        }
    }
}

/// Interfaces of `belfry:bot@0.1` that everybody gets: types, the plugin's own settings and its log.
const AMBIENT_OWN: [&str; 6] = ["api", "message", "event", "delivery", "config", "log"];
/// Packages of WASI 0.2 that standard libraries always import; they are virtualised.
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
enum Import {
    Ambient,
    Socket,
    Grantable(Capability),
    Unknown,
}

fn classify(import: &str) -> Import {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let Some((package, interface)) = path.split_once('/') else {
        return Import::Unknown;
    };
    if package == "belfry:bot" {
        if !version.starts_with("0.1.") {
            return Import::Unknown;
        }
        if AMBIENT_OWN.contains(&interface) {
            return Import::Ambient;
        }
        let row = Capability::ROWS.iter().find(|row| row.1 == interface);
        return row.map_or(Import::Unknown, |row| Import::Grantable(row.0));
    }
    if !version.starts_with("0.2.") {
        Import::Unknown
    } else if AMBIENT_WASI.contains(&package) {
        Import::Ambient
    } else if WHOLE_SOCKETS.contains(&path) {
        Import::Socket
    } else {
        Import::Unknown
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
    #[error("it imports {} without a grant: add `{}` to its grant in bot.toml", list(.missing), example(.missing))]
    NotGranted {
        /// The interfaces.
        missing: Vec<Capability>,
    },
    /// It asks for interfaces that belfry does not have.
    #[error("it imports {}, which this version of belfry does not offer", .0.join(", "))]
    Unknown(Vec<String>),
}

fn list(missing: &[Capability]) -> String {
    missing
        .iter()
        .map(|capability| format!("belfry:bot/{}", capability.name()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn example(missing: &[Capability]) -> String {
    missing
        .iter()
        .map(|capability| capability.row().2)
        .collect::<Vec<_>>()
        .join(", ")
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
            Import::Socket => sockets.push(import.to_owned()),
            Import::Grantable(capability) => requested.push(capability),
            Import::Unknown => unknown.push(import.to_owned()),
        }
    }
    if sockets.len() < WHOLE_SOCKETS.len() {
        unknown.append(&mut sockets);
    }
    if !unknown.is_empty() {
        return Err(Refusal::Unknown(unknown));
    }
    let (granted, missing): (Vec<_>, Vec<_>) = requested
        .into_iter()
        .partition(|capability| capability.is_granted(grant));
    if !missing.is_empty() {
        return Err(Refusal::NotGranted { missing });
    }
    let unused = Capability::ROWS
        .iter()
        .filter(|row| row.0.is_granted(grant) && !granted.contains(&row.0))
        .map(|row| row.1)
        .collect();
    Ok(Requests { granted, unused })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scope;

    const WASI: &str = "wasi:io/streams@0.2.6";

    fn check(imports: &[&str], grant: &Grant) -> Result<Requests, String> {
        compare(imports.iter().copied(), grant).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_is_asked_for_must_be_granted() {
        let refusal = check(
            &[WASI, "belfry:bot/chat@0.1.0", "belfry:bot/kv@0.1.0"],
            &Grant::default(),
        )
        .unwrap_err();
        assert_eq!(
            refusal,
            "it imports belfry:bot/chat, belfry:bot/kv without a grant: add `chat = true, kv = true` to its grant in bot.toml"
        );
    }

    #[test]
    fn what_belfry_does_not_have_is_refused_by_name() {
        for import in [
            "wasi:sockets/tcp@0.2.6",
            "belfry:bot/chat@0.2.0",
            "wasi:http/outgoing-handler@0.2.6",
            "env",
            "wasi:io/streams@0.3.0",
        ] {
            let refusal = check(&[import], &Grant::default()).unwrap_err();
            assert!(
                refusal.starts_with(&format!("it imports {import},")),
                "{refusal}"
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
            kv: true,
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
