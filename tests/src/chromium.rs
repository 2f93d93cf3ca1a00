//! A real browser for the tests of pages: Chromium, told what to do over its debugging pipe (Chrome DevTools Protocol: JSON
//! messages on the descriptors 3 and 4, each ended by a zero byte).

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the browser may take to answer, and a page to become as expected.
const PATIENCE: Duration = Duration::from_secs(20);

/// One page in a browser of its own, without window and without a user's settings.
#[derive(Debug)]
pub struct Page {
    browser: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    problems: Vec<String>,
    _profile: TempDir,
}

/// Chromium, where it is installed.
pub fn installed() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders = std::env::var_os("PATH")?;
    let mut programs = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    programs.find(|path| path.is_file())
}

impl Page {
    /// Starts `chromium` with a page of 1200 × 800 pixels at `address`.
    pub fn open(chromium: &std::path::Path, address: &str) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        // The shell puts the pipe where Chromium expects it.
        let mut browser = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--window-size=1200,800"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", chromium.display()))?;
        let commands = browser.stdin.take().context("no pipe")?;
        let mut output = BufReader::new(browser.stdout.take().context("no pipe")?);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                let read = serde_json::from_slice(message.strip_suffix(&[0]).unwrap_or(&message));
                if read.is_ok_and(|message| sender.send(message).is_err()) {
                    return;
                }
                message.clear();
            }
        });
        let mut page =
            Self { browser, commands, messages, session: None, sent: 0, problems: Vec::new(), _profile: profile };
        let target = page.call("Target.createTarget", &json!({ "url": address }))?;
        let attached =
            page.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }))?;
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        ensure!(page.session.is_some(), "{attached} names no session");
        page.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")?;
        Ok(page)
    }

    /// Sends a command of the protocol and waits for its result.
    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.sent += 1;
        let mut command = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        write!(self.commands, "{command}\0").with_context(|| format!("the browser takes no {method}"))?;
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut message =
                self.messages.recv_timeout(left).with_context(|| format!("the browser does not answer {method}"))?;
            if ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"]
                .iter()
                .any(|name| message["method"] == *name)
            {
                self.problems.push(message["params"].to_string());
            }
            if message["id"] == self.sent {
                ensure!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return Ok(message["result"].take());
            }
        }
    }

    /// What stands on the page's console, from its beginning: errors, warnings, exceptions, what could not be loaded.
    pub fn console(&mut self) -> Result<Vec<String>> {
        // Each gives what was collected before it was asked for.
        for domain in ["Log.enable", "Runtime.enable"] {
            self.call(domain, &json!({}))?;
        }
        self.evaluate("0")?;
        Ok(std::mem::take(&mut self.problems))
    }

    /// The value of a JavaScript expression.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let mut found = self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }))?;
        ensure!(found.get("exceptionDetails").is_none(), "{expression}: {}", found["exceptionDetails"]);
        Ok(found["result"]["value"].take())
    }

    /// The text that an expression gives.
    pub fn text(&mut self, expression: &str) -> Result<String> {
        let value = self.evaluate(expression)?;
        Ok(value.as_str().with_context(|| format!("{expression} is {value}, expected text"))?.to_owned())
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) -> Result<()> {
        let began = Instant::now();
        while self.evaluate(expression)? != true {
            if began.elapsed() > PATIENCE {
                bail!("{expression} does not come true; the page: {}", self.text("document.body.innerText")?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Puts a value into a field as a user does, with its event.
    pub fn fill(&mut self, field: &str, value: &str) -> Result<()> {
        self.evaluate(&format!(
            "(() => {{ const f = document.getElementById({field:?}); f.value = {value:?}; f.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        ))?;
        Ok(())
    }

    /// Gives the page another size in pixels.
    pub fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size).map(drop)
    }

    /// The page as it looks, as PNG, so many times as large.
    pub fn picture(&mut self, scale: f64) -> Result<Vec<u8>> {
        let size = self.evaluate("[innerWidth, innerHeight]")?;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": scale });
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png", "clip": clip }))?;
        let data = shot["data"].as_str().context("a page without a picture")?;
        Ok(base64::engine::general_purpose::STANDARD.decode(data)?)
    }

    /// Presses and releases the left button at a place in pixels.
    pub fn click(&mut self, x: f64, y: f64) -> Result<()> {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event)?;
        }
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
