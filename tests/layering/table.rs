//! The table: which module of the host may use which, and which files and packages may use which crates.
//!
//! Arrows point down only. A change that needs a new arrow changes this table, and says why.

/// A module at the top of `host/src`.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    pub(crate) layer: u8,
    /// What it may use on its own layer; everything on lower layers is free to it.
    pub(crate) beside: &'static [&'static str],
}

const fn module(layer: u8, name: &'static str, beside: &'static [&'static str]) -> Module {
    Module {
        name,
        layer,
        beside,
    }
}

/// Every module of the host. Order inside a layer follows who may use whom.
pub(crate) const MODULES: &[Module] = &[
    // 6: puts the parts together. `commands` holds what the program's commands do, one file each, so that `main` stays
    // arguments, logging and exit code.
    module(6, "main", &["app", "commands", "toolchain"]),
    module(6, "commands", &["app", "toolchain"]),
    // Makes plugins before anything runs them, so it knows nothing of the host.
    module(6, "toolchain", &[]),
    module(6, "app", &[]),
    // 5: reads what is below and hands requests over. `gateway` is a door like the other two, for other services.
    module(5, "server", &[]),
    module(5, "admin", &[]),
    module(5, "gateway", &[]),
    // Runs the plugins of the snapshot for the dispatcher.
    module(5, "runner", &[]),
    // 4: moves events and plugins.
    module(4, "ingress", &[]),
    module(4, "dispatch", &[]),
    module(4, "reload", &[]),
    // Runs one plugin on written events with scripted answers, without journal and doors.
    module(4, "trial", &[]),
    // Runs one plugin on an event of the journal with its calls captured, for a person who wants to know what it would do.
    module(4, "replay", &[]),
    // Asks the rules of the snapshot about an event that somebody shows.
    module(4, "explain", &[]),
    // Asks DingTalk whether what the apps of the snapshot are made of holds.
    module(4, "doctor", &[]),
    // Removes what is old from the journal.
    module(4, "retention", &[]),
    // 3: what runs. `versions` loads plugins that the snapshot no longer has, from the components that it kept. The
    // snapshot of `active` is made of plugins.
    module(3, "versions", &["active", "plugin"]),
    module(3, "active", &["plugin"]),
    module(3, "plugin", &[]),
    // 2: the sandbox. `imports` adds host functions to the state that `engine` keeps for a guest, never the reverse.
    // It links an interface for each capability that was granted.
    module(2, "imports", &["engine", "capability"]),
    module(2, "engine", &[]),
    module(2, "capability", &[]),
    // 1: the outside world, one module a part of it. Effects are records in the journal; `store` is the SQLite file and
    // the writer thread that journal and key-value store share.
    module(1, "effect", &["journal", "store"]),
    module(1, "journal", &["store"]),
    module(1, "kv", &["store"]),
    module(1, "store", &[]),
    module(1, "egress", &[]),
    module(1, "cluster", &[]),
    // 0: values and decisions. `event` is what arrived, `attempt` how a run of a plugin ended, `secret` a string that
    // nothing prints; the pure decisions `rules`, `retry` and `health` are about those, and `config` makes values of all of them.
    module(
        0,
        "config",
        &[
            "rules",
            "retry",
            "health",
            "function",
            "event",
            "secret",
            "attempt",
            "destination",
            "clock",
            "ids",
        ],
    ),
    // Whether a plugin is active depends on the time at which an event came.
    module(0, "rules", &["event", "clock", "ids"]),
    module(0, "retry", &["attempt", "clock"]),
    module(0, "cron", &["clock"]),
    // Which host functions there are, and what a call of one is given and comes to.
    module(0, "function", &[]),
    module(0, "call", &[]),
    module(0, "health", &["attempt", "clock"]),
    module(0, "event", &["clock", "ids"]),
    module(0, "attempt", &[]),
    // Where a grant leads: `config` reads its entries, `egress` compares requests with them.
    module(0, "destination", &[]),
    module(0, "secret", &[]),
    module(0, "clock", &["ids"]),
    module(0, "ids", &[]),
    // Counts for everybody.
    module(0, "meter", &[]),
    // Where a debug build dies or fails for a test; the places are in any layer.
    module(0, "failpoint", &[]),
    // The bell that those who append ring for the dispatcher.
    module(0, "wake", &[]),
];

/// Crates that only some files of a package may use.
pub(crate) struct CrateRule {
    /// The folder of the package's source.
    pub(crate) source: &'static str,
    /// Names as they stand in paths; `*` at the end stands for any rest.
    pub(crate) crates: &'static [&'static str],
    /// Where they may stand: a file without `.rs`, or a folder with `/` at the end. `*` stands for any one folder.
    pub(crate) places: &'static [&'static str],
    /// What a person who broke the rule should know.
    pub(crate) reason: &'static str,
}

pub(crate) const CRATE_RULES: &[CrateRule] = &[
    CrateRule {
        source: "host/src",
        crates: &["wasmtime*"],
        places: &[
            "engine",
            "engine/",
            "imports",
            "imports/",
            "plugin",
            "plugin/",
            "toolchain/snapshot",
        ],
        reason: "wasmtime types appear only in engine, imports and plugin, and where a build starts a guest once",
    },
    CrateRule {
        source: "host/src",
        crates: &["hyper", "hyper_util", "hyper_rustls"],
        places: &[
            "server",
            "server/",
            "egress",
            "egress/",
            "imports/http",
            "imports/http/",
        ],
        reason: "hyper appears only in server, egress and imports/http",
    },
    CrateRule {
        source: "host/src",
        crates: &["rusqlite"],
        places: &["*/sqlite", "*/sqlite/"],
        reason: "rusqlite appears only in */sqlite.rs",
    },
    CrateRule {
        source: "host/src",
        crates: &["async_nats"],
        places: &[
            "*/jetstream",
            "*/jetstream/",
            "kv/nats",
            "cluster",
            "cluster/",
        ],
        reason: "async-nats appears only in */jetstream.rs, kv/nats.rs and cluster",
    },
    CrateRule {
        source: "host/src",
        crates: &["simulator"],
        places: &["main", "commands", "commands/"],
        reason: "only the commands of the program use the simulator",
    },
    CrateRule {
        source: "dingtalk/src",
        crates: &["belfry*", "simulator", "wasmtime*", "rusqlite"],
        places: &[],
        reason: "dingtalk is the protocol only and knows nothing of the host",
    },
    CrateRule {
        source: "simulator/src",
        crates: &["belfry*", "dingtalk", "wasmtime*", "rusqlite"],
        places: &[],
        reason: "the simulator uses nothing of ours, so that one bug cannot hide another",
    },
];

/// Which of our own packages a manifest may name as dependencies, of whatever kind.
pub(crate) const PACKAGE_RULES: &[(&str, &[&str])] = &[
    ("dingtalk", &[]),
    ("simulator", &[]),
    ("host", &["dingtalk", "simulator"]),
    ("tests", &["belfry", "dingtalk", "simulator"]),
    ("xtask", &[]),
    (
        "bench",
        &["belfry", "belfry-tests", "dingtalk", "simulator"],
    ),
];

/// Every package of ours that another could depend on.
pub(crate) const OUR_PACKAGES: &[&str] = &[
    "belfry",
    "belfry-tests",
    "belfry-bench",
    "belfry-plugin",
    "dingtalk",
    "simulator",
    "xtask",
];
