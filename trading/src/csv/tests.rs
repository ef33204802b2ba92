//! Files as programs write them, and real ones.
#![allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]

use std::{fs::File, io::BufReader, path::PathBuf};

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Report {
    read(text.as_bytes(), Zone::Utc).unwrap()
}

/// Three candles from 10:00 on, a minute apart, as `line` writes them; then a bad one.
fn expect(text: &str, dialect: Dialect) {
    let report = parsed(text);
    assert_eq!((report.dialect, report.timeframe, report.bad), (dialect, Timeframe::M1, 0), "{text}\n{report:?}");
    let first = report.candles[0];
    assert_eq!(first.opened_at.to_rfc3339(), "2026-05-28T10:00:00+00:00", "{text}");
    let shown = [first.open, first.high, first.low, first.close].map(|price| price.to_string());
    assert_eq!(shown, ["4012.3", "4013.25", "4011", "4012.75"], "{text}");
    assert_eq!(report.candles.len(), 2, "{text}");
    assert_eq!(report.candles[1].opened_at.to_rfc3339(), "2026-05-28T10:01:00+00:00", "{text}");
}

#[test]
fn every_dialect_is_known_by_its_header() {
    let rest = "4012.30,4013.25,4011,4012.75";
    let tabs = rest.replace(',', "\t");
    expect(
        &format!(
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n2026.05.28\t10:00:00\t{tabs}\t5\t0\t43\r\n2026.05.28\t10:01:00\t{tabs}\t7\t0\t43\r\n"
        ),
        Dialect::MetaTrader,
    );
    expect(&format!("2026.05.28,10:00,{rest},5\n2026.05.28,10:01,{rest},6\n"), Dialect::MetaTrader);
    expect(
        &format!(
            "Gmt time,Open,High,Low,Close,Volume\n28.05.2026 10:00:00.000,{rest},0.0123\n28.05.2026 10:01:00.000,{rest},1234.5\n"
        ),
        Dialect::Dukascopy,
    );
    let semicolons = rest.replace(',', ";");
    // The latest first, as it comes from there.
    expect(
        &format!("datetime;open;high;low;close\n2026-05-28 10:01:00;{semicolons}\n2026-05-28 10:00:00;{semicolons}\n"),
        Dialect::TwelveData,
    );
    for (one, other) in [
        ("2026-05-28T10:00:00Z", "2026-05-28T10:01:00Z"),
        ("2026-05-28 12:00:00+02:00", "2026-05-28 12:01:00+02:00"),
        ("28.05.2026 12:00:00.000 GMT+0200", "28.05.2026 12:01:00.000 GMT+0200"),
        ("2026/05/28 10:00", "2026/05/28 10:01"),
        ("1779962400", "1779962460"),
        ("1779962400000", "1779962460000"),
    ] {
        for header in
            ["time,open,high,low,close\n", "\u{FEFF}\n\"Timestamp\",\"Open\",\"High\",\"Low\",\"Close\"\n", ""]
        {
            expect(&format!("{header}{one},{rest}\n\n{other},{rest}"), Dialect::Other);
        }
    }
    // The columns may stand anywhere.
    expect(
        "close,spread,time,low,high,open\n4012.75,2,2026-05-28 10:00,4011,4013.25,4012.3\n1,1,2026-05-28 10:01,1,1,1\n",
        Dialect::Other,
    );
}

