//! The state of a consumer, and what its owner may ask of it: shared by the handle and the task behind it.

/// What a consumer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not connected, at the start or after a loss; keeps trying.
    Connecting,
    /// Receives.
    Consuming,
    /// Connected, receives nothing until resumed.
    Paused,
    /// Receives nothing more; what was received before can still be settled.
    Drained,
    /// Ended.
    Stopped,
}

/// A consumer's state for people and probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What it does now.
    pub phase: Phase,
    /// How often it reconnected after a loss.
    pub reconnects: u64,
    /// Why it is, or was last, not connected.
    pub last_error: Option<String>,
}

/// What the owner of a consumer asks of its supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupervisorCommand {
    Consume,
    Pause,
    Drain,
    Stop,
}
