//! Statements about many rows at a time: one of them costs little more than one about a single row. Their text is made while the
//! program is compiled.

/// How many bytes [`statement`] has.
pub(super) const fn length(before: &str, first: usize, rows: usize, columns: usize, after: &str) -> usize {
    let mut length = before.len() + after.len();
    let mut n = 0;
    while n < rows * columns {
        // `$`, the number, and a comma or the end of a row.
        length += 2 + digits(first + n);
        n += 1;
    }
    // Each row has its brackets, and a comma but for the last.
    length + 2 * rows - 1
}

const fn digits(n: usize) -> usize {
    let (mut rest, mut digits) = (n / 10, 1);
    while rest > 0 {
        rest /= 10;
        digits += 1;
    }
    digits
}

/// `before ($1,$2),($3,$4) after`, with the numbers beginning at `first`.
pub(super) const fn statement<const LENGTH: usize>(
    before: &str,
    first: usize,
    rows: usize,
    columns: usize,
    after: &str,
) -> [u8; LENGTH] {
    let mut out = Text { bytes: [b' '; LENGTH], length: 0 };
    out.push_all(before.as_bytes());
    let mut n = 0;
    while n < rows * columns {
        let column = n % columns;
        if column == 0 {
            out.push_all(if n == 0 { b"(" } else { b",(" });
        }
        out.push_all(b"$");
        out.push_number(first + n);
        out.push_all(if column + 1 == columns { b")" } else { b"," });
        n += 1;
    }
    out.push_all(after.as_bytes());
    out.bytes
}

struct Text<const LENGTH: usize> {
    bytes: [u8; LENGTH],
    length: usize,
}

impl<const LENGTH: usize> Text<LENGTH> {
    #[expect(clippy::indexing_slicing, reason = "it runs while the program is compiled, and a slip would not compile")]
    const fn push_all(&mut self, more: &[u8]) {
        let mut n = 0;
        while n < more.len() {
            self.bytes[self.length] = more[n];
            self.length += 1;
            n += 1;
        }
    }

    const fn push_number(&mut self, number: usize) {
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            #[expect(clippy::cast_possible_truncation, reason = "it is a single digit")]
            self.push_all(&[b'0' + (number / unit % 10) as u8]);
            unit /= 10;
        }
    }
}

/// A statement of so many rows of so many columns, as text.
macro_rules! many {
    ($before:expr, $first:expr, $rows:expr, $columns:expr, $after:expr) => {{
        const LENGTH: usize = $crate::store::rows::length($before, $first, $rows, $columns, $after);
        const BYTES: [u8; LENGTH] = $crate::store::rows::statement($before, $first, $rows, $columns, $after);
        match str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => "",
        }
    }};
}
pub(super) use many;

#[cfg(test)]
mod tests {
    #[test]
    fn a_statement_numbers_its_places() {
        const ONE: &str = many!("VALUES ", 1, 1, 1, "");
        const SOME: &str = many!("a ", 9, 2, 3, " z");
        const MANY: &str = many!("", 1, 1, 100, "");
        assert_eq!(ONE, "VALUES ($1)");
        assert_eq!(SOME, "a ($9,$10,$11),($12,$13,$14) z");
        assert!(MANY.starts_with("($1,$2,") && MANY.ends_with(",$99,$100)"));
    }
}
