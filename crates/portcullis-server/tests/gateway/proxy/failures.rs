//! An API that is not there, does not answer, answers nonsense, or breaks off.

use std::time::Duration;

use portcullis_server::App;
use portcullis_server::clock::Clock;
use portcullis_server::config::Config;
use tokio::net::TcpListener;

use super::super::GATE;
use super::{Api, OK, Proxied, Talk};

fn impatient(settings: &str) -> String {
    format!("{settings}response_timeout_seconds = 1\nidle_timeout_seconds = 1\nconnect_timeout_ms = 200\n")
}

#[tokio::test]
async fn an_api_that_is_not_there_is_a_bad_gateway() {
    let api = Api::answering(OK).await;
    api.task.abort();
    let proxied = Proxied::with(api, impatient).await;
    for line in ["GET /api/contacts", "DELETE /api/contacts/1"] {
        let answer = proxied.ask(proxied.request(line, &[])).await;
        answer.fails(502, "BAD_GATEWAY", None);
        assert!(answer.one("ratelimit-policy").contains("minute"));
    }
    // Nobody is told to send a body that nobody would take.
    let mut client = proxied.client().await;
    client.say(proxied.request("POST /api/contacts", &["Content-Length: 9", "Expect: 100-continue"])).await;
    assert_eq!(client.line().await, "HTTP/1.1 502 Bad Gateway");
}

#[tokio::test]
async fn what_cannot_be_connected_to_in_time_is_a_bad_gateway() {
    // TLS is spoken to what never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("url = \"https://{}\"", silent.local_addr().unwrap());
    let tls = |settings: &str| {
        let plain = settings.lines().find(|line| line.starts_with("url = ")).unwrap().to_owned();
        impatient(&settings.replace(&plain, &url))
    };
    let proxied = Proxied::with(Api::answering(OK).await, tls).await;
    proxied.ask(proxied.request("GET /api/contacts", &[])).await.fails(502, "BAD_GATEWAY", None);
    assert!(proxied.api.seen().is_empty());
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_is_a_bad_gateway() {
    for answer in [
        "",
        "\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 banana\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Half: ",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let api = Api::new(move |mut talk: Talk| async move {
            talk.next().await;
            talk.say(answer).await;
        });
        let proxied = Proxied::before(api.await).await;
        let got = proxied.ask(proxied.request("GET /api/contacts", &[])).await;
        got.fails(502, "BAD_GATEWAY", None);
        assert_eq!(proxied.api.seen().len(), 1, "{answer:?}: a new connection is no reason to ask again");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(1024 * 1024));
    let proxied = Proxied::before(
        Api::new(move |mut talk: Talk| {
            let endless = endless.clone();
            async move {
                talk.next().await;
                let _ = tokio::io::AsyncWriteExt::write_all(talk.stream.get_mut(), endless.as_bytes()).await;
            }
        })
        .await,
    )
    .await;
    proxied.ask(proxied.request("GET /api/contacts", &[])).await.fails(502, "BAD_GATEWAY", None);
}

#[tokio::test]
async fn an_api_that_does_not_answer_in_time_is_a_gateway_timeout_and_is_let_go() {
    let api = Api::new(|mut talk: Talk| async move {
        talk.next().await;
        talk.drained().await;
    });
    let proxied = Proxied::with(api.await, impatient).await;
    proxied.ask(proxied.request("GET /api/contacts", &[])).await.fails(504, "GATEWAY_TIMEOUT", None);
    proxied.api.is_left().await;
    let posted = proxied.request("POST /api/contacts", &["Content-Length: 2"]) + "ab";
    proxied.ask(posted).await.fails(504, "GATEWAY_TIMEOUT", None);
    assert_eq!(proxied.api.seen().len(), 2, "nothing is sent again");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_its_clients_fault_and_one_that_comes_slowly_is_none() {
    let proxied = Proxied::with(Api::answering(OK).await, impatient).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("POST /api/contacts", &["Content-Length: 8"])).await;
    for byte in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.say(byte).await;
    }
    assert_eq!(client.next().await.unwrap().status(), 200);
    client.say(proxied.request("POST /api/contacts", &["Content-Length: 8"]) + "abc").await;
    let answer = client.next().await.unwrap();
    answer.fails(408, "REQUEST_TIMEOUT", None);
    assert_eq!(answer.one("connection"), "close");
    assert_eq!(proxied.api.one().text(), "abcdefgh");
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_stalls_never_looks_whole() {
    for (head, stalls) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", true),
    ] {
        let api = Api::new(move |mut talk: Talk| async move {
            talk.next().await;
            talk.say(head).await;
            if stalls {
                talk.drained().await;
            }
        });
        let proxied = Proxied::with(api.await, impatient).await;
        for version in ["1.1", "1.0"] {
            let mut client = proxied.client().await;
            let request = proxied.request("GET /api/contacts", &[]).replace("HTTP/1.1", &format!("HTTP/{version}"));
            client.say(request).await;
            assert_eq!(client.head().await.unwrap().status(), 200);
            let mut rest = Vec::new();
            let ended = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut rest).await;
            let text = String::from_utf8_lossy(&rest);
            // A reset, or an end without the last chunk or before the length is reached.
            let looks_whole =
                ended.is_ok() && (version == "1.0" && !head.contains("Length") || text.contains("0\r\n\r\n"));
            assert!(!looks_whole, "HTTP/{version}, {head:?}: {text:?}");
        }
        proxied.api.is_left().await;
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_the_proxy_says_of_which_gate_and_why_and_does_not_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (taken, folder) = (taken.local_addr().unwrap().to_string(), tempfile::TempDir::new().unwrap());
    let missing = folder.path().join("missing").display().to_string();
    let empty = folder.path().join("empty").display().to_string();
    std::fs::write(&empty, "\n").unwrap();
    let free = "127.0.0.1:0".to_owned();
    for (number, (listen, more, words)) in [
        (&taken, String::new(), ["`gate.crm.upstream.listen`", &taken]),
        (&free, format!("authorization_file = \"{missing}\""), ["gate `crm`", &missing]),
        (&free, format!("authorization_file = \"{empty}\""), ["gate `crm`", &empty]),
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = format!("[gate.crm.upstream]\nurl = \"http://127.0.0.1:1\"\nlisten = \"{listen}\"\n{more}\n");
        let mut config = Config::read(&format!("{GATE}\n{upstream}"), std::iter::empty()).unwrap();
        config.listen = ([127, 0, 0, 1], 0).into();
        config.data = folder.path().join(format!("store{number}"));
        config.pepper_file = config.data.join("pepper");
        let app = App::open(config, Clock::System).await.unwrap();
        let error = portcullis_server::bind(app).await.unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}
