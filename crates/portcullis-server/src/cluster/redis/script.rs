//! The script that Redis runs, and how it is asked.

use portcullis_core::window::{EXACT, Fit, Look};
use redis::RedisError;
use redis::aio::ConnectionLike;

use super::look;
use crate::verify::limiter::Windows;

/// The server's own clock, which all nodes share.
pub(super) const OWN_CLOCK: &str =
    "local time = redis.call('TIME')\nlocal now = time[1] * 1000 + math.floor(time[2] / 1000)\n";

#[derive(Debug)]
pub(super) struct Script {
    script: redis::Script,
}

/// What the script says of one subject.
#[derive(Debug)]
pub(super) struct Asked {
    now: i64,
    seq: i64,
    pub(super) looks: Vec<Look>,
}

impl Asked {
    /// Whether every window has room.
    pub(super) fn fits(&self) -> bool {
        self.looks.iter().all(|look| look.fit == Fit::Now)
    }
}

impl Script {
    /// With these lines before it, which set `now`.
    pub(super) fn new(clock: &str) -> Self {
        Self { script: redis::Script::new(&format!("{clock}{}", include_str!("windows.lua"))) }
    }

    pub(super) async fn load(&self, connection: &mut impl ConnectionLike) -> Result<(), RedisError> {
        self.script.prepare_invoke().load_async(connection).await.map(drop)
    }

    pub(super) async fn ask(
        &self,
        connection: &mut impl ConnectionLike,
        windows: &Windows,
        what: &str,
        cost: u32,
    ) -> Result<Asked, RedisError> {
        let answer: Vec<i64> = self.invocation(windows, what, cost, (0, 0)).invoke_async(connection).await?;
        let (head, looks) = answer.split_at_checked(2).unwrap_or((&[0, 0], &[]));
        let looks = looks.as_chunks::<3>().0.iter().map(|&[taken, leaves, room]| look(taken, leaves, room)).collect();
        let (now, seq) = (head.first().copied().unwrap_or(0), head.last().copied().unwrap_or(0));
        Ok(Asked { now, seq, looks })
    }

    /// Gives back what was charged and then not used.
    pub(super) async fn refund(
        &self,
        connection: &mut impl ConnectionLike,
        windows: &Windows,
        asked: &Asked,
        cost: u32,
    ) -> Result<(), RedisError> {
        self.invocation(windows, "refund", cost, (asked.seq, asked.now)).invoke_async(connection).await
    }

    fn invocation<'a>(
        &'a self,
        windows: &Windows,
        what: &str,
        cost: u32,
        (seq, at): (i64, i64),
    ) -> redis::ScriptInvocation<'a> {
        let mut invocation = self.script.prepare_invoke();
        // What is in braces decides on which server of a Redis cluster a key lives: all of a subject's on the same.
        let key = |part: String| format!("portcullis:{{{}}}:{part}", windows.subject);
        invocation.key(key("requests".to_owned()));
        for window in windows.list().iter().filter(|window| window.limit > EXACT) {
            invocation.key(key(format!("segments:{}", window.millis)));
        }
        invocation.arg(what).arg(cost).arg(seq).arg(at);
        for window in windows.list() {
            invocation.arg(window.limit).arg(window.millis);
        }
        invocation
    }
}
