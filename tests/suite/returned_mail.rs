//! What other servers write about a mail of ours, in the forms that they are known to use.

/// A mail of ours as it came to them.
pub(crate) struct Original {
    pub to: String,
    pub return_path: String,
    pub text: String,
}

impl Original {
    fn header(&self) -> &str {
        self.text.split("\r\n\r\n").next().unwrap_or_default()
    }
}

fn report(from: &str, subject: &str, kind: &str, text: &str, machine: &str, returned: (&str, &str)) -> String {
    let (returned_type, returned) = returned;
    format!(
        "From: {from}\nSubject: {subject}\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type={kind};\n \
         boundary=\"B0\"\n\n--B0\nContent-Type: text/plain; charset=us-ascii\n\n{text}\n\n--B0\n\
         Content-Type: message/{kind}\n\n{machine}\n--B0\nContent-Type: {returned_type}\n\n{returned}\n\n--B0--\n"
    )
}

/// Postfix: the standard, with fields of its own.
pub(crate) fn postfix(original: &Original) -> String {
    let to = &original.to;
    let machine = format!(
        "Reporting-MTA: dns; mx.there.example\nX-Postfix-Queue-ID: 4ABCD\nX-Postfix-Sender: rfc822; {}\n\
         Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000 (UTC)\n\nFinal-Recipient: rfc822; {to}\n\
         Original-Recipient: rfc822;{to}\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; store.there.example\n\
         Diagnostic-Code: smtp; 550 5.1.1 <{to}>: Recipient address rejected: User\n    unknown in virtual mailbox table\n",
        original.return_path
    );
    let text = format!(
        "This is the mail system at host mx.there.example.\n\n<{to}>: host store.there.example said: 550 5.1.1"
    );
    let from = "MAILER-DAEMON@mx.there.example (Mail Delivery System)";
    report(
        from,
        "Undelivered Mail Returned to Sender",
        "delivery-status",
        &text,
        &machine,
        ("message/rfc822", &original.text),
    )
}

/// Exim in its old form: a text, and a field with the recipients.
pub(crate) fn exim(original: &Original) -> String {
    format!(
        "X-Failed-Recipients: {to}\nAuto-Submitted: auto-replied\nFrom: Mail Delivery System <Mailer-Daemon@mx.there.example>\n\
         Subject: Mail delivery failed: returning message to sender\n\n\
         This message was created automatically by mail delivery software.\n\n\
         It failed for good for:\n\n  {to}\n    LMTP error from remote mail server: mailbox is full\n\n\
         ------ This is a copy of the message, including all the headers. ------\n\n{text}",
        to = original.to,
        text = original.text
    )
}

/// qmail: a text of a fixed form.
pub(crate) fn qmail(original: &Original) -> String {
    format!(
        "From: MAILER-DAEMON@mx.there.example\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.there.example.\n\
         It was not possible to deliver to these:\n\n<{to}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
         --- Below this line is a copy of the message.\n\nReturn-Path: <{path}>\n{text}",
        to = original.to,
        path = original.return_path,
        text = original.text
    )
}

/// Exchange without its machine's part: words, and a diagnostic for administrators.
pub(crate) fn exchange(original: &Original) -> String {
    format!(
        "From: Microsoft Outlook <MicrosoftExchange329e@there.example>\nSubject: Undeliverable: hi\nAuto-Submitted: auto-replied\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nDelivery has failed to these recipients:\n\n{to}\n\
         The address was not found.\n\nDiagnostic information for administrators:\n\nGenerating server: mx.there.example\n\n{to}\n\
         Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'\n\n\
         Original message headers:\n\n{header}\n",
        to = original.to,
        header = original.header()
    )
}

/// Gmail: the standard, but with a status and a diagnostic that run over lines, and a field with the recipients.
pub(crate) fn gmail(original: &Original) -> String {
    let to = &original.to;
    let machine = format!(
        "Reporting-MTA: dns; googlemail.example\nReceived-From-MTA: dns; {path}\nArrival-Date: Fri, 15 Jan 2027 00:00:00 -0800 (PST)\n\
         X-Original-Message-ID: <x@y.example>\n\nFinal-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.1.1\n\
         Remote-MTA: dns; mx.there.example. (192.0.2.7, the server for the domain there.example.)\n\
         Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n 550 5.1.1 Please try again.\n\
         Last-Attempt-Date: Fri, 15 Jan 2027 00:00:01 -0800 (PST)\n",
        path = original.return_path
    );
    let text = format!(
        "** Address not found **\n\nYour message wasn't delivered to {to} because the address couldn't be found."
    );
    let from = "Mail Delivery Subsystem <mailer-daemon@googlemail.example>";
    let report = report(
        from,
        "Delivery Status Notification (Failure)",
        "delivery-status",
        &text,
        &machine,
        ("message/rfc822", &original.text),
    );
    format!("X-Failed-Recipients: {to}\nAuto-Submitted: auto-replied\n{report}")
}

/// A feedback report as RFC 5965 has it.
pub(crate) fn arf(original: &Original) -> String {
    let machine = format!(
        "Feedback-Type: abuse\nUser-Agent: ExampleFBL/1.0\nVersion: 1\nOriginal-Mail-From: <{}>\nOriginal-Rcpt-To: <{}>\n\
         Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000\nSource-IP: 192.0.2.1\n",
        original.return_path, original.to
    );
    let text = "This is an email abuse report.";
    report("<fbl@provider.example>", "FW: hi", "feedback-report", text, &machine, ("message/rfc822", &original.text))
}

