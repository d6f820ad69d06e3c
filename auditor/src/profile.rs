//! Profiles: which checks are excused where audits run, each with its reason.

use std::collections::BTreeMap;

use crate::checks::CHECKS;

/// The profile of servers on one machine.
pub const LOOPBACK: &str = include_str!("../profiles/loopback.txt");

/// Read a profile: a code and a reason a line; `#` begins a comment.
///
/// # Errors
/// The first line that names no check or gives no reason.
pub fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let (code, why) =
                line.split_once(' ').ok_or_else(|| format!("line {number}: no reason is given"))?;
            if !CHECKS.iter().any(|check| check.id == code) {
                return Err(format!("line {number}: there is no check {code}"));
            }
            Ok((code.to_owned(), why.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_of_one_machine_reads() {
        assert_eq!(read(LOOPBACK).unwrap().len(), 6);
        assert!(read("NOSUCH01 because").is_err() && read("BASIC01").is_err());
    }
}
