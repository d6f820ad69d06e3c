//! Figures of one run.

use std::time::Duration;

use serde_json::{Value, json};

/// How a batch of equal acts went.
pub struct Figures {
    /// Acts a second over the whole batch.
    pub rate: f64,
    sorted: Vec<Duration>,
}

impl Figures {
    /// From the time of each act and of all together.
    pub fn new(mut each: Vec<Duration>, all: Duration) -> Self {
        each.sort_unstable();
        Self { rate: each.len() as f64 / all.as_secs_f64(), sorted: each }
    }

    /// A quantile in milliseconds.
    pub fn millis(&self, quantile: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let at = (quantile * last as f64).round() as usize;
        self.sorted.get(at).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let round = |x: f64| (x * 100.0).round() / 100.0;
        json!({
            "count": self.sorted.len(), "perSecond": round(self.rate), "p50Ms": round(self.millis(0.5)),
            "p99Ms": round(self.millis(0.99)), "maxMs": round(self.millis(1.0)),
        })
    }
}

/// Print one line of the table and keep it for the JSON.
pub fn line(results: &mut Vec<Value>, what: &str, concurrency: usize, figures: &Figures, note: &str) {
    println!(
        "{what:<28} c={concurrency:<3} {:>9.1}/s   p50 {:>8.2} ms   p99 {:>8.2} ms   {note}",
        figures.rate,
        figures.millis(0.5),
        figures.millis(0.99)
    );
    results
        .push(json!({ "what": what, "concurrency": concurrency, "figures": figures.json(), "note": note }));
}
