//! Rows to values and back. Columns are read by place, in the order of the lists here.

use pdm_model::{
    Allocation, KeyIntent, Mode, Operation, OperationKind, OperationState, Phase, Step, StepState, Timestamp,
    Who, ZoneName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::fault::Trouble;

/// Columns of an allocation behind a prefix, in the order of [`Fields::allocation`].
macro_rules! allocation_columns {
    ($p:literal) => {
        concat!(
            $p,
            "id, ",
            $p,
            "fqdn, ",
            $p,
            "pool, ",
            $p,
            "mode, ",
            $p,
            "owner, ",
            $p,
            "phase, ",
            $p,
            "generation, ",
            $p,
            "target, ",
            $p,
            "committed, ",
            $p,
            "commit_operation, ",
            $p,
            "suspended, ",
            $p,
            "legacy, ",
            $p,
            "created_by, ",
            $p,
            "request_key, ",
            $p,
            "reserved_at, ",
            $p,
            "expires_at, ",
            $p,
            "quarantined_until, ",
            $p,
            "conditions, ",
            $p,
            "observed, ",
            $p,
            "proof, ",
            $p,
            "updated_at, ",
            $p,
            "byo, ",
            $p,
            "keys"
        )
    };
}

/// Columns of an operation behind a prefix, in the order of [`Fields::operation`].
macro_rules! operation_columns {
    ($p:literal) => {
        concat!(
            $p,
            "id, ",
            $p,
            "seq, ",
            $p,
            "allocation, ",
            $p,
            "fqdn, ",
            $p,
            "kind, ",
            $p,
            "generation, ",
            $p,
            "state, ",
            $p,
            "steps, ",
            $p,
            "created_at, ",
            $p,
            "finished_at"
        )
    };
}

pub(crate) use {allocation_columns, operation_columns};

/// How many columns [`allocation_columns`] names.
const ALLOCATION_WIDTH: usize = 23;
/// How many columns [`operation_columns`] names.
const OPERATION_WIDTH: usize = 10;

/// A statement with its parameters.
pub(crate) type Bound<'q> = Query<'q, Any, AnyArguments>;

/// Reads the columns of a row from left to right.
pub(crate) struct Fields<'r> {
    row: &'r AnyRow,
    at: usize,
}

impl<'r> Fields<'r> {
    pub(crate) fn new(row: &'r AnyRow) -> Self {
        Self { row, at: 0 }
    }

    fn next(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    fn garbage(&self, why: impl std::fmt::Display) -> Trouble {
        Trouble::unreadable(format!("column {}: {why}", self.at.saturating_sub(1)))
    }

    pub(crate) fn int(&mut self) -> Result<i64, Trouble> {
        Ok(self.row.try_get(self.next())?)
    }

    pub(crate) fn maybe_int(&mut self) -> Result<Option<i64>, Trouble> {
        Ok(self.row.try_get(self.next())?)
    }

    pub(crate) fn text(&mut self) -> Result<&'r str, Trouble> {
        Ok(self.row.try_get(self.next())?)
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'r str>, Trouble> {
        Ok(self.row.try_get(self.next())?)
    }

