//! Chromium without a window, for one test. It is told what to do as a user would do it.

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

/// Time for something to appear on a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page. It ends with this.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    _driver: Supervised,
}

/// What a page looks like to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Width of the window in pixels.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

/// The looks that pages are made for.
pub const LOOKS: [Look; 4] = [
    Look { width: 1280, scheme: "light" },
    Look { width: 1280, scheme: "dark" },
    Look { width: 360, scheme: "light" },
    Look { width: 360, scheme: "dark" },
];

/// A command of the DevTools protocol, which chromedriver passes on.
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
    /// When there is none, or it does not start.
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
            // Nothing outside this machine.
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
    /// When the browser does not.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.client.goto(url).await.with_context(|| format!("cannot open {url}"))
    }

    /// The address of the page.
    ///
    /// # Errors
    /// When the browser does not tell.
    pub async fn address(&self) -> anyhow::Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// Clicks the first element of a CSS selector, when it is there.
    ///
    /// # Errors
    /// When it does not come, or cannot be clicked.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        self.click_on(Locator::Css(css), css).await
    }

    /// Clicks a link by its text, when it is there.
    ///
    /// # Errors
    /// When it does not come, or cannot be clicked.
    pub async fn follow(&self, text: &str) -> anyhow::Result<()> {
        self.click_on(Locator::LinkText(text), text).await
    }

    async fn click_on(&self, locator: Locator<'_>, what: &str) -> anyhow::Result<()> {
        let element = self.client.wait().at_most(PATIENCE).for_element(locator).await;
        let element = element.with_context(|| format!("no {what} to click"))?;
        element.click().await.with_context(|| format!("cannot click {what}"))
    }

    /// Types into a field, in place of what is in it.
    ///
    /// # Errors
    /// When there is no such field.
    pub async fn fill(&self, css: &str, text: &str) -> anyhow::Result<()> {
        let field = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        let field = field.with_context(|| format!("no {css} to fill"))?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// The visible text of all elements of a CSS selector.
    ///
    /// # Errors
    /// When the browser does not tell.
    pub async fn texts(&self, css: &str) -> anyhow::Result<Vec<String>> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await? {
            texts.push(element.text().await?);
        }
        Ok(texts)
    }

    /// What a script returns.
    ///
    /// # Errors
    /// When it fails.
    pub async fn run(&self, script: &str) -> anyhow::Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Looks at the page again and again until `is_right` of the texts of the elements of a CSS
    /// selector.
    ///
    /// # Errors
    /// When it does not become so; with the texts of the last look.
    pub async fn wait_for(
        &self,
        css: &str,
        is_right: impl Fn(&[String]) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            // The page may be changing under our eyes.
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

    /// Gives a command of the DevTools protocol.
    ///
    /// # Errors
    /// When the browser refuses it.
    pub async fn tell(&self, command: &'static str, parameters: Value) -> anyhow::Result<Value> {
        let told = self.client.issue_cmd(DevTools { command, parameters }).await;
        told.with_context(|| format!("the browser does not {command}"))
    }

    /// Writes pictures of the whole page as it is, one for each of [`LOOKS`], and gives an error if
    /// it is wider than the window.
    ///
    /// # Errors
    /// When it cannot be done, or the page has to be scrolled sideways.
    pub async fn picture(&self, folder: &Path, name: &str) -> anyhow::Result<()> {
        for Look { width, scheme } in LOOKS {
            let window =
                json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
            self.tell("Emulation.setDeviceMetricsOverride", window).await?;
            // Without motion: the picture is taken when the colours have changed.
            let features = json!({"features": [
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]});
            self.tell("Emulation.setEmulatedMedia", features).await?;
            let wanted = json!({"format": "png", "captureBeyondViewport": true});
            let picture = self.tell("Page.captureScreenshot", wanted).await?;
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
        self.tell("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        self.tell("Emulation.setEmulatedMedia", json!({"features": []})).await.map(|_| ())
    }
}

/// Base64, as the protocol has it.
fn decode(data: &str) -> anyhow::Result<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(data).map_err(wrong)
}

fn wrong(error: impl Display) -> anyhow::Error {
    anyhow!("no base64: {error}")
}
