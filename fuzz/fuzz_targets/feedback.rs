//! Everything that reads what comes back: never a panic, every size bounded, nothing that ends a line.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::base::Secret;
use postrider::mail::bounce::{Classifier, Said};
use postrider::mail::feedback::letter::{self, Letter};
use postrider::mail::feedback::{complaint, dsn};
use postrider::mail::marks::Marks;

fuzz_target!(|raw: &[u8]| {
    let one_line = |text: &String| assert!(!text.contains(['\r', '\n']) && text.chars().count() <= 1_010);
    for null in [true, false] {
        match letter::read(raw, null) {
            Letter::Status(report) => {
                assert!((1..=60).contains(&report.recipients.len()));
                report.reporting_mta.iter().for_each(one_line);
                report
                    .recipients
                    .iter()
                    .flat_map(|fate| fate.diagnostic.iter().chain(&fate.addresses))
                    .for_each(one_line);
            }
            Letter::Complaint(complaint) => complaint.user_agent.iter().chain(&complaint.recipient).for_each(one_line),
            Letter::Automatic | Letter::Other => {}
        }
    }
    let _ = (dsn::report(raw), complaint::report(raw));
    let _ = Classifier::default().judge(&Said { text: &String::from_utf8_lossy(raw), ..Said::default() });
    assert!(Marks::new(Secret::new("a key of nobody")).find(raw).is_none());
});
