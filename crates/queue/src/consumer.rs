//! Receiving jobs: a handle on the task that keeps a consumer running whatever happens to the broker.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::health::{Health, Phase, SupervisorCommand};
use crate::supervisor::Supervisor;
use crate::{Broker, Delivery};

/// How to consume.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Maximum number of unsettled messages: the only bound on the memory that their bodies take.
    pub prefetch: u16,
}

/// A handle on a running consumer. Dropping it stops the consumer; unsettled messages are redelivered.
#[derive(Debug)]
pub struct Consumer {
    command: watch::Sender<SupervisorCommand>,
    health: watch::Receiver<Health>,
    task: JoinHandle<()>,
}

impl Consumer {
    /// Starts to consume jobs on a connection of its own. It never gives up: it connects as soon as the broker is available,
    /// and reconnects after any loss. Deliveries that are in the receiver when a connection is lost are no longer
    /// [`Delivery::is_live`]; the broker redelivers them.
    ///
    /// Needs a tokio runtime. Work of more than a millisecond must not run on its threads, or heartbeats are missed.
    pub fn start(broker: Broker, settings: ConsumerSettings) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, receiver) = mpsc::channel(usize::from(settings.prefetch.max(1)));
        let (command, commands) = watch::channel(SupervisorCommand::Consume);
        let (report, health) = watch::channel(Health { phase: Phase::Connecting, reconnects: 0, last_error: None });
        let supervisor = Supervisor::new(broker, settings.prefetch, deliveries, commands, report);
        (Self { command, health, task: tokio::spawn(supervisor.run()) }, receiver)
    }

    /// Receives nothing until [`Consumer::resume`]; the connection stays open. Deliveries not yet handed out are requeued.
    pub fn pause(&self) {
        self.change(SupervisorCommand::Pause);
    }

    /// Resumes after [`Consumer::pause`].
    pub fn resume(&self) {
        self.change(SupervisorCommand::Consume);
    }

    /// Stops receiving for good and waits until nothing more can arrive: the receiver then yields what it holds and ends.
    /// The connection stays open until [`Consumer::stop`], so that received messages can be settled.
    pub async fn drain(&self) {
        self.change(SupervisorCommand::Drain);
        self.reach(|phase| matches!(phase, Phase::Drained | Phase::Stopped)).await;
    }

    /// Closes the connection; unsettled messages are redelivered, here or elsewhere.
    pub async fn stop(self) {
        let _ = self.command.send(SupervisorCommand::Stop);
        let _ = self.task.await;
    }

    /// The current state.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// A receiver that is notified of every change of the state.
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Waits until it is consuming.
    pub async fn consuming(&self) {
        self.reach(|phase| matches!(phase, Phase::Consuming | Phase::Stopped)).await;
    }

    /// Draining is final.
    fn change(&self, command: SupervisorCommand) {
        self.command.send_if_modified(|now| {
            let change = *now != command && !matches!(now, SupervisorCommand::Drain | SupervisorCommand::Stop);
            if change {
                *now = command;
            }
            change
        });
    }

    async fn reach(&self, phase: impl Fn(Phase) -> bool) {
        // The sender is dropped only when the task ends, and then there is nothing to wait for.
        let _ = self.health.clone().wait_for(|health| phase(health.phase)).await;
    }
}