/// One whose addresses are taken out; of the mail only the header came back.
pub(crate) fn redacted_arf(original: &Original) -> String {
    let machine = "Feedback-Type: abuse\nUser-Agent: ExampleFBL/2.0\nVersion: 0.1\nRedacted-Address: redacted@\n";
    let header = original.header().replace(&original.to, "redacted@there.example");
    let text = "A user marked this as spam.";
    report(
        "<scomp@provider.example>",
        "Email Feedback Report",
        "feedback-report",
        text,
        machine,
        ("text/rfc822-headers", &header),
    )
}

/// Microsoft's: the mail attached, with a field that names the recipient.
pub(crate) fn jmrp(original: &Original) -> String {
    format!(
        "From: <staff@hotmail.com>\nSubject: complaint about message from 192.0.2.1\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=\"B1\"\n\n--B1\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n\
         X-HmXmrOriginalRecipient: {}\n{}\n\n--B1--\n",
        original.to, original.text
    )
}

/// The reports of the providers whose loops are open to senders, as their documents and published samples show them: name,
/// report, and the user agent that it names. Addresses and texts are ours.
pub(crate) fn providers(original: &Original) -> Vec<(&'static str, String, Option<&'static str>)> {
    let Original { to, return_path, text } = original;
    let header = original.header();
    let arf = |from: &str, subject: &str, machine: String, returned: (&str, &str)| {
        report(from, subject, "feedback-report", "This is an email abuse report.", &machine, returned)
    };
    let yahoo = format!(
        "Feedback-Type: abuse\nUser-Agent: Yahoo!-Mail-Feedback/2.0\nVersion: 0.1\nOriginal-Mail-From: <{return_path}>\n\
         Original-Rcpt-To: {to}\nReceived-Date: Fri, 15 Jan 2027 08:00:00 +0000\nReported-Domain: sender.example\n\
         Authentication-Results: authentication result string is not available\n"
    );
    // Microsoft's since 2026: no recipient, and the header only.
    let microsoft = "Feedback-Type: abuse\nUser-Agent: JMRP/2.0\nVersion: 1\nSource-IP: 192.0.2.1\n".to_owned();
    // Validity's Universal Feedback Loop: Comcast, Cox, Rackspace, ...
    let validity = format!(
        "Feedback-Type: abuse\nUser-Agent: ReturnPathFBL/1.0\nVersion: 1\nAbuse-Type: complaint\nSource: Comcast\n\
         Original-Mail-From: {return_path}\nOriginal-Rcpt-To: 4f2a1c@comcast.example\nSource-IP: 192.0.2.1\n\
         Removal-Recipient: <redacted>\n"
    );
    let mail_ru = format!(
        "Feedback-Type: abuse\nUser-Agent: Mail.Ru-Feedback/1.0\nVersion: 1\nOriginal-Mail-From: <{return_path}>\n\
         Arrival-Date: Fri, 15 Jan 2027 11:00:00 +0300\nReported-Domain: sender.example\n"
    );
    let signal_spam =
        "Feedback-Type: abuse\nUser-Agent: Signal-Spam/1.0\nVersion: 1\nOriginal-Rcpt-To: hidden@signal.example\n\
                       Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000\n"
            .to_owned();
    // RFC 9477: the loop of a header field, whose reports are ARF.
    let cfbl = format!(
        "Feedback-Type: abuse\nUser-Agent: CFBL/1.0\nVersion: 1\nOriginal-Mail-From: <{return_path}>\nSource-IP: 192.0.2.1\n"
    );
    let aol =
        "Feedback-Type: abuse\nUser-Agent: AOL SComp\nVersion: 0.1\nReceived-Date: Fri, 15 Jan 2027 08:00:00 +0000\n\
               Redacted-Address: redacted@\n"
            .to_owned();
    let headers = ("text/rfc822-headers", header);
    let whole = ("message/rfc822", text.as_str());
    let yahoo_from = "Yahoo! Mail AntiSpam Feedback <feedback@arf.mail.yahoo.com>";
    let spamcop = format!(
        "From: 1234@reports.spamcop.net\nSubject: [SpamCop (192.0.2.1) id:1234]hi\nX-Mailer: SpamCop.net v5\n\n\
         [ SpamCop V5 ]\nThis message is brief for your comfort.\n\nEmail from 192.0.2.1 / Fri, 15 Jan 2027\n\
         [ Offending message ]\n{text}\n"
    );
    vec![
        ("yahoo", arf(yahoo_from, "hi", yahoo, whole), Some("Yahoo!-Mail-Feedback/2.0")),
        ("microsoft", arf("<staff@hotmail.com>", "complaint", microsoft, headers), Some("JMRP/2.0")),
        (
            "validity",
            arf("<feedbackloop@fbl.senderscore.example>", "FW: hi", validity, whole),
            Some("ReturnPathFBL/1.0"),
        ),
        ("mail.ru", arf("<fbl@corp.mail.example>", "Spam report", mail_ru, whole), Some("Mail.Ru-Feedback/1.0")),
        ("signal spam", arf("<fbl@signal.example>", "[Signal Spam]", signal_spam, whole), Some("Signal-Spam/1.0")),
        ("cfbl", arf("<cfbl@provider.example>", "FW: hi", cfbl, headers), Some("CFBL/1.0")),
        ("aol", arf("<scomp@aol.example>", "Email Feedback Report", aol, whole), Some("AOL SComp")),
        ("jmrp", jmrp(original), None),
        ("spamcop", spamcop, Some("SpamCop.net v5")),
    ]
}
