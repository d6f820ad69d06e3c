//! Ask a resolver all the time, and tell every change, every loss and every SERVFAIL, with its time.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch::{Receiver, Sender, channel};

use crate::question::{Outcome, ask};

/// How long one question may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came, from when on.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Since the watcher began, when the reply came.
    pub at: Duration,
    /// So often in a row.
    pub times: u32,
    /// What.
    pub outcome: Outcome,
}

/// The history of one question.
#[derive(Debug, Clone)]
pub struct History {
    /// `name TYPE`.
    pub question: String,
    /// Every change, the first outcome included.
    pub seen: Vec<Seen>,
}

impl History {
    /// So often it was asked and answered.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.seen.iter().map(|s| s.times).sum()
    }

    /// The latest outcome.
    #[must_use]
    pub fn last(&self) -> Option<&Outcome> {
        self.seen.last().map(|s| &s.outcome)
    }

    /// Outcomes that a user would have suffered from: SERVFAIL and silence at any time, and no records after there
    /// had been some.
    fn broken(&self) -> impl Iterator<Item = &Seen> {
        let first = self.seen.iter().position(|s| matches!(s.outcome, Outcome::Answer { .. }));
        let first = first.unwrap_or(usize::MAX);
        self.seen
            .iter()
            .enumerate()
            .filter(move |(n, s)| match s.outcome {
                Outcome::Answer { .. } => false,
                Outcome::NoData | Outcome::NxDomain => *n > first,
                Outcome::ServFail(_) | Outcome::Other(_) | Outcome::Silence(_) => true,
            })
            .map(|(_, s)| s)
    }
}

/// What a watcher saw.
#[derive(Debug, Clone)]
pub struct Report {
    /// One history for each question, in the order they were given.
    pub histories: Vec<History>,
}

impl Report {
    /// The history of `name TYPE`.
    ///
    /// # Panics
    /// When it was not asked.
    #[must_use]
    pub fn of(&self, question: &str) -> &History {
        self.histories
            .iter()
            .find(|h| h.question == question)
            .unwrap_or_else(|| panic!("nobody asked {question}"))
    }

    /// Every time that a user would have suffered.
    #[must_use]
    pub fn broken(&self) -> Vec<(&str, &Seen)> {
        self.histories.iter().flat_map(|h| h.broken().map(|s| (h.question.as_str(), s))).collect()
    }

    /// Every SERVFAIL.
    #[must_use]
    pub fn servfails(&self) -> Vec<(&str, &Seen)> {
        let all = self.histories.iter().flat_map(|h| h.seen.iter().map(|s| (h.question.as_str(), s)));
        all.filter(|(_, s)| matches!(s.outcome, Outcome::ServFail(_))).collect()
    }

    /// Every answer that a validator found wrong: SERVFAIL for a reason of DNSSEC (RFC 8914 4.6 to 4.13).
    #[must_use]
    pub fn bogus(&self) -> Vec<(&str, &Seen)> {
        let reasons: Vec<String> = (5..=12).map(|code| format!("error {code} ")).collect();
        let of_dnssec = |outcome: &Outcome| match outcome {
            Outcome::ServFail(why) => reasons.iter().any(|reason| why.starts_with(reason)),
            _ => false,
        };
        self.servfails().into_iter().filter(|(_, seen)| of_dnssec(&seen.outcome)).collect()
    }

    /// How many questions had no answer in time, or a SERVFAIL because the resolver had none: on a machine that has too
    /// much to do.
    #[must_use]
    pub fn unanswered(&self) -> u32 {
        let all = self.histories.iter().flat_map(|history| &history.seen);
        let none = |seen: &&Seen| matches!(seen.outcome, Outcome::Silence(_) | Outcome::ServFail(_));
        all.filter(none).map(|seen| seen.times).sum()
    }

