//! How Portcullis is asked: over few connections, which are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_tower::Portcullis;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Api, World};

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_few_connections() {
    let world = World::new().await;
    let key = world.any_key().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (target, opened) = (world.server.url.replace("http://", ""), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&opened);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut to = TcpStream::connect(&target).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let portcullis = Portcullis::at(&url, &world.server.operator).unwrap();
    let portcullis = portcullis.timeout(std::time::Duration::from_mins(1));
    let api = Api::behind(portcullis.resource("contacts"));
    for _ in 0..200 {
        api.get(&key.token).await.passes();
    }
    let one_by_one = opened.load(Ordering::Relaxed);
    // A connection is given back a moment after its answer was read, so the next question may find the first one still taken.
    assert!(one_by_one <= 8, "{one_by_one} connections for 200 requests, one by one");

    // Layers made of the same `Portcullis` share its connections.
    let other = Api::behind(portcullis.live_key());
    for _ in 0..3 {
        let requests = (0..200).map(|count| if count % 2 == 0 { api.get(&key.token) } else { other.get(&key.token) });
        for answer in futures_util::future::join_all(requests).await {
            answer.passes();
        }
    }
    let together = opened.load(Ordering::Relaxed);
    assert!(together <= 100, "{together} connections for 600 requests");
    assert_eq!((api.calls(), other.calls()), (500, 300));
}
