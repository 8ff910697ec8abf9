//! The `main` of every function: reads the settings, reports an unusable one, and serves the Lambda
//! Runtime API.

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

/// The time before Lambda's own deadline at which the work stops, so that the function can still
/// answer.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// The time limit of an invocation whose deadline has already passed. `cargo lambda watch` sends
/// such deadlines.
const DEFAULT_TIME: Duration = Duration::from_mins(1);

/// The variables that must be set before a process starts, with their defaults.
///
/// The runtime library does not start without the first three. The Lambda service sets them, but
/// another Runtime API server may not. A deployment may set the last one itself, which saves the
/// millisecond of a restart.
const RUNTIME_VARIABLES: [(&str, &str); 4] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "local"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    // With this threshold, glibc returns the memory of a large object as soon as the object is
    // freed. By default it keeps and fragments that memory. Then a chart of four megabytes takes up
    // to three times the memory that it needs.
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
];

/// The error of an invocation as Lambda reports it: one line with every cause, and no backtrace.
struct Failure(anyhow::Error);

/// Runs the function `name`. `init` makes the handler from the environment. The handler answers
/// each invocation, given the payload and the deadline.
///
/// Without a Runtime API, it prints `usage` and exits.
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
    let init = |environment: &Environment| {
        let namespace = environment.metrics_namespace()?.to_owned();
        Ok((init(environment)?, namespace))
    };
    start(name, &environment, init, async |(handler, namespace)| serve(handler, namespace).await)
}

/// Starts a function that has its own way to serve, in Lambda or elsewhere. `serve` receives the
/// value that `init` makes.
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

async fn serve<H>(handler: H, namespace: String) -> anyhow::Result<()>
where
    H: AsyncFn(Value, Instant) -> anyhow::Result<Value> + 'static,
{
    let handler = Arc::new(handler);
    let collector = metrics::start(namespace)?;
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let handler = Arc::clone(&handler);
        async move {
            let left =
                event.context.deadline().duration_since(SystemTime::now()).unwrap_or(DEFAULT_TIME);
            let deadline = Instant::now() + left.saturating_sub(ANSWER_TIME);
            let answer = handler(event.payload, deadline).await.map_err(Failure);
            // The metrics are flushed before the answer, because Lambda may freeze the process
            // after it.
            metrics::flush(collector);
            answer
        }
    });
    lambda_runtime::run(service)
        .await
        .map_err(|error| anyhow!("the Lambda Runtime API failed: {error}"))
}

/// Restarts this process with the missing variables set. A running process cannot set them safely
/// in Rust. The restart costs about a millisecond.
fn restart_with_variables(name: &str, environment: &Environment) -> ExitCode {
    let missing =
        RUNTIME_VARIABLES.iter().filter(|(variable, _)| environment.get(variable).is_none());
    let error = match std::env::current_exe() {
        Ok(program) => Command::new(program).envs(missing.copied()).exec(),
        Err(error) => error,
    };
    eprintln!("{name}: cannot restart with the variables of the runtime: {error}");
    ExitCode::FAILURE
}

/// Formats the error on one line, because the runtime library logs a failure with `Debug`.
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
