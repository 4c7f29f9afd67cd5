//! A browser without a window: Chromium, spoken to over the pipe that it offers for that (`--remote-debugging-pipe`).

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::wait::{PATIENCE, wait_until};

/// What Chromium is called, beside what `BELFRY_CHROMIUM` says.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Chromium reads commands from descriptor 3 and answers on descriptor 4, which only a shell can give it without `unsafe`.
const WITH_PIPE: &str = r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>&2"#;

/// A page in a browser, which goes with the story.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    asked: u64,
    troubles: Vec<String>,
    _profile: TempDir,
}

/// The browser of this machine, if there is one.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BELFRY_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES.iter().find_map(|name| {
        let files = folders.iter().map(|folder| folder.join(name));
        files.into_iter().find(|file| file.is_file())
    })
}

impl Browser {
    /// Opens a page; `None` where there is no browser.
    pub async fn open(url: &str) -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", WITH_PIPE])
            .arg(program()?)
            .args([
                "--headless=new",
                // A container gives Chromium neither a sandbox of its own nor much shared memory.
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--no-first-run",
                "--no-proxy-server",
                "--window-size=1400,1000",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut browser = Self {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            session: None,
            asked: 0,
            troubles: Vec::new(),
            _profile: profile,
        };
        let page = json!({"url": "about:blank"});
        let target = browser.call("Target.createTarget", page).await["targetId"].clone();
        let attach = json!({"targetId": target, "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.call(domain, json!({})).await;
        }
        browser.call("Page.navigate", json!({"url": url})).await;
        Some(browser)
    }

    /// What a script comes to, promises awaited.
    pub async fn evaluate(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let told = self.call("Runtime.evaluate", asked).await;
        assert!(told["exceptionDetails"].is_null(), "{script}: {told}");
        told["result"]["value"].clone()
    }

    /// Waits until an element has these words in it.
    pub async fn shows(&mut self, selector: &str, words: &str) {
        let script = format!(
            "[...document.querySelectorAll({})].some((one) => one.textContent.includes({}))",
            json!(selector),
            json!(words)
        );
        let what = format!("{selector:?} shows {words:?}");
        wait_until(&what, async || self.evaluate(&script).await == true).await;
    }

    /// Clicks on the first element of a kind that has these words in it, where it is on the screen.
    pub async fn click(&mut self, selector: &str, words: &str) {
        self.shows(selector, words).await;
        let place = format!(
            "(() => {{
                const one = [...document.querySelectorAll({})].find((one) => one.textContent.includes({}));
                one.scrollIntoView({{ block: 'center' }});
                const {{ x, y, width, height }} = one.getBoundingClientRect();
                return [x + width / 2, y + height / 2];
            }})()",
            json!(selector),
            json!(words)
        );
        let place = self.evaluate(&place).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let mouse = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", mouse).await;
        }
    }

    /// Writes into an element, as the keyboard does.
    pub async fn write(&mut self, selector: &str, words: &str) {
        self.click(selector, "").await;
        self.call("Input.insertText", json!({"text": words})).await;
    }

    /// Presses the Enter key.
    pub async fn press_enter(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13});
            self.call("Input.dispatchKeyEvent", key).await;
        }
    }

    /// Chooses from a list.
    pub async fn choose(&mut self, selector: &str, value: &str) {
        let has_it = format!(
            "[...(document.querySelector({})?.options ?? [])].some((one) => one.value === {})",
            json!(selector),
            json!(value)
        );
        let what = format!("{selector:?} offers {value:?}");
        wait_until(&what, async || self.evaluate(&has_it).await == true).await;
        let script = format!(
            "(() => {{
                const list = document.querySelector({});
                list.value = {};
                list.dispatchEvent(new Event('change', {{ bubbles: true }}));
            }})()",
            json!(selector),
            json!(value)
        );
        self.evaluate(&script).await;
    }

    /// Closes the browser and tells the errors of the page: exceptions, and what its console says of refused requests.
    pub async fn close(mut self) -> Vec<String> {
        self.call("Page.disable", json!({})).await;
        self.session = None;
        self.call("Browser.close", json!({})).await;
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        self.troubles
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut request = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).await.unwrap();
        loop {
            let mut bytes = Vec::new();
            let read = timeout(PATIENCE, self.from.read_until(0, &mut bytes)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "the browser went away");
            bytes.pop();
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            let entry = &told["params"]["entry"];
            if told["method"] == "Runtime.exceptionThrown" || entry["level"] == "error" {
                self.troubles.push(told["params"].to_string());
            }
        }
    }
}
