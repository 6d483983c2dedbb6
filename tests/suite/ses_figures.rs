//! The account's statistics: what real mail hosts, reports and the simulator come to.
use std::time::Duration;

use aws_sdk_sesv2::types::SuppressionListReason;
use postrider::base::{AccountId, Region};
use postrider::store::mail_figures::Figures;

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;

async fn figures(house: &House) -> Vec<Figures> {
    let (account, region) = (AccountId::development(), Region::default_region());
    house.app.parts().services.sending.figures(&account, &region).await.expect("figures")
}

both_engines! {
    async fn what_becomes_of_recipients_is_counted_by_quarters_of_an_hour(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let at = |name: &str| format!("{name}@simulator.amazonses.com");
        watched.ses.put_suppressed_destination()
            .email_address("listed@y.example")
            .reason(SuppressionListReason::Bounce)
            .send()
            .await
            .expect("put");
        watched.send(&["b@y.example", "listed@y.example", &at("bounce"), &at("complaint"), &at("ooto")]).await;
        watched.send(&[&at("complaint+two"), &at("suppressionlist")]).await;
        house.work().await;
        let span = 15 * 60;
        let first = Figures {
            at: postrider::base::Timestamp::from_secs(house.clock.now().secs() / span * span),
            attempts: 5,
            bounces: 1,
            complaints: 2,
            rejects: 0,
        };
        assert_eq!(figures(&house).await, [first]);
        house.clock.advance(Duration::from_secs(15 * 60));
        watched.send(&["b@y.example"]).await;
        house.work().await;
        let later = Figures { at: first.at + Duration::from_secs(15 * 60), attempts: 1, bounces: 0, complaints: 0, rejects: 0 };
        assert_eq!(figures(&house).await, [first, later]);
        house.clock.advance(Duration::from_secs(15 * 86_400));
        assert_eq!(figures(&house).await, []);
        house.app.parts().services.sending.sweep().await.expect("swept");
    }
}
