//! The one timer of a connection.
//!
//! Which limit applies changes several times a request, and moving a timer takes a lock. So the timer is left where
//! it is as long as it is early enough: when it goes off too early, it is set again to what is due by then. A request
//! that is answered at once costs one reading of the clock.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::wire::{Phase, Wire};
use super::{ConnectionLimits, now};

/// Where the timer stands while nothing is due.
const FAR: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    waiting: (Phase, u64),
    since: Instant,
    header_read_timeout: Duration,
    idle_timeout: Duration,
}

impl Alarm {
    /// For a connection that was accepted just now.
    pub(super) fn new(limits: &ConnectionLimits) -> Alarm {
        let since = now();
        let first = since.checked_add(limits.header_read_timeout).unwrap_or(since);
        Alarm {
            sleep: Box::pin(sleep_until(first)),
            waiting: (Phase::Head, 0),
            since,
            header_read_timeout: limits.header_read_timeout,
            idle_timeout: limits.idle_timeout,
        }
    }

    /// Ready with what the connection waited for too long. To be called whenever the connection can do nothing more.
    pub(super) fn poll(&mut self, wire: &Wire, cx: &mut Context<'_>) -> Poll<Phase> {
        let waiting = wire.phase();
        if waiting != self.waiting {
            self.waiting = waiting;
            if waiting.0 != Phase::Router {
                self.since = now();
            }
        }
        let due = self.due();
        if let Some(due) = due
            && due < self.sleep.deadline()
        {
            self.sleep.as_mut().reset(due);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let now = now();
            match due {
                Some(due) if due <= now => return Poll::Ready(waiting.0),
                Some(due) => self.sleep.as_mut().reset(due),
                // Whatever comes to be due while nothing is, moves the timer itself.
                None => self.sleep.as_mut().reset(now + FAR),
            }
        }
    }

    /// Handlers bound their own time and that of the body they read.
    fn due(&self) -> Option<Instant> {
        let limit = match self.waiting.0 {
            Phase::Head => self.header_read_timeout,
            Phase::Idle | Phase::Writing => self.idle_timeout,
            Phase::Router => return None,
        };
        self.since.checked_add(limit)
    }
}
