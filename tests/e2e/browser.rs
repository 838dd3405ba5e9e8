//! Chromium, driven: one browser, one page and one host a test.

use crate::site::{Site, Trap};
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the page may take for anything before the test fails. The machine
/// may be slow and busy; whoever waits in vain waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the browser says when a page wants to listen.
#[derive(Clone, Copy, PartialEq)]
pub enum Microphone {
    /// Yes, and here is a recording.
    Allowed,
    /// No.
    Denied,
}

/// How a test wants its browser.
pub struct Setup {
    /// Permission to listen.
    pub microphone: Microphone,
    /// The recording that is the microphone; it plays once.
    pub voice: PathBuf,
    /// Path under which the page lies.
    pub prefix: &'static str,
    /// Width and height of the window.
    pub window: (u32, u32),
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            microphone: Microphone::Allowed,
            voice: crate::common::data_dir().join("speech.wav"),
            prefix: "/",
            window: (1_100, 1_000),
        }
    }
}

/// A page in a browser.
#[derive(Clone)]
pub struct Page {
    client: Client,
    /// The host it came from.
    pub site: Arc<Site>,
}

/// Opens the page, runs the test, closes the browser whatever happened, and
/// then fails if anything was asked of another origin.
pub async fn visit<F>(setup: Setup, test: impl FnOnce(Page) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let dist = std::env::var("UNDERTONE_DIST")
        .expect("UNDERTONE_DIST names the built page; run `make test-e2e`");
    let dist = PathBuf::from(dist);
    assert!(
        dist.join("index.html").is_file(),
        "{} holds no page",
        dist.display()
    );
    let site = Arc::new(Site::serve(&dist, setup.prefix).await);
    let trap = Trap::set().await;
    let driver = Driver::start();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities(&setup, &trap));
    let client = builder
        .connect(&driver.url)
        .await
        .expect("a browser session");
    let page = Page {
        client: client.clone(),
        site: site.clone(),
    };
    let url = site.url();
    let start = page.clone();
    let body = test(page.clone());
    let outcome = tokio::spawn(async move {
        start.client.goto(&url).await.expect("the page answers");
        body.await;
    })
    .await;
    let console = page.console().await;
    let requests = page.requested_urls().await;
    client.close().await.expect("the browser closes");
    drop(driver);
    if let Err(error) = outcome {
        eprintln!("console:\n{}", console.join("\n"));
        std::panic::resume_unwind(error.into_panic());
    }
    let origin = site.origin();
    let foreign: Vec<&String> = requests
        .iter()
        .filter(|url| !is_own(url, &origin))
        .collect();
    assert!(!requests.is_empty(), "the performance log is empty");
    assert!(foreign.is_empty(), "other origins were asked: {foreign:?}");
    let mut caught = trap.caught();
    caught.retain(|line| !is_browsers_own(line));
    assert!(caught.is_empty(), "requests left the machine: {caught:?}");
    let outside: Vec<String> = site.paths();
    let outside: Vec<&String> = outside
        .iter()
        .filter(|p| !p.starts_with(setup.prefix))
        .collect();
    assert!(
        outside.is_empty(),
        "asked for outside {}: {outside:?}",
        setup.prefix
    );
    let missing = site.missing();
    assert!(missing.is_empty(), "asked for and not there: {missing:?}");
    let refused: Vec<&String> = console
        .iter()
        .filter(|l| l.contains("Content Security Policy"))
        .collect();
    assert!(
        refused.is_empty(),
        "the page broke its own policy: {refused:?}"
    );
}