    pub(crate) fn string(&mut self) -> Result<String, Trouble> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn maybe_string(&mut self) -> Result<Option<String>, Trouble> {
        Ok(self.maybe_text()?.map(str::to_owned))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Trouble> {
        self.int().map(Timestamp)
    }

    pub(crate) fn maybe_time(&mut self) -> Result<Option<Timestamp>, Trouble> {
        Ok(self.maybe_int()?.map(Timestamp))
    }

    pub(crate) fn name(&mut self) -> Result<ZoneName, Trouble> {
        let text = self.text()?;
        ZoneName::parse(text).map_err(|e| self.garbage(e))
    }

    pub(crate) fn maybe_name(&mut self) -> Result<Option<ZoneName>, Trouble> {
        let text = self.maybe_text()?;
        text.map(ZoneName::parse).transpose().map_err(|e| self.garbage(e))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Trouble> {
        let text = self.text()?;
        serde_json::from_str(text).map_err(|e| self.garbage(e))
    }

    pub(crate) fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Trouble> {
        let text = self.maybe_text()?;
        text.map(serde_json::from_str).transpose().map_err(|e| self.garbage(e))
    }

    pub(crate) fn word<T>(&mut self, known: fn(&str) -> Option<T>) -> Result<T, Trouble> {
        let text = self.text()?;
        known(text).ok_or_else(|| self.garbage("an unknown word"))
    }

    pub(crate) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Trouble> {
        let int = self.int()?;
        T::try_from(int).map_err(|_| self.garbage("out of range"))
    }

    pub(crate) fn allocation(&mut self) -> Result<Allocation, Trouble> {
        Ok(Allocation {
            id: self.string()?,
            fqdn: self.name()?,
            pool: self.name()?,
            mode: self.word(Mode::from_word)?,
            owner: self.string()?,
            phase: self.word(Phase::from_word)?,
            generation: self.int()?,
            target: self.maybe_json()?,
            committed: self.maybe_json()?,
            commit_operation: self.maybe_string()?,
            suspended: self.maybe_string()?,
            legacy: self.int()? != 0,
            created_by: self.maybe_string()?,
            request_key: self.maybe_string()?,
            reserved_at: self.time()?,
            expires_at: self.time()?,
            quarantined_until: self.maybe_time()?,
            conditions: self.json()?,
            observed: self.json()?,
            proof: self.maybe_json()?,
            updated_at: self.time()?,
            byo: self.maybe_json()?,
            keys: self.maybe_json()?.unwrap_or_default(),
        })
    }

    pub(crate) fn operation(&mut self) -> Result<Operation, Trouble> {
        Ok(Operation {
            id: self.string()?,
            seq: self.int()?,
            allocation: self.string()?,
            fqdn: self.name()?,
            kind: self.word(OperationKind::from_word)?,
            generation: self.int()?,
            state: self.word(OperationState::from_word)?,
            steps: self.json()?,
            created_at: self.time()?,
            finished_at: self.maybe_time()?,
        })
    }

    /// An allocation from the outer side of a join.
    pub(crate) fn maybe_allocation(&mut self) -> Result<Option<Allocation>, Trouble> {
        self.unless_missing(ALLOCATION_WIDTH, Self::allocation)
    }

    /// An operation from the outer side of a join.
    pub(crate) fn maybe_operation(&mut self) -> Result<Option<Operation>, Trouble> {
        self.unless_missing(OPERATION_WIDTH, Self::operation)
    }

    fn unless_missing<T>(
        &mut self,
        width: usize,
        read: fn(&mut Self) -> Result<T, Trouble>,
    ) -> Result<Option<T>, Trouble> {
        // The first column of both is the id, which is never null in its own table.
        if self.row.try_get::<Option<&str>, _>(self.at)?.is_none() {
            self.at += width;
            return Ok(None);
        }
        read(self).map(Some)
    }
}

/// A value as JSON text.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(|e| Trouble::invalid_write(format!("not JSON: {e}")))
}

/// An optional value as JSON text.
pub(crate) fn maybe_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, Trouble> {
    value.map(json).transpose()
}

/// Bind everything of an allocation, in the order of its columns, then its look.
pub(crate) fn bind_allocation<'q>(query: Bound<'q>, a: &Allocation) -> Result<Bound<'q>, Trouble> {
    Ok(query
        .bind(a.id.clone())
        .bind(a.fqdn.to_string())
        .bind(a.pool.to_string())
        .bind(a.mode.as_str())
        .bind(a.owner.clone())
        .bind(a.phase.as_str())
        .bind(a.generation)
        .bind(maybe_json(a.target.as_ref())?)
        .bind(maybe_json(a.committed.as_ref())?)
        .bind(a.commit_operation.clone())
        .bind(a.suspended.clone())
        .bind(i64::from(a.legacy))
        .bind(a.created_by.clone())
        .bind(a.request_key.clone())
        .bind(a.reserved_at.0)
        .bind(a.expires_at.0)
        .bind(a.quarantined_until.map(|t| t.0))
        .bind(json(&a.conditions)?)
        .bind(json(&a.observed)?)
        .bind(maybe_json(a.proof.as_ref())?)
        .bind(a.updated_at.0)
        .bind(maybe_json(a.byo.as_ref())?)
        .bind(if a.keys == KeyIntent::default() { None } else { Some(json(&a.keys)?) })
        .bind(pdm_model::reserved::look(a.subdomain())))
}

/// One when a step waits for something outside.
pub(crate) fn waiting(steps: &[Step]) -> i64 {
    i64::from(steps.iter().any(|s| s.state == StepState::Waiting))
}

/// For whom the step waits that waits for something outside.
pub(crate) fn waits_for(steps: &[Step]) -> Who {
    let waits = steps.iter().find(|s| s.state == StepState::Waiting).and_then(|s| s.wait_reason.as_ref());
    waits.map_or(Who::Nobody, |wait| wait.who)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widths_are_those_of_the_lists() {
        assert_eq!(allocation_columns!("a.").split(", ").count(), ALLOCATION_WIDTH);
        assert_eq!(operation_columns!("").split(", ").count(), OPERATION_WIDTH);
    }
}
