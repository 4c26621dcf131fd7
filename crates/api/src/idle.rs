//! Connections that wait for a request. When there is no room for another connection, the one that has waited longest gives way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The idle connections, the longest idle first.
#[derive(Clone, Default)]
pub(crate) struct IdleConnections(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, Arc<Notify>>,
}

/// One connection's place among the idle ones.
pub(crate) struct Activity {
    connections: IdleConnections,
    give_way: Arc<Notify>,
    /// Its place, while it is idle.
    place: Mutex<Option<u64>>,
}

impl IdleConnections {
    /// A connection that has just been accepted, and is idle.
    pub(crate) fn connected(&self) -> Arc<Activity> {
        let activity = Activity { connections: self.clone(), give_way: Arc::default(), place: Mutex::default() };
        activity.idle();
        Arc::new(activity)
    }

    /// Asks the connection that has been idle for longest to give way, if there is one.
    pub(crate) fn make_room(&self) {
        let longest = self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_first();
        if let Some((_, give_way)) = longest {
            give_way.notify_one();
        }
    }
}

impl Activity {
    /// A request has begun.
    pub(crate) fn busy(&self) {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(place) = place {
            self.connections.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&place);
        }
    }

    /// It waits for a request.
    pub(crate) fn idle(&self) {
        let mut queue = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = queue.next;
        queue.next += 1;
        queue.waiting.insert(place, Arc::clone(&self.give_way));
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    /// Waits until it is asked to give way.
    pub(crate) async fn asked_to_give_way(&self) {
        self.give_way.notified().await;
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.busy();
    }
}
