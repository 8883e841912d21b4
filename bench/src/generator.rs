//! The load whose latency counts, in one thread that has the second core to itself and never sleeps.
//!
//! In an open loop requests are due at fixed instants, whatever the server does, and a latency counts from when its request was due: a
//! server that stalls is charged for every request that had to wait meanwhile (no coordinated omission). In a closed one each connection
//! asks again as soon as it is answered.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Done;
use crate::asks::Ask;
use crate::connection::Connection;
use crate::histogram::Histogram;

/// Connections of a load, as many as wrk has.
pub(crate) const CONNECTIONS: usize = 64;
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a stream asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So often in a second.
    Open(f64),
    /// As soon as a connection is free.
    Closed,
}

/// Requests of one kind, over connections of their own. It ends when there is none left, or with the time.
pub(crate) struct Stream {
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) next: Box<dyn FnMut() -> Option<Rc<Ask>>>,
}

/// What came of a stream. All answers were right, or there is no outcome.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) latency: Histogram,
    pub(crate) seconds: f64,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub(crate) fn a_second(&self) -> f64 {
        self.latency.count() as f64 / self.seconds
    }

    /// The latency that so many of a thousand do not exceed, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "latencies of a benchmark are far below 2^52 ns")]
    pub(crate) fn within(&self, of_a_thousand: u64) -> f64 {
        self.latency.within(of_a_thousand) as f64 / 1_000.0
    }

    #[expect(clippy::cast_precision_loss, reason = "latencies of a benchmark are far below 2^52 ns")]
    pub(crate) fn most(&self) -> f64 {
        self.latency.most() as f64 / 1_000.0
    }
}

/// Runs streams side by side for some seconds.
pub(crate) fn run(address: &str, streams: Vec<Stream>, seconds: f64) -> Done<Vec<Outcome>> {
    let mut running = streams.into_iter().map(|stream| Running::new(address, stream)).collect::<Done<Vec<_>>>()?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(seconds);
    for stream in &mut running {
        stream.due = begun;
    }
    loop {
        let now = Instant::now();
        let mut open = now < end;
        for stream in &mut running {
            stream.send(now, end)?;
            stream.receive()?;
            open |= !stream.busy.is_empty() || stream.owes(end);
        }
        if !open {
            break;
        }
        if now > end + PATIENCE {
            return Err("the server does not answer what it was asked in its time".into());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(running.into_iter().map(|stream| Outcome { latency: stream.latency, seconds }).collect())
}

/// Asks for each once, over one connection, and looks at each answer.
pub(crate) fn check(address: &str, asks: &[Rc<Ask>]) -> Done<()> {
    let mut rest: VecDeque<_> = asks.iter().cloned().collect();
    let next = Box::new(move || rest.pop_front());
    run(address, vec![Stream { connections: 1, pace: Pace::Open(1e9), next }], 1e-3).map(|_| ())
}

/// Opens a connection and asks once.
pub(crate) fn open_and_ask(address: &str, ask: &Rc<Ask>) -> Done<Connection> {
    let mut connection = Connection::open(address)?;
    connection.send(Rc::clone(ask), Instant::now())?;
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answered) = connection.receive()? {
            answered.check()?;
            return Ok(connection);
        }
        if Instant::now() > end {
            return Err("the server does not answer".into());
        }
    }
}

struct Running {
    stream: Stream,
    connections: Vec<Connection>,
    free: Vec<usize>,
    busy: Vec<usize>,
    due: Instant,
    ended: bool,
    latency: Histogram,
}

impl Running {
    fn new(address: &str, stream: Stream) -> Done<Self> {
        let connections = (0..stream.connections).map(|_| Connection::open(address)).collect::<Done<Vec<_>>>()?;
        let (free, busy) = ((0..stream.connections).collect(), Vec::new());
        let (due, latency) = (Instant::now(), Histogram::default());
        Ok(Self { stream, connections, free, busy, due, ended: false, latency })
    }

    /// Whether requests are due that no connection was free for.
    fn owes(&self, end: Instant) -> bool {
        !self.ended && matches!(self.stream.pace, Pace::Open(_)) && self.due < end
    }

    fn send(&mut self, now: Instant, end: Instant) -> Done<()> {
        loop {
            let due = match self.stream.pace {
                Pace::Open(_) if self.due <= now && self.due < end => self.due,
                Pace::Closed if now < end => now,
                _ => return Ok(()),
            };
            if self.ended {
                return Ok(());
            }
            let Some(free) = self.free.pop() else { return Ok(()) };
            let Some(ask) = (self.stream.next)() else {
                self.ended = true;
                return Ok(());
            };
            self.connections.get_mut(free).ok_or("no such connection")?.send(ask, due)?;
            self.busy.push(free);
            if let Pace::Open(a_second) = self.stream.pace {
                self.due += Duration::from_secs_f64(1.0 / a_second);
            }
        }
    }

    fn receive(&mut self) -> Done<()> {
        let mut place = 0;
        while let Some(&number) = self.busy.get(place) {
            let connection = self.connections.get_mut(number).ok_or("no such connection")?;
            let Some(answered) = connection.receive()? else {
                place += 1;
                continue;
            };
            answered.check()?;
            if !answered.ask.aside {
                let spent = answered.due.elapsed().as_nanos();
                self.latency.record(u64::try_from(spent).unwrap_or(u64::MAX));
            }
            self.busy.swap_remove(place);
            self.free.push(number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::asks::{self, Answer, Asks};

    /// Answers each request with this status; the tenth waits this long.
    fn server(status: &'static str, stall: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4_096];
            for n in 1.. {
                if stream.read(&mut buffer).unwrap_or(0) == 0 {
                    return;
                }
                if n == 10 {
                    std::thread::sleep(stall);
                }
                stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_stall_is_charged_to_every_request_that_was_due_meanwhile() {
        let address = server("204 No Content", Duration::from_millis(200));
        let asks = Asks::new([asks::get("/", "Bearer x")]).unwrap();
        let stream = Stream { connections: 1, pace: Pace::Open(500.0), next: asks.in_turn() };
        let outcome = run(&address, vec![stream], 0.4).unwrap().remove(0);
        assert_eq!(outcome.latency.count(), 200, "what was due in that time was asked");
        // A hundred were due during the stall; a closed loop would have seen a single slow answer.
        assert!(outcome.within(800) > 30_000.0, "{}", outcome.within(800));
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let asks = Asks::new([asks::get("/", "Bearer x")]).unwrap();
        assert!(check(&server("401 Unauthorized", Duration::ZERO), asks.list()).is_err());
        let refused = Asks::new([asks::get("/", "Bearer x").rightly(Answer::Refused(401))]).unwrap();
        check(&server("401 Unauthorized", Duration::ZERO), refused.list()).unwrap();
    }
}
