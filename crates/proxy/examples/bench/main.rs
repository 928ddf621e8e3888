//! What it costs to be judged, and how fast a judgement takes effect.
//!
//! `cargo run --release -p ripcord-proxy --example bench [-- --quick]`. The proxy runs in a process
//! of its own; releases, users and the one who watches are here. Figures depend on the machine;
//! the ratio and the bounds are what counts, and a bound that is missed is the exit code.

#![expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]

mod load;
mod process;
mod release;
mod watch;

use std::io::Write;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How much CPU time being watched may cost the proxy, in percent.
const COST_PERCENT_MAX: f64 = 3.0;
/// How long it may take from the request that crosses the line until the split has moved.
const MOVED_MS_MAX: f64 = 100.0;

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [word, directory] = arguments.as_slice()
        && word == process::WORD
    {
        process::run(directory.as_ref())?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let passed = runtime.block_on(async {
        let cost = cost(if is_quick { 8 } else { 60 }).await?;
        let moved = moved(if is_quick { 5 } else { 30 }).await?;
        Result::Ok(cost && moved)
    })?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn cost(pairs: usize) -> Result<bool> {
    let found = watch::cost(pairs).await?;
    say(&format!(
        "throughput: {:.0} requests/s unwatched, {:.0} with periods read 50 times a second \
         ({pairs} pairs of runs, in turns)",
        found.unwatched, found.watched
    ))?;
    say(&format!(
        "  ratio {:.4} (median of pairs, middle half {:.4} to {:.4}); CPU of the proxy per request \
         x{:.4}",
        found.throughput_ratio, found.quartiles.0, found.quartiles.1, found.cpu_ratio
    ))?;
    // The runs swing with whatever else the machine does; what a reading takes hardly does.
    let percent = found.readings_percent;
    verdict("50 readings a second take of its CPU time", percent, COST_PERCENT_MAX, "%")
}

async fn moved(rounds: usize) -> Result<bool> {
    let found = watch::moved(rounds).await?;
    say(&format!(
        "from the request that crosses the line to the last request to the canary, {:.0} \
         requests/s, looked at each 20 ms, {rounds} rounds: p50 {:.1} ms, p90 {:.1} ms, max \
         {:.1} ms; {} requests failed beside the errors of the canary",
        found.rate, found.p50, found.p90, found.max, found.lost
    ))?;
    let in_time = verdict("the split moved within", found.max, MOVED_MS_MAX, "ms")?;
    Ok(in_time && found.lost == 0)
}

fn verdict(what: &str, found: f64, bound: f64, unit: &str) -> Result<bool> {
    let passed = found <= bound;
    let word = if passed { "PASS" } else { "FAIL" };
    say(&format!("{word}  {what} {found:.1} {unit} (at most {bound} {unit})"))?;
    Ok(passed)
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
