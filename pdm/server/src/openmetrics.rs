//! The same figures as OpenMetrics text, with the trace that an example of a measured time belongs to.
//!
//! The exporter writes the older text format, which has no place for exemplars. The difference is small: a counter's family is
//! named without `_total`, there are no blank lines, and the text says where it ends.

use std::fmt::Write as _;

use pdm_ports::trace::Exemplar;

/// What OpenMetrics text is called.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether a client asks for it.
pub fn is_wanted(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains("application/openmetrics-text"))
}

/// Turn the older format into it.
pub fn text(older: &str, exemplars: &[(String, Vec<Exemplar>)]) -> String {
    let mut out = String::with_capacity(older.len() + 256);
    // The upper bound of the bucket before this one, within one series.
    let mut below: Option<(&str, f64)> = None;
    for line in older.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            out.push_str("# ");
            out.push_str(&family(comment));
        } else if let Some((series, bound)) = bucket(line) {
            let lower =
                below.filter(|(known, _)| *known == series).map_or(f64::NEG_INFINITY, |(_, bound)| bound);
            below = Some((series, bound));
            out.push_str(line);
            let known = exemplars.iter().find(|(name, _)| name == series).map(|(_, all)| all.as_slice());
            let newest = known.unwrap_or_default().iter().rev().find(|e| lower < e.value && e.value <= bound);
            if let Some(Exemplar { trace, value }) = newest {
                let _ = write!(out, " # {{trace_id=\"{trace}\"}} {value}");
            }
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str("# EOF\n");
    out
}

/// `TYPE pdm_x_total counter` and its `HELP`, without the ending of a counter.
fn family(comment: &str) -> String {
    let mut words = comment.splitn(3, ' ');
    let (kind, name, rest) =
        (words.next().unwrap_or_default(), words.next(), words.next().unwrap_or_default());
    match name.and_then(|name| name.strip_suffix("_total")) {
        Some(name) => format!("{kind} {name} {rest}"),
        None => comment.to_owned(),
    }
}

/// `name_bucket{labels,le="bound"} count` as its series, `name{labels}`, and the bound.
fn bucket(line: &str) -> Option<(&str, f64)> {
    let (series, rest) = line.split_once(",le=\"").or_else(|| line.split_once("le=\""))?;
    let bound = rest.split_once('"')?.0;
    series.contains("_bucket{").then_some(())?;
    Some((series, if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_lose_their_ending_and_buckets_get_the_newest_example() {
        let older = "# TYPE pdm_x_total counter\npdm_x_total{a=\"b\"} 3\n\n# TYPE pdm_s histogram\n\
                     pdm_s_bucket{r=\"/a\",le=\"0.1\"} 1\npdm_s_bucket{r=\"/a\",le=\"1\"} 3\npdm_s_bucket{r=\"/a\",le=\"+Inf\"} 4\n\
                     pdm_s_sum{r=\"/a\"} 5\npdm_s_bucket{r=\"/b\",le=\"0.1\"} 0\npdm_s_bucket{r=\"/b\",le=\"+Inf\"} 1\n";
        let exemplar = |trace: &str, value| Exemplar { trace: trace.to_owned(), value };
        let all = [(
            "pdm_s_bucket{r=\"/a\"".to_owned(),
            vec![exemplar("old", 0.5), exemplar("new", 0.6), exemplar("slow", 7.0)],
        )];
        assert_eq!(
            text(older, &all),
            "# TYPE pdm_x counter\npdm_x_total{a=\"b\"} 3\n# TYPE pdm_s histogram\n\
             pdm_s_bucket{r=\"/a\",le=\"0.1\"} 1\npdm_s_bucket{r=\"/a\",le=\"1\"} 3 # {trace_id=\"new\"} 0.6\n\
             pdm_s_bucket{r=\"/a\",le=\"+Inf\"} 4 # {trace_id=\"slow\"} 7\n\
             pdm_s_sum{r=\"/a\"} 5\npdm_s_bucket{r=\"/b\",le=\"0.1\"} 0\npdm_s_bucket{r=\"/b\",le=\"+Inf\"} 1\n# EOF\n"
        );
    }

    #[test]
    fn only_who_asks_gets_it() {
        assert!(is_wanted(Some("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")));
        assert!(!is_wanted(Some("text/plain")) && !is_wanted(None));
    }
}
