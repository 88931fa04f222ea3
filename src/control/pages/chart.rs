//! Bars over time as SVG, drawn here: nothing to load, nothing to run, and a table beside for those who cannot see it.

use askama::Template;

use super::show;

/// Units of the drawing; browsers scale it.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 8.0;
/// Labels under the drawing at most.
const LABELS_MAX: usize = 8;

/// One kind of what is counted.
pub(super) struct Series {
    /// Its name in the legend.
    pub(super) name: &'static str,
    /// `s1` to `s4` of the stylesheet.
    pub(super) class: &'static str,
    /// One for each label.
    pub(super) values: Vec<f64>,
}

/// A drawing of series on top of one another.
#[derive(Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    id: &'static str,
    title: &'static str,
    labels: Vec<String>,
    series: Vec<Series>,
    unit: Unit,
    bars: Vec<Bar>,
    rules: Vec<(f64, String)>,
    ticks: Vec<(f64, String)>,
}

/// What values are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Numbers of something.
    Count,
    /// Dollars.
    Money,
}

struct Bar {
    class: &'static str,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Chart {
    /// Draws these series; each has a value for every label.
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        unit: Unit,
        labels: Vec<String>,
        series: Vec<Series>,
    ) -> Chart {
        let totals = (0..labels.len()).map(|at| series.iter().map(|it| value(it, at)).sum::<f64>());
        let top = ceiling(totals.fold(0.0, f64::max));
        let floor = HEIGHT - BOTTOM;
        let scale = (floor - TOP) / top;
        let step = (WIDTH - LEFT) / labels.len().max(1) as f64;
        let width = (step * 0.72).clamp(1.0, 48.0);
        let mut bars = Vec::new();
        for at in 0..labels.len() {
            let mut y = floor;
            for it in &series {
                let height = value(it, at) * scale;
                if height > 0.0 {
                    y -= height;
                    let x = LEFT + step * (at as f64 + 0.5) - width / 2.0;
                    bars.push(Bar {
                        class: it.class,
                        x: round(x),
                        y: round(y),
                        width: round(width),
                        height: round(height),
                    });
                }
            }
        }
        let rules = [0.0, 0.5, 1.0].map(|part| (round(floor - part * top * scale), shown(unit, part * top)));
        let every = labels.len().div_ceil(LABELS_MAX).max(1);
        let ticks = labels.iter().enumerate().step_by(every);
        let ticks = ticks.map(|(at, it)| (round(LEFT + step * (at as f64 + 0.5)), it.clone())).collect();
        Chart { id, title, labels, series, unit, bars, rules: rules.into(), ticks }
    }

    /// Whether there is nothing to see.
    pub(super) fn is_empty(&self) -> bool {
        self.bars.is_empty()
    }

    fn cell(&self, series: &Series, at: &usize) -> String {
        shown(self.unit, value(series, *at))
    }
}

fn value(series: &Series, at: usize) -> f64 {
    series.values.get(at).copied().filter(|it| it.is_finite() && *it > 0.0).unwrap_or_default()
}

fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => show::short(&(value.round() as u64)),
        Unit::Money if value < 10.0 => format!("${value:.2}"),
        Unit::Money => format!("${value:.0}"),
    }
}

/// The next round number: 2, 4, 6 or 10 with noughts, so that half of it is one, too.
fn ceiling(value: f64) -> f64 {
    let mut unit = 1.0;
    loop {
        for part in [2.0, 4.0, 6.0, 10.0] {
            if part * unit >= value || unit > 1e15 {
                return part * unit;
            }
        }
        unit *= 10.0;
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(class: &'static str, values: &[f64]) -> Series {
        Series { name: class, class, values: values.to_vec() }
    }

    #[test]
    fn bars_stand_on_one_another_and_fit_under_the_top() {
        let labels = vec!["Mon".to_owned(), "Tue".to_owned()];
        let chart =
            Chart::new("c", "C", Unit::Count, labels, vec![series("s1", &[3.0, 0.0]), series("s2", &[1.0, 0.0])]);
        assert_eq!(chart.bars.len(), 2, "what is nothing is not drawn");
        let (lower, upper) = (&chart.bars[0], &chart.bars[1]);
        assert!((upper.y + upper.height - lower.y).abs() < 0.11);
        assert!(upper.y >= TOP - 0.1);
        assert_eq!(chart.rules.iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["0", "2", "4"]);
        assert!(chart.render().unwrap().contains("<td class=\"number\">3</td>"), "the table says the same");
    }

    #[test]
    fn odd_values_do_no_harm() {
        let chart = Chart::new("c", "C", Unit::Money, Vec::new(), Vec::new());
        assert!(chart.is_empty() && chart.render().is_ok());
        let chart = Chart::new("c", "C", Unit::Count, vec![String::new()], vec![series("s1", &[f64::NAN])]);
        assert!(chart.is_empty());
        assert_eq!([0.0, 3.0, 41.0, 61.0].map(ceiling), [2.0, 4.0, 60.0, 100.0]);
    }
}
