//! What the `main` of every function does: read the settings, say what is wrong with them, and
//! serve the Lambda Runtime API.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::Instant;

use crate::config::Environment;
use crate::{metrics, telemetry};

/// Time left at the end of an invocation for answering: work stops this long before Lambda's own
/// deadline.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// Time for an invocation whose deadline is no time to come. `cargo lambda watch` sends such ones.
const DEFAULT_TIME: Duration = Duration::from_mins(1);

/// What must be set before a process starts, with the values that it gets where nothing is. The
/// Lambda service sets those that the runtime library refuses to start without; a plain Runtime API
/// server need not know them. The last one is set by a deployment that wants to save the
/// millisecond of starting again.
const RUNTIME_VARIABLES: [(&str, &str); 4] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "local"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    // Memory for large things is given back when they are let go of. Left to itself glibc begins to
    // keep it after the first one, in pieces: a chart of four megabytes then takes up to three
    // times what it needs.
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
];

/// A failed invocation as Lambda reports it: one line with every cause, no backtrace.
struct Failure(anyhow::Error);

/// Runs a function named `name`: `init` makes the handler from the environment, the handler answers
/// each invocation. It gets the payload and the instant to stop working at.
///
/// Started without a Runtime API it prints `usage` and ends.
pub fn run<H>(
    name: &str,
    usage: &str,
    init: impl FnOnce(&Environment) -> anyhow::Result<H>,
) -> ExitCode
where
    H: AsyncFn(Value, Instant) -> anyhow::Result<Value> + 'static,
{
    let environment = Environment::of_process();
    if !environment.is_lambda() {
        eprintln!("{name} {} is an AWS Lambda function. {usage}", env!("CARGO_PKG_VERSION"));
        return ExitCode::from(2);
    }
    start(name, &environment, init, serve)
}

/// Starts a function that serves in a way of its own, in Lambda or elsewhere: `init` makes what
/// `serve` gets.
pub fn start<T>(
    name: &str,
    environment: &Environment,
    init: impl FnOnce(&Environment) -> anyhow::Result<T>,
    serve: impl AsyncFnOnce(T) -> anyhow::Result<()>,
) -> ExitCode {
    if environment.is_lambda()
        && RUNTIME_VARIABLES.iter().any(|(variable, _)| environment.get(variable).is_none())
    {
        return restart_with_variables(name, environment);
    }
    telemetry::start(environment.get("RUST_LOG"));
    let served = init(environment).and_then(|served| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(served))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve<H>(handler: H) -> anyhow::Result<()>
where
    H: AsyncFn(Value, Instant) -> anyhow::Result<Value> + 'static,
{
    let handler = Arc::new(handler);
    let collector = metrics::start()?;
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let handler = Arc::clone(&handler);
        async move {
            let left =
                event.context.deadline().duration_since(SystemTime::now()).unwrap_or(DEFAULT_TIME);
            let deadline = Instant::now() + left.saturating_sub(ANSWER_TIME);
            let answer = handler(event.payload, deadline).await.map_err(Failure);
            // Afterwards the process may be frozen.
            metrics::tell(collector);
            answer
        }
    });
    lambda_runtime::run(service)
        .await
        .map_err(|error| anyhow!("the Lambda Runtime API failed: {error}"))
}

/// Replaces this process by itself with the missing variables set. Changing the environment of a
/// running process is unsound in Rust; a new one costs about a millisecond, and never happens in
/// Lambda.
fn restart_with_variables(name: &str, environment: &Environment) -> ExitCode {
    let missing =
        RUNTIME_VARIABLES.iter().filter(|(variable, _)| environment.get(variable).is_none());
    let error = match std::env::current_exe() {
        Ok(program) => Command::new(program).envs(missing.copied()).exec(),
        Err(error) => error,
    };
    eprintln!("{name}: cannot start again with the variables of the runtime: {error}");
    ExitCode::FAILURE
}

/// The runtime library logs a failure with `Debug`.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: "FunctionError".to_owned(), error_message: format!("{:#}", failure.0) }
    }
}
