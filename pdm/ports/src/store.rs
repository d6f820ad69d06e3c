//! The store: coarse on purpose. Every method is one transaction, and the transaction never leaves the crate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pdm_carry_over::CarriedZone;
use pdm_model::pool_keys::PoolKeys;
use pdm_model::{
    Allocation, AuditEntry, Claim, Condition, Event, Observed, Operation, OperationKind, Phase, Proof,
    Refusal, Step, Timestamp, Who, ZoneName,
};
use serde_json::Value;

use crate::fault::Fault;

/// What a decision may look at. All of it was read inside the transaction, with the rows locked.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The store's time.
    pub now: Timestamp,
    /// The live allocation of the name.
    pub live: Option<Allocation>,
    /// Its open operation.
    pub open: Option<Operation>,
    /// For a reservation: a live allocation in the pool whose look is the same, by another name.
    pub similar: Option<ZoneName>,
    /// For a reservation: live allocations of the owner in the pool, quarantined ones not counted.
    pub owner_count: u32,
    /// For a release: names of the pool that entered `releasing` within the last hour.
    pub releases_last_hour: u32,
    /// For a name that its owner brings: the claims on it that are not over.
    pub claims: Vec<Claim>,
    /// For a name that its owner brings: live names above it, and brought ones below it.
    pub related: Vec<Related>,
}

/// A live name at, above or below another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The name.
    pub fqdn: ZoneName,
    /// Whose it is.
    pub owner: String,
}

/// Which facts a decision needs beyond the allocation.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// For a reservation: pool and look; the owner when its names are to be counted, which costs a look at each.
    pub reservation: Option<(ZoneName, String, Option<String>)>,
    /// For a release: count the pool's releases.
    pub releases_of: Option<ZoneName>,
    /// For a name that its owner brings: claims and names around it. Decisions under one registered domain take turns.
    pub byo: Option<ZoneName>,
}

/// What to write, all in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Write {
    /// Rows to insert or update, in this order.
    pub allocations: Vec<Allocation>,
    /// Close the open operation as superseded.
    pub supersede: bool,
    /// Open this operation.
    pub operation: Option<NewOperation>,
    /// Append to the audit log.
    pub audit: Vec<AuditEntry>,
    /// Claims to insert or update.
    pub claims: Vec<Claim>,
    /// Claims that are over, by identity.
    pub drop_claims: Vec<String>,
    /// A sealed credential to keep for an allocation.
    pub credential: Option<SealedCredential>,
}

/// A credential as it is kept: nobody reads it without the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedCredential {
    /// For which allocation.
    pub allocation: String,
    /// For which registrar.
    pub registrar: String,
    /// The sealed text, with the name of its key.
    pub sealed: String,
}

impl std::fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedCredential")
            .field("allocation", &self.allocation)
            .field("registrar", &self.registrar)
            .finish_non_exhaustive()
    }
}

/// An operation to open.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// Its id.
    pub id: String,
    /// Allocation it works for.
    pub allocation: String,
    /// Name of that allocation.
    pub fqdn: ZoneName,
    /// Why.
    pub kind: OperationKind,
    /// The generation it works towards.
    pub generation: i64,
    /// The process that opens it. Its lease tokens begin with this word and a hyphen.
    pub holder: String,
    /// Leased at birth, so that the replica that took the request starts at once: (token, time).
    pub lease: Option<(String, Duration)>,
    /// The longest call to a server. When another process holds what is superseded, one of its calls may still land:
    /// nobody leases the new operation before this time has passed.
    pub quiet: Duration,
}

/// A pure function from facts to writes. It may run more than once: databases ask for retries.
pub type Decision = Arc<dyn Fn(&Facts) -> Result<Write, Refusal> + Send + Sync>;

/// What came of a decision.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The store's time of the transaction.
    pub now: Timestamp,
    /// The live allocation afterwards, or the one that was freed by this decision.
    pub allocation: Option<Allocation>,
    /// The open operation afterwards.
    pub operation: Option<Operation>,
    /// The new operation was opened without its lease: see [`NewOperation::quiet`].
    pub quiet: bool,
}

/// A worker's timed hold on an operation.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The operation.
    pub operation: Operation,
    /// Its allocation at the time of leasing.
    pub allocation: Allocation,
    /// The fence.
    pub token: String,
}

