//! How many cards one core draws in a second, and what reading a background costs.
//!
//! `cargo bench -p cards`

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use cards::{Layout, Renderer, Values};

/// How long is measured, after a warm-up.
const MEASURED: Duration = Duration::from_secs(5);

/// Runs until time is up; returns the rounds in a second.
fn rate(mut round: impl FnMut(usize)) -> f64 {
    (0..3).for_each(&mut round);
    let started = Instant::now();
    let mut rounds = 0;
    while started.elapsed() < MEASURED {
        round(rounds);
        rounds += 1;
    }
    rounds as f64 / started.elapsed().as_secs_f64()
}

fn main() -> Result<(), cards::RenderError> {
    let started = Instant::now();
    let renderer = Renderer::new();
    let fonts = started.elapsed();
    let (ticket, layout) = (renderer.ticket(), Layout::ticket());
    let values = |number: usize| Values {
        code: format!("SUMMER{number:06}"),
        holder_name: Some(format!("Екатерина Müller 🚀 {number}")),
        validity: Some("Valid until 31 August 2026".to_owned()),
        campaign_name: "Summer Sale 2026".to_owned(),
        benefit: "20% off the first month".to_owned(),
        link: format!("https://t.me/promo_stack_bot?start=c-SUMMER{number:06}"),
    };
    let bytes = renderer.render(&ticket, &layout, &values(0))?.len();
    let cards = rate(|number| {
        let _ = black_box(renderer.render(&ticket, &layout, &values(number)));
    });
    let tickets = rate(|_| {
        black_box(renderer.ticket());
    });
    println!(
        "{cards:.1} cards/s ({:.1} ms, {bytes} bytes each); fonts {:.1} ms; SVG background {:.1} ms",
        1e3 / cards,
        fonts.as_secs_f64() * 1e3,
        1e3 / tickets
    );
    Ok(())
}
