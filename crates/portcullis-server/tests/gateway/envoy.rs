//! Envoy's gRPC question asked by hand: what a real Envoy would not send. `programs` has the real one.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use tokio::net::TcpStream;

use super::Guarded;

/// A message, as the numbers of its fields and what is in them: written here once more, so that a wrong number in the server shows.
#[derive(Debug, Default, Clone)]
struct Message(BytesMut);

impl Message {
    fn with(mut self, number: u32, inside: impl AsRef<[u8]>) -> Self {
        encode_key(number, WireType::LengthDelimited, &mut self.0);
        encode_varint(inside.as_ref().len() as u64, &mut self.0);
        self.0.put_slice(inside.as_ref());
        self
    }

    fn entry(self, number: u32, key: &str, value: &str) -> Self {
        self.with(number, Self::default().with(1, key).with(2, value))
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The fields of a message with this number.
fn fields(message: &[u8], wanted: u32) -> Vec<Vec<u8>> {
    let (mut rest, mut found) = (message, Vec::new());
    while rest.has_remaining() {
        let (number, kind) = decode_key(&mut rest).unwrap();
        let value = match kind {
            WireType::Varint => decode_varint(&mut rest).unwrap().to_be_bytes().to_vec(),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).unwrap()).unwrap();
                rest.copy_to_bytes(length).to_vec()
            }
            other => panic!("{other:?}"),
        };
        if number == wanted {
            found.push(value);
        }
    }
    found
}

/// The status of gRPC, and the answer where there is one.
struct Told {
    grpc_status: String,
    answer: Option<Bytes>,
}

impl Told {
    /// The HTTP status for the client; 200 is a permission.
    fn status(&self) -> u64 {
        let answer = self.answer.as_ref().unwrap();
        let code = |message: &[u8]| {
            fields(message, 1).first().map_or(0, |code| u64::from_be_bytes(code[..].try_into().unwrap()))
        };
        if let Some(denied) = fields(answer, 2).first() {
            return code(&fields(denied, 1)[0]);
        }
        assert_eq!(fields(answer, 3).len(), 1, "a permission is said, and not left to be assumed");
        200
    }

    fn body(&self) -> serde_json::Value {
        let denied = &fields(self.answer.as_ref().unwrap(), 2)[0];
        serde_json::from_slice(&fields(denied, 3)[0]).unwrap()
    }
}

async fn call(guarded: &Guarded, path: &str, headers: &[(&str, &str)], message: &[u8]) -> Told {
    let stream = TcpStream::connect(guarded.server.grpc.unwrap()).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len().try_into().unwrap());
    body.put_slice(message);
    let mut request = Request::post(format!("http://portcullis{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let Ok(response) = sender.send_request(request.body(Full::new(body.freeze())).unwrap()).await else {
        return Told { grpc_status: "refused".to_owned(), answer: None };
    };
    let head = response.headers().clone();
    let collected = response.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let status = |headers: &HeaderMap| headers.get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
    let grpc_status = status(&trailers).or_else(|| status(&head)).unwrap_or_default();
    let mut bytes = collected.to_bytes();
    let answer = (bytes.len() > 5).then(|| {
        bytes.advance(5);
        bytes
    });
    Told { grpc_status, answer }
}

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

fn question(gate: &str, request: Message) -> Message {
    let attributes = Message::default().with(4, Message::default().with(2, request)).entry(10, "gate", gate);
    // A field that nobody here knows, as a newer Envoy may send.
    Message::default().with(1, attributes.with(99, "news"))
}

fn get(path: &str) -> Message {
    Message::default().with(2, "GET").with(4, path)
}

#[tokio::test]
async fn the_question_is_answered_and_unknown_fields_are_passed_over() {
    let guarded = Guarded::with("grpc_listen = \"127.0.0.1:0\"\n").await;
    let ask = async |request: Message| call(&guarded, CHECK, &[], question("crm", request).as_ref()).await;
    let told = ask(get("/api/contacts?x").entry(3, "x-api-key", &guarded.key.token).entry(3, ":path", "/other")).await;
    assert_eq!((told.grpc_status.as_str(), told.status()), ("0", 200));
    let told = ask(get("/api/contacts")).await;
    assert_eq!((told.status(), &told.body()["reason"]), (401, &"missing".into()));
    let told = ask(get("/health/../api/contacts").entry(3, "x-api-key", &guarded.key.token)).await;
    assert_eq!((told.status(), &told.body()["reason"]), (403, &"path".into()));
}