/// Whether a URL stays on the page's origin or in the page itself.
fn is_own(url: &str, origin: &str) -> bool {
    let url = url.strip_prefix("blob:").unwrap_or(url);
    url.starts_with("data:")
        || url
            .strip_prefix(origin)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether Chromium asked on its own account, flags against it
/// notwithstanding: updates, the time, its account. The page's own requests to
/// these hosts would still be in the performance log.
fn is_browsers_own(request: &str) -> bool {
    let target = request.split(' ').nth(1).unwrap_or_default();
    let target = target.strip_prefix("http://").unwrap_or(target);
    let host = target.split(['/', ':']).next().unwrap_or_default();
    [
        "accounts.google.com",
        "android.clients.google.com",
        "clients2.google.com",
        "clientservices.googleapis.com",
        "content-autofill.googleapis.com",
        "optimizationguide-pa.googleapis.com",
        "redirector.gvt1.com",
        "safebrowsingohttpgateway.googleapis.com",
        "update.googleapis.com",
    ]
    .contains(&host)
}

fn capabilities(setup: &Setup, trap: &Trap) -> serde_json::Map<String, Value> {
    let mut args = vec![
        "--headless".to_owned(),
        "--no-sandbox".into(),
        "--disable-gpu".into(),
        "--disable-dev-shm-usage".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        "--disable-default-apps".into(),
        "--disable-features=OptimizationHints,MediaRouter,Translate".into(),
        "--no-first-run".into(),
        format!("--window-size={},{}", setup.window.0, setup.window.1),
        format!("--proxy-server={}", trap.address()),
        "--use-fake-device-for-media-stream".into(),
        format!(
            "--use-file-for-fake-audio-capture={}%noloop",
            setup.voice.display()
        ),
    ];
    if setup.microphone == Microphone::Allowed {
        args.push("--use-fake-ui-for-media-stream".into());
    }
    let mut options = json!({
        "args": args,
        // 2 is "block": without the fake dialogue nobody is asked.
        "prefs": { "profile.default_content_setting_values.media_stream_mic": 2 },
        "perfLoggingPrefs": { "enableNetwork": true },
    });
    if setup.microphone == Microphone::Allowed {
        options["prefs"] = json!({});
    }
    if let Ok(binary) = std::env::var("CHROME") {
        options["binary"] = json!(binary);
    }
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
    });
    match wanted {
        Value::Object(map) => map,
        _ => unreachable!("an object was written above"),
    }
}

