//! The report as one HTML page with its drawings inside, so that it can be mailed and opened anywhere.

use std::fmt::Write;

use super::{Report, distributions};
use crate::measure::{Phase, Summary};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
/// Room for the words at the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 28.0;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2330}\
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #d6dbe3;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}figure{margin:1rem 0}\
figcaption{color:#5a6577}";

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut text = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let _ = write!(
        text,
        "<title>{0}</title><style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n<p>{1}</p>\n<p>Machine: {2}.</p>\n",
        escaped(&report.name),
        escaped(&report.words),
        escaped(&report.machine)
    );
    text.push_str("<table><tr><th></th><th>requests</th><th>a second</th><th>succeeded</th><th>refused</th><th>failed</th><th>p50, ms</th><th>p99, ms</th><th>CPU a request, µs</th></tr>\n");
    report.phases.iter().for_each(|phase| row(&mut text, phase));
    text.push_str("</table>\n");
    for phase in &report.phases {
        let _ = writeln!(text, "<h2>{}</h2>", escaped(&phase.name));
        for (name, unit, divisor, summary) in distributions(phase) {
            text.push_str(&curve(name, unit, divisor, summary));
        }
        for note in &phase.notes {
            let _ = writeln!(text, "<p>{}.</p>", escaped(note));
        }
    }
    if report.phases.len() > 2 {
        text.push_str(&over_phases(&report.phases));
    }
    text.push_str("</body></html>\n");
    text
}

fn row(text: &mut String, phase: &Phase) {
    let at = |value: fn(&Summary) -> u64| {
        phase.latency.as_ref().map_or("–".into(), |it| format!("{:.2}", value(it) as f64 / 1e6))
    };
    let _ = writeln!(
        text,
        "<tr><td>{}</td><td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
        escaped(&phase.name),
        phase.requests,
        phase.per_second(),
        phase.succeeded,
        phase.refusals(),
        phase.failures(),
        at(|it| it.p50),
        at(|it| it.p99),
        phase.cpu_per_request().map_or("–".into(), |it| format!("{it:.1}")),
    );
}

/// Values over percentiles: each step to the right leaves a tenth of the rest.
fn curve(name: &str, unit: &str, divisor: f64, summary: &Summary) -> String {
    let across = |percent: f64| (1.0 / (1.0 - percent.min(99.99) / 100.0)).log10() / 4.0;
    let points: Vec<(f64, f64)> =
        summary.curve.iter().map(|(percent, value)| (across(*percent), *value as f64 / divisor)).collect();
    let marks: Vec<(f64, String)> =
        [0.0, 50.0, 90.0, 99.0, 99.9, 99.99].map(|percent| (across(percent), format!("{percent} %"))).into();
    let caption = format!(
        "{name}, {unit}: median {:.3}, p99 {:.3}, most {:.3}, of {}",
        summary.p50 as f64 / divisor,
        summary.p99 as f64 / divisor,
        summary.maximum as f64 / divisor,
        summary.count
    );
    figure(&points, &marks, &caption)
}

/// CPU per request from phase to phase: how a session grows.
fn over_phases(phases: &[Phase]) -> String {
    let last = (phases.len() - 1) as f64;
    let cpu = |(place, phase): (usize, &Phase)| Some((place as f64 / last, phase.cpu_per_request()?));
    let points: Vec<(f64, f64)> = phases.iter().enumerate().filter_map(cpu).collect();
    let ends = [(0, 0.0), (phases.len() - 1, 1.0)];
    let marks: Vec<(f64, String)> = ends.map(|(place, across)| (across, phases[place].name.clone())).into();
    if points.len() < 2 { String::new() } else { figure(&points, &marks, "CPU a request, µs, from phase to phase") }
}

/// Points with x from 0 to 1, joined by a line.
fn figure(points: &[(f64, f64)], marks: &[(f64, String)], caption: &str) -> String {
    let top = points.iter().map(|it| it.1).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let x = |across: f64| LEFT + across * (WIDTH - LEFT - 24.0);
    let y = |value: f64| (HEIGHT - BOTTOM) - value / top * (HEIGHT - BOTTOM - 12.0);
    let mut text =
        format!("<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escaped(caption));
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let height = y(top * part);
        let _ = write!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{height:.1}\" y2=\"{height:.1}\" stroke=\"#d6dbe3\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"11\" fill=\"#5a6577\">{:.3}</text>",
            x(1.0),
            LEFT - 6.0,
            height + 4.0,
            top * part
        );
    }
    for (across, word) in marks {
        let _ = write!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#5a6577\">{}</text>",
            x(*across),
            HEIGHT - 8.0,
            escaped(word)
        );
    }
    let path: Vec<String> =
        points.iter().map(|(across, value)| format!("{:.1},{:.1}", x(*across), y(*value))).collect();
    let _ =
        write!(text, "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>", path.join(" "));
    let _ = writeln!(text, "</svg><figcaption>{}</figcaption></figure>", escaped(caption));
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
