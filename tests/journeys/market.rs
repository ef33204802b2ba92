//! The sandbox's market over real processes, and candles from a file.

use std::process::{Command, Output};

use chrono::{DateTime, Utc};
use promostack::market::{GOLD, store};
use serde_json::json;
use trading::synthetic::Synthetic;

use crate::support::{Process, World, eventually};

fn promostack(world: &World, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_promostack"))
        .args(arguments)
        .env("DATABASE_URL", &world.database.url)
        .env("PORT", "0")
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_follow_one_market_and_a_restart_goes_on_with_it() {
    let world = World::new().await;
    let environment = [("DATABASE_URL", world.database.url.as_str())];
    let begin = ["serve", "--sandbox", "--seed", "5", "--speed", "600", "--market-from", "2026-05-22T18:00:00Z"];
    let first = Process::start_with(&begin, &environment).await;
    let others = [
        Process::start_with(&["serve", "--sandbox"], &environment).await,
        Process::start_with(&["serve", "--sandbox"], &environment).await,
    ];
    let until = async || store::coverage(&world.pool, GOLD).await.unwrap().map(|coverage| coverage.until);
    let reached = async |instant: &str| {
        let instant: DateTime<Utc> = instant.parse().unwrap();
        eventually("the market to go on", async || until().await.filter(|until| *until >= instant)).await
    };
    reached("2026-05-25T00:00:00Z").await;
    let health = others[0].get("/api/health").await;
    assert_eq!(health["market"]["source"], "sandbox", "{health}");
    first.kill();
    let [one, other] = others;
    one.kill();
    reached("2026-05-27T00:00:00Z").await;
    other.kill();
    // Another one takes another market for a mistake.
    let wrong = promostack(&world, &["serve", "--sandbox", "--seed", "6"]);
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("replays another market"), "{wrong:?}");
    let again = Process::start_with(&["serve", "--sandbox", "--speed", "60"], &environment).await;
    let before = until().await;
    eventually("candles after the restart", async || (until().await > before).then_some(())).await;
    let line = again.get("/api/forex/xauusd-sparkline").await;
    assert!(line["points"].as_array().unwrap().len() > 50, "{line}");
    drop(again);
    // What is kept is what one process alone would have kept.
    let coverage = store::coverage(&world.pool, GOLD).await.unwrap().unwrap();
    let kept = store::read(&world.pool, GOLD, coverage.from, coverage.until).await.unwrap();
    let made = Synthetic::new(5).candles(coverage.from, coverage.until);
    assert!(kept.iter().map(|candle| (candle.opened_at, candle.close)).eq(made.map(|c| (c.opened_at, c.close))));
}

#[tokio::test(flavor = "multi_thread")]
async fn candles_come_from_a_file_and_bad_rows_are_told() {
    let world = World::new().await;
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("candles-{}.csv", std::process::id()));
    let path = path.to_str().unwrap();
    let rows = "time,open,high,low,close,volume\n\
        2026-05-28 13:00,4000,4001.5,3999,4001,5\n2026-05-28 13:01,4001,4002,4000,none,5\n2026-05-28 13:02,4001,4002,4000,4001.25,5\n\
        2026-05-28 13:03,4001.25,4001.25,4000,4000.5,5\n2026-05-28 13:03,4001.25,4001.25,4000,4000.5,5\n";
    std::fs::write(path, rows).unwrap();
    let import = |more: &[&str]| promostack(&world, &[["candles", "import", path].as_slice(), more].concat());
    let dry = import(&["--server-time", "eet", "--dry-run"]);
    let said = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert!(dry.status.success() && said.contains("3 good, 1 bad"), "{dry:?}");
    assert!(said.contains("line 3: close: \"none\" is not a decimal number"), "{said}");
    assert!(said.contains("duplicates: 1 (0 of them"), "{said}");
    assert_eq!(store::latest(&world.pool, GOLD).await.unwrap(), None);
    assert!(import(&["--server-time", "eet"]).status.success());
    // In May, the server is three hours ahead.
    let coverage = store::coverage(&world.pool, GOLD).await.unwrap().unwrap();
    assert_eq!(
        (coverage.from.to_rfc3339(), coverage.until.to_rfc3339()),
        ("2026-05-28T10:00:00+00:00".to_owned(), "2026-05-28T10:04:00+00:00".to_owned())
    );
    let again = import(&["--server-time", "eet"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("0 candles are new; 3 were there already"), "{again:?}");
    // Times that cannot be, lengths that are not kept, and files that are none.
    for (rows, words) in [
        (rows.replace("2026-05-28", "2026-05-30"), "lie where the market is closed"),
        (rows.replace("13:02", "13:08").replace("13:00", "12:58"), "only candles of one minute are kept"),
        (json!({"no": "table"}).to_string(), "the first line has no columns"),
    ] {
        std::fs::write(path, rows).unwrap();
        let refused = import(&["--server-time", "eet"]);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(words), "{refused:?}");
    }
    // The same minutes read with another clock would be other prices, and lie apart from those that are there.
    let far = "time,open,high,low,close,volume\n2026-05-28 10:00,4100,4101.5,4099,4101,5\n2026-05-28 10:01,4101,4102,4100,4101,5\n";
    std::fs::write(path, far).unwrap();
    let refused = import(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("1 of 1 candles contradict those that are kept"), "{said}");
    // So would those of a time that has not come.
    let mut future = "time,open,high,low,close,volume\n".to_owned();
    (0..10).for_each(|minute| future += &format!("2099-05-28 13:{minute:02},4000,4001.5,3999,4001,5\n"));
    std::fs::write(path, future).unwrap();
    let refused = import(&[]);
    assert!(String::from_utf8_lossy(&refused.stdout).contains("not over yet, and are left out: 10"), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("10 candles lie in the future"), "{refused:?}");
    let after = store::coverage(&world.pool, GOLD).await.unwrap().unwrap();
    assert_eq!(after, coverage, "nothing was kept");
    std::fs::remove_file(path).unwrap();
}