/// chromedriver on a port of its own choice; ends with the test.
struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    fn start() -> Driver {
        // It looks for a free port first and takes it later, which may be too late.
        let mut attempts = (0..3).filter_map(|_| Driver::attempt());
        attempts.next().expect("chromedriver names its port")
    }

    fn attempt() -> Option<Driver> {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".into());
        let mut process = Command::new(&program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        let stdout = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let Some(port) = port else {
            let _ = process.kill();
            let _ = process.wait();
            return None;
        };
        // Read on, or it would stall when the pipe is full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Driver {
            process,
            url: format!("http://127.0.0.1:{port}"),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Chromium's own command for reading a log.
#[derive(Debug)]
struct ReadLog(&'static str);

impl WebDriverCompatibleCommand for ReadLog {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (
            http::Method::POST,
            Some(json!({ "type": self.0 }).to_string()),
        )
    }
}

impl Page {
    async fn log(&self, kind: &'static str) -> Vec<Value> {
        match self.client.issue_cmd(ReadLog(kind)).await {
            Ok(Value::Array(entries)) => entries,
            other => panic!("log {kind}: {other:?}"),
        }
    }

    async fn console(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        entries
            .iter()
            .filter_map(|e| e["message"].as_str().map(str::to_owned))
            .collect()
    }

    async fn requested_urls(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let messages = entries.iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let url = match message["method"].as_str()? {
                "Network.requestWillBeSent" => &message["params"]["request"]["url"],
                "Network.webSocketCreated" | "Network.webTransportCreated" => {
                    &message["params"]["url"]
                }
                _ => return None,
            };
            url.as_str().map(str::to_owned)
        });
        messages.collect()
    }

    /// Runs JavaScript in the page, whatever its policy says.
    pub async fn run(&self, script: &str, args: Vec<Value>) -> Value {
        match self.client.execute(script, args).await {
            Ok(value) => value,
            Err(error) => panic!("{script}: {error}"),
        }
    }

    /// Runs JavaScript that ends by calling its last argument.
    pub async fn run_async(&self, script: &str) -> Value {
        match self.client.execute_async(script, vec![]).await {
            Ok(value) => value,
            Err(error) => panic!("{script}: {error}"),
        }
    }

    /// The elements of this `data-testid`.
    pub async fn all(&self, id: &str) -> Vec<Element> {
        let selector = format!("[data-testid={id}]");
        self.client
            .find_all(Locator::Css(&selector))
            .await
            .expect("the browser looks")
    }

    /// An attribute of every element of this `data-testid`, in one look.
    pub async fn attributes(&self, id: &str, name: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(`[data-testid=${arguments[0]}]`)]\
                      .map(e => e.getAttribute(arguments[1]) ?? '')";
        let values = self.run(script, vec![json!(id), json!(name)]).await;
        serde_json::from_value(values).expect("a list of strings")
    }

    /// An attribute of every element of this `data-testid`, as numbers.
    pub async fn numbers(&self, id: &str, name: &str) -> Vec<f64> {
        let values = self.attributes(id, name).await;
        values
            .iter()
            .map(|v| {
                v.parse()
                    .unwrap_or_else(|_| panic!("{id} {name}: {v:?} is no number"))
            })
            .collect()
    }

    /// Waits until an element's attribute has one of these values; says which.
    pub async fn wait_for(&self, id: &str, attribute: &str, wanted: &[&str]) -> String {
        let started = Instant::now();
        loop {
            let values = self.attributes(id, attribute).await;
            if let Some(value) = values.iter().find(|v| wanted.contains(&v.as_str())) {
                return value.clone();
            }
            if started.elapsed() > PATIENCE {
                let error = self.attributes("error", "data-kind").await;
                let engine = self.attributes("engine-status", "data-state").await;
                panic!(
                    "{id} {attribute} is {values:?}, not {wanted:?}; error {error:?}, engine {engine:?}"
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until there is such an element, or, with `false`, none.
    pub async fn wait_until(&self, id: &str, present: bool) {
        let started = Instant::now();
        while self.all(id).await.is_empty() == present {
            assert!(started.elapsed() < PATIENCE, "{id} present: {}", !present);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the engine can take work.
    pub async fn ready(&self) {
        self.wait_for("engine-status", "data-state", &["ready"])
            .await;
    }

    /// Clicks the first such element, as a person's pointer would.
    pub async fn click(&self, id: &str) {
        self.wait_until(id, true).await;
        let elements = self.all(id).await;
        elements[0]
            .click()
            .await
            .unwrap_or_else(|e| panic!("{id}: {e}"));
    }

    /// Chooses a file in the file dialogue.
    pub async fn choose(&self, path: &std::path::Path) {
        self.choose_all(&[path]).await;
    }

    /// Chooses several files in the file dialogue.
    pub async fn choose_all(&self, paths: &[impl AsRef<std::path::Path>]) {
        let inputs = self.all("file-input").await;
        let paths = paths
            .iter()
            .map(|path| path.as_ref().to_str().expect("a path that is text"));
        inputs[0]
            .send_keys(&paths.collect::<Vec<_>>().join("\n"))
            .await
            .expect("the input takes files");
    }

    /// Drops a file with these bytes on the drop zone.
    pub async fn drop_file(&self, name: &str, bytes: &[u8]) {
        let script = "const [name, bytes] = arguments;\
            const data = new DataTransfer();\
            data.items.add(new File([new Uint8Array(bytes)], name));\
            const zone = document.querySelector('[data-testid=drop-zone]');\
            for (const type of ['dragenter', 'dragover', 'drop'])\
                zone.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));";
        self.run(script, vec![json!(name), json!(bytes)]).await;
    }

    /// Waits for the result of this file.
    pub async fn result_of(&self, name: &str) {
        self.wait_for("result", "data-file", &[name]).await;
        self.wait_for("app", "data-phase", &["done"]).await;
    }
}
