//! Receiving jobs: a handle on the task that keeps a consumer running whatever happens to the broker.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::health::{Health, Phase, SupervisorCommand};
use crate::supervisor::Supervisor;
use crate::{Broker, Delivery};

/// How to consume.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Most messages that are with this consumer unsettled: the only bound on the memory their bodies take.
    pub prefetch: u16,
}

/// A handle on a running consumer; dropping it stops the consumer, and what is unsettled then is delivered again.
#[derive(Debug)]
pub struct Consumer {
    command: watch::Sender<SupervisorCommand>,
    health: watch::Receiver<Health>,
    task: JoinHandle<()>,
}

impl Consumer {
    /// Starts to consume jobs, on a connection of its own. It never gives up: it connects as soon as the broker is there,
    /// and again after any loss. Deliveries that wait in the receiver when a connection is lost are no longer
    /// [`Delivery::is_live`]; the broker delivers them again.
    ///
    /// Needs the tokio runtime, and all work of more than a millisecond must be kept off its threads, lest heartbeats starve.
    pub fn start(broker: Broker, settings: ConsumerSettings) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, receiver) = mpsc::channel(usize::from(settings.prefetch.max(1)));
        let (command, commands) = watch::channel(SupervisorCommand::Consume);
        let (report, health) = watch::channel(Health { phase: Phase::Connecting, reconnects: 0, last_error: None });
        let supervisor = Supervisor::new(broker, settings.prefetch, deliveries, commands, report);
        (Self { command, health, task: tokio::spawn(supervisor.run()) }, receiver)
    }

    /// Receives nothing more until [`Consumer::resume`]; the connection stays. What was not handed out is given back.
    pub fn pause(&self) {
        self.change(SupervisorCommand::Pause);
    }

    /// Receives again.
    pub fn resume(&self) {
        self.change(SupervisorCommand::Consume);
    }

    /// Ends receiving for good and waits until nothing more can arrive: the receiver then yields what it holds and ends.
    /// The connection stays, so that what was received can be settled, until [`Consumer::stop`].
    pub async fn drain(&self) {
        self.change(SupervisorCommand::Drain);
        self.reach(|phase| matches!(phase, Phase::Drained | Phase::Stopped)).await;
    }

    /// Closes the connection; what is unsettled is delivered again, here or elsewhere.
    pub async fn stop(self) {
        let _ = self.command.send(SupervisorCommand::Stop);
        let _ = self.task.await;
    }

    /// How it is now.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// To be told of every change.
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Waits until it receives for the first time or again.
    pub async fn consuming(&self) {
        self.reach(|phase| matches!(phase, Phase::Consuming | Phase::Stopped)).await;
    }

    /// Draining is for good.
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
        // The sender is gone only when the task is, so there is nothing to wait for.
        let _ = self.health.clone().wait_for(|health| phase(health.phase)).await;
    }
}
