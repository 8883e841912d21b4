//! Where each request on a connection begins and ends, read a second time beside hyper.
//!
//! Hyper decides framing well but forgivingly, and the router cannot see what was forgiven: of `Content-Length` and
//! `Transfer-Encoding` together it drops the length, two equal lengths become one, `gzip, chunked` is taken for
//! chunked, and a line may end in a bare LF. A proxy in front that reads one of these differently sees other requests
//! than we do, which is request smuggling. So this reader watches the same bytes go by and remembers the first head
//! that more than one reading fits. It needs to know only line ends and two headers.

/// Reads along, keeping nothing but the start of a line that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Framing {
    stage: Stage,
    /// The part of the current line that came with earlier reads. Empty, and so not allocated, where a head arrives
    /// whole. Hyper stops reading at its limit for a head, which bounds this too.
    partial: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
    heads: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    RequestLine,
    Headers,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// Nothing more will be read: after a chunked body, whose end is not looked for, or after an ambiguous head. The
    /// connection ends with the answer to that request, so there is no next one to find.
    Over,
}

/// A head that more than one reading fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

impl Framing {
    /// Takes the next bytes of the connection. After an error all further bytes are ignored.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguous> {
        while !bytes.is_empty() {
            match self.stage {
                Stage::Over => return Ok(()),
                Stage::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(here..).unwrap_or_default();
                    self.stage = match left.saturating_sub(here as u64) {
                        0 => Stage::RequestLine,
                        left => Stage::Body(left),
                    };
                }
                Stage::RequestLine | Stage::Headers => {
                    let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
                    let (line, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
                    bytes = rest;
                    self.part_of_line(line).inspect_err(|_| self.stage = Stage::Over)?;
                }
            }
        }
        Ok(())
    }

    /// How many complete heads went by that only one reading fits.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_inside_head(&self) -> bool {
        self.stage == Stage::Headers || !self.partial.is_empty()
    }

    /// Whether everything that was read belongs to complete requests.
    pub(super) fn is_between_requests(&self) -> bool {
        self.stage == Stage::RequestLine && self.partial.is_empty()
    }

    fn part_of_line(&mut self, part: &[u8]) -> Result<(), Ambiguous> {
        if part.last() != Some(&b'\n') {
            self.partial.extend_from_slice(part);
            return Ok(());
        }
        if self.partial.is_empty() {
            return self.line(part);
        }
        let mut line = std::mem::take(&mut self.partial);
        line.extend_from_slice(part);
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let line = line.strip_suffix(b"\r\n").ok_or(Ambiguous)?;
        match (self.stage, line) {
            // Empty lines before a request line are skipped, as RFC 9112 asks.
            (Stage::RequestLine, b"") => Ok(()),
            (Stage::RequestLine, _) => {
                self.stage = Stage::Headers;
                Ok(())
            }
            (_, b"") => self.end_of_head(),
            // Two names matter, and the first letter tells most others apart.
            (_, [b'c' | b'C' | b't' | b'T', ..]) => self.header(line),
            _ => Ok(()),
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let Some((name, value)) = line.iter().position(|byte| *byte == b':').and_then(|at| line.split_at_checked(at))
        else {
            // No header at all: hyper refuses it.
            return Ok(());
        };
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            match self.length.replace(whole_number(value).ok_or(Ambiguous)?) {
                None => Ok(()),
                // Also where both say the same: the next reader need not join them as hyper does.
                Some(_) => Err(Ambiguous),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let only = value.eq_ignore_ascii_case(b"chunked") && !self.chunked;
            self.chunked = true;
            if only { Ok(()) } else { Err(Ambiguous) }
        } else {
            Ok(())
        }
    }

    fn end_of_head(&mut self) -> Result<(), Ambiguous> {
        let chunked = std::mem::take(&mut self.chunked);
        self.stage = match (self.length.take(), chunked) {
            (Some(_), true) => return Err(Ambiguous),
            (None, true) => Stage::Over,
            (None | Some(0), false) => Stage::RequestLine,
            (Some(length), false) => Stage::Body(length),
        };
        self.heads += 1;
        Ok(())
    }
}

/// Digits only: no sign, no list, no space.
fn whole_number(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINED: &[u8] =
        b"\r\nPOST /a HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: \t5 \r\n\r\n\r\n\r\nxGET /b HTTP/1.1\r\n\
        Cookie: c\r\nTE: trailers\r\n\r\nPUT /c HTTP/1.1\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn any_cut_of_the_stream_gives_the_same_reading() {
        for size in 1..=PIPELINED.len() {
            let mut framing = Framing::default();
            for part in PIPELINED.chunks(size) {
                framing.read(part).unwrap();
            }
            assert_eq!(framing.heads(), 3, "in parts of {size}");
            assert!(framing.is_between_requests());
        }
    }

    #[test]
    fn attack_15_ambiguous_heads_are_found_at_any_cut() {
        let heads: [&[u8]; 9] = [
            b"P / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            b"P / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            b"P / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            b"P / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            b"P / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            b"P / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"P / HTTP/1.1\r\nHost: h\n\r\n",
        ];
        for head in heads {
            for size in 1..=head.len() {
                let mut framing = Framing::default();
                let ambiguous = head.chunks(size).any(|part| framing.read(part).is_err());
                assert!(ambiguous, "{:?} in parts of {size}", String::from_utf8_lossy(head));
                assert_eq!(framing.heads(), 0);
                assert!(!framing.is_between_requests());
            }
        }
    }

    #[test]
    fn nothing_is_read_after_a_chunked_head() {
        let mut framing = Framing::default();
        framing.read(b"P / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(framing.heads(), 1);
    }
}
