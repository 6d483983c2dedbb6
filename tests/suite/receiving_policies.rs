//! DMARC of received mail: whose policy counts, and which.
use crate::both_engines;
use crate::receiving_checks::{HELLO, ready, verdicts};

both_engines! {
    async fn of_several_policies_none_counts_and_of_several_authors_the_strictest(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("_dmarc.two.example", "v=DMARC1; p=reject");
        b.dns.txt("_dmarc.two.example", "v=DMARC1; p=none");
        b.dns.txt("_dmarc.noted.example", "a note");
        b.dns.txt("_dmarc.noted.example", "v=DMARC1; p=reject");
        b.dns.txt("_dmarc.mild.example", "v=DMARC1; p=none");
        b.dns.txt("_dmarc.passes.example", "v=DMARC1; p=none");
        b.dns.txt("passes.example", "v=spf1 ip4:192.0.2.7 -all");
        for (from, verdict, told) in [
            ("From: a@two.example", "GRAY", "none told"),
            ("From: a@noted.example", "FAIL", "reject"),
            ("From: a@passes.example", "PASS", "none told"),
            ("From: a@passes.example, b@noted.example", "FAIL", "reject"),
            ("From: a@noted.example\r\nFrom: b@mild.example", "FAIL", "reject"),
            ("From: a@mild.example\r\nFrom: b@passes.example", "FAIL", "none"),
            ("From: a@sub.passes.example\r\nFrom: b@passes.example", "PASS", "none told"),
        ] {
            let data = HELLO.replace("From: Ann <ann@news.there.example>", from);
            assert_eq!(verdicts(&b, Some("x@passes.example"), &data).await[2..], [verdict, told], "{from}");
        }
    }

    async fn a_subdomain_has_the_policy_for_subdomains_or_its_own(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=none; sp=reject");
        assert_eq!(verdicts(&b, None, HELLO).await[2..], ["FAIL", "reject"]);
        let own = HELLO.replace("news.", "");
        assert_eq!(verdicts(&b, None, &own).await[2..], ["FAIL", "none"]);
        let b = ready(engine).await;
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=none; sp=reject");
        b.dns.txt("_dmarc.news.there.example", "v=DMARC1; p=quarantine");
        assert_eq!(verdicts(&b, None, HELLO).await[2..], ["FAIL", "quarantine"]);
    }

    async fn the_levels_between_an_author_and_the_registered_domain_have_no_say(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=none; sp=reject");
        b.dns.txt("_dmarc.news.there.example", "v=DMARC1; p=none");
        for from in ["ann@today.news.there.example", "ann@a.b.c.d.news.there.example"] {
            let data = HELLO.replace("ann@news.there.example", from);
            assert_eq!(verdicts(&b, None, &data).await[2..], ["FAIL", "reject"], "{from}");
        }
        assert_eq!(verdicts(&b, None, HELLO).await[2..], ["FAIL", "none"]);
    }

    async fn nobody_hides_an_author_behind_a_line_that_is_no_field(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("_dmarc.victim.example", "v=DMARC1; p=reject");
        for odd in ["no field", " a fold of nothing", ": no name", "From a@b.example Fri Jan  2 03:04:05 2026", "F rom: a@b.example"] {
            let data = HELLO.replace("From: Ann <ann@news.there.example>", &format!("{odd}\r\nFrom: ceo@victim.example"));
            assert_eq!(verdicts(&b, None, &data).await[2..], ["FAIL", "reject"], "{odd}");
        }
        // The last line may come without an end (RFC 3030).
        assert_eq!(verdicts(&b, None, "Subject: a\r\nFrom: ceo@victim.example").await[2..], ["FAIL", "reject"]);
    }

    async fn nobody_hides_an_author_behind_many_others(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("_dmarc.victim.example", "v=DMARC1; p=reject");
        b.dns.txt("_dmarc.passes.example", "v=DMARC1; p=none");
        b.dns.txt("passes.example", "v=spf1 ip4:192.0.2.7 -all");
        let others = |domain: &str| (0..10).map(|n| format!("x@a{n}{domain}, ")).collect::<String>();
        for (from, verdict, told) in [
            (format!("{}ceo@victim.example", others(".example")), "FAIL", "reject"),
            (format!("{}ceo@victim.example", others(".passes.example")), "FAIL", "reject"),
            (format!("{}ceo@passes.example", others(".passes.example")), "FAIL", "reject"),
            (format!("{}ceo@passes.example", others(".passes.example").replace("x@a0.passes.example, ", "")), "PASS", "none told"),
            // What is no domain has no policy, and takes nobody's place.
            (format!("{}x@b, ceo@victim.example", others("")), "FAIL", "reject"),
            (format!("{}x@b, ceo@passes.example", others("")), "PASS", "none told"),
        ] {
            let data = HELLO.replace("Ann <ann@news.there.example>", &from);
            assert_eq!(verdicts(&b, Some("x@passes.example"), &data).await[2..], [verdict, told], "{from}");
        }
    }
}
