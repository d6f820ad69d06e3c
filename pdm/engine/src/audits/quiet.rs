//! Servers that say nothing: asked last for the rest of a round, so that a dead one does not hold up all the others.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Looks in a row without an answer after which a server is asked last.
const QUIET: u32 = 16;

/// Looks in a row without an answer, by server.
pub(super) struct Quiet(Vec<AtomicU32>);

impl Quiet {
    /// So many servers, all of which are taken to answer.
    pub(super) fn new(servers: usize) -> Self {
        Self((0..servers).map(|_| AtomicU32::new(0)).collect())
    }

    /// Whom to ask for the look with this number, and whom after that: all in turn, the quiet ones last.
    pub(super) fn order(&self, turn: usize) -> Vec<usize> {
        let count = self.0.len();
        let mut all: Vec<usize> = (0..count).map(|n| (turn % count + n) % count).collect();
        all.sort_by_key(|at| self.is_quiet(*at));
        all
    }

    pub(super) fn heard(&self, server: usize) {
        self.0[server].store(0, Relaxed);
    }

    pub(super) fn silent(&self, server: usize) {
        self.0[server].fetch_add(1, Relaxed);
    }

    /// Nobody says anything: what the rest of a round would show is known.
    pub(super) fn all(&self) -> bool {
        (0..self.0.len()).all(|at| self.is_quiet(at))
    }

    /// How many say nothing.
    pub(super) fn count(&self) -> u32 {
        (0..self.0.len()).map(|at| u32::from(self.is_quiet(at))).sum()
    }

    fn is_quiet(&self, server: usize) -> bool {
        self.0[server].load(Relaxed) >= QUIET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_in_turn_and_quiet_ones_last_until_they_speak() {
        let quiet = Quiet::new(3);
        assert_eq!((quiet.order(0), quiet.order(4)), (vec![0, 1, 2], vec![1, 2, 0]));
        (0..QUIET).for_each(|_| quiet.silent(1));
        assert_eq!((quiet.order(0), quiet.order(4)), (vec![0, 2, 1], vec![2, 0, 1]));
        assert_eq!((quiet.count(), quiet.all()), (1, false));
        (0..QUIET).for_each(|_| [0, 2].iter().for_each(|at| quiet.silent(*at)));
        assert!(quiet.all());
        quiet.heard(1);
        assert_eq!((quiet.order(1), quiet.all()), (vec![1, 2, 0], false));
    }
}
