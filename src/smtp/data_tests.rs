//! What is data, what ends it, and every known way of smuggling an end into it.
use super::*;
use proptest::prelude::*;

type Message = Result<Vec<u8>, &'static str>;

/// Reads all of `chunks`: the message or the text of its refusal, and what is left after the end; `None` without an end.
fn read(chunks: &[&[u8]]) -> Option<(Message, Vec<u8>)> {
    let (mut reader, mut body) = (DataReader::new(70), Body::new("Head: 1\r\n".to_owned(), 200));
    for (n, chunk) in chunks.iter().enumerate() {
        let (used, end) = reader.read(chunk, &mut body);
        if end {
            let rest = [&chunk[used..], &chunks[n + 1..].concat()].concat();
            let message = body.finish().map(|m| m.strip_prefix(b"Head: 1\r\n").expect("our head").to_vec());
            return Some((message.map_err(|row| row.text), rest));
        }
        assert_eq!(used, chunk.len());
    }
    None
}

fn whole(text: &str) -> Option<(Message, String)> {
    let (message, rest) = read(&[text.as_bytes()])?;
    Some((message, String::from_utf8_lossy(&rest).into_owned()))
}

#[test]
fn the_end_is_crlf_dot_crlf_and_hidden_dots_come_out() {
    for (sent, kept) in [
        (".\r\n", ""),
        ("a\r\n.\r\n", "a\r\n"),
        ("..\r\n.\r\n", ".\r\n"),
        ("a\r\n..b\r\n.\r\n", "a\r\n.b\r\n"),
        (".a\r\n.\r\n", "a\r\n"),
        ("...\r\n.\r\n", "..\r\n"),
        ("a.\r\n\r\n.\r\n", "a.\r\n\r\n"),
    ] {
        assert_eq!(whole(&format!("{sent}QUIT\r\n")), Some((Ok(kept.into()), "QUIT\r\n".to_owned())), "{sent:?}");
    }
}

#[test]
fn no_smuggled_end_is_an_end() {
    // SEC Consult 2023 (SMTP smuggling) and its followers, Postfix's and Exim's advisories among them.
    let ends = [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r.\r\n",
        "\r\n.\r",
        "\n.\r",
        "\r.\n",
        "\r\r\n.\r\r\n",
        "\r\n.\r\r\n",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
        "\r\n\n.\n\r\n",
        "\n\n.\n\n",
        "\r\r.\r\r",
        "\r\n. \r\n",
        "\r\n \r.\r\n",
        "\n\r.\n\r",
        "\n\r\n.\n\r\n",
        "\r\n.\r\0\n",
        "\r\n.\n\r\n",
        "\r\n\r.\r\n",
        "\n.\r\r\n",
        "\r\0\n.\r\0\n",
        "\0\r\n\0.\0\r\n\0",
        "\n\0.\n",
        // What some take for a line's end too.
        "\u{85}.\u{85}",
        "\u{2028}.\u{2028}",
        "\u{b}.\u{b}",
        "\u{c}.\u{c}",
        "\u{10d}\u{10a}.\u{10d}\u{10a}",
    ];
    for end in ends {
        let sent = format!("a{end}MAIL FROM:<evil@example.com>\r\n.\r\nRSET\r\n");
        let (message, rest) = whole(&sent).expect("the true end");
        assert_eq!(rest, "RSET\r\n", "{end:?}");
        let bare = end.replace("\r\n", "").contains(['\r', '\n']);
        assert_eq!(message.is_err(), bare, "{end:?}");
        if bare {
            assert_eq!(message, Err(reply::BARE_LINE_END_IN_DATA.text));
        }
        assert_eq!(whole(&format!("a{end}b")), None, "{end:?}");
    }
}

#[test]
fn what_is_too_big_or_too_long_is_refused_at_its_end() {
    let lines = "x\r\n".repeat(66);
    assert_eq!(whole(&format!("{lines}ab.\r\n.\r\n")).map(|w| w.0.is_err()), Some(true));
    assert_eq!(whole(&format!("{lines}\r\n.\r\n")).map(|w| w.0.is_ok()), Some(true));
    assert_eq!(whole(&format!("{lines}{lines}.\r\nX")), Some((Err(reply::TOO_BIG.text), "X".to_owned())));
    let long = "x".repeat(71);
    assert_eq!(whole(&format!("{long}\r\n.\r\n")), Some((Err(reply::DATA_LINE_TOO_LONG.text), String::new())));
    assert!(whole(&format!("{}\r\n.\r\n", &long[1..])).expect("an end").0.is_ok());
}

#[test]
fn chunked_data_has_the_same_rules_for_lines() {
    assert_eq!(check_lines(b"a\r\n.\r\n..\r\nb", 5), None);
    for bare in ["a\nb", "a\r", "\r\r\n", "\n", "a\r\n\n"] {
        assert_eq!(check_lines(bare.as_bytes(), 5), Some(&reply::BARE_LINE_END_IN_DATA), "{bare:?}");
    }
    assert_eq!(check_lines(b"abcdef\r\n", 5), Some(&reply::DATA_LINE_TOO_LONG));
    assert_eq!(check_lines(b"\r\nabcdef", 5), Some(&reply::DATA_LINE_TOO_LONG));
}

proptest! {
    #[test]
    fn chunks_make_no_difference(
        pieces in prop::collection::vec(prop::sample::select(vec!["\r", "\n", "\r\n", ".", "a", "\r\n.", "bcd", "\0"]), 0..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = pieces.concat().into_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|c| c.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let chunks: Vec<&[u8]> = at.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        prop_assert_eq!(read(&chunks), read(&[&text]));
    }

    #[test]
    fn whatever_a_client_hides_properly_comes_out_as_it_was(lines in prop::collection::vec("[.a-c]{0,5}", 0..20)) {
        let message: String = lines.iter().map(|l| format!("{l}\r\n")).collect();
        let sent: String = lines.iter().map(|l| if l.starts_with('.') { format!(".{l}\r\n") } else { format!("{l}\r\n") }).collect();
        prop_assert_eq!(whole(&format!("{sent}.\r\nQUIT\r\n")), Some((Ok(message.into_bytes()), "QUIT\r\n".to_owned())));
    }
}
