//! The one who watches: reads the periods again and again, and moves the split.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ripcord_proxy::{Control, ReleaseName, Share, State};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Result;
use crate::load::Load;
use crate::process::Proxy;
use crate::release::Release;

/// How many errors of the canary are too many.
const LINE: u64 = 20;
/// How often whoever compares releases reads what was counted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const RUN: Duration = Duration::from_millis(500);

/// What being watched costs.
pub(crate) struct Cost {
    pub(crate) unwatched: f64,
    pub(crate) watched: f64,
    /// Watched to unwatched.
    pub(crate) throughput_ratio: f64,
    pub(crate) quartiles: (f64, f64),
    pub(crate) cpu_ratio: f64,
    /// Of the CPU time of the proxy at full load, in percent, what 50 readings a second take.
    pub(crate) readings_percent: f64,
}

/// How long it took until the split had moved, in milliseconds.
pub(crate) struct Moved {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) max: f64,
    pub(crate) lost: u64,
}

fn name(name: &str) -> Result<ReleaseName> {
    Ok(ReleaseName::new(name)?)
}

fn state(generation: u64, stable: &Release, canary: &Release, share: u16) -> Result<State> {
    let (old, new) = (name("stable")?, name("canary")?);
    let split = [(old.clone(), Share(10_000 - share)), (new.clone(), Share(share))];
    Ok(State {
        fence: 1,
        generation,
        split: split.into(),
        targets: [(old, vec![stable.address]), (new, vec![canary.address])].into(),
        ..State::default()
    })
}

async fn apply(control: &Control, state: State) -> Result<()> {
    let control = control.clone();
    tokio::task::spawn_blocking(move || control.apply(state, 5_000)).await??;
    Ok(())
}

/// Runs with and without a watcher in turns, so that what else happens on the machine meets both.
pub(crate) async fn cost(pairs: usize) -> Result<Cost> {
    let proxy = Proxy::start().await?;
    let (stable, canary) = (Release::start(u64::MAX).await?, Release::start(u64::MAX).await?);
    apply(&proxy.control, state(1, &stable, &canary, 500)?).await?;
    let load = Load::start(proxy.observed.listen, 32, None).await?;
    // A long rollout lies behind: as many periods as are remembered.
    for step in 2..=17 {
        sleep(RUN / 5).await;
        apply(&proxy.control, state(u64::from(step), &stable, &canary, 500 + step)?).await?;
    }
    sleep(RUN).await;
    let (mut ratios, mut runs) = (Vec::new(), [Run::default(), Run::default()]);
    for pair in 0..pairs {
        // Not always the same one first.
        let first = pair % 2 == 1;
        let one = run(&proxy, &load, first).await?;
        let other = run(&proxy, &load, !first).await?;
        let (watched, unwatched) = if first { (one, other) } else { (other, one) };
        ratios.push(watched.rate() / unwatched.rate());
        runs[0].add(&unwatched);
        runs[1].add(&watched);
    }
    drop(load);
    ratios.sort_by(f64::total_cmp);
    let [unwatched, watched] = &runs;
    let serving_ticks_per_second = unwatched.cpu_ticks as f64 / unwatched.seconds;
    let reading_ticks_per_second = ticks_per_reading(&proxy).await? / LOOK_EVERY.as_secs_f64();
    Ok(Cost {
        unwatched: unwatched.rate(),
        watched: watched.rate(),
        throughput_ratio: quantile(&ratios, 50),
        quartiles: (quantile(&ratios, 25), quantile(&ratios, 75)),
        cpu_ratio: watched.cpu_per_request() / unwatched.cpu_per_request(),
        readings_percent: 100.0 * reading_ticks_per_second / serving_ticks_per_second,
    })
}

/// The CPU time of the proxy for one reading, when it has nothing else to do.
async fn ticks_per_reading(proxy: &Proxy) -> Result<f64> {
    const READINGS: u32 = 3_000;
    let (control, before) = (proxy.control.clone(), proxy.cpu_ticks()?);
    let read = move || (0..READINGS).try_for_each(|_| control.periods().map(drop));
    tokio::task::spawn_blocking(read).await??;
    Ok((proxy.cpu_ticks()? - before) as f64 / f64::from(READINGS))
}

#[derive(Default)]
struct Run {
    requests: u64,
    cpu_ticks: u64,
    seconds: f64,
}

impl Run {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.cpu_ticks += other.cpu_ticks;
        self.seconds += other.seconds;
    }

    fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    fn cpu_per_request(&self) -> f64 {
        self.cpu_ticks as f64 / self.requests as f64
    }
}

async fn run(proxy: &Proxy, load: &Load, is_watched: bool) -> Result<Run> {
    let watcher = is_watched.then(|| Watcher::start(&proxy.control));
    let (began, requests, cpu) = (Instant::now(), load.answered(), proxy.cpu_ticks()?);
    sleep(RUN).await;
    let run = Run {
        requests: load.answered() - requests,
        cpu_ticks: proxy.cpu_ticks()? - cpu,
        seconds: began.elapsed().as_secs_f64(),
    };
    if let Some(watcher) = watcher {
        watcher.stop().await?;
    }
    Ok(run)
}

/// Reads the periods 20 times a second.
struct Watcher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
}

impl Watcher {
    fn start(control: &Control) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (control, told) = (control.clone(), Arc::clone(&stop));
        let task = tokio::task::spawn_blocking(move || {
            while !told.load(Ordering::Relaxed) {
                control.periods()?;
                std::thread::sleep(LOOK_EVERY);
            }
            Ok(())
        });
        Self { stop, task }
    }

    async fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

/// The canary turns bad, somebody looks each 20 ms, sees the line crossed and moves the split.
pub(crate) async fn moved(rounds: usize) -> Result<Moved> {
    let proxy = Proxy::start().await?;
    let (stable, canary) = (Release::start(u64::MAX).await?, Release::start(LINE).await?);
    apply(&proxy.control, state(1, &stable, &canary, 1_000)?).await?;
    // 100 clients, each asking every 10 ms.
    let pace = Some(Duration::from_millis(10));
    let load = Load::start(proxy.observed.listen, 100, pace).await?;
    let (began, mut times, mut generation) = (Instant::now(), Vec::new(), 1);
    for _ in 0..rounds {
        sleep(Duration::from_millis(150)).await;
        canary.log.turn(true);
        let (back, control) = (state(generation + 1, &stable, &canary, 0)?, proxy.control.clone());
        tokio::task::spawn_blocking(move || look_and_move(&control, back)).await??;
        // Acknowledged means that no request is inside any more.
        times.push(canary.log.crossed_to_last_ms().ok_or("the line was never crossed")?);
        canary.log.turn(false);
        generation += 2;
        apply(&proxy.control, state(generation, &stable, &canary, 1_000)?).await?;
    }
    times.sort_by(f64::total_cmp);
    Ok(Moved {
        rate: load.answered() as f64 / began.elapsed().as_secs_f64(),
        p50: quantile(&times, 50),
        p90: quantile(&times, 90),
        max: quantile(&times, 100),
        lost: load.seen.lost.load(Ordering::Relaxed),
    })
}

fn look_and_move(control: &Control, back: State) -> Result<()> {
    let canary = name("canary")?;
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        let seen = control.periods()?;
        let errors = seen.periods.last().and_then(|period| period.arms.get(&canary));
        if errors.is_some_and(|arm| arm.errors >= LINE) {
            control.apply(back, 5_000)?;
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Err("the errors of the canary were never seen".into())
}

/// The value at this percent of a sorted list.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len().saturating_sub(1) * percent).div_ceil(100);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
