//! Message data is read the same however it is cut, and a message that is accepted has only CRLF for line ends.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::smtp::data::{Body, DataReader};

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(Result<Vec<u8>, &'static str>, usize)> {
    let (mut reader, mut body, mut total) = (DataReader::new(60), Body::new(String::new(), 300), 0);
    for piece in pieces {
        let (used, ended) = reader.read(piece, &mut body);
        total += used;
        if ended {
            return Some((body.finish().map(|octets| octets.to_vec()).map_err(|row| row.text), total));
        }
    }
    None
}

fuzz_target!(|input: &[u8]| {
    let Some((size, data)) = input.split_first() else { return };
    let whole = read(std::iter::once(data));
    assert_eq!(whole, read(data.chunks(usize::from(*size).max(1))));
    if let Some((Ok(message), used)) = whole {
        let text = String::from_utf8_lossy(&message).replace("\r\n", "");
        assert!(!text.contains(['\r', '\n']));
        assert!(data[..used].ends_with(b".\r\n") && message.len() <= 300);
    }
});
