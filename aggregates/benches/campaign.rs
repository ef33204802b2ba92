//! What a campaign with a million redemptions costs, and how fast unique codes
//! are made and read: `cargo bench -p aggregates`.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Instant,
};

use aggregates::{
    Campaign, CodeKey, Decide, PersonId, UniqueCode,
    campaign::{Command, Event, Source, Terms},
};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use uuid::Uuid;

const MANY: u32 = 1_000_000;
const AT: DateTime<Utc> = DateTime::from_timestamp_nanos(1_795_000_000_000_000_000);

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without; this one only counts")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// As random as a pseudonym is.
fn person(n: u32) -> PersonId {
    PersonId(Uuid::from_u128(u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)))
}

fn main() {
    for (name, unique) in [("shared code", false), ("unique codes", true)] {
        let before = ALLOCATED.load(Relaxed);
        let mut campaign = Campaign::default();
        campaign.apply(Event::Drafted { terms: Terms::default(), at: AT });
        campaign.apply(Event::BatchMinted { batch: 1, count: MANY, at: AT });
        campaign.apply(Event::Activated { at: AT });
        let started = Instant::now();
        for number in 1..=MANY {
            campaign.apply(Event::Redeemed {
                redemption: Uuid::from_u128(number.into()),
                number,
                person: person(number),
                telegram: None,
                coupon: unique.then_some(UniqueCode { batch: 1, index: number - 1 }),
                reservation: None,
                source: Source::Bot,
                submission: None,
                at: AT,
            });
        }
        let took = started.elapsed();
        let bytes = (ALLOCATED.load(Relaxed) - before) as f64 / f64::from(MANY);
        println!("{MANY} redemptions, {name}: {bytes:.1} bytes each; applied in {:.0} ms", took.as_secs_f64() * 1e3);
        let started = Instant::now();
        let copy = campaign.clone();
        println!("  copied in {:.0} µs", started.elapsed().as_secs_f64() * 1e6);
        drop(black_box(copy));
    }

    let mut campaign = Campaign::default();
    campaign.apply(Event::Drafted { terms: Terms::default(), at: AT });
    let started = Instant::now();
    let minted = campaign.decide(&Command::Mint { batch: 1, count: MANY, at: AT });
    println!(
        "{MANY} codes minted in {:.1} µs, {} event",
        started.elapsed().as_secs_f64() * 1e6,
        minted.map_or(0, |e| e.len())
    );

    let key = CodeKey::new(b"a secret of 16 b");
    let started = Instant::now();
    let mut texts = vec![];
    for index in 0..MANY {
        texts.push(UniqueCode { batch: 1, index }.text(&key));
    }
    println!("{:.0} codes/s written", f64::from(MANY) / started.elapsed().as_secs_f64());
    let started = Instant::now();
    let read = texts
        .iter()
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| UniqueCode::read(text, &key).is_ok());
    assert_eq!(read.count(), MANY as usize);
    println!("{:.0} codes/s read", f64::from(MANY) / started.elapsed().as_secs_f64());
}
