//! The market: fetched through the real client from the twin, kept, and known to be complete.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use poem::listener::TcpAcceptor;
use promostack::{
    app::App,
    clock::Clock,
    config::Config,
    integrations::twelve_data::twin::{Replay, ReplayError, Source, Twin, Wanted},
    market::{
        GOLD, Market, MarketError, Stale,
        store::{self, Coverage, LIVE, StoreError},
    },
};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};
use trading::{Candle, Price, calendar, synthetic::Synthetic};

use crate::support::Database;

struct World {
    database: Database,
    pool: PgPool,
    clock: Clock,
    app: App,
    _twin: JoinSet<()>,
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// A replay that begins now, in a week with summer time and Memorial Day.
    async fn new(wanted: Wanted) -> Self {
        let database = Database::fresh().await;
        let pool = database.pool();
        promostack::app::MIGRATIONS.run(&pool).await.unwrap();
        let clock = Clock::fixed(at("2026-11-24T12:00:00Z"));
        Replay::open(&pool, clock.now(), &wanted).await.unwrap();
        let (url, twin) = serve(&pool, &clock).await;
        let app = app(&database, &url, &clock, true);
        Self { database, pool, clock, app, _twin: twin }
    }

    fn market(&self) -> &Market {
        self.app.market.as_ref().unwrap()
    }

    fn pass(&self, time: TimeDelta) {
        self.clock.set(self.clock.now() + time);
    }

    /// Until nothing more is known to be missing.
    async fn catch_up(&self) -> u64 {
        let mut candles = 0;
        loop {
            let done = self.market().catch_up(&self.app).await.unwrap();
            candles += done.candles;
            if !done.more {
                return candles;
            }
        }
    }

    async fn kept(&self) -> Vec<Candle> {
        store::read(&self.pool, GOLD, at("2000-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z")).await.unwrap()
    }
}

async fn serve(pool: &PgPool, clock: &Clock) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Twin::new(pool.clone(), clock.clone()).routes();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        server.run(routes).await.unwrap();
    });
    (url, tasks)
}

fn app(database: &Database, url: &str, clock: &Clock, replayed: bool) -> App {
    let mut config = Config::read(replayed, |name| match name {
        "TWELVE_DATA_API_KEY" => Some("key".to_owned()),
        "TWELVE_DATA_API_URL" => Some(url.to_owned()),
        _ => None,
    })
    .unwrap();
    config.market_is_replayed = replayed;
    App::build(config, &database.url, clock.clone()).unwrap()
}

fn from(begins: &str) -> Wanted {
    Wanted { source: Some(Source::Seed(3)), begins: Some(at(begins)), speed: Some(60.0) }
}

