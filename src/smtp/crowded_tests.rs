//! What a listener does when its places are few: who loses one, who must hurry, who gets no more.
use super::*;

#[tokio::test]
async fn idle_sessions_of_whoever_has_most_make_room_for_others() {
    let limits = Limits { sessions: 10, sessions_per_peer: 10, ..Limits::default() };
    let house = House::open(Mode::Inbound, false, limits).await;
    let mut greedy = Vec::new();
    for _ in 0..7 {
        let mut raw = house.raw().await;
        assert!(raw.reply().await.starts_with("220"));
        greedy.push(raw);
        house.clock.advance(Duration::from_secs(1));
    }
    let mut good = house.raw_from([127, 0, 0, 2]).await;
    assert!(good.reply().await.starts_with("220"));
    good.send(&format!("EHLO x\r\n{BEGIN}Hi\r\n.\r\n")).await;
    for code in ["250", "250", "250", "354", "250 2.0.0 Ok m1"] {
        assert!(good.reply().await.starts_with(code));
    }
    for n in 3..10 {
        let mut raw = house.raw_from([127, 0, 0, n]).await;
        assert!(raw.reply().await.starts_with("220"), "there is always a place for another");
        greedy.push(raw);
    }
    let needed = "421 4.3.2 mx.here.example is full and needs the place of this idle session, please connect again";
    assert_eq!(greedy[0].reply().await, needed);
    assert_eq!(greedy[0].reply().await, "", "and it is closed");
    assert!(good.ask("NOOP\r\n").await.starts_with("250"), "who has brought mail stays");
}

/// What a session hears while the clock stands.
async fn heard(raw: &mut Raw) -> String {
    let said = raw.reply();
    tokio::pin!(said);
    for _ in 0..100_000 {
        tokio::select! {
            biased;
            said = &mut said => return said,
            () = tokio::task::yield_now() => {}
        }
    }
    panic!("it hears nothing");
}

#[tokio::test]
async fn who_waits_for_its_mistakes_is_put_out_at_once() {
    let tarpit = Limits { tarpit_after: 0, tarpit: Duration::from_secs(20), ..Limits::default() };
    let house = House::open(Mode::Inbound, false, Limits { sessions: 10, sessions_per_peer: 10, ..tarpit }).await;
    let mut stuck = house.raw_from([127, 0, 0, 2]).await;
    assert!(stuck.reply().await.starts_with("220"));
    stuck.send("X\r\n").await;
    // What others say after it is heard after it.
    let mut good = house.raw_from([127, 0, 0, 3]).await;
    assert!(good.reply().await.starts_with("220") && good.ask("NOOP\r\n").await.starts_with("250"));
    house.clock.advance(Duration::from_secs(1));
    assert!(good.ask("NOOP\r\n").await.starts_with("250"), "the other one rests for less long now");
    let mut others = Vec::new();
    for n in 4..12 {
        let mut raw = house.raw_from([127, 0, 0, n]).await;
        assert!(heard(&mut raw).await.starts_with("220"));
        others.push(raw);
    }
    assert!(heard(&mut stuck).await.starts_with("500"), "it was waiting for that");
    assert!(heard(&mut stuck).await.starts_with("421 4.3.2 mx.here.example is full"));
    assert_eq!(heard(&mut stuck).await, "", "and it is closed");
    assert!(good.ask("NOOP\r\n").await.starts_with("250"));
}

#[tokio::test]
async fn where_places_are_few_strangers_must_hurry() {
    let house =
        House::open(Mode::Inbound, false, Limits { sessions: 4, sessions_per_peer: 4, ..Limits::default() }).await;
    let mut all = Vec::new();
    for n in 1..=4 {
        let mut data = house.raw_from([127, 0, 0, n]).await;
        data.send(&format!("EHLO x\r\n{BEGIN}")).await;
        for code in ["220", "250", "250", "250", "354"] {
            assert!(data.reply().await.starts_with(code));
        }
        all.push(data);
    }
    let mut last = all.pop().expect("the fourth");
    let began = house.clock.instant();
    let said = loop {
        tokio::select! {
            biased;
            said = last.reply() => break said,
            () = tokio::time::sleep(Duration::from_millis(1)) => house.clock.advance(Duration::from_millis(500)),
        }
    };
    assert!(said.starts_with("421 4."), "{said}");
    assert!(house.clock.instant().since(began) < Limits::default().data_wait);
}

#[tokio::test]
async fn an_account_does_not_get_all_sessions() {
    let limits = Limits { sessions: 8, sessions_per_peer: 8, ..Limits::default() };
    let house = House::open(Mode::Submission, true, limits).await;
    let hello = ClientId::Domain("client.example".to_owned());
    let mut said = Vec::new();
    let mut open = Vec::new();
    for n in 1..=7 {
        let parameters = TlsParameters::builder("mx.here.example".to_owned());
        let parameters = parameters.dangerous_accept_invalid_certs(true).build().expect("parameters");
        let local = Some(IpAddr::from([127, 0, 0, n]));
        let session = AsyncSmtpConnection::connect_tokio1(house.address, None, &hello, Some(parameters), local).await;
        let mut session = session.expect("a session");
        let credentials = Credentials::new("user".to_owned(), "pass".to_owned());
        said.push(session.auth(&[Mechanism::Plain], &credentials).await.map_err(|error| error.to_string()));
        open.push(session);
    }
    assert!(said[..6].iter().all(Result::is_ok), "{said:?}");
    let refused = said[6].as_ref().expect_err("no seventh session of one account");
    assert!(refused.contains("Too many sessions of this account"), "{refused}");
}