#[test]
fn bad_rows_are_named_and_counted_and_the_others_are_read() {
    let mut text = "time,open,high,low,close,volume\n".to_owned();
    for (line, row) in [
        "2026-05-28 10:00:00,10,11,9,10,1",
        "2026-05-28 10:01:00,10,11,9,x,1",
        "2026-05-28 10:02:00,10,11,9",
        "2026-05-28 10:03:00,10,11,9,,1",
        "2026-05-28 10:04:00,12,11,9,10,1",
        "2026-05-28 10:05:00,10,11,10.5,10.7,1",
        "2026-05-28 10:06:00,-1,11,-2,10,1",
        "2026-05-28 10:07:30,10,11,9,10,1",
        "2026-13-28 10:08:00,10,11,9,10,1",
        "05/28/2026 10:08:00,10,11,9,10,1",
        "2026-05-28 25:08:00,10,11,9,10,1",
        "2026-05-28 10:09:00,10.1234567,11,9,10,1",
        "2026-05-28 10:10:00,10,11,9,10,much",
        "\u{0}\u{FFFD}",
        "2026-05-28 10:01:00,10,11,9,10,1",
        "2026-05-28 10:01:00,10,11,9,10,1",
        "2026-05-28 10:01:00,10,12,9,10,1",
        "2026-05-28 10:05:00,10,11,9,10,1",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(line < 18);
        text += row;
        text += "\n";
    }
    let report = parsed(&text);
    let named: Vec<_> = report.bad_rows.iter().map(|bad| (bad.line, bad.field)).collect();
    let wanted = [
        (3, "close"),
        (4, "close"),
        (5, "close"),
        (6, "high"),
        (7, "low"),
        (8, "open"),
        (9, "time"),
        (10, "time"),
        (11, "time"),
        (12, "time"),
        (13, "open"),
        (14, "volume"),
        (15, "time"),
    ];
    assert_eq!(named, wanted, "{:#?}", report.bad_rows);
    assert_eq!((report.rows, report.bad, report.candles.len()), (18, 13, 3));
    assert_eq!((report.duplicates, report.contradictions), (2, 1));
    assert_eq!((report.gaps, report.missing, report.closed), (1, 3, 0));
    // Not more than some are described.
    let report = parsed(&(text + &"nonsense,1,2,3,4\n".repeat(1_000)));
    assert_eq!((report.bad, report.bad_rows.len()), (1_013, SHOWN));
}

#[test]
fn files_that_are_none_say_why() {
    let why = |text: &str| read(text.as_bytes(), Zone::Utc).unwrap_err().to_string();
    assert_eq!(why(""), "the file is empty");
    assert_eq!(why("hello\nworld\n"), "the first line has no columns: between them must be commas, semicolons or tabs");
    assert_eq!(why("time,open,high,low,volume\n"), "the first line names no column close");
    assert_eq!(why("when,open,high,low,close\n"), "the first line names no column time");
    let wide: Vec<u8> = "\u{feff}time,open".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&wide[..], Zone::Utc).unwrap_err().to_string(), "the file is UTF-16 text: save it as UTF-8");
    assert!(why("Local time,Open,High,Low,Close,Volume\n").contains("export them in GMT"));
    let words = why("time,open,high,low,close\nx,1,1,1,1\n");
    assert_eq!(words, "there is no candle among its 1 rows; line 2: time: \"x\" is no time");
    assert!(why("time,open,high,low,close\n2026-05-28,1,1,1,1\n").contains("only one candle"));
    assert!(
        why("time,open,high,low,close\n2026-05-28 10:00,1,1,1,1\n2026-05-28 10:02,1,1,1,1\n").contains("2 minutes")
    );
    let endless = format!("time,open,high,low,close\n{}\n1779962400,1,1,1,1\n", "9".repeat(5_000_000));
    assert!(why(&endless).contains("only one candle"), "a line without end is one bad row");
}

#[test]
fn commas_are_points_where_they_are_nothing_else() {
    let text = "time;open;high;low;close\n2026-05-28 10:00;4000,5;4001;3999,25;4000\n2026-05-28 10:01;1,5;2;1;1,2,3\n";
    let report = parsed(&(text.to_owned() + "2026-05-28 10:01;4000;4000;4000;4000\n"));
    let first = report.candles[0];
    assert_eq!((first.open.to_string(), first.low.to_string()), ("4000.5".to_owned(), "3999.25".to_owned()));
    assert_eq!((report.candles.len(), report.bad_rows[0].field), (2, "close"));
}

