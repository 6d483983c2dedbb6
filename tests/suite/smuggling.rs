//! The published ways of smuggling a second mail into the first one's data, through the real listener: SEC Consult's of
//! 2023 (SMTP smuggling) and those that followed (Postfix, Exim, Sendmail and Cisco advisories), and mixes with BDAT.
use postrider::mail::sending::{Limits, Submission};

use crate::both_engines;
use crate::hostile_door::{ENVELOPE, accepted, door, say};
use crate::ses_bench::bench;

/// What somebody's server takes for the end of the data.
const ENDS: &[&str] = &[
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
    "\n\n.\n\n",
    "\n\r.\n\r",
    "\n\r\n.\n\r\n",
    "\r\n\n.\n\r\n",
    "\r\n.\n\r\n",
    "\r\n\r.\r\n",
    "\r\n.\r\0\n",
    "\r\0\n.\r\0\n",
    "\n\0.\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\0\r\n\0.\0\r\n\0",
    "\r\n. \r\n",
    "\r\n .\r\n",
    "\u{85}.\u{85}",
    "\u{2028}.\u{2028}",
    "\u{b}.\u{b}",
];

both_engines! {
    async fn no_end_of_somebody_else_ends_the_data(engine: Engine) {
        let mut door = door(engine).await;
        let mail = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<bob@here.example>\r\n";
        for end in ENDS {
            let inner = format!("{mail}DATA\r\nSubject: smuggled\r\n\r\nx");
            let text = format!("Subject: outer\r\n\r\nx{end}{inner}\r\n");
            let stuffed = text.replace("\r\n.", "\r\n..");
            let bare = text.replace("\r\n", "").contains(['\r', '\n']);
            // As a sender passes it on that knows CRLF alone: it hides a dot there and nowhere else, or not even there.
            let chunk = format!("BDAT {} LAST\r\n{text}", text.len());
            for data in [format!("DATA\r\n{stuffed}.\r\n"), chunk] {
                let dialogue = format!("{ENVELOPE}{data}NOOP\r\nRCPT TO:<bob@here.example>\r\n");
                let said = say(door.smtp(), dialogue.as_bytes()).await;
                let answers: Vec<&str> = said.lines().rev().take(3).map(|line| line.get(..9).unwrap_or(line)).collect();
                let first = if bare { "550 5.6.1" } else { "250 2.0.0" };
                assert_eq!(answers, ["503 5.5.1", "250 2.0.0", first], "{end:?}: {said}");
                let ids = accepted(&said);
                assert_eq!(ids.len(), usize::from(!bare), "{end:?}: {said}");
                door.work().await;
                ids.iter().for_each(|id| door.kept(end, id, text.as_bytes()));
            }
            let dialogue = format!("{ENVELOPE}DATA\r\nx{end}{inner}\r\n.\r\nQUIT\r\n");
            let unhidden = say(door.smtp(), dialogue.as_bytes()).await;
            assert!(accepted(&unhidden).len() <= 1, "{end:?}: {unhidden}");
            assert!(unhidden.lines().last().is_some_and(|line| line.starts_with("221 ")), "{end:?}: {unhidden}");
        }
        door.a_good_mail_arrives("all that").await;
    }

    /// What a program hands over for sending goes out with line ends of CRLF only: a lone LF is one, a lone CR is none.
    async fn what_is_sent_ends_its_data_in_no_way_but_ours(engine: Engine) {
        let b = bench(engine, Limits::Sandbox).await;
        b.limits(1_000, 1_000).await;
        b.verified("sender.example").await;
        for end in ENDS {
            let body = format!("x{end}MAIL FROM:<evil@x.example>\r\n");
            let raw = format!("From: ann@sender.example\r\nTo: bob@there.example\r\n\r\n{body}");
            let submission = Submission { raw: raw.into(), ..b.submission("ann@sender.example", &["bob@there.example"]) };
            let id = b.sending.accept(submission).await.expect("accepted");
            let (_, sent, _) = b.mail(&id).await;
            let lines = body.replace("\r\n", "\n").replace('\r', " ").replace('\n', "\r\n");
            assert!(sent.ends_with(&format!("\r\n\r\n{lines}")), "{end:?}: {sent:?}");
        }
    }

    /// The octets that a BDAT announces are its own, whatever they look like, and no others are.
    async fn chunks_hold_what_they_say_and_nothing_else(engine: Engine) {
        let mut door = door(engine).await;
        let inner = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n";
        let text = format!("Subject: outer\r\n\r\n.\r\n{inner}");
        let (all, head) = (text.len(), "Subject: outer\r\n\r\n".len());
        let rest = &text[head..];
        for (dialogue, mails) in [
            // An end of DATA in a chunk, in one piece and in several.
            (format!("BDAT {all} LAST\r\n{text}"), vec![&text]),
            (format!("BDAT {head}\r\n{}BDAT {} LAST\r\n{rest}", &text[..head], all - head), vec![&text]),
            (format!("BDAT {all}\r\n{text}BDAT 0 LAST\r\n"), vec![&text]),
            // DATA has no place among chunks, and what follows it is commands.
            (format!("BDAT {head}\r\n{}DATA\r\nBDAT {} LAST\r\n{rest}", &text[..head], all - head), vec![&text]),
            // A chunk without a transaction, or larger than allowed, is passed over with all that it holds.
            (format!("RSET\r\nBDAT {all} LAST\r\n{text}"), vec![]),
            (format!("RSET\r\nBDAT {all}\r\n{text}BDAT {all} LAST\r\n{text}"), vec![]),
            // Sizes that others read in another way.
            (format!("BDAT +{all} LAST\r\n{text}"), vec![]),
            (format!("BDAT 0x10 LAST\r\n{text}"), vec![]),
            (format!("BDAT -1 LAST\r\n{text}"), vec![]),
            (format!("BDAT 18446744073709551616 LAST\r\n{text}"), vec![]),
            (format!("BDAT {all} LAST LAST\r\n{text}"), vec![]),
            (format!("BDAT {all}\u{b}LAST\r\n{text}"), vec![]),
        ] {
            let said = say(door.smtp(), format!("{ENVELOPE}{dialogue}").as_bytes()).await;
            let ids = accepted(&said);
            assert_eq!(ids.len(), mails.len(), "{dialogue:?}: {said}");
            door.work().await;
            ids.iter().zip(&mails).for_each(|(id, mail)| door.kept(&dialogue, id, mail.as_bytes()));
        }
        door.a_good_mail_arrives("all that").await;
    }
}