/// What a worker writes down. Fenced by the lease token: zero rows is `Class::Fenced`.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// All steps as they stand now.
    pub steps: Vec<Step>,
    /// Move the phase.
    pub event: Option<Event>,
    /// Replace what was observed.
    pub observed: Option<Observed>,
    /// Replace the conditions.
    pub conditions: Option<Vec<Condition>>,
    /// Replace the receipt.
    pub proof: Option<Proof>,
    /// With `Event::Removed`: how long the name is kept from other owners.
    pub quarantine: Option<Duration>,
    /// What becomes of the lease.
    pub then: Then,
    /// Append to the audit log.
    pub audit: Vec<AuditEntry>,
}

/// What becomes of the lease after a checkpoint.
#[derive(Debug, Clone, Default)]
pub enum Then {
    /// Go on holding it for this long from now.
    Hold(Duration),
    /// Give it back and look again after this time.
    LookAgain(Duration),
    /// Every step is done: close the operation.
    #[default]
    Finish,
}

/// How a name is held, for `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The name that holds it: the same, or one that looks alike.
    pub fqdn: ZoneName,
    /// Its phase.
    pub phase: Phase,
    /// To whom.
    pub owner: String,
    /// End of a reservation or quarantine.
    pub until: Option<Timestamp>,
}

/// Which allocations to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this pool.
    pub pool: Option<ZoneName>,
    /// In this phase.
    pub phase: Option<Phase>,
    /// Of this owner.
    pub owner: Option<String>,
    /// With this text in their name, in lower case.
    pub text: Option<String>,
    /// Also those that are freed.
    pub freed: bool,
    /// After this name, in the order of names.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// How many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// In which pool.
    pub pool: ZoneName,
    /// In which phase.
    pub phase: Phase,
    /// So many.
    pub count: u64,
}

/// A few figures about open operations.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// Open operations by kind.
    pub open: Vec<(OperationKind, u64)>,
    /// Those waiting for something, by reason.
    pub waiting: u64,
    /// When the oldest of a kind began that waits for somebody; for nobody, too, when it does not wait.
    pub oldest: Vec<(OperationKind, Who, Timestamp)>,
}

/// One change of an operation, for the event stream.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Place in the store's order.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The operation as it stood.
    pub operation: Value,
}

/// What is remembered of a request with an Idempotency-Key.
#[derive(Debug, Clone, PartialEq)]
pub enum Remembered {
    /// Nothing: it is ours to carry out.
    Begin,
    /// Somebody carries it out right now.
    InProgress,
    /// The key was used with another body.
    OtherBody,
    /// It was answered with this.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body and headers worth repeating.
        response: Value,
    },
}

/// A stop of every write, for one pool or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The pool; none for all.
    pub pool: Option<ZoneName>,
    /// Who asked for it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// The store.
#[async_trait]
pub trait Store: Send + Sync {
    /// The store's time. Every deadline is compared with it.
    async fn now(&self) -> Result<Timestamp, Fault>;
    /// Read the facts of `name`, decide, write: one transaction.
    async fn decide(
        &self,
        name: &ZoneName,
        wanted: Wanted,
        decision: Decision,
    ) -> Result<Result<Decided, Refusal>, Fault>;
    /// Who holds `name`, or a name in `pool` with this look. Passed deadlines do not hold.
    async fn holder(&self, name: &ZoneName, pool: &ZoneName, look: &str) -> Result<Option<Held>, Fault>;

    /// Lease up to `limit` open operations that are due and not held, skipping frozen pools.
    async fn lease(&self, token: &str, ttl: Duration, limit: u32) -> Result<Vec<Lease>, Fault>;
    /// Write down progress under a lease.
    async fn checkpoint(
        &self,
        operation: &str,
        token: &str,
        checkpoint: Checkpoint,
    ) -> Result<Timestamp, Fault>;
    /// Let every lease with this token go, so that others go on at once (a graceful stop).
    async fn let_go(&self, token: &str) -> Result<(), Fault>;
    /// Do not wait for the backoff of this operation. False when it is not open.
    async fn hurry(&self, operation: &str) -> Result<bool, Fault>;