#[test]
fn clocks_of_brokers_are_read() {
    let first = |zone, text: &str| {
        let text = format!(
            "time,open,high,low,close\n{text},1,1,1,1\n2030-01-01 00:00,1,1,1,1\n2030-01-01 00:01,1,1,1,1\n2030-01-01 00:02,1,1,1,1\n"
        );
        read(text.as_bytes(), zone).unwrap().candles[0].opened_at.format("%m-%d %H:%M").to_string()
    };
    // New York changes on 8 March and 1 November 2026, Europe on 29 March and 25 October.
    for (text, new_york, europe) in [
        ("2026-03-06 12:00", "03-06 10:00", "03-06 10:00"),
        ("2026-03-09 12:00", "03-09 09:00", "03-09 10:00"),
        ("2026-03-30 12:00", "03-30 09:00", "03-30 09:00"),
        ("2026-10-26 12:00", "10-26 09:00", "10-26 10:00"),
        ("2026-11-02 12:00", "11-02 10:00", "11-02 10:00"),
    ] {
        assert_eq!(first(Zone::NewYorkClose, text), new_york, "{text}");
        assert_eq!(first(Zone::EasternEurope, text), europe, "{text}");
    }
    assert_eq!(first(Zone::from_offset("-05:30").unwrap(), "2026-03-06 12:00"), "03-06 17:30");
    assert!(Zone::from_offset("two").is_err() && Zone::from_offset("+2").is_err());
    // A zone in the row itself counts more.
    assert_eq!(first(Zone::Offset(120), "2026-03-06T12:00Z"), "03-06 12:00");
}

/// Where real candles are, if they are there.
fn shared(file: &str) -> Option<BufReader<File>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|above| above.join("shared/data").join(file)).find(|path| path.exists());
    if found.is_none() {
        eprintln!("{file} is nowhere above {}: nothing is tried with it", here.display());
    }
    found.map(|path| BufReader::new(File::open(path).unwrap()))
}

#[test]
fn real_files_are_read_to_the_last_row() {
    for (file, zone, dialect, timeframe, rows) in [
        ("XAUUSD_M1_2026.csv", Zone::NewYorkClose, Dialect::Other, Timeframe::M1, 63_230),
        ("XAUUSD_M5_2025_metatrader.csv", Zone::EasternEurope, Dialect::MetaTrader, Timeframe::M5, 58_230),
        ("XAUUSD_M15_2024_unix.csv", Zone::EasternEurope, Dialect::Other, Timeframe::M15, 5_864),
        ("XAUUSD_H4_2007_2023.csv", Zone::Utc, Dialect::Other, Timeframe::H4, 26_630),
    ] {
        let Some(reader) = shared(file) else { continue };
        let report = read(reader, zone).unwrap();
        assert_eq!((report.dialect, report.timeframe, report.rows), (dialect, timeframe, rows), "{file}");
        let (gaps, missing, closed) = (report.gaps, report.missing, report.closed);
        eprintln!("{file}: {gaps} gaps, {missing} candles missing, {closed} while closed, {} bad", report.bad);
        assert_eq!((report.bad, report.duplicates), (0, 0), "{file}: {:?}", report.bad_rows);
        assert!(!report.zone_is_doubtful(), "{file}: {closed} candles while the market is closed");
        // The calendar is right about it: hardly anything is missing.
        assert!(missing * 50 < rows, "{file}: {missing} of {rows} missing");
    }
}

#[test]
fn the_wrong_zone_is_noticed() {
    for (file, wrong) in [
        ("XAUUSD_M1_2026.csv", Zone::Utc),
        ("XAUUSD_M5_2025_metatrader.csv", Zone::Utc),
        ("XAUUSD_M5_2025_metatrader.csv", Zone::Offset(120)),
    ] {
        let Some(reader) = shared(file) else { continue };
        assert!(read(reader, wrong).unwrap().zone_is_doubtful(), "{file} {wrong:?}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(text in "[0-9a-z,;\t\r\n:. \"+-]{0,300}") {
        for header in ["", "time,open,high,low,close,volume\n", "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\n"] {
            if let Ok(report) = read(format!("{header}{text}").as_bytes(), Zone::NewYorkClose) {
                prop_assert!(report.candles.iter().all(|candle| candle.check().is_ok()));
                prop_assert!(report.candles.is_sorted_by(|one, next| one.opened_at < next.opened_at));
                let kept = u64::try_from(report.candles.len()).unwrap();
                prop_assert_eq!(kept + report.bad + report.duplicates, report.rows);
            }
        }
    }

    #[test]
    fn prices_are_read_as_prices_are(text in "-?[0-9]{0,6}[.]?[0-9]{0,8}") {
        prop_assert_eq!(price(text.as_bytes()).ok(), text.parse::<Price>().ok());
    }
}
