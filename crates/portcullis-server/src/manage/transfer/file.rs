//! The file of a backup: JSON lines, compressed, with a checksum at the end.
//!
//! First a header; then for each table a line with its name and its columns, and a line for each row; last how many rows there are and
//! the SHA-256 of all that stands before.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use portcullis_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TransferError;
use crate::store::tables::{Cell, TABLES, Table};

/// Another form gets another number.
const FORM: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    portcullis_backup: u32,
    version: String,
    made_at_ms: i64,
    seq: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct TableLine {
    table: String,
    columns: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LastLine {
    rows: BTreeMap<String, u64>,
    sha256: String,
}

/// What a whole backup says of itself.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) seq: i64,
    pub(super) made_at: Timestamp,
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) sha256: String,
}

pub(super) struct Writer {
    out: GzEncoder<BufWriter<File>>,
    digest: Context,
    rows: BTreeMap<String, u64>,
    table: String,
    /// It has its name only when it is whole.
    part: PathBuf,
    path: PathBuf,
}

impl Writer {
    pub(super) fn create(path: &Path, seq: i64, now: Timestamp) -> io::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        // Hashes of passwords are in it, and whose keys there are: it is nobody else's business.
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        let out = GzEncoder::new(BufWriter::new(file), Compression::fast());
        let (digest, rows, table) = (Context::new(&SHA256), BTreeMap::new(), String::new());
        let mut writer = Self { out, digest, rows, table, part, path: path.to_owned() };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        writer.line(&Header { portcullis_backup: FORM, version, made_at_ms: now.as_millis(), seq })?;
        Ok(writer)
    }

    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        table.name.clone_into(&mut self.table);
        self.rows.insert(self.table.clone(), 0);
        let columns = table.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.line(&TableLine { table: self.table.clone(), columns })
    }

    pub(super) fn row(&mut self, row: &[Cell]) -> io::Result<()> {
        if let Some(count) = self.rows.get_mut(&self.table) {
            *count += 1;
        }
        let row: Vec<Value> = row.iter().map(value).collect();
        self.line(&row)
    }

    /// It is on the disk when this returns.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let sha256 = HEXLOWER.encode(self.digest.clone().finish().as_ref());
        let last = LastLine { rows: std::mem::take(&mut self.rows), sha256 };
        self.line(&last)?;
        let file = self.out.finish()?.into_inner()?;
        file.sync_all()?;
        std::fs::rename(&self.part, &self.path)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.digest.update(&text);
        self.out.write_all(&text)
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Number(number) => json!(number),
        Cell::Flag(flag) => json!(flag),
        Cell::Bytes(bytes) => json!({"hex": HEXLOWER.encode(bytes)}),
    }
}

fn cell(value: Value) -> Option<Cell> {
    Some(match value {
        Value::Null => Cell::Null,
        Value::String(text) => Cell::Text(text),
        Value::Bool(flag) => Cell::Flag(flag),
        Value::Number(number) => Cell::Number(number.as_i64()?),
        Value::Object(members) => Cell::Bytes(HEXLOWER.decode(members.get("hex")?.as_str()?.as_bytes()).ok()?),
        Value::Array(_) => return None,
    })
}

/// Reads a backup from end to end: whether it is whole, and of a form that this version knows.
pub(super) fn check(path: &Path) -> Result<Checked, TransferError> {
    let damaged = |why: &str| TransferError::Damaged { path: path.display().to_string(), why: why.to_owned() };
    let mut lines = Lines::open(path)?;
    let header: Header =
        lines.next()?.and_then(|line| serde_json::from_str(&line).ok()).ok_or_else(|| damaged("it has no header"))?;
    if header.portcullis_backup != FORM {
        return Err(damaged("it was made by a newer version"));
    }
    let mut digest = Context::new(&SHA256);
    digest.update(lines.last.as_bytes());
    let (mut rows, mut table) = (BTreeMap::new(), String::new());
    while let Some(line) = lines.next()? {
        if line.starts_with('[') {
            *rows.entry(table.clone()).or_insert(0) += 1;
        } else if let Ok(next) = serde_json::from_str::<TableLine>(&line) {
            let known = TABLES.iter().find(|known| known.name == next.table && known.is_kept);
            let known = known.ok_or_else(|| damaged("it has a table that this version does not know"))?;
            if !known.columns.iter().map(|(name, _)| *name).eq(next.columns.iter().map(String::as_str)) {
                return Err(damaged("its tables have other columns than this version's"));
            }
            rows.insert(next.table.clone(), 0);
            table = next.table;
        } else {
            let last: LastLine = serde_json::from_str(&line).map_err(|_| damaged("a line of it cannot be read"))?;
            if last.sha256 != HEXLOWER.encode(digest.finish().as_ref()) {
                return Err(damaged("its checksum is another"));
            }
            if last.rows != rows || lines.next()?.is_some() {
                return Err(damaged("it has other rows than it says"));
            }
            return Ok(Checked {
                seq: header.seq,
                made_at: Timestamp::from_millis(header.made_at_ms),
                rows,
                sha256: last.sha256,
            });
        }
        digest.update(lines.last.as_bytes());
    }
    Err(damaged("its end is missing"))
}

/// A backup that has been checked, table by table.
pub(super) struct Reader {
    lines: Lines,
    /// A line that was read and belongs to the next table.
    ahead: Option<String>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, TransferError> {
        let mut lines = Lines::open(path)?;
        lines.next()?;
        let ahead = lines.next()?;
        Ok(Self { lines, ahead })
    }

    /// Up to so many rows of the table; none, where there are no more, or it is another one's turn.
    pub(super) fn batch(&mut self, table: &Table, most: usize) -> Result<Vec<Vec<Cell>>, TransferError> {
        let mut rows = Vec::new();
        while rows.len() < most {
            let Some(line) = self.ahead.take().map_or_else(|| self.lines.next(), |line| Ok(Some(line)))? else { break };
            if line.starts_with('[') {
                let values: Vec<Value> = serde_json::from_str(&line).map_err(|_| self.lines.unreadable())?;
                let row: Option<Vec<Cell>> = values.into_iter().map(cell).collect();
                rows.push(row.ok_or_else(|| self.lines.unreadable())?);
                continue;
            }
            let is_own = serde_json::from_str::<TableLine>(&line).is_ok_and(|next| next.table == table.name);
            if !is_own {
                self.ahead = Some(line);
                break;
            }
        }
        Ok(rows)
    }
}

struct Lines {
    reader: BufReader<GzDecoder<BufReader<File>>>,
    path: String,
    last: String,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, TransferError> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|cause| TransferError::File { path: shown.clone(), cause })?;
        let reader = BufReader::new(GzDecoder::new(BufReader::new(file)));
        Ok(Self { reader, path: shown, last: String::new() })
    }

    fn next(&mut self) -> Result<Option<String>, TransferError> {
        self.last.clear();
        let read = self.reader.read_line(&mut self.last);
        let damaged = |cause: io::Error| TransferError::Damaged { path: self.path.clone(), why: cause.to_string() };
        let read = read.map_err(damaged)?;
        Ok((read > 0).then(|| self.last.trim_end_matches('\n').to_owned()))
    }

    fn unreadable(&self) -> TransferError {
        TransferError::Damaged { path: self.path.clone(), why: "a row of it cannot be read".to_owned() }
    }
}
