//! The task behind a consumer: connects, declares, consumes, and starts over after any loss.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::delivery::requeue;
use crate::health::{Health, Phase, SupervisorCommand};
use crate::timeout::within;
use crate::wire::Wire;
use crate::{Broker, Delivery, Error, Settled};

pub(crate) struct Supervisor {
    broker: Broker,
    /// Messages that may be unsettled at once.
    prefetch: u16,
    /// `None` once drained, so that the receiver ends.
    deliveries: Option<mpsc::Sender<Delivery>>,
    commands: watch::Receiver<SupervisorCommand>,
    health: watch::Sender<Health>,
    /// Receives deliveries that were dropped unsettled.
    returned: mpsc::UnboundedReceiver<Acker>,
    returns: mpsc::UnboundedSender<Acker>,
    /// How many more messages to take one at a time, after one that broke the connection: the broker counts a failed
    /// delivery for every message that was unsettled on it, so the bad one must be alone when it is delivered again.
    one_at_a_time: u32,
    /// When the current outage began, and the error last logged for it.
    outage: Option<(Instant, String)>,
}

/// Why a session ended.
enum End {
    Requested,
    Lost(Error),
}

/// The state of one connection.
#[derive(Default)]
struct Session {
    subscription: Option<lapin::Consumer>,
    /// Whether it receives one message at a time.
    single: bool,
    /// A delivery for which the receiver has no room yet.
    waiting: Option<Delivery>,
}