fn candle(opened_at: &str, close: i64) -> Candle {
    let price = Price::from_units(close * Price::SCALE);
    Candle { opened_at: at(opened_at), open: price, high: price, low: price, close: price, volume: 1 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_fetched_as_it_goes_and_is_what_the_seed_makes() {
    let world = World::new(from("2026-05-22T13:00:00Z")).await;
    // Nothing is known yet.
    let error = world.market().fresh(&world.app).await.unwrap_err();
    assert!(matches!(error, MarketError::Stale(Stale::Nothing)), "{error:?}");
    assert_eq!(world.market().late_after(), None);
    // First the history: 60 days.
    let history = world.catch_up().await;
    assert!((55_000..83_000).contains(&history), "{history}");
    let standing = world.market().fresh(&world.app).await.unwrap();
    assert_eq!((standing.now, standing.is_open()), (at("2026-05-22T13:00:00Z"), true));
    assert_eq!(world.catch_up().await, 0, "nothing is new");
    // Friday 13:00 UTC to the close at 21:00 is 480 minutes: eight seconds. Then it is Sunday evening.
    world.pass(TimeDelta::milliseconds(7_990));
    assert_eq!(world.market().now(&world.app).await.unwrap(), at("2026-05-22T20:59:24Z"));
    world.catch_up().await;
    world.pass(TimeDelta::milliseconds(10));
    assert_eq!(world.market().now(&world.app).await.unwrap(), at("2026-05-24T22:00:00Z"));
    world.catch_up().await;
    let coverage = store::coverage(&world.pool, GOLD).await.unwrap().unwrap();
    assert_eq!(coverage.until, at("2026-05-24T22:00:00Z"));
    // Many steps of odd lengths, by two processes at once.
    for step in 0..12 {
        world.pass(TimeDelta::milliseconds(137 * (step + 1)));
        let (one, other) = tokio::join!(world.market().catch_up(&world.app), world.market().catch_up(&world.app));
        one.unwrap();
        other.unwrap();
    }
    let now = world.market().now(&world.app).await.unwrap();
    let coverage = store::coverage(&world.pool, GOLD).await.unwrap().unwrap();
    assert!(calendar::open_minutes_between(coverage.until, now) <= 2, "{coverage:?} {now}");
    let kept = world.kept().await;
    let made: Vec<_> = Synthetic::new(3).candles(coverage.from, coverage.until).collect();
    assert_eq!(kept.len(), made.len());
    // The service does not count changes.
    let without = |candle: &Candle| Candle { volume: 0, ..*candle };
    assert!(kept.iter().eq(made.iter().map(without).collect::<Vec<_>>().iter()));
    assert_eq!(store::latest(&world.pool, GOLD).await.unwrap().as_ref(), kept.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_after_a_restart_and_stops_with_its_file() {
    let first = at("2026-05-28T10:00:00Z");
    let made: Vec<_> = Synthetic::new(1).candles(first, at("2026-05-28T15:00:00Z")).collect();
    let source = Source::File { hash: "abc".to_owned(), candles: made.clone() };
    let wanted = Wanted { source: Some(source), begins: None, speed: Some(10.0) };
    let world = World::new(wanted.clone()).await;
    // A third of it is history.
    let begins = world.market().now(&world.app).await.unwrap();
    assert!(begins - first >= TimeDelta::minutes(99) && begins - first <= TimeDelta::minutes(100), "{begins}");
    world.pass(TimeDelta::seconds(3));
    let real = world.clock.now();
    let opened = Replay::open(&world.pool, real, &Wanted::default()).await.unwrap();
    assert_eq!(opened.at(real), begins + TimeDelta::minutes(30));
    let again = Replay::open(&world.pool, real, &Wanted { speed: Some(1_000.0), ..wanted }).await.unwrap();
    assert_eq!(again.at(real), begins + TimeDelta::minutes(30), "another speed goes on from there");
    let other = Replay::open(&world.pool, real, &Wanted { source: Some(Source::Seed(9)), ..Wanted::default() }).await;
    assert!(matches!(other, Err(ReplayError::Other { .. })), "{other:?}");
    let fast = Replay::open(&world.pool, real, &Wanted { speed: Some(1e9), ..Wanted::default() }).await;
    assert!(matches!(fast, Err(ReplayError::Speed)), "{fast:?}");
    world.pass(TimeDelta::seconds(600));
    world.catch_up().await;
    assert_eq!(world.market().now(&world.app).await.unwrap(), at("2026-05-28T15:00:00Z"));
    let kept = world.kept().await;
    assert_eq!(
        kept.iter().map(|c| (c.opened_at, c.close)).collect::<Vec<_>>(),
        made.iter().map(|c| (c.opened_at, c.close)).collect::<Vec<_>>()
    );
    world.market().fresh(&world.app).await.unwrap();
    // The world's candles are never mixed with those.
    let live = app(&world.database, "http://127.0.0.1:9/", &world.clock, false);
    let span = Coverage { source: LIVE.to_owned(), from: first, until: world.clock.now() };
    let error = store::store(&live.pool, GOLD, &[candle("2026-06-01T10:00:00Z", 1)], &span).await.unwrap_err();
    assert!(matches!(&error, StoreError::OtherSource { kept, .. } if kept == "file abc"), "{error:?}");
    assert_eq!(world.kept().await.len(), made.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_stays_as_it_is() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    let span = |from: &str, until: &str| Coverage { source: LIVE.to_owned(), from: at(from), until: at(until) };
    let first = [candle("2026-05-28T10:00:00Z", 4_000), candle("2026-05-28T10:02:00Z", 4_002)];
    let hour = span("2026-05-28T10:00:00Z", "2026-05-28T10:03:00Z");
    assert_eq!(store::store(&pool, GOLD, &first, &hour).await.unwrap(), 2);
    // A correction comes too late.
    let late = [candle("2026-05-28T10:02:00Z", 4_001), candle("2026-05-28T10:03:00Z", 4_003)];
    let next = span("2026-05-28T10:02:00Z", "2026-05-28T10:04:00Z");
    assert_eq!(store::store(&pool, GOLD, &late, &next).await.unwrap(), 1);
    let kept = store::read(&pool, GOLD, hour.from, next.until).await.unwrap();
    assert_eq!(kept, [first[0], first[1], late[1]]);
    let read = store::read(&pool, GOLD, at("2026-05-28T10:01:00Z"), at("2026-05-28T10:03:00Z")).await.unwrap();
    assert_eq!(read, [first[1]], "from and to are where minutes begin");
    // What does not meet what is covered does not extend it.
    let apart = span("2026-05-20T10:00:00Z", "2026-05-20T10:01:00Z");
    store::store(&pool, GOLD, &[candle("2026-05-20T10:00:00Z", 3_900)], &apart).await.unwrap();
    let coverage = store::coverage(&pool, GOLD).await.unwrap().unwrap();
    assert_eq!(coverage, span("2026-05-28T10:00:00Z", "2026-05-28T10:04:00Z"));
    store::store(&pool, GOLD, &[], &span("2026-05-27T10:00:00Z", "2026-05-28T10:00:00Z")).await.unwrap();
    let coverage = store::coverage(&pool, GOLD).await.unwrap().unwrap();
    assert_eq!(coverage, span("2026-05-27T10:00:00Z", "2026-05-28T10:04:00Z"));
    // No candle that cannot be gets in, whoever writes it.
    let wrong = Candle { low: Price::from_units(1), high: Price::from_units(2), ..first[0] };
    let wrong = Candle { opened_at: at("2026-05-28T10:05:00Z"), ..wrong };
    assert!(store::store(&pool, GOLD, &[wrong], &next).await.is_err());
}

/// The world's market, of a service that answers as it is told and counts who asks.
#[derive(Clone)]
struct Silent {
    asked: Arc<AtomicU64>,
    says: Arc<Mutex<&'static str>>,
}

#[poem::handler]
fn silent(silent: poem::web::Data<&Silent>) -> poem::Response {
    silent.asked.fetch_add(1, Ordering::Relaxed);
    let body = *silent.says.lock().unwrap();
    poem::Response::builder().header("api-credits-left", "500").body(body)
}

/// What is lacking is asked for again, and ever more rarely: a plan has 800 credits a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_has_nothing_is_asked_rarely() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    let nothing = r#"{"code":400,"message":"No data is available on the specified dates.","status":"error"}"#;
    let service = Silent { asked: Arc::default(), says: Arc::new(Mutex::new(nothing)) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = poem::EndpointExt::data(poem::Route::new().at("/*path", poem::get(silent)), service.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        server.run(routes).await.unwrap();
    });
    // The last two minutes before the close at 21:00 do not come.
    let clock = Clock::fixed(at("2026-05-28T20:58:04Z"));
    let app = app(&database, &url, &clock, false);
    let market = app.market.as_ref().unwrap();
    let until = at("2026-05-28T20:58:00Z");
    let span = Coverage { source: LIVE.to_owned(), from: at("2026-05-28T20:00:00Z"), until };
    store::store(&pool, GOLD, &[candle("2026-05-28T20:57:00Z", 4_000)], &span).await.unwrap();
    // As the timer does, which rests a second and a half at the least.
    let run = async |until: &str| {
        let (before, mut rests) = (service.asked.load(Ordering::Relaxed), vec![]);
        while clock.now() < at(until) {
            let done = market.catch_up(&app).await;
            let rest = market.rest(&done).unwrap_or_default();
            rests.push(rest.as_secs());
            clock.set(clock.now() + TimeDelta::from_std(rest.max(Duration::from_millis(1_500))).unwrap());
        }
        (service.asked.load(Ordering::Relaxed) - before, rests)
    };
    let (asked, rests) = run("2026-05-28T20:59:03Z").await;
    assert_eq!(asked, 0, "no minute is over");
    assert!(rests.iter().all(|rest| *rest == 0), "{rests:?}");
    let (asked, rests) = run("2026-05-28T21:10:00Z").await;
    assert!(rests.is_sorted() && rests[0] == 2 && *rests.last().unwrap() == 30, "{rests:?}");
    assert!((20..30).contains(&asked), "{asked}");
    let (asked, _) = run("2026-05-28T21:59:00Z").await;
    assert!(asked <= 1, "the day is over: {asked}");
    // A candle that comes starts it anew.
    clock.set(at("2026-05-28T22:01:03Z"));
    *service.says.lock().unwrap() =
        r#"{"values":[{"datetime":"2026-05-28 22:00:00","open":"1","high":"1","low":"1","close":"1"}],"status":"ok"}"#;
    let done = market.catch_up(&app).await;
    assert_eq!((market.rest(&done), done.unwrap().candles), (None, 1));
    // A key that is wrong stays so.
    clock.set(at("2026-05-28T22:02:03Z"));
    *service.says.lock().unwrap() = r#"{"code":401,"message":"apikey","status":"error"}"#;
    let (asked, rests) = run("2026-05-28T23:02:03Z").await;
    assert_eq!((asked, rests[0]), (12, 300));
}
