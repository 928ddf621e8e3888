//! A running canary as people see it: its steps, its share, what speaks against it, and how that
//! came about. What is shown is decided elsewhere.

use crate::cli::chart::{bar, columns, line};
use crate::cli::words::{number, thousands, time};
use crate::terminal;
use anstyle::{AnsiColor, Style};
use ripcord_core::analysis::Verdict;
use ripcord_core::report::Rollout;
use ripcord_core::report::rollout::{Judged, Metric, Point, Rung, Stands};

/// The widest bar and the widest chart.
const BAR_MAX: usize = 40;
const CHART_MAX: usize = 60;

/// How much of a line is before a bar or a chart, and behind it.
const BESIDE: usize = 34;

/// The rollout in lines of at most about this width.
pub(crate) fn render(rollout: &Rollout, width: usize) -> String {
    let Rollout { canary, stable, .. } = rollout;
    let mut lines = vec![format!("{canary} beside {stable}")];
    lines.extend(rollout.rungs.iter().map(|rung| step(rung, width)));
    lines.push(String::new());
    lines.push(share(rollout));
    if let Some(judged) = &rollout.judged {
        lines.extend(said(judged, width));
        lines.push(String::new());
        lines.push(metrics(&judged.metrics, width));
    }
    lines.extend(course(&rollout.course, rollout.judged.as_ref(), width));
    lines.join("\n")
}

/// What was asked beside what was measured; where users keep their release, of them as well.
fn share(rollout: &Rollout) -> String {
    let asked = format!("share      {} % asked", f64::from(rollout.asked) / 100.0);
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    match (rollout.measured.map(percent), rollout.measured_users.map(percent)) {
        (Some(requests), None) => format!("{asked}, {requests} measured"),
        (Some(requests), Some(users)) => {
            format!("{asked}, measured {requests} of requests, {users} of users")
        }
        (None, Some(users)) => format!("{asked}, measured {users} of users"),
        (None, None) => format!("{asked}, nothing measured yet"),
    }
}

fn step(rung: &Rung, width: usize) -> String {
    let (sign, style) = match rung.stands {
        Stands::Done => ("✓", colour(AnsiColor::Green)),
        Stands::Now => ("▶", Style::new().bold()),
        Stands::Ahead => (" ", Style::new().dimmed()),
        Stands::Failed => ("✗", colour(AnsiColor::Red)),
        Stands::Back => ("↶", colour(AnsiColor::Yellow)),
    };
    let what = cut(&rung.what, width.saturating_sub(8));
    format!("  {style}{sign} {:>2}  {what}{style:#}", rung.step)
}

fn said(judged: &Judged, width: usize) -> Vec<String> {
    let style = match judged.verdict {
        Verdict::GoBack { .. } => colour(AnsiColor::Red),
        Verdict::Wait { .. } if is_suspect(judged) => colour(AnsiColor::Yellow),
        Verdict::Undecided { .. } => colour(AnsiColor::Yellow),
        Verdict::Continue | Verdict::Wait { .. } => colour(AnsiColor::Green),
    };
    let wide = width.saturating_sub(BESIDE).clamp(5, BAR_MAX);
    let filled = bar(height(judged.evidence, judged.enough), wide);
    let (evidence, enough) = (number(judged.evidence), number(judged.enough));
    let mut lines = vec![format!("evidence   {style}{filled}{style:#} {evidence} of {enough}")];
    let promotion = match (&judged.verdict, judged.need_requests) {
        _ if judged.promotable => "good enough".to_owned(),
        (Verdict::GoBack { because } | Verdict::Undecided { because }, _) => because.clone(),
        (_, Some(requests)) => {
            let time = judged.need_ms.map(|ms| format!(", {}", time(ms))).unwrap_or_default();
            format!("about {} more canary requests{time}", thousands(requests))
        }
        (Verdict::Wait { need }, None) => need.clone(),
        (Verdict::Continue, None) => "nothing speaks against it".to_owned(),
    };
    let label = if matches!(judged.verdict, Verdict::GoBack { .. } | Verdict::Undecided { .. }) {
        "because  "
    } else {
        "promotion"
    };
    lines.push(format!("{label}  {promotion}"));
    if let Verdict::Wait { need } = &judged.verdict
        && is_suspect(judged)
    {
        lines.push(format!("held       {need}"));
    }
    lines
}

fn is_suspect(judged: &Judged) -> bool {
    judged.metrics.iter().any(|metric| metric.state == "suspect" || metric.state == "bad")
}

