//! The certificate of the SMTP listeners while the program runs: its end, and a new one that is no good.
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use postrider::base::Clock;

use crate::engine::{Engine, TestDatabase};
use crate::program::Program;

const DAY: i64 = 24 * 3_600;

/// Writes a certificate that ends at this second, with its key.
fn write(file: &Path, end: i64) {
    let mut parameters = rcgen::CertificateParams::new(vec!["mx.postrider.example".to_owned()]).expect("parameters");
    let end = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(end).expect("after 1970"));
    parameters.not_after = end.into();
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    std::fs::write(file, certificate.pem() + &key.serialize_pem()).expect("written");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("kept from others");
}

async fn metric(program: &Program, name: &str) -> f64 {
    let page = reqwest::get(format!("{}/metrics", program.endpoint)).await.expect("an answer").text().await;
    let page = page.expect("text");
    let line =
        page.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name}: {page}"));
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_end_and_a_bad_one_in_its_place_are_told() {
    let (end, failures) =
        ("postrider_certificate_end_timestamp_seconds", "postrider_certificate_reload_failures_total");
    let database = TestDatabase::new(Engine::Sqlite).await;
    let file = database.dir.path().join("mx.pem");
    let now = Clock::system().now().secs();
    write(&file, now + 3 * DAY);
    let name = file.to_str().expect("text");
    let flags = ["--tls-certificate", name, "--tls-key", name];
    let mut program = Program::start("serve", &database.dir.path().join("data"), database.url(), &flags);
    program.heard(&["WARN", "the smtp certificate ends soon", name]);
    assert_eq!(metric(&program, end).await as i64, now + 3 * DAY);
    assert_eq!(metric(&program, failures).await as i64, 0);

    std::fs::write(&file, "nothing").expect("written");
    program.signal("HUP");
    program.heard(&["the new smtp certificate cannot be used"]);
    assert_eq!(metric(&program, failures).await as i64, 1);
    assert_eq!(metric(&program, end).await as i64, now + 3 * DAY, "of the one in use");

    write(&file, now + 90 * DAY);
    program.signal("HUP");
    program.heard(&["a new smtp certificate is in use"]);
    assert_eq!(metric(&program, end).await as i64, now + 90 * DAY);
    assert_eq!(metric(&program, failures).await as i64, 1);
    drop(program);

    let again = Program::start("serve", &database.dir.path().join("data"), database.url(), &flags);
    metric(&again, end).await;
    let log = again.stop();
    assert!(!log.iter().any(|line| line.contains("certificate")), "there is time: {log:#?}");
}
