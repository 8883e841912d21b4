//! What lies between a node and its database: a wire that a test can damage.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Sound,
    /// It is lost, and nobody is told. A connection that has lost something is silent from then on, also when the wire is mended,
    /// as behind a router that has forgotten it.
    Drops,
    /// It arrives when the wire is mended, as TCP sends again what was lost.
    Holds,
    /// Every connection is closed at once, and so is every new one.
    Cut,
    /// It arrives so much later.
    Delays(Duration),
    /// Only what the node sends arrives, and the answers are lost.
    CarriesQuestions,
    /// Only what the database sends arrives.
    CarriesAnswers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToDatabase,
    ToNode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Lost,
    Waits,
    Late(Duration),
}

impl Wire {
    fn fate(self, way: Way) -> Fate {
        match (self, way) {
            (Self::Sound | Self::Cut, _)
            | (Self::CarriesQuestions, Way::ToDatabase)
            | (Self::CarriesAnswers, Way::ToNode) => Fate::Passes,
            (Self::Drops, _) | (Self::CarriesQuestions, Way::ToNode) | (Self::CarriesAnswers, Way::ToDatabase) => {
                Fate::Lost
            }
            (Self::Holds, _) => Fate::Waits,
            (Self::Delays(by), _) => Fate::Late(by),
        }
    }
}

/// The wire of one node; it is gone when this is.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    pub(crate) async fn start(database_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = watch::Sender::new(Wire::Sound);
        let mut seen = wire.subscribe();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        if let Ok((near, _)) = accepted && *seen.borrow_and_update() != Wire::Cut {
                            tokio::spawn(carry(near, database_port, seen.clone()));
                        }
                    }
                    // Nobody can damage it any more: the test is over.
                    gone = seen.changed() => if gone.is_err() { return },
                }
            }
        });
        Self { port, wire }
    }

    pub(crate) fn becomes(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

/// One connection, until an end of it closes, or it is cut.
async fn carry(near: TcpStream, database_port: u16, mut wire: watch::Receiver<Wire>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", database_port)).await else { return };
    let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
    let (from_node, to_node) = near.into_split();
    let (from_database, to_database) = far.into_split();
    let has_lost = AtomicBool::new(false);
    tokio::select! {
        () = pump(from_node, to_database, Way::ToDatabase, wire.clone(), &has_lost) => {}
        () = pump(from_database, to_node, Way::ToNode, wire.clone(), &has_lost) => {}
        _ = wire.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut wire: watch::Receiver<Wire>,
    has_lost: &AtomicBool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let fate = wire.borrow_and_update().fate(way);
        match fate {
            Fate::Passes => {}
            Fate::Lost => has_lost.store(true, Ordering::Relaxed),
            Fate::Waits => drop(wire.wait_for(|wire| wire.fate(way) != Fate::Waits).await),
            Fate::Late(by) => tokio::time::sleep(by).await,
        }
        let has_lost = has_lost.load(Ordering::Relaxed);
        if read == 0 && has_lost && way == Way::ToNode {
            // The node never hears that the database has hung up.
            std::future::pending::<()>().await;
        }
        if read == 0 || (!has_lost && to.write_all(&buffer[..read]).await.is_err()) {
            return;
        }
    }
}