fn metrics(metrics: &[Metric], width: usize) -> String {
    let column = |of: fn(&Metric) -> &str, head: usize| {
        metrics.iter().map(|metric| of(metric).chars().count()).max().unwrap_or(0).max(head)
    };
    let name = column(|metric| &metric.name, 6);
    let state = column(|metric| &metric.state, 5);
    let bound = column(|metric| &metric.bound, 5);
    let head = format!("{:<name$}  {:<state$}  {:>10}", "metric", "state", "evidence");
    let mut lines = vec![format!("{head}  bound")];
    for metric in metrics {
        let style = match metric.state.as_str() {
            "ok" => colour(AnsiColor::Green),
            "bad" => colour(AnsiColor::Red),
            _ => colour(AnsiColor::Yellow),
        };
        let words = cut(&metric.words, width.saturating_sub(name + state + bound + 18));
        let evidence = number(metric.evidence);
        lines.push(format!(
            "{:<name$}  {style}{:<state$}{style:#}  {evidence:>10}  {:<bound$}  {words}",
            metric.name, metric.state, metric.bound
        ));
    }
    lines.join("\n")
}

/// The evidence and both rates of errors over time.
fn course(points: &[Point], judged: Option<&Judged>, width: usize) -> Vec<String> {
    let (Some(last), Some(judged)) = (points.last(), judged) else { return Vec::new() };
    if points.len() < 2 {
        return Vec::new();
    }
    let wide = width.saturating_sub(BESIDE).clamp(5, CHART_MAX);
    let evidence: Vec<_> = columns(points, wide, |part| {
        let most = part.iter().map(|point| point.evidence).fold(0.0, f64::max);
        Some(height(most, judged.enough))
    });
    let rates = |of: fn(&Point) -> (u64, u64)| {
        columns(points, wide, |part| {
            let sum = part.iter().map(of).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            rate(sum)
        })
    };
    let canary = rates(|point| (point.canary_errors, point.canary));
    let stable = rates(|point| (point.stable_errors, point.stable));
    let most = canary.iter().chain(&stable).flatten().copied().fold(0.0, f64::max);
    let scaled = |rates: &[Option<f64>]| {
        let part = |rate: &Option<f64>| rate.map(|rate| if most > 0.0 { rate / most } else { 0.0 });
        line(&rates.iter().map(part).collect::<Vec<_>>())
    };
    let dim = Style::new().dimmed();
    vec![
        String::new(),
        format!("evidence   {} {dim}over {}{dim:#}", line(&evidence), time(last.at_ms)),
        format!("canary     {} {dim}errors, top {:.2} %{dim:#}", scaled(&canary), 100.0 * most),
        format!("stable     {}", scaled(&stable)),
    ]
}

/// How far evidence has come on its way from none to enough; it grows by factors.
fn height(evidence: f64, enough: f64) -> f64 {
    if enough > 1.0 { evidence.max(1.0).ln() / enough.ln() } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
fn rate((errors, requests): (u64, u64)) -> Option<f64> {
    (requests > 0).then(|| errors as f64 / requests as f64)
}

/// A text that fits.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(width.saturating_sub(1)).collect();
    text.push('…');
    text
}

