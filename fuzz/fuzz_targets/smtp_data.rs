//! Message data is read the same however it is cut, a message that is accepted has only CRLF for line ends, and what a
//! client hides as RFC 5321, 4.5.2 says comes out as it was.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::smtp::data::{Body, DataReader, check_lines};
use postrider_fuzz::{bounded, has_only_crlf};

type Read = Option<(Result<Vec<u8>, &'static str>, usize)>;

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, line_max: usize, max: usize) -> Read {
    let (mut reader, mut body, mut total) = (DataReader::new(line_max), Body::new(String::new(), max), 0);
    for piece in pieces {
        let (used, ended) = reader.read(piece, &mut body);
        assert!(used <= piece.len() && body.held() <= 2 * max + 64);
        total += used;
        if ended {
            return Some((body.finish().map(|octets| octets.to_vec()).map_err(|row| row.text), total));
        }
        assert_eq!(used, piece.len());
    }
    None
}

fn hidden(message: &[u8]) -> Vec<u8> {
    let lines = message.split_inclusive(|b| *b == b'\n');
    let lines = lines.flat_map(|line| [if line.first() == Some(&b'.') { &b"."[..] } else { b"" }, line].concat());
    let mut sent: Vec<u8> = lines.collect();
    sent.extend_from_slice(b".\r\nQUIT\r\n");
    sent
}

/// What the lines of a transfer say without their end: a dot at the start goes, needed or not.
fn said(sent: &[u8]) -> Vec<u8> {
    let text = sent.strip_suffix(b".\r\n").unwrap_or_default();
    text.split_inclusive(|b| *b == b'\n').flat_map(|line| line.strip_prefix(b".").unwrap_or(line).to_vec()).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((size, data)) = input.split_first() else { return };
    let piece = usize::from(*size).max(1);
    let whole = bounded(64 * 1024, || read(std::iter::once(data), 60, 300));
    assert_eq!(whole, read(data.chunks(piece), 60, 300));
    if let Some((Ok(message), used)) = whole {
        assert!(has_only_crlf(&message) && message.len() <= 300);
        assert_eq!(check_lines(&message, 60), None);
        assert_eq!(said(&data[..used]), message);
    }
    // The other way round: any message with good line ends arrives as it was, and what follows is left alone.
    if has_only_crlf(data) && (data.is_empty() || data.ends_with(b"\r\n")) {
        let sent = hidden(data);
        let used = sent.len() - b"QUIT\r\n".len();
        assert_eq!(read(sent.chunks(piece), usize::MAX, data.len()), Some((Ok(data.to_vec()), used)));
    }
});
