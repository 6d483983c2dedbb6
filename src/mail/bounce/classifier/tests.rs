//! The table: each rule with its examples, replies of all kinds at each stage, and what must hold whatever is said.
use proptest::prelude::*;

use super::*;
use crate::mail::bounce::BounceType;
use crate::mail::bounce::plain::plain;

/// Replies and diagnostics, in words of our own modelled on what is published: `kind | stage | host | text`.
fn replies() -> Vec<(String, Option<Stage>, Option<String>, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bounces/replies.txt");
    let text = std::fs::read_to_string(path).expect("the replies");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let parts: Vec<&str> = line.splitn(4, '|').map(str::trim).collect();
        let [kind, stage, host, text] = parts.as_slice() else { panic!("{line}") };
        let stage = match *stage {
            "connect" => Some(Stage::Connect),
            "mail" => Some(Stage::Mail),
            "rcpt" => Some(Stage::Rcpt),
            "data" => Some(Stage::Data),
            _ => None,
        };
        let host = Some(*host).filter(|host| !host.is_empty()).map(str::to_owned);
        ((*kind).to_owned(), stage, host, text.replace("\\n", "\n"))
    };
    lines.map(read).collect()
}

#[test]
fn each_rule_judges_its_examples() {
    let classifier = Classifier::default();
    let mut wrong = Vec::new();
    for rule in classifier.rules().iter() {
        for example in &rule.examples {
            let said = example_of(rule, example);
            let matched =
                classifier.table.matcher.as_ref().map(|matcher| matcher.find(&plain(example))).unwrap_or_default();
            let fits = classifier.fitting(&matched, &said).iter().any(|fit| fit.rule.name == rule.name);
            let found = classifier.judge(&said);
            if !fits || found.cause.kind() != rule.cause.kind() {
                wrong.push(format!(
                    "{}: {example}\n    fits: {fits}, is {:?} by {}",
                    rule.name, found.cause, found.rule
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_reply_has_its_kind() {
    let classifier = Classifier::default();
    let (mut wrong, mut all) = (Vec::new(), 0);
    for (wanted, stage, host, text) in replies() {
        all += 1;
        let found = classifier.judge(&Said { text: &text, stage, host: host.as_deref(), ..Said::default() });
        let (kind, sub_type) = found.cause.kind();
        let got = format!("{kind}/{sub_type}");
        if got != wanted && format!("{kind:?}") != wanted {
            wrong.push(format!("{text}\n    wanted {wanted}, is {got} by {}", found.rule));
        }
    }
    assert!(wrong.is_empty(), "{} of {all}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_said_of_the_senders_own_address_is_not_said_of_the_recipient() {
    for (text, permanent) in [
        ("550 <bob@sender.example> does not exist", false),
        ("550 bob@sender.example: user unknown", false),
        ("550 domain sender.example does not exist", false),
        ("550 sender.example not found", false),
        ("550 <ann@there.example> does not exist", true),
        ("550 domain there.example does not exist", true),
    ] {
        let sender = Some("Bob@sender.example");
        let judge = |sender| Classifier::default().judge(&Said { text, sender, ..Said::default() }).cause;
        assert_eq!(judge(sender).suppresses(), permanent, "{text}: {:?}", judge(sender));
    }
}

#[test]
fn before_the_recipient_is_named_and_in_class_4_nothing_is_permanent() {
    let classifier = Classifier::default();
    let mut wrong = Vec::new();
    for rule in classifier.rules().iter().filter(|rule| rule.cause.suppresses()) {
        for example in &rule.examples {
            let said = example_of(rule, example);
            let later = example.replace("5.", "4.").replace("55", "45").replace("501", "451");
            for said in [
                Said { stage: Some(Stage::Connect), ..said },
                Said { stage: Some(Stage::Ehlo), ..said },
                Said { stage: Some(Stage::Mail), ..said },
                Said { stage: Some(Stage::Mail), status: Some("5.1.1"), code: Some(550), ..said },
                Said { status: Some("4.1.1"), code: Some(450), text: &later, ..said },
                Said { stage: Some(Stage::Rcpt), code: Some(450), text: &later, ..said },
            ] {
                let found = classifier.judge(&said);
                if found.cause.suppresses() {
                    wrong.push(format!("{said:?}: {:?} by {}", found.cause, found.rule));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Who sends, in several languages, and what may be said of him.
const SENDERS: [(&[&str], &[&str]); 12] = [
    (
        &[
            "sender",
            "sending domain",
            "return address",
            "MAIL FROM",
            "envelope sender",
            "From: address",
            "the sender address",
        ],
        &["does not exist", "unknown", "not found", "is invalid"],
    ),
    (
        &["Absender", "Absenderadresse", "Absenderdomain"],
        &["existiert nicht", "unbekannt", "nicht gefunden", "ist nicht bekannt"],
    ),
    (&["l'expéditeur", "adresse de l'expéditeur", "votre adresse IP"], &["n'existe pas", "inconnu", "introuvable"]),
    (&["el remitente", "dominio del remitente"], &["no existe", "desconocido", "no encontrado"]),
    (&["o remetente", "domínio do remetente"], &["não existe", "desconhecido", "não encontrado"]),
    (&["il mittente", "dominio del mittente"], &["non esiste", "sconosciuto", "non trovato"]),
    (&["отправитель", "домен отправителя", "адрес отправителя"], &["не существует", "не найден", "неизвестен"]),
    (&["nadawca", "adres nadawcy"], &["nie istnieje", "nieznany"]),
    (&["发件人", "发件人域名", "发信人地址", "發件人"], &["不存在", "地址错误", "未找到"]),
    (&["送信ドメイン", "送信者のアドレス", "差出人", "逆引きレコード"], &["が存在しません", "が見つかりません"]),
    (&["발신 도메인", "발신자", "보낸 사람"], &["이 존재하지 않습니다", "을 찾을 수 없습니다"]),
    (&["afzender", "avsändaren", "gönderen"], &["bestaat niet", "finns inte", "bulunamadı"]),
];

#[test]
fn a_sender_that_is_not_there_is_never_permanent_in_any_language() {
    let classifier = Classifier::default();
    let mut wrong = Vec::new();
    for (who, what) in SENDERS {
        for text in who.iter().flat_map(|who| what.iter().map(move |what| format!("550 {who} {what}"))) {
            for stage in [None, Some(Stage::Mail), Some(Stage::Rcpt)] {
                let found = classifier.judge(&Said { text: &text, stage, ..Said::default() });
                if found.cause.suppresses() {
                    wrong.push(format!("{text}, {stage:?}: {:?} by {}", found.cause, found.rule));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_other_sides_words_win_over_what_a_relay_summed_up() {
    let judge = |status, text| {
        let found = Classifier::default().judge(&Said { status: Some(status), text, ..Said::default() });
        found.cause
    };
    assert_eq!(judge("5.1.1", "smtp; host mx.there.example said: 550 5.7.1 blacklisted"), Cause::Reputation);
    assert_eq!(judge("5.7.1", "smtp; 550 5.7.1 no such user here"), Cause::NoSuchUser);
    assert_eq!(judge("5.0.0", "smtp; 550 5.1.1"), Cause::NoSuchUser);
    assert_eq!(judge("5.1.1", "x-unix; 67"), Cause::NoSuchUser);
    assert_eq!(judge("5.0.0", "something happened"), Cause::Unclear);
    assert_eq!(judge("4.4.7", "smtp; 450 4.2.0 user unknown in the greylist, delivery time expired"), Cause::Expired);
}

#[test]
fn an_operators_rule_comes_first_and_has_to_judge_its_examples() {
    let rule =
        "[[rule]]\nname = \"ours\"\ncause = \"spam\"\nsource = \"us\"\nwords = [\"no such user {who}\", \"flurbed\"]\n";
    let classifier =
        Classifier::with_own("own.toml", &format!("{rule}examples = [\"550 5.1.1 flurbed\"]\n")).expect("good");
    let judge = |text| classifier.judge(&Said { text, ..Said::default() });
    assert_eq!(
        (judge("550 5.1.1 flurbed, no such user").rule.as_str(), judge("550 no such user").cause),
        ("ours", Cause::NoSuchUser)
    );
    let error = Classifier::with_own("own.toml", &format!("{rule}examples = [\"550 rejected\"]\n"))
        .map(|_| ())
        .expect_err("wrong");
    assert_eq!(error.to_string(), "own.toml, rule \"ours\": its example \"550 rejected\" is judged by \"refused\"");
}

/// Words that blame who sends, or what is sent.
const BLAME: [&str; 40] = [
    "blocked using zen.example",
    "is blacklisted",
    "on our block list",
    "rejected due to local policy",
    "policy violation",
    "DMARC check failed",
    "SPF fail",
    "DKIM signature invalid",
    "not authenticated",
    "authentication required",
    "sending rate exceeded",
    "rate limit exceeded",
    "too many messages",
    "receiving mail at a rate that prevents delivery",
    "throttled",
    "poor reputation",
    "listed at dnsbl.example",
    "no PTR record",
    "reverse DNS lookup failed",
    "looks like spam",
    "spam detected",
    "content rejected",
    "virus found",
    "sender address rejected",
    "sender rejected",
    "sender verify failed",
    "relaying denied",
    "blocked for abuse",
    "banned sending IP",
    "greylisted",
    "message rate too high",
    "you must use TLS",
    "failed FCrDNS",
    "quarantined",
    "sending domain has no MX record",
    "Absender existiert nicht",
    "发件人域名不存在",
    "送信ドメインが存在しません",
    "El remitente no existe",
    "отправитель не существует",
];

#[test]
fn no_example_that_blames_the_sender_or_the_content_is_permanent_beside_any_other() {
    let classifier = Classifier::default();
    let (of_recipient, others): (Vec<&Rule>, Vec<&Rule>) =
        classifier.rules().iter().filter(|rule| !rule.weak).partition(|rule| rule.cause.suppresses());
    // A rule about a status alone has no words that could stand beside others.
    let blames = |rule: &&&Rule| {
        matches!(rule.cause.blame(), Blame::Sender | Blame::Content)
            && !(rule.words.is_empty() && rule.marks.is_empty())
    };
    let mut wrong = Vec::new();
    for blaming in others.iter().filter(blames).flat_map(|rule| &rule.examples) {
        for permanent in of_recipient.iter().flat_map(|rule| &rule.examples) {
            let text = format!("{permanent}; {blaming}");
            let found = classifier.judge(&Said { text: &text, ..Said::default() });
            if found.cause.suppresses() {
                wrong.push(format!("{text}: {:?} by {}", found.cause, found.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_text_that_blames_the_sender_or_the_content_is_never_permanent(
        code in prop::sample::select(vec!["550", "553", "554", "550 5.1.1", "550 5.1.0", "550 5.2.1", "550 5.4.1", "550 5.0.0", "556 5.1.10", ""]),
        blame in prop::sample::select(BLAME.to_vec()),
        other in any::<prop::sample::Index>(),
        first: bool,
        stage in prop::sample::select(vec![None, Some(Stage::Mail), Some(Stage::Rcpt), Some(Stage::Data)]),
    ) {
        let classifier = Classifier::default();
        let rules: Vec<_> = classifier.rules().iter().filter(|rule| rule.cause.suppresses()).collect();
        let rule = other.get(&rules);
        let example = rule.examples.first().cloned().unwrap_or_default();
        let text = if first { format!("{code} {blame}; {example}") } else { format!("{code} {example}: {blame}") };
        let found = classifier.judge(&Said { text: &text, stage, status: Some("5.1.1"), ..Said::default() });
        prop_assert!(found.cause.kind().0 != BounceType::Permanent, "{text} is {:?} by {}", found.cause, found.rule);
    }

    #[test]
    fn any_text_has_a_type(status in prop::option::of("[0-9.]{0,8}"), text in "\\PC{0,200}", word in prop::sample::select(BLAME.to_vec())) {
        let said = Said { status: status.as_deref(), text: &text.replace('a', word), ..Said::default() };
        let _ = Classifier::default().judge(&said);
    }
}
