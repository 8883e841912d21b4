//! One kept-alive connection that is asked whether its answer is there, and never waited for.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Instant;

use crate::Done;
use crate::asks::{Answer, Ask};

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// What was asked, and when it was due.
    asked: Option<(Rc<Ask>, Instant)>,
}

/// A whole answer.
pub(crate) struct Answered<'a> {
    pub(crate) ask: Rc<Ask>,
    pub(crate) due: Instant,
    answer: Answer,
    bytes: &'a [u8],
}

impl Answered<'_> {
    /// A wrong answer is an error, which shows both.
    pub(crate) fn check(&self) -> Done<()> {
        if self.answer == self.ask.right {
            return Ok(());
        }
        let (asked, answer) = (String::from_utf8_lossy(&self.ask.bytes), String::from_utf8_lossy(self.bytes));
        let (asked, answer) = (asked.lines().next().unwrap_or_default(), answer.replace("\r\n", " | "));
        Err(format!("{asked}: the right answer is {:?}, and this came: {answer:.600}", self.ask.right).into())
    }
}

impl Connection {
    pub(crate) fn open(address: &str) -> Done<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, buffer: vec![0; 4 * 1024], filled: 0, asked: None })
    }

    pub(crate) fn send(&mut self, ask: Rc<Ask>, due: Instant) -> Done<()> {
        // A request is smaller than what a socket takes at once.
        self.stream.write_all(&ask.bytes)?;
        self.asked = Some((ask, due));
        self.filled = 0;
        Ok(())
    }

    /// The answer, once all of it is there.
    pub(crate) fn receive(&mut self) -> Done<Option<Answered<'_>>> {
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            match self.stream.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            let bytes = self.buffer.get(..self.filled).unwrap_or_default();
            if is_whole(bytes) {
                let (ask, due) = self.asked.take().ok_or("an answer to nothing")?;
                let bytes = self.buffer.get(..self.filled).unwrap_or_default();
                return Ok(Some(Answered { ask, due, answer: read(bytes)?, bytes }));
            }
        }
    }
}

/// Whether the head is there, and as much after it as it says.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let (head, body) = bytes.split_at(end + 4);
    let values = |name: &'static str| {
        head.split(|&byte| byte == b'\n').filter_map(move |line| {
            let (own, value) = line.split_at_checked(name.len())?;
            own.eq_ignore_ascii_case(name.as_bytes()).then(|| str::from_utf8(value).unwrap_or_default().trim())
        })
    };
    if values("transfer-encoding:").next() == Some("chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    values("content-length:").next().is_none_or(|length| length.parse().is_ok_and(|length: usize| body.len() >= length))
}

/// What an answer says: of a 200 the body may say no.
fn read(bytes: &[u8]) -> Done<Answer> {
    let status = bytes.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    let status: u16 = status.ok_or("an answer without a status")?;
    let denied = status == 200 && bytes.windows(13).any(|window| window == b"\"valid\":false");
    Ok(if (200..300).contains(&status) && !denied { Answer::Passes } else { Answer::Refused(status) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_last_byte_is_there() {
        for whole in [
            "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
            assert!(!is_whole(&whole.as_bytes()[..whole.len() - 1]), "{whole}");
        }
    }

    #[test]
    fn a_no_is_read_in_the_status_and_in_the_body() {
        let answer = |text: &str| read(text.as_bytes()).unwrap();
        assert_eq!(answer("HTTP/1.1 204 No Content\r\n\r\n"), Answer::Passes);
        assert_eq!(answer("HTTP/1.1 401 Unauthorized\r\n\r\n"), Answer::Refused(401));
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n{\"valid\":false}"), Answer::Refused(200));
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n{\"valid\":true}"), Answer::Passes);
        assert!(read(b"nothing").is_err());
    }
}