impl Supervisor {
    pub(crate) fn new(
        broker: Broker,
        prefetch: u16,
        deliveries: mpsc::Sender<Delivery>,
        commands: watch::Receiver<SupervisorCommand>,
        health: watch::Sender<Health>,
    ) -> Self {
        let (returns, returned) = mpsc::unbounded_channel();
        Self {
            broker,
            prefetch,
            deliveries: Some(deliveries),
            commands,
            health,
            returned,
            returns,
            one_at_a_time: 0,
            outage: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let limits = &self.broker.limits;
        let (first, most) = (limits.backoff_first, limits.backoff_most);
        let mut backoff = Backoff::new(first, most);
        loop {
            let began = Instant::now();
            let End::Lost(error) = self.connect_and_serve().await else { break };
            self.note_loss(&error);
            if matches!(error, Error::Unreadable { .. }) {
                self.one_at_a_time = 2 * u32::from(self.prefetch);
                // The broker is healthy and dead-letters the message only after several deliveries.
                backoff.reset();
            } else if began.elapsed() > most {
                backoff.reset();
            }
            tokio::select! {
                () = sleep(backoff.wait()) => {}
                () = ending(&mut self.commands) => break,
            }
        }
        // Without a connection nothing arrives and nothing can be settled, so a drain is complete.
        self.deliveries = None;
        self.set_phase(Phase::Drained);
        let _ = self.commands.wait_for(|command| *command == SupervisorCommand::Stop).await;
        self.set_phase(Phase::Stopped);
    }

    async fn connect_and_serve(&mut self) -> End {
        let opened = tokio::select! {
            () = ending(&mut self.commands) => return End::Requested,
            opened = open(&self.broker) => opened,
        };
        match opened {
            Ok((wire, channel)) => {
                let end = self.serve(&channel).await;
                wire.close().await;
                end
            }
            Err(error) => End::Lost(error),
        }
    }

    /// Receives, returns and follows commands until the channel is lost or the consumer is stopped.
    async fn serve(&mut self, channel: &Channel) -> End {
        let mut session = Session::default();
        let broker = self.broker.clone();
        let mut probing = Box::pin(probe(&broker, channel));
        loop {
            // A closed command channel means that the handle was dropped.
            let command = if self.commands.has_changed().is_err() {
                SupervisorCommand::Stop
            } else {
                *self.commands.borrow_and_update()
            };
            if let Err(error) = self.follow(command, channel, &mut session).await {
                return End::Lost(error);
            }
            if command == SupervisorCommand::Stop {
                return End::Requested;
            }
            let Session { subscription, waiting, .. } = &mut session;
            tokio::select! {
                _ = self.commands.changed() => {}
                Some(acker) = self.returned.recv() => {
                    if requeue(&acker, self.broker.limits.call).await == Settled::Lost {
                        tracing::debug!("cannot requeue a delivery of a lost connection");
                    }
                }
                received = next(subscription), if waiting.is_none() => match received {
                    Some(Ok(message)) => {
                        self.one_at_a_time = self.one_at_a_time.saturating_sub(1);
                        *waiting = Some(self.delivery(message));
                    }
                    Some(Err(source)) => return End::Lost(Error::receiving(source)),
                    None => return End::Lost(Error::Cancelled { queue: self.broker.topology.jobs_queue() }),
                },
                room = room(&self.deliveries), if waiting.is_some() => match (room, waiting.take()) {
                    (Some(room), Some(delivery)) => room.send(delivery),
                    // The receiver was dropped.
                    _ => return End::Requested,
                },
                error = &mut probing => return End::Lost(error),
            }
        }
    }

    /// Brings the subscription in line with the command, and reports the new phase.
    async fn follow(
        &mut self,
        command: SupervisorCommand,
        channel: &Channel,
        session: &mut Session,
    ) -> Result<(), Error> {
        if session.single && self.one_at_a_time == 0 && session.waiting.is_none() {
            self.unsubscribe(channel, session).await?;
        }
        match (command, &session.subscription) {
            (SupervisorCommand::Consume, None) => {
                session.single = self.one_at_a_time > 0;
                let prefetch = if session.single { 1 } else { self.prefetch.max(1) };
                session.subscription = Some(subscribe(&self.broker, channel, prefetch).await?);
            }
            (SupervisorCommand::Pause | SupervisorCommand::Drain | SupervisorCommand::Stop, Some(_)) => {
                self.unsubscribe(channel, session).await?
            }
            _ => {}
        }
        if command == SupervisorCommand::Drain {
            self.deliveries = None;
        }
        self.note_recovery();
        self.set_phase(match command {
            SupervisorCommand::Consume => Phase::Consuming,
            SupervisorCommand::Pause => Phase::Paused,
            SupervisorCommand::Drain | SupervisorCommand::Stop => Phase::Drained,
        });
        Ok(())
    }

    /// Cancels the subscription and requeues what was received but not handed out.
    async fn unsubscribe(&mut self, channel: &Channel, session: &mut Session) -> Result<(), Error> {
        let limit = self.broker.limits.call;
        let mut subscription = session.subscription.take();
        session.waiting = None;
        session.single = false;
        if let Some(consumer) = &subscription {
            let cancelling = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
            within("cancelling the consumer", limit, cancelling).await?;
        }
        // What arrived before the broker's answer is still in the stream, which ends after it.
        while let Ok(Some(Ok(message))) = timeout(limit, next(&mut subscription)).await {
            drop(self.delivery(message));
        }
        while let Ok(acker) = self.returned.try_recv() {
            let _ = requeue(&acker, limit).await;
        }
        Ok(())
    }

    fn delivery(&self, message: lapin::message::Delivery) -> Delivery {
        Delivery::new(message, self.returns.clone(), self.broker.limits.call)
    }

    fn set_phase(&self, phase: Phase) {
        self.health.send_if_modified(|health| {
            let change = health.phase != phase;
            health.phase = phase;
            change
        });
    }

    /// Logs a loss once, and again only when its cause changes.
    fn note_loss(&mut self, error: &Error) {
        let line = error.line();
        let queue = self.broker.topology.jobs_queue();
        match &self.outage {
            Some((_, known)) if *known == line => tracing::debug!(queue, error = line, "still not consuming"),
            _ if error.is_transient() => tracing::warn!(queue, error = line, "not consuming; retrying"),
            _ => tracing::error!(queue, error = line, "cannot consume; retrying"),
        }
        let since = self.outage.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        self.outage = Some((since, line.clone()));
        self.health.send_modify(|health| {
            health.phase = Phase::Connecting;
            health.last_error = Some(line);
        });
    }

    fn note_recovery(&mut self) {
        let queue = self.broker.topology.jobs_queue();
        if let Some((since, _)) = self.outage.take() {
            self.health.send_modify(|health| health.reconnects += 1);
            tracing::info!(queue, outage_s = since.elapsed().as_secs_f32(), "reconnected to the broker");
        } else if self.health.borrow().phase == Phase::Connecting {
            tracing::info!(queue, prefetch = self.prefetch, "connected to the broker");
        }
    }
}

/// A connection with everything declared, and a channel.
async fn open(broker: &Broker) -> Result<(Wire, Channel), Error> {
    let limit = broker.limits.call;
    let wire = broker.connect("consumer").await?;
    let channel = wire.channel(limit).await?;
    broker.topology.declare(&channel, limit).await?;
    Ok((wire, channel))
}

async fn subscribe(broker: &Broker, channel: &Channel, prefetch: u16) -> Result<lapin::Consumer, Error> {
    // Applies to consumers that are created afterwards.
    let limiting = channel.basic_qos(prefetch, BasicQosOptions::default());
    within("setting the prefetch", broker.limits.call, limiting).await?;
    let queue = broker.topology.jobs_queue();
    // The broker generates the consumer tag.
    let consuming =
        channel.basic_consume(queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    within(&format!("consuming from {queue}"), broker.limits.call, consuming).await
}

/// Periodically checks that the queue exists; returns the error when that fails. This detects a broker that hangs, a network
/// that drops everything, and a connection that stays blocked.
async fn probe(broker: &Broker, channel: &Channel) -> Error {
    let queue = broker.topology.jobs_queue();
    loop {
        sleep(broker.limits.probe).await;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let declaring = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default());
        if let Err(error) = within(&format!("probing {queue}"), broker.limits.call, declaring).await {
            return error;
        }
    }
}

/// The next item of a subscription; pending without one.
async fn next(subscription: &mut Option<lapin::Consumer>) -> Option<lapin::Result<lapin::message::Delivery>> {
    match subscription {
        Some(consumer) => poll_fn(|context| Pin::new(&mut *consumer).poll_next(context)).await,
        None => std::future::pending().await,
    }
}

/// Room for a delivery; `None` if the receiver was dropped.
async fn room(deliveries: &Option<mpsc::Sender<Delivery>>) -> Option<mpsc::Permit<'_, Delivery>> {
    deliveries.as_ref()?.reserve().await.ok()
}

/// Ends when the owner of the consumer drains or stops it.
async fn ending(commands: &mut watch::Receiver<SupervisorCommand>) {
    let _ = commands.wait_for(|command| matches!(command, SupervisorCommand::Drain | SupervisorCommand::Stop)).await;
}
