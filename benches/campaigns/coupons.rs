//! A million unique codes, and cards.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aggregates::campaign::Command;
use cards::{Layout, Renderer, Values};
use futures_util::StreamExt;
use promostack::{app::Role, executor::Wish, log::Cause};

use crate::{Report, database::Database, site::Site};

const MANY: u32 = 1_000_000;
/// How long cards are drawn.
const DRAWN: Duration = Duration::from_secs(5);

pub(crate) async fn minted_and_exported(report: &mut Report) {
    let database = Database::create().await;
    let site = Site::start(&database, Role::All).await;
    let id = site.campaign(None).await;
    let clock = &site.app.clock;
    let cause = Cause { actor: "bench".into(), correlation: clock.new_id(), causation: "bench".into() };
    let command = Command::Mint { batch: 1, count: MANY, at: clock.now() };
    let started = Instant::now();
    let wish = Wish { command, cause, once: None, expected: None };
    let position = site.app.campaigns.send(&id, wish).await.expect("they are minted").position;
    report.add("10^6 codes minted", started.elapsed().as_secs_f64() * 1e3, "ms", Some(-50.0));

    for round in ["first", "second"] {
        let path = format!("{}/api/batches/1/codes?min_position={position}", site.url);
        let started = Instant::now();
        let answer = site.client.get(path).bearer_auth(site.key.reveal()).send().await.expect("it answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        let mut lines = 0;
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            lines += piece.expect("it goes on").iter().filter(|byte| **byte == b'\n').count();
        }
        assert_eq!(lines, MANY as usize + 1, "all and the header");
        let per_s = f64::from(MANY) / started.elapsed().as_secs_f64();
        report.add(&format!("codes exported, {round}"), per_s, "per s", Some(500_000.0));
    }
    site.stop().await;
}

pub(crate) fn cards(report: &mut Report) {
    let renderer = Renderer::new();
    let (ticket, layout) = (renderer.ticket(), Layout::ticket());
    let started = Instant::now();
    let mut drawn = 0;
    while started.elapsed() < DRAWN {
        let values = Values {
            code: format!("SUMMER{drawn:06}"),
            holder_name: Some(format!("Anna {drawn}")),
            validity: Some("Valid until 31 August 2026".to_owned()),
            campaign_name: "Gold week".to_owned(),
            benefit: "20% off the first month".to_owned(),
            link: format!("https://t.me/promo_stack_bot?start=c-SUMMER{drawn:06}"),
        };
        black_box(renderer.render(&ticket, &layout, &values).expect("it can be drawn"));
        drawn += 1;
    }
    report.add("cards drawn by one core", f64::from(drawn) / started.elapsed().as_secs_f64(), "per s", None);
}