#[tokio::test]
async fn attack_16_two_credentials_and_what_is_no_header() {
    let guarded = Guarded::with("grpc_listen = \"127.0.0.1:0\"\n").await;
    let bearer = format!("Bearer {}", guarded.key.token);
    let header = |name: &str, value: &[u8], raw: &[u8]| Message::default().with(1, name).with(2, value).with(3, raw);
    let ask = async |request: Message| call(&guarded, CHECK, &[], question("crm", request).as_ref()).await;
    let one_by_one = |all: &[Message]| {
        get("/api/contacts").with(13, all.iter().fold(Message::default(), |headers, one| headers.with(1, one)))
    };
    // Joined to one, as Envoy does it by default.
    let joined = ask(get("/api/contacts").entry(3, "authorization", &format!("{bearer},{bearer}"))).await;
    assert_eq!((joined.status(), &joined.body()["reason"]), (401, &"malformed".into()));
    let twice = header("authorization", bearer.as_bytes(), b"");
    let told = ask(one_by_one(&[twice.clone(), twice.clone()])).await;
    assert_eq!((told.status(), &told.body()["code"]), (400, &"AMBIGUOUS_CREDENTIALS".into()));
    assert_eq!(ask(one_by_one(&[header("authorization", b"", bearer.as_bytes())])).await.status(), 200);
    assert_eq!(ask(one_by_one(&[header("authorization-bin", bearer.as_bytes(), b"")])).await.status(), 401);
    for (name, value) in [("a b", &b"x"[..]), ("x-api-key", b"a\nb"), ("x-api-key", b"\0"), ("", b"x")] {
        assert_eq!(ask(one_by_one(&[header(name, b"", value)])).await.grpc_status, "3", "{name} {value:?}");
    }
    let told = ask(one_by_one(&[header("x-api-key", b"", b"\xff\xfe")])).await;
    assert_eq!((told.status(), &told.body()["reason"]), (401, &"malformed".into()));
}

#[tokio::test]
async fn attack_16_what_is_no_question_is_never_a_permission() {
    let guarded = Guarded::with("grpc_listen = \"127.0.0.1:0\"\n").await;
    let good = question("crm", get("/health"));
    assert_eq!(call(&guarded, CHECK, &[], good.as_ref()).await.status(), 200);
    for (message, expected) in [
        (Message::default(), "3"),
        (Message::default().with(1, Message::default()), "3"),
        (Message::default().with(1, Message::default().entry(10, "gate", "crm")), "3"),
        (question("none", get("/health")), "5"),
        (Message::default().with(1, Message::default().with(4, Message::default().with(2, get("/health")))), "3"),
        (Message(BytesMut::from(&b"\xff\xff\xff"[..])), "13"),
        (question("crm", get(&"/a".repeat(200_000))), "11"),
    ] {
        let told = call(&guarded, CHECK, &[], message.as_ref()).await;
        assert!(told.answer.is_none() && told.grpc_status == expected, "{} for {expected}", told.grpc_status);
    }
    assert_eq!(
        call(&guarded, "/envoy.service.auth.v2.Authorization/Check", &[], good.as_ref()).await.grpc_status,
        "12"
    );
    let large = "x".repeat(64 * 1024);
    let told = call(&guarded, CHECK, &[("x-large", &large)], good.as_ref()).await;
    assert!(told.answer.is_none(), "64 KB of metadata are too much");
}

#[tokio::test]
async fn attack_10_an_address_that_is_not_trusted_gets_no_answer() {
    let settings = super::GATE.replace("\"127.0.0.1\", ", "");
    let server = crate::support::Server::with(&format!("grpc_listen = \"127.0.0.1:0\"\n{settings}")).await;
    let stream = TcpStream::connect(server.grpc.unwrap()).await.unwrap();
    let asked = async {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::post(format!("http://portcullis{CHECK}")).body(Full::new(Bytes::new())).unwrap();
        sender.send_request(request).await.map(|_| ())
    };
    assert!(asked.await.is_err());
}