    /// Panic unless every answer was authentic from the first one on, and none was bogus or gone. Questions without any
    /// answer are left to [`Report::unanswered`].
    ///
    /// # Panics
    /// With the whole report.
    pub fn must_never_be_bogus(&self) {
        assert!(self.bogus().is_empty(), "bogus:\n{self}");
        for history in &self.histories {
            let answers = history.seen.iter().skip_while(|seen| !seen.outcome.authentic());
            let wrong = answers.clone().find(|seen| match seen.outcome {
                Outcome::Answer { authentic, .. } => !authentic,
                Outcome::NoData | Outcome::NxDomain | Outcome::Other(_) => true,
                Outcome::Silence(_) | Outcome::ServFail(_) => false,
            });
            assert!(wrong.is_none() && answers.count() > 0, "{}: {wrong:?}", history.question);
        }
    }

    /// Questions asked and answered.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.histories.iter().map(History::asked).sum()
    }

    /// One line a question: how often it was asked, how many answers were lost, how often what came was something new.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.histories.iter().map(|h| h.question.len()).max().unwrap_or(0);
        let mut table = format!("{:width$}  asked  SERVFAIL  lost  changed\n", "");
        for history in &self.histories {
            let count =
                |of: &dyn Fn(&Seen) -> bool| history.broken().filter(|s| of(s)).map(|s| s.times).sum::<u32>();
            let failed = count(&|s| matches!(s.outcome, Outcome::ServFail(_)));
            let lost = count(&|s| !matches!(s.outcome, Outcome::ServFail(_)));
            let changed = history.seen.len().saturating_sub(1);
            let (question, asked) = (&history.question, history.asked());
            table += &format!("{question:width$}  {asked:>5}  {failed:>8}  {lost:>4}  {changed:>7}\n");
        }
        table
    }

    /// Panic unless every question was answered all the time, from its first answer on.
    ///
    /// # Panics
    /// With the whole report.
    pub fn must_be_unbroken(&self) {
        let never = self.histories.iter().filter(|h| h.seen.iter().all(|s| s.outcome.records().is_empty()));
        assert_eq!(never.count(), 0, "some questions were never answered:\n{self}");
        assert!(self.broken().is_empty(), "{} breaks:\n{self}", self.broken().len());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for history in &self.histories {
            writeln!(f, "{} (asked {} times)", history.question, history.asked())?;
            for seen in &history.seen {
                writeln!(f, "  {:>8.2} s  {:>5} x  {}", seen.at.as_secs_f64(), seen.times, seen.outcome)?;
            }
        }
        Ok(())
    }
}

/// Asks until it is stopped.
pub struct Watcher {
    histories: Arc<Mutex<Vec<History>>>,
    stop: Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Ask `at` each of `questions` (`name TYPE`) once a `period`. It runs in a thread of its own, so that a test that
/// waits for a process does not stop it.
///
/// # Panics
/// When a question is not a name and a type.
#[must_use]
pub fn watch(at: SocketAddr, questions: &[&str], period: Duration) -> Watcher {
    let histories: Vec<_> =
        questions.iter().map(|q| History { question: (*q).to_owned(), seen: Vec::new() }).collect();
    for question in questions {
        assert!(question.split_once(' ').is_some(), "{question:?} is not `name TYPE`");
    }
    let histories = Arc::new(Mutex::new(histories));
    let (stop, stopped) = channel(false);
    let shared = Arc::clone(&histories);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(at, period, &shared, stopped));
    });
    Watcher { histories, stop, thread: Some(thread) }
}

