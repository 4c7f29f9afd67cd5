//! Every hostile guest.

use super::build::{Module, SOUND, module, script, slow_to_compile, truncated};
use super::{Animal, End, Guest};

/// All of them.
pub const ANIMALS: &[Animal] = &[
    // Refused when they are loaded.
    Animal {
        name: "script",
        does: "is no WebAssembly",
        guest: Guest::Made(script),
        lines: "",
        end: End::Refused("the file does not begin as WebAssembly does"),
    },
    Animal {
        name: "module",
        does: "is a module and no component",
        guest: Guest::Made(module),
        lines: "",
        end: End::Refused("not a usable WebAssembly component"),
    },
    Animal {
        name: "truncated",
        does: "is half of a good component",
        guest: Guest::Made(truncated),
        lines: "",
        end: End::Refused("not a usable WebAssembly component"),
    },
    Animal {
        name: "too-large",
        does: "is larger than a component may be",
        guest: Guest::Built("echo"),
        lines: "limits = { component = \"1KiB\" }",
        end: End::Refused("is too large: limits.component = 1KiB"),
    },
    Animal {
        name: "slow-to-compile",
        does: "keeps the compiler busy",
        guest: Guest::Made(slow_to_compile),
        lines: "limits = { compile = \"50ms\" }",
        end: End::Refused("it cannot be compiled in time: limits.compile = 50ms"),
    },
    Animal {
        name: "forbidden",
        does: "asks for an interface that belfry does not have",
        guest: Guest::Text("(component (import \"wasi:messaging/producer@0.2.0\" (instance)))"),
        lines: "",
        end: End::Refused(
            "it imports wasi:messaging/producer@0.2.0, which this version of belfry does not offer",
        ),
    },
    Animal {
        name: "ungranted",
        does: "asks for groups, which `bot.toml` does not grant",
        guest: Guest::Text("(component (import \"belfry:bot/chat@0.1.0\" (instance)))"),
        lines: "",
        end: End::Refused("its [[plugin]] in bot.toml needs: grant = { chat = true }"),
    },
    Animal {
        name: "future",
        does: "was built for another version of the contract",
        guest: Guest::Text("(component (import \"belfry:bot/log@0.2.0\" (instance)))"),
        lines: "",
        end: End::Refused(
            "it imports belfry:bot/log@0.2.0, of which this version of belfry has 0.1.x",
        ),
    },
    Animal {
        name: "wrong-abi",
        does: "is a component but exports no handler",
        guest: Guest::Built("wrong-abi"),
        lines: "",
        end: End::Refused("it does not fit the world belfry:bot/plugin@0.1.0"),
    },
    Animal {
        name: "start-loop",
        does: "loops for ever in its start function",
        guest: Guest::Module(Module {
            fields: "(func $start (loop $again (br $again))) (start $start)",
            ..SOUND
        }),
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Refused("its `describe` failed: out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "start-trap",
        does: "traps in its start function",
        guest: Guest::Module(Module {
            fields: "(func $start unreachable) (start $start)",
            ..SOUND
        }),
        lines: "",
        end: End::Refused(
            "its `describe` failed: trap: wasm trap: wasm `unreachable` instruction executed",
        ),
    },
    Animal {
        name: "describe-loop",
        does: "loops for ever in `describe`",
        guest: Guest::Module(Module {
            describe: "(loop $again (br $again)) unreachable",
            ..SOUND
        }),
        lines: "limits = { cpu = \"5s\", describe = \"100ms\" }",
        end: End::Refused("its `describe` failed: out of time: limits.describe = 100ms"),
    },
    Animal {
        name: "describe-megabytes",
        does: "has a name of three megabytes",
        guest: Guest::Module(Module {
            memory: "64",
            fields: "(data (i32.const 0) \"\\40\\00\\00\\00\\00\\00\\30\\00\")",
            ..SOUND
        }),
        lines: "",
        end: End::Refused(
            "its `describe` failed: too many bytes in one call: limits.call-bytes = 2MiB",
        ),
    },
    Animal {
        name: "born-large",
        does: "begins with more memory than it may have",
        guest: Guest::Module(Module {
            memory: "2000",
            ..SOUND
        }),
        lines: "",
        end: End::Refused("of memory, more than its limit of 65536 KiB"),
    },
    Animal {
        name: "born-huge",
        does: "begins with more memory than anybody may have",
        guest: Guest::Module(Module {
            memory: "20000",
            ..SOUND
        }),
        lines: "",
        end: End::Refused("exceeds the limit"),
    },
    // Ended while they handle an event.
    Animal {
        name: "spin",
        does: "loops for ever",
        guest: Guest::Naughty,
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Dead("out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "fill",
        does: "fills 32 MiB again and again, each time in one instruction",
        guest: Guest::Naughty,
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Dead("out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "swell",
        does: "takes memory until it cannot",
        guest: Guest::Naughty,
        lines: "limits = { memory = \"16MiB\", cpu = \"5s\" }",
        end: End::Dead("out of memory: limits.memory = 16MiB"),
    },
    Animal {
        name: "table-bomb",
        does: "grows a table until it cannot",
        guest: Guest::Module(Module {
            fields: "(table $table 1 funcref)",
            handle: "(loop $again (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $again)) unreachable",
            ..SOUND
        }),
        lines: "limits = { tables = 20000 }",
        end: End::Dead("out of memory for tables: limits.tables = 20000"),
    },
    Animal {
        name: "recursion",
        does: "calls itself for ever",
        guest: Guest::Module(Module {
            fields: "(func $again (call $again))",
            handle: "call $again i32.const 0",
            ..SOUND
        }),
        lines: "",
        end: End::Dead("trap: wasm trap: call stack exhausted"),
    },
    Animal {
        name: "deep",
        does: "calls itself for ever, in Rust",
        guest: Guest::Naughty,
        lines: "",
        end: End::Dead("trap: "),
    },
    Animal {
        name: "panic",
        does: "panics, in Rust",
        guest: Guest::Naughty,
        lines: "",
        end: End::Dead("trap: thread '<unnamed>'"),
    },
    Animal {
        name: "abort-c",
        does: "calls `abort`, in C",
        guest: Guest::Built("crash-c"),
        lines: "",
        end: End::Dead("trap: wasm trap: wasm `unreachable` instruction executed"),
    },
    Animal {
        name: "panic-go",
        does: "panics, in Go",
        guest: Guest::Built("crash-go"),
        lines: "",
        end: End::Dead("trap: panic: on purpose"),
    },
    Animal {
        name: "exception-js",
        does: "throws an exception that nobody catches, in JavaScript",
        guest: Guest::Built("crash-js"),
        lines: "",
        end: End::Dead("trap: thread '<unnamed>' (1) panicked at "),
    },
    Animal {
        name: "exception-ts",
        does: "throws an exception that nobody catches, in TypeScript",
        guest: Guest::Built("crash-ts"),
        lines: "",
        end: End::Dead("trap: thread '<unnamed>' (1) panicked at "),
    },
    Animal {
        name: "exception-py",
        does: "raises an exception that nobody catches, in Python",
        guest: Guest::Slow("crash-py"),
        lines: "",
        end: End::Dead("trap: Traceback (most recent call last): "),
    },
    Animal {
        name: "exit",
        does: "ends the program",
        guest: Guest::Naughty,
        lines: "",
        end: End::Dead("trap: Exited with i32 exit status"),
    },
    Animal {
        name: "poll",
        does: "waits for a timer of an hour",
        guest: Guest::Naughty,
        lines: "limits = { wall = \"300ms\" }",
        end: End::Dead("out of time: limits.wall = 300ms"),
    },
    Animal {
        name: "storm",
        does: "waits for timers of no time, for ever",
        guest: Guest::Naughty,
        lines: "limits = { wall = \"300ms\", cpu = \"5s\" }",
        end: End::Dead("out of time: limits.wall = 300ms"),
    },
    Animal {
        name: "hoard",
        does: "opens timers and keeps them",
        guest: Guest::Naughty,
        lines: "limits = { cpu = \"5s\" }",
        end: End::Dead("too many open handles: limits.handles = 1000"),
    },
    Animal {
        name: "flood",
        does: "calls the host for ever",
        guest: Guest::Naughty,
        lines: "limits = { calls = 50 }",
        end: End::Dead("too many host calls: limits.calls = 50"),
    },
    Animal {
        name: "send-flood",
        does: "writes to the group for ever",
        guest: Guest::Naughty,
        lines: "limits = { sends = 3 }",
        end: End::Dead("too many sends: limits.sends = 3"),
    },
    Animal {
        name: "kv-flood",
        does: "stores values for ever",
        guest: Guest::Naughty,
        lines: "limits = { calls = 1000, wall = \"60s\", cpu = \"5s\" }",
        end: End::Dead("plugin rejected the event: Error::Full(16777216)"),
    },
    Animal {
        name: "huge-argument",
        does: "hands the host a value of three megabytes",
        guest: Guest::Naughty,
        lines: "",
        end: End::Dead("too many bytes in one call: limits.call-bytes = 2MiB"),
    },
    Animal {
        name: "long-answer",
        does: "fails with a reason of eight megabytes",
        guest: Guest::Naughty,
        lines: "",
        end: End::Dead("too many bytes in one call: limits.call-bytes = 2MiB"),
    },
    Animal {
        name: "long-line",
        does: "logs a line of a megabyte",
        guest: Guest::Naughty,
        lines: "",
        end: End::Answers("long-line"),
    },
    Animal {
        name: "log-flood",
        does: "logs for ever",
        guest: Guest::Naughty,
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Dead("out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "print-flood",
        does: "prints to standard output for ever",
        guest: Guest::Naughty,
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Dead("out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "random",
        does: "asks for random bytes for ever",
        guest: Guest::Naughty,
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Dead("out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "realloc-loop",
        does: "loops for ever when the host hands it the event",
        guest: Guest::Module(Module {
            realloc: "(loop $again (br $again)) unreachable",
            ..SOUND
        }),
        lines: "limits = { cpu = \"100ms\" }",
        end: End::Dead("out of time: limits.cpu = 100ms"),
    },
    Animal {
        name: "realloc-outside",
        does: "has the host write the event outside its memory",
        guest: Guest::Module(Module {
            realloc: "i32.const 0x7ffffff0",
            ..SOUND
        }),
        lines: "",
        end: End::Dead("trap: "),
    },
    Animal {
        name: "answer-outside",
        does: "answers with a text outside its memory",
        guest: Guest::Module(Module {
            fields: "(data (i32.const 256) \"\\01\\00\\00\\00\\01\\00\\00\\00\\f0\\ff\\ff\\ff\\64\\00\\00\\00\")",
            handle: "i32.const 256",
            ..SOUND
        }),
        lines: "",
        end: End::Dead("trap: "),
    },
    Animal {
        name: "answer-nonsense",
        does: "answers neither success nor failure",
        guest: Guest::Module(Module {
            fields: "(data (i32.const 256) \"\\07\")",
            handle: "i32.const 256",
            ..SOUND
        }),
        lines: "",
        end: End::Dead("trap: "),
    },
    // Who abuse the way out.
    Animal {
        name: "drip",
        does: "asks a server that answers a byte at a time, for ever",
        guest: Guest::Built("web"),
        lines: r#"config = { mode = "insist", requests = "GET http://WEB/drip" }
grant = { robot = true, http = [{ host = "http://WEB", private = true }] }
limits = { wall = "600ms" }"#,
        end: End::Dead("plugin rejected the event: belfry.http: the host took too long"),
    },
    Animal {
        name: "silence",
        does: "asks a server that takes the request and says nothing",
        guest: Guest::Built("web"),
        lines: r#"config = { mode = "insist", requests = "GET http://WEB/silence" }
grant = { robot = true, http = [{ host = "http://WEB", private = true }] }
limits = { wall = "600ms" }"#,
        end: End::Dead("plugin rejected the event: belfry.http: the host took too long"),
    },
    Animal {
        name: "huge-answer",
        does: "asks for an answer of four megabytes",
        guest: Guest::Built("web"),
        lines: r#"config = { mode = "insist", requests = "GET http://WEB/large" }
grant = { robot = true, http = [{ host = "http://WEB", private = true }] }"#,
        end: End::Dead("plugin rejected the event: belfry.http: the answer is too large"),
    },
    Animal {
        name: "request-flood",
        does: "sends HTTP requests for ever",
        guest: Guest::Built("web"),
        lines: r#"config = { mode = "repeat", requests = "GET http://WEB/hello" }
grant = { robot = true, http = [{ host = "http://WEB", private = true }] }
limits = { calls = 20 }"#,
        end: End::Dead("too many host calls: limits.calls = 20"),
    },
    Animal {
        name: "ssrf-literal",
        does: "asks for addresses of this machine, its network and its cloud, in every spelling",
        guest: Guest::Built("web"),
        lines: SSRF_LITERAL,
        end: End::Answers("found 0: "),
    },
    Animal {
        name: "ssrf-name",
        does: "asks for names that lead to this machine, granted and not",
        guest: Guest::Built("web"),
        lines: SSRF_NAME,
        end: End::Answers("found 0: "),
    },
    // Who look for what is not theirs.
    Animal {
        name: "forged-handle",
        does: "uses a handle that it was never given",
        guest: Guest::Built("burglar"),
        lines: BURGLAR_HANDLE,
        end: End::Dead("trap: unknown handle index 77"),
    },
    Animal {
        name: "forged-ids",
        does: "names groups, people, departments and approvals that its grants do not cover",
        guest: Guest::Built("burglar"),
        lines: BURGLAR_IDS,
        end: End::Dead(
            "plugin rejected the event: chat.get: belfry.grant, chat.send: belfry.grant, robot.send: belfry.grant, \
             notice.send: belfry.grant, notice.send to all: belfry.grant, approval.get: belfry.grant, \
             approval.comment: belfry.grant, approval.terminate: belfry.grant, contacts.get-user: belfry.grant, \
             contacts.list-users: belfry.grant, contacts.find-by-mobile: belfry.grant, contacts.count-users: belfry.grant",
        ),
    },
    Animal {
        name: "peek",
        does: "looks for the values of other plugins, by their keys and by paths to them",
        guest: Guest::Naughty,
        lines: "",
        end: End::Answers("found 0: "),
    },
    Animal {
        name: "escape",
        does: "looks for files, variables, arguments, input and a way into the network",
        guest: Guest::Naughty,
        lines: "",
        end: End::Answers("found 0: "),
    },
];

const BURGLAR_HANDLE: &str = "config = { mode = \"handle\" }
grant = { chat = [\"chatoncall\"], robot = [\"cidOncall==\"], notice = [\"alice\"], approval = [\"PROC-LEAVE\"], contacts = [\"3\"] }";
const BURGLAR_IDS: &str = "config = { mode = \"ids\" }
grant = { chat = [\"chatoncall\"], robot = [\"cidOncall==\"], notice = [\"alice\"], approval = [\"PROC-LEAVE\"], contacts = [\"3\"] }";
const SSRF_LITERAL: &str = r#"grant = { robot = true, http = ["api.example.com", "http://127.0.0.1.example.com"] }
[plugin.config]
mode = "reach"
requests = '''
GET http://WEB/hello
GET http://127.1:PORT/hello
GET http://2130706433:PORT/hello
GET http://0x7f.0.0.1:PORT/hello
GET http://0177.0.0.1:PORT/hello
GET http://0.0.0.0:PORT/hello
GET http://[::1]:PORT/hello
GET http://[::ffff:127.0.0.1]:PORT/hello
GET http://[64:ff9b::127.0.0.1]:PORT/hello
GET http://１２７.0.0.1:PORT/hello
GET http://api.example.com@WEB/hello
GET http://WEB#@api.example.com/hello
GET http://WEB\@api.example.com/hello
GET http://10.0.0.1/
GET http://192.168.1.1/
GET http://169.254.169.254/latest/meta-data/
GET http://100.100.100.200/latest/meta-data/
GET http://[fd00:ec2::254]/latest/meta-data/'''
"#;
const SSRF_NAME: &str = r#"grant = { robot = true, http = ["http://localhost:PORT"] }
[plugin.config]
mode = "reach"
requests = '''
GET http://localhost:PORT/hello
GET http://LOCALHOST:PORT/hello
GET http://localhost.:PORT/hello
GET http://loc%61lhost:PORT/hello
GET http://ip6-localhost:PORT/hello
GET http://metadata.google.internal/computeMetadata/v1/
GET file:///etc/passwd
GET unix:///run/docker.sock
GET gopher://localhost:PORT/'''
"#;