fn colour(colour: AnsiColor) -> Style {
    terminal::colour(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn rollout(evidence: f64, verdict: Verdict) -> Rollout {
        let rung = |step, what: &str, stands| Rung { step, what: what.into(), stands };
        let point = |at: u64| Point {
            at_ms: at * 1_000,
            evidence: evidence.powf(f64::from(u32::try_from(at).unwrap_or(0)) / 40.0),
            canary: 5,
            canary_errors: u64::from(at > 20) * (at % 3),
            stable: 95,
            stable_errors: u64::from(at.is_multiple_of(9)),
        };
        let metric = |name: &str, state: &str, evidence| Metric {
            name: name.into(),
            state: state.into(),
            evidence,
            bound: "exact".into(),
            words: "37 of 412 of the canary, 4 of 7,981 of stable".into(),
        };
        let promotable = verdict == Verdict::Continue;
        Rollout {
            canary: "v3".into(),
            stable: "v1".into(),
            rungs: vec![
                rung(4, "traffic: v1 95 %, v3 5 %", Stands::Done),
                rung(5, "compare v3 with v1 until it is proven", Stands::Now),
                rung(6, "traffic: v1 50 %, v3 50 %", Stands::Ahead),
            ],
            asked: 500,
            measured: Some(0.049_09),
            measured_users: None,
            judged: Some(Judged {
                verdict,
                evidence,
                enough: 100.0,
                metrics: vec![metric("errors", "ok", evidence), metric("latency", "blind", 1.0)],
                promotable,
                need_requests: (!promotable).then_some(412),
                need_ms: (!promotable).then_some(82_400),
                words: "as seen".into(),
            }),
            course: (1..=40).map(point).collect(),
        }
    }

    fn check(rollout: &Rollout, width: usize, expected: &Expect) {
        let shown = render(rollout, width);
        let plain = anstream::adapter::strip_str(&shown).to_string();
        assert!(plain.lines().all(|line| line.chars().count() <= width), "{plain}");
        expected.assert_eq(&plain);
    }

    #[test]
    fn a_canary_under_way() {
        let wait = Verdict::Wait { need: "about 412 more canary requests".into() };
        check(
            &rollout(3.0, wait.clone()),
            80,
            &expect![[r"
            v3 beside v1
              ✓  4  traffic: v1 95 %, v3 5 %
              ▶  5  compare v3 with v1 until it is proven
                 6  traffic: v1 50 %, v3 50 %

            share      5 % asked, 4.91 % measured
            evidence   █████████▌······························ 3.0 of 100
            promotion  about 412 more canary requests, 82 s

            metric   state    evidence  bound
            errors   ok            3.0  exact  37 of 412 of the canary, 4 of 7,981 of stable
            latency  blind         1.0  exact  37 of 412 of the canary, 4 of 7,981 of stable

            evidence   ▁▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▃▃▃▃▃ over 40 s
            canary     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅█▁▅█▁▅█▁▅█▁▅█▁▅█▁▅ errors, top 40.00 %
            stable     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁"]],
        );
        check(
            &rollout(3.0, wait),
            48,
            &expect![[r"
            v3 beside v1
              ✓  4  traffic: v1 95 %, v3 5 %
              ▶  5  compare v3 with v1 until it is proven
                 6  traffic: v1 50 %, v3 50 %

            share      5 % asked, 4.91 % measured
            evidence   ███▍·········· 3.0 of 100
            promotion  about 412 more canary requests, 82 s

            metric   state    evidence  bound
            errors   ok            3.0  exact  37 of 412 of…
            latency  blind         1.0  exact  37 of 412 of…

            evidence   ▁▁▁▁▂▂▂▂▂▂▂▂▃▃ over 40 s
            canary     ▁▁▁▁▁▁▁▅██████ errors, top 20.00 %
            stable     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁"]],
        );
    }

    #[test]
    fn a_canary_that_goes_on_and_one_that_goes_back() {
        check(
            &rollout(0.2, Verdict::Continue),
            80,
            &expect![[r"
            v3 beside v1
              ✓  4  traffic: v1 95 %, v3 5 %
              ▶  5  compare v3 with v1 until it is proven
                 6  traffic: v1 50 %, v3 50 %

            share      5 % asked, 4.91 % measured
            evidence   ········································ 0.2 of 100
            promotion  good enough

            metric   state    evidence  bound
            errors   ok            0.2  exact  37 of 412 of the canary, 4 of 7,981 of stable
            latency  blind         1.0  exact  37 of 412 of the canary, 4 of 7,981 of stable

            evidence   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ over 40 s
            canary     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅█▁▅█▁▅█▁▅█▁▅█▁▅█▁▅ errors, top 40.00 %
            stable     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁"]],
        );
        let because = "v3 answered too much with 5xx".to_owned();
        check(
            &rollout(1e9, Verdict::GoBack { because }),
            80,
            &expect![[r"
            v3 beside v1
              ✓  4  traffic: v1 95 %, v3 5 %
              ▶  5  compare v3 with v1 until it is proven
                 6  traffic: v1 50 %, v3 50 %

            share      5 % asked, 4.91 % measured
            evidence   ████████████████████████████████████████ 1.0e9 of 100
            because    v3 answered too much with 5xx

            metric   state    evidence  bound
            errors   ok          1.0e9  exact  37 of 412 of the canary, 4 of 7,981 of stable
            latency  blind         1.0  exact  37 of 412 of the canary, 4 of 7,981 of stable

            evidence   ▂▃▃▄▅▆▇▇████████████████████████████████ over 40 s
            canary     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅█▁▅█▁▅█▁▅█▁▅█▁▅█▁▅ errors, top 40.00 %
            stable     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁"]],
        );
    }

    #[test]
    fn before_the_first_request() {
        let nothing = Rollout {
            judged: None,
            measured: None,
            course: Vec::new(),
            ..rollout(1.0, Verdict::Continue)
        };
        check(
            &nothing,
            80,
            &expect![[r"
            v3 beside v1
              ✓  4  traffic: v1 95 %, v3 5 %
              ▶  5  compare v3 with v1 until it is proven
                 6  traffic: v1 50 %, v3 50 %

            share      5 % asked, nothing measured yet"]],
        );
    }
    /// Users who keep their release send as many requests as they like.
    #[test]
    fn shares_of_requests_and_of_users() {
        let check = |measured, measured_users, expected: &str| {
            let rollout = Rollout { measured, measured_users, ..rollout(1.0, Verdict::Continue) };
            assert_eq!(share(&rollout), format!("share      5 % asked, {expected}"));
        };
        check(Some(0.1873), Some(0.049), "measured 18.73 % of requests, 4.90 % of users");
        check(None, Some(0.049), "measured 4.90 % of users");
        check(None, None, "nothing measured yet");
    }
}
