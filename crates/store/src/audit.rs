//! The audit log: entries that are only ever added, each with the hash of the one before.
//!
//! A change, a removal or another order of entries shows in the hashes that follow. The removal of the last ones does not: keep the hash
//! of the last entry elsewhere, and [`AuditChain`] compares.

use std::fmt;

use sha2::{Digest, Sha256};
use shenfen_core::Tenant;
use thiserror::Error;
use time::OffsetDateTime;

use crate::timestamp;

/// In the place of a tenant's name.
const ALL_TENANTS: &str = "*";

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// Stored results were shown in clear.
    Reveal,
    /// Dead letters were published again.
    Redrive,
    /// Dead letters were deleted.
    Purge,
    /// Results, and what was known of their jobs, were erased.
    Erase,
    /// A batch was paused.
    Pause,
    /// A batch was resumed.
    Resume,
    /// A batch was cancelled.
    Cancel,
}

impl AuditAction {
    /// The name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditAction::Reveal => "reveal",
            AuditAction::Redrive => "redrive",
            AuditAction::Purge => "purge",
            AuditAction::Erase => "erase",
            AuditAction::Pause => "pause",
            AuditAction::Resume => "resume",
            AuditAction::Cancel => "cancel",
        }
    }
}

/// An act to be recorded, before it is done. No `Debug`: a reason or a subject may name a person.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Whose data it concerns; `None` for that of all tenants.
    pub tenant: Option<Tenant>,
    /// Who does it: a key of the HTTP service, or a user of the operating system.
    pub actor: String,
    /// What is done.
    pub action: AuditAction,
    /// What it is done to: a job, or the selection of a command.
    pub subject: String,
    /// To how many jobs, results or dead letters; `None` where that is not known before.
    pub amount: Option<u64>,
    /// Why, in the actor's words.
    pub reason: String,
}

impl AuditRecord {
    /// The tenant as the table has it.
    pub(crate) fn tenant_name(&self) -> &str {
        self.tenant.as_ref().map_or(ALL_TENANTS, Tenant::as_str)
    }
}

/// The proof that an act is recorded. Only a store makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub(crate) seq: i64,
    pub(crate) hash: String,
}

impl Recorded {
    /// The entry's number.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// The entry's hash.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// An entry as it stands in the table. The action is a word of whichever version wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, from 1 and without gaps.
    pub seq: i64,
    /// When it was recorded, to the millisecond.
    pub at: OffsetDateTime,
    /// Whose data it concerns; `*` for that of all tenants.
    pub tenant: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// To how many.
    pub amount: Option<i64>,
    /// Why.
    pub reason: String,
    /// The hash of the entry before; empty in the first one.
    pub previous_hash: String,
    /// SHA-256 of all of it, in hexadecimal.
    pub hash: String,
}

impl AuditEntry {
    /// The time as it is hashed: RFC 3339 in UTC with milliseconds.
    pub fn time(&self) -> String {
        timestamp::to_text(self.at)
    }

    /// The hash that belongs to what the entry says. Each field is hashed with its length in bytes, as `LENGTH:FIELD`.
    pub fn computed_hash(&self) -> String {
        let amount = self.amount.map(|amount| amount.to_string()).unwrap_or_default();
        let (seq, at) = (self.seq.to_string(), self.time());
        let AuditEntry { tenant, actor, action, subject, reason, previous_hash, .. } = self;
        let fields = [previous_hash, &seq, &at, tenant, actor, action, subject, &amount, reason];
        let mut hash = Sha256::new();
        for field in fields {
            hash.update(format!("{}:{field}", field.len()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is wrong with an audit log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuditFault {
    /// An entry is missing, or stands in another place.
    #[error("entry {expected} of the audit log is missing: entry {found} follows")]
    Missing {
        /// The number that should come next.
        expected: i64,
        /// The number that comes.
        found: i64,
    },
    /// An entry does not follow from the one before, or says something else than it did.
    #[error("entry {seq} of the audit log was changed, or one before it")]
    Changed {
        /// Its number.
        seq: i64,
    },
    /// The entry whose hash was kept is not there.
    #[error("no entry of the audit log has the hash that was kept: entries were removed or changed")]
    Lost,
}

/// Entries checked one after another, the first one first.
#[derive(Clone, Debug, Default)]
pub struct AuditChain {
    entries: i64,
    hash: String,
}

impl AuditChain {
    /// Checks the next entry.
    ///
    /// # Errors
    /// When it is not the one that was recorded after those before.
    pub fn check(&mut self, entry: &AuditEntry) -> Result<(), AuditFault> {
        let expected = self.entries + 1;
        if entry.seq != expected {
            return Err(AuditFault::Missing { expected, found: entry.seq });
        }
        if entry.previous_hash != self.hash || entry.hash != entry.computed_hash() {
            return Err(AuditFault::Changed { seq: entry.seq });
        }
        self.entries = entry.seq;
        self.hash.clone_from(&entry.hash);
        Ok(())
    }

    /// How many entries were checked.
    pub fn entries(&self) -> i64 {
        self.entries
    }

    /// The hash of the last one; empty if there was none.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
