//! A headless Chromium, controlled through its driver with the WebDriver protocol (W3C WebDriver, 2018).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;

/// Time limit for anything on a page.
const SOON: Duration = Duration::from_secs(30);
/// The key of an element's identifier in every answer (section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page, closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
}

impl Browser {
    /// Starts a browser whose window has the size of a phone's.
    pub(crate) fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver, which scripts/test installs");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().find_map(|line| {
            line.unwrap().split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        // Drain its output, so that the pipe does not fill up.
        thread::spawn(move || lines.for_each(drop));
        let agent = Agent::new_with_config(Agent::config_builder().http_status_as_error(false).build());
        let mut browser = Browser { driver, agent, session: format!("http://127.0.0.1:{}/session", port.unwrap()) };
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=390,844"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let id = browser.post("", &wanted)["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Types into an element; into a file input the paths of files.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.element(selector)), &json!({ "text": text }));
    }

    /// Chooses a file in a file input.
    pub(crate) fn choose(&self, selector: &str, file: &Path) {
        self.type_into(selector, file.to_str().unwrap());
    }

    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The element's text once it holds `wanted`.
    pub(crate) fn text_with(&self, selector: &str, wanted: &str) -> String {
        let script = format!("return document.querySelector({}).innerText", json!(selector));
        let begin = Instant::now();
        loop {
            let text = self.script(&script).as_str().unwrap().to_owned();
            if text.contains(wanted) {
                return text;
            }
            assert!(begin.elapsed() < SOON, "{selector} holds no {wanted:?} but {text:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the page wrote to its console, errors above all.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }));
        let message = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        entries.as_array().unwrap().iter().map(message).collect()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let mut answer = self.agent.post(&url).content_type("application/json").send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let mut parsed: Value = serde_json::from_str(&text).unwrap();
        assert!(answer.status().is_success(), "{path}: {text}");
        parsed["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closing the session ends the browser; the driver itself has to be ended.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