    /// Free reservations and quarantines whose time has passed; answers how many.
    async fn expire(&self, limit: u32) -> Result<u64, Fault>;
    /// Write down what a look found: conditions and observations of `allocation`, unless an operation is under way or the
    /// row changed since it was read (`updated_at`). A roll that rests, and whatever waits for a person, is not under way
    /// while nobody holds it. True when written.
    async fn note(
        &self,
        allocation: &Allocation,
        proof: Option<Proof>,
        audit: Vec<AuditEntry>,
    ) -> Result<bool, Fault>;

    /// The live allocation of a name, or the last freed one, with its open operation.
    async fn allocation(&self, name: &ZoneName) -> Result<Option<(Allocation, Option<Operation>)>, Fault>;
    /// A page of allocations in the order of names.
    async fn allocations(&self, filter: &Filter) -> Result<Vec<Allocation>, Fault>;
    /// One operation.
    async fn operation(&self, id: &str) -> Result<Option<Operation>, Fault>;
    /// Open operations, the oldest first.
    async fn open_operations(&self, limit: u32) -> Result<Vec<Operation>, Fault>;
    /// Changes of an operation after `seq`.
    async fn events(&self, operation: &str, after: i64) -> Result<Vec<StoredEvent>, Fault>;
    /// How many allocations there are by pool and phase.
    async fn counts(&self) -> Result<Vec<Count>, Fault>;
    /// Figures about open operations.
    async fn queue(&self) -> Result<Queue, Fault>;
    /// Audit log entries before `before` (newest first), filtered.
    async fn audit_log(
        &self,
        fqdn: Option<&ZoneName>,
        actor: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, Fault>;
    /// Append to the audit log what no decision wrote: refusals worth keeping, freezes.
    async fn audit(&self, entry: AuditEntry) -> Result<(), Fault>;

    /// Remember a request by principal, route and key, for 24 hours.
    async fn remember(&self, key: &str, body_digest: &str) -> Result<Remembered, Fault>;
    /// Its answer; none to forget it, so that a repeat tries again.
    async fn answer(&self, key: &str, answer: Option<(u16, Value)>) -> Result<(), Fault>;

    /// Stops in force.
    async fn freezes(&self) -> Result<Vec<Freeze>, Fault>;
    /// Begin or end a stop.
    async fn set_freeze(&self, pool: Option<&ZoneName>, on: bool, actor: &str) -> Result<(), Fault>;

    /// The highest place any operation was given.
    async fn mark(&self) -> Result<i64, Fault>;
    /// Make sure that new operations are placed after `mark` (recovery of an older store).
    async fn raise_mark(&self, mark: i64) -> Result<(), Fault>;
    /// Put an allocation back that only its zone's stamp remembers.
    async fn restore(&self, allocation: &Allocation, audit: AuditEntry) -> Result<bool, Fault>;
    /// Claims on a name that are not over.
    async fn claims(&self, name: &ZoneName) -> Result<Vec<Claim>, Fault>;
    /// Keep a sealed credential, in place of an older one.
    async fn put_credential(&self, credential: &SealedCredential) -> Result<(), Fault>;
    /// The sealed credential of an allocation.
    async fn credential(&self, allocation: &str) -> Result<Option<SealedCredential>, Fault>;
    /// Forget the credential of an allocation.
    async fn forget_credential(&self, allocation: &str) -> Result<(), Fault>;
    /// Every sealed credential, to seal it under another key.
    async fn credentials(&self) -> Result<Vec<SealedCredential>, Fault>;
    /// What was carried over for an allocation, with its version.
    async fn carried(&self, allocation: &str) -> Result<Option<(CarriedZone, i64)>, Fault>;
    /// Keep what was carried over, in place of this version (none: there is nothing yet). False when it is another by now.
    async fn put_carried(
        &self,
        allocation: &str,
        zone: &CarriedZone,
        before: Option<i64>,
        audit: Option<AuditEntry>,
    ) -> Result<bool, Fault>;
    /// What is kept of a pool's own keys, with its version.
    async fn pool_keys(&self, pool: &ZoneName) -> Result<Option<(PoolKeys, i64)>, Fault>;
    /// Keep it in place of this version (none: there is nothing yet). False when it is another by now.
    async fn put_pool_keys(
        &self,
        pool: &ZoneName,
        keys: &PoolKeys,
        before: Option<i64>,
        audit: Vec<AuditEntry>,
    ) -> Result<bool, Fault>;
    /// Drop answered requests and events that nobody asks for any more; answers how many.
    async fn prune(&self) -> Result<u64, Fault>;
}
