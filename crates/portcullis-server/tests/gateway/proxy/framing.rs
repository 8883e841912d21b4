//! Where messages begin and end: in what the API gets, and in what the client gets.

use super::{Api, OK, PATIENCE, Proxied, Talk};

#[tokio::test]
async fn attack_15_what_could_be_two_requests_is_none() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let inner = "GET /api/contacts/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let long = inner.len();
    let post = "POST /api/contacts HTTP/1.1\r\nHost: h";
    let key = format!("X-API-Key: {}", proxied.token());
    for shape in [
        format!("{post}\r\n{key}\r\nContent-Length: {long}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nContent-Length: 0\r\nContent-Length: {long}\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nContent-Length: 0, {long}\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nContent-Length: +{long}\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nContent-Length: -1\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding: identity\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nTransfer-Encoding: chunked\r\n x: folded\r\n\r\n0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\nContent-Length: 0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nContent-Length: 0\n\n{inner}"),
        format!("{post}\r\n{key}\r\nX: a\rContent-Length: 9\r\nContent-Length: 0\r\n\r\n{inner}"),
        format!("{post}\r\n{key}\r\nHost: other\r\nContent-Length: 0\r\n\r\n{inner}"),
        format!("POST /api/contacts HTTP/1.1\r\n{key}\r\nContent-Length: 0\r\n\r\n{inner}"),
        format!("POST /api/contacts HTTP/1.0\r\n{key}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("POST /api/contacts HTTP/2.0\r\nHost: h\r\n{key}\r\nContent-Length: 0\r\n\r\n{inner}"),
    ] {
        let mut client = proxied.client().await;
        client.say(&shape).await;
        let answer = client.next().await.expect(&shape);
        answer.fails(400, "INVALID_REQUEST", None);
        assert!(client.next().await.is_none(), "{shape} has two answers");
        assert!(proxied.api.seen().is_empty(), "{shape}");
    }
}

#[tokio::test]
async fn attack_15_broken_chunks_never_become_a_whole_request() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let head = proxied.request("POST /api/contacts", &["Transfer-Encoding: chunked"]);
    let inner = "GET /api/contacts/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    for body in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3 x\r\nabc\r\n0\r\n\r\n",
    ] {
        let mut client = proxied.client().await;
        client.say(format!("{head}{body}{inner}")).await;
        let answer = client.next().await.expect(body);
        answer.fails(400, "INVALID_REQUEST", None);
        assert!(client.next().await.is_none(), "{body:?} has two answers");
        assert!(proxied.api.seen().is_empty(), "{body:?} reached the API whole");
    }
}

#[tokio::test]
async fn attack_15_extensions_and_trailers_of_chunks_stay_here_and_nothing_follows_a_chunked_body() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let head = proxied.request("POST /api/contacts", &["Transfer-Encoding: chunked", "Trailer: X-Portcullis-User-Id"]);
    let body = "3;ext=\"1\"\r\nabc\r\n0002\r\nde\r\n0;last\r\nX-Portcullis-User-Id: usr_spoofed\r\nX-T: 1\r\n\r\n";
    let mut client = proxied.client().await;
    client.say(format!("{head}{body}{}", proxied.request("GET /api/contacts/2", &[]))).await;
    let answer = client.next().await.unwrap();
    assert_eq!((answer.status(), answer.one("connection")), (200, "close"));
    assert!(client.next().await.is_none());
    let seen = proxied.api.one();
    assert_eq!((seen.text().as_str(), seen.one("transfer-encoding")), ("abcde", "chunked"));
    assert!(seen.trailers.is_empty() && seen.all("content-length").is_empty(), "{seen:?}");
}

#[tokio::test]
async fn bodies_have_the_length_that_their_senders_gave_them() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let mut client = proxied.client().await;
    for (line, lines, body, length) in [
        ("POST", &["Content-Length: 5"][..], "12345", Some("5")),
        ("POST", &["Content-Length: 0"], "", Some("0")),
        ("POST", &[], "", None),
        ("GET", &[], "", None),
        ("GET", &["Content-Length: 2"], "ab", Some("2")),
        ("DELETE", &["Content-Length: 2"], "ab", Some("2")),
        ("GET", &["Transfer-Encoding: chunked"], "2\r\nab\r\n0\r\n\r\n", None),
    ] {
        client.say(proxied.request(&format!("{line} /api/contacts"), lines) + body).await;
        assert_eq!(client.next().await.unwrap().status(), 200, "{line} {lines:?}");
        let seen = proxied.api.seen().pop().unwrap();
        assert_eq!(seen.all("content-length").first().copied(), length, "{line} {lines:?}");
        assert_eq!(seen.all("transfer-encoding").is_empty(), !body.contains("\r\n"), "{line} {lines:?}");
        assert_eq!(seen.text(), if body.contains("\r\n") { "ab" } else { body }, "{line} {lines:?}");
    }
    assert_eq!(proxied.api.seen().len(), 7);
    assert!(proxied.api.seen().iter().all(|seen| seen.number == 0), "a connection was not used again");
}

