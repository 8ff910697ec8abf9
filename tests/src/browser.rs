//! Drives a headless Chromium for one test, as a user would.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::supervise::Supervised;
use crate::tools;

/// The longest wait for an element to appear on a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page. Dropping it ends the browser.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    _driver: Supervised,
}

/// A width and a colour scheme in which users see a page.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Width of the window in pixels.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

/// The widths and schemes that the pages support.
pub const LOOKS: [Look; 4] = [
    Look { width: 1280, scheme: "light" },
    Look { width: 1280, scheme: "dark" },
    Look { width: 360, scheme: "light" },
    Look { width: 360, scheme: "dark" },
];

/// A command of the DevTools protocol, which chromedriver forwards.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base_url: &url::Url,
        session_id: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        let body = json!({"cmd": self.command, "params": self.parameters});
        (axum::http::Method::POST, Some(body.to_string()))
    }
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// Fails if the browser is missing or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let (browser, driver) = tools::browser()?;
        let folder = tempfile::Builder::new().prefix("chart-discovery-browser-").tempdir()?;
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let log = format!("--log-path={}", folder.path().join("log").display());
        let command = [driver.as_os_str(), "--port=0".as_ref(), log.as_ref()];
        let driver = Supervised::start(folder, &command, None)?;
        let port = |line: &str| {
            line.split_once("started successfully on port ")?
                .1
                .trim_end_matches('.')
                .parse::<u16>()
                .ok()
        };
        let port = driver.log().wait_for(port).await.context("chromedriver did not start")?;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            // Blocks every host except this machine.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            &profile,
        ];
        let options = json!({"binary": browser.display().to_string(), "args": arguments});
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let wanted = serde_json::from_value(wanted)?;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client =
            builder.capabilities(wanted).connect(&format!("http://127.0.0.1:{port}")).await;
        let client = client.context("chromium did not start")?;
        Ok(Self { client, _driver: driver })
    }

    /// Opens an address.
    ///
    /// # Errors
    /// Fails if the browser cannot open it.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.client.goto(url).await.with_context(|| format!("cannot open {url}"))
    }

    /// Returns the address of the page.
    ///
    /// # Errors
    /// Fails if the browser does not answer.
    pub async fn address(&self) -> anyhow::Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// Waits for the first element of a CSS selector and clicks it.
    ///
    /// # Errors
    /// Fails if the element does not appear or cannot be clicked.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        self.click_on(Locator::Css(css), css).await
    }

    /// Waits for a link with this text and clicks it.
    ///
    /// # Errors
    /// Fails if the link does not appear or cannot be clicked.
    pub async fn follow(&self, text: &str) -> anyhow::Result<()> {
        self.click_on(Locator::LinkText(text), text).await
    }

    async fn click_on(&self, locator: Locator<'_>, what: &str) -> anyhow::Result<()> {
        let element = self.client.wait().at_most(PATIENCE).for_element(locator).await;
        let element = element.with_context(|| format!("no {what} to click"))?;
        element.click().await.with_context(|| format!("cannot click {what}"))
    }

    /// Replaces the text of a field.
    ///
    /// # Errors
    /// Fails if the field does not appear.
    pub async fn fill(&self, css: &str, text: &str) -> anyhow::Result<()> {
        let field = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        let field = field.with_context(|| format!("no {css} to fill"))?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Returns the visible text of all elements of a CSS selector.
    ///
    /// # Errors
    /// Fails if the browser does not answer.
    pub async fn texts(&self, css: &str) -> anyhow::Result<Vec<String>> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await? {
            texts.push(element.text().await?);
        }
        Ok(texts)
    }

    /// Runs a script and returns its result.
    ///
    /// # Errors
    /// Fails if the script fails.
    pub async fn run(&self, script: &str) -> anyhow::Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Reads the texts of a CSS selector's elements repeatedly, until `is_right` accepts them.
    ///
    /// # Errors
    /// Fails if that does not happen in time. The error has the last texts.
    pub async fn wait_for(
        &self,
        css: &str,
        is_right: impl Fn(&[String]) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            // An error counts as no texts, because the page may change during the request.
            let texts = self.texts(css).await.unwrap_or_default();
            if is_right(&texts) {
                return Ok(texts);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(anyhow!("{css} is {texts:?} at {}", self.address().await?));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a command of the DevTools protocol.
    ///
    /// # Errors
    /// Fails if the browser refuses it.
    pub async fn send(&self, command: &'static str, parameters: Value) -> anyhow::Result<Value> {
        let answer = self.client.issue_cmd(DevTools { command, parameters }).await;
        answer.with_context(|| format!("the browser does not {command}"))
    }

    /// Writes a picture of the whole page for each of [`LOOKS`].
    ///
    /// # Errors
    /// Fails if a picture cannot be written, or if the page is wider than the window.
    pub async fn picture(&self, folder: &Path, name: &str) -> anyhow::Result<()> {
        for Look { width, scheme } in LOOKS {
            let window =
                json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
            self.send("Emulation.setDeviceMetricsOverride", window).await?;
            // Without motion, so that the colours have changed when the picture is taken.
            let features = json!({"features": [
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]});
            self.send("Emulation.setEmulatedMedia", features).await?;
            let wanted = json!({"format": "png", "captureBeyondViewport": true});
            let picture = self.send("Page.captureScreenshot", wanted).await?;
            let data = picture.get("data").and_then(Value::as_str).context("no picture")?;
            let path = folder.join(format!("{name}-{width}-{scheme}.png"));
            std::fs::write(&path, decode(data)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
            let wide = self
                .run("return document.documentElement.scrollWidth")
                .await?
                .as_u64()
                .unwrap_or(u64::MAX);
            anyhow::ensure!(
                wide <= u64::from(width),
                "{name} is {wide} pixels wide in a window of {width}"
            );
        }
        self.send("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        self.send("Emulation.setEmulatedMedia", json!({"features": []})).await.map(|_| ())
    }
}

/// Decodes Base64, which the protocol uses for pictures.
fn decode(data: &str) -> anyhow::Result<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(data).map_err(not_base64)
}

fn not_base64(error: impl Display) -> anyhow::Error {
    anyhow!("this is not Base64: {error}")
}