async fn run(
    at: SocketAddr,
    period: Duration,
    histories: &Arc<Mutex<Vec<History>>>,
    stopped: Receiver<bool>,
) {
    let begun = Instant::now();
    let count = histories.lock().unwrap().len();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..count {
        let (histories, mut stopped) = (Arc::clone(histories), stopped.clone());
        let question = histories.lock().unwrap()[n].question.clone();
        tasks.spawn(async move {
            let (name, rtype) = question.split_once(' ').expect("checked before");
            // Spread over the period, so that they do not come in one burst.
            let mut tick = tokio::time::interval(period);
            tick.reset_after(period * u32::try_from(n).unwrap_or(0) / u32::try_from(count).unwrap_or(1));
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    _ = stopped.changed() => return,
                }
                // A question under way is finished: its loss would be ours.
                let outcome = ask(at, name, rtype, PATIENCE).await;
                note(&mut histories.lock().unwrap()[n], begun.elapsed(), outcome);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

fn note(history: &mut History, at: Duration, outcome: Outcome) {
    match history.seen.last_mut() {
        Some(last) if last.outcome == outcome => last.times += 1,
        _ => history.seen.push(Seen { at, times: 1, outcome }),
    }
}

impl Watcher {
    /// What was seen so far.
    #[must_use]
    pub fn report(&self) -> Report {
        Report { histories: self.histories.lock().unwrap().clone() }
    }

    /// Wait until every question was asked so many more times.
    pub async fn rounds(&self, n: u32) {
        let before: Vec<u32> = self.report().histories.iter().map(History::asked).collect();
        pdm_harness::until("the watcher's next rounds", || async {
            let now = self.report();
            let short = now.histories.iter().zip(&before).find(|(h, b)| h.asked() < *b + n);
            short.map_or(Ok(()), |(h, _)| Err(format!("{} was asked {} times", h.question, h.asked())))
        })
        .await;
    }

    /// Stop, and answer what was seen.
    ///
    /// # Panics
    /// When the watcher's thread panicked.
    #[must_use]
    pub fn stop(mut self) -> Report {
        self.end().expect("the watcher");
        self.report()
    }

    fn end(&mut self) -> std::thread::Result<()> {
        let _ = self.stop.send(true);
        self.thread.take().map_or(Ok(()), std::thread::JoinHandle::join)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.end();
        if std::thread::panicking() {
            eprintln!("--- what the watcher saw:\n{}", self.report());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn history(outcomes: &[Outcome]) -> Report {
        let mut history = History { question: "acme.com MX".into(), seen: Vec::new() };
        for (n, outcome) in (0..).zip(outcomes) {
            note(&mut history, Duration::from_secs(n), outcome.clone());
        }
        Report { histories: vec![history] }
    }

    fn answer() -> Outcome {
        Outcome::Answer { records: BTreeSet::from(["10 mx.acme.com.".to_owned()]), authentic: true }
    }

    #[test]
    fn what_never_broke_is_unbroken() {
        let report = history(&[Outcome::NoData, answer(), answer(), answer()]);
        assert_eq!((report.asked(), report.of("acme.com MX").seen.len()), (4, 2));
        report.must_be_unbroken();
    }

    #[test]
    fn a_loss_a_servfail_and_silence_are_breaks() {
        for bad in [Outcome::NxDomain, Outcome::ServFail(String::new()), Outcome::Silence(String::new())] {
            let report = history(&[answer(), bad.clone(), answer()]);
            assert_eq!(report.broken().len(), 1, "{report}");
            let line = report
                .table()
                .lines()
                .last()
                .unwrap()
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>();
            let failed = if bad == Outcome::ServFail(String::new()) { ["1", "0"] } else { ["0", "1"] };
            assert_eq!(line, ["acme.com", "MX", "3", failed[0], failed[1], "2"]);
        }
    }

    #[test]
    fn bogus_is_told_from_no_answer() {
        let of = |why: &str| history(&[answer(), Outcome::ServFail(why.to_owned()), answer()]);
        assert_eq!(of("error 9 no DNSKEY").bogus().len(), 1);
        let busy = of("error 22 no reachable authority");
        assert_eq!((busy.bogus().len(), busy.unanswered()), (0, 1));
        busy.must_never_be_bogus();
    }

    #[test]
    #[should_panic(expected = "acme.com MX")]
    fn an_answer_that_is_no_longer_authentic_is_noticed() {
        let plain = Outcome::Answer { records: BTreeSet::from(["x".to_owned()]), authentic: false };
        history(&[answer(), plain]).must_never_be_bogus();
    }

    #[test]
    #[should_panic(expected = "never answered")]
    fn a_question_without_an_answer_proves_nothing() {
        history(&[Outcome::NoData]).must_be_unbroken();
    }
}