#[tokio::test]
async fn answers_without_a_body_have_none_and_keep_their_length() {
    let answers = |line: &str| match line.split(' ').nth(1).unwrap() {
        "/api/contacts/head" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "/api/contacts/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "/api/contacts/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 100\r\n\r\n",
        "/api/contacts/204" => "HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n",
        "/api/contacts/hints" => {
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        }
        _ => OK,
    };
    let api = Api::new(move |mut talk: Talk| async move {
        while let Some(seen) = talk.next().await {
            talk.say(answers(&seen.line)).await;
        }
    });
    let proxied = Proxied::before(api.await).await;
    let mut client = proxied.client().await;
    for (line, status, length) in [
        ("HEAD /api/contacts/head", 200, Some("100")),
        ("HEAD /api/contacts/chunked", 200, None),
        ("GET /api/contacts/304", 304, None),
        ("GET /api/contacts/204", 204, None),
        ("GET /api/contacts/hints", 200, Some("2")),
        ("GET /api/contacts/last", 200, Some("2")),
    ] {
        client.say(proxied.request(line, &[])).await;
        let seen = client.head().await.unwrap();
        assert_eq!((seen.status(), seen.all("content-length").first().copied()), (status, length), "{line}: {seen:?}");
        if length == Some("2") {
            assert_eq!(client.exactly(2).await.unwrap(), b"ok", "{line}");
        }
    }
    assert!(proxied.api.seen().iter().all(|seen| seen.number == 0), "a connection was lost: {:?}", proxied.api.seen());
}

#[tokio::test]
async fn chunks_trailers_and_answers_that_end_with_their_connection_come_through() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Portcullis-Key-Id\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nX-Portcullis-Key-Id: leaked\r\n\r\n";
    let proxied = Proxied::before(Api::answering(chunked).await).await;
    let answer = proxied.ask(proxied.request("GET /api/contacts", &["TE: trailers"])).await;
    assert_eq!((answer.text().as_str(), answer.one("transfer-encoding")), ("abcde", "chunked"));
    assert_eq!(answer.trailers.iter().map(|line| line.to_lowercase()).collect::<Vec<_>>(), ["x-sum: 5"]);

    let api = Api::new(|mut talk: Talk| async move {
        talk.next().await;
        talk.say("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end").await;
    });
    let proxied = Proxied::before(api.await).await;
    let answer = proxied.ask(proxied.request("GET /api/contacts", &[])).await;
    assert_eq!((answer.line.as_str(), answer.text().as_str()), ("HTTP/1.1 200 OK", "until the end"));
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served_and_the_api_does_not_notice() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let proxied = Proxied::before(Api::answering(chunked).await).await;
    let old = |host: &str| format!("GET /api/contacts HTTP/1.0\r\n{host}X-API-Key: {}\r\n\r\n", proxied.token());
    for host in ["", "Host: old.example\r\n"] {
        let answer = proxied.ask(old(host)).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "abcde"));
        assert!(answer.all("transfer-encoding").is_empty());
    }
    let seen = proxied.api.seen();
    assert!(seen.iter().all(|seen| seen.line == "GET /api/contacts HTTP/1.1"));
    assert_eq!((seen[0].one("host"), seen[1].one("host")), (&proxied.api.address.to_string() as &str, "old.example"));
}

#[tokio::test]
async fn a_client_may_wait_to_be_told_to_go_on() {
    let proxied = Proxied::before(Api::answering(OK).await).await;
    let mut client = proxied.client().await;
    client.say(proxied.request("POST /api/contacts", &["Content-Length: 3", "Expect: 100-continue"])).await;
    let line = tokio::time::timeout(PATIENCE, client.line()).await.unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue");
    assert_eq!(client.line().await, "");
    client.say("abc").await;
    assert_eq!(client.next().await.unwrap().status(), 200);
    let seen = proxied.api.one();
    assert_eq!((seen.text().as_str(), seen.all("expect").len()), ("abc", 0));
}
