//! Every event version ever stored is read, for ever.

use std::{collections::BTreeSet, fs, path::Path};

use aggregates::Fact;
use cqrs_es::DomainEvent;

/// The events this program writes, kept beside the enums by the compiler: a new
/// variant in `DomainEvent::event_type` has to be added here to have a sample.
const WRITTEN: [&str; 9] = [
    "campaign.Activated.v1",
    "campaign.Drafted.v1",
    "campaign.Ended.v1",
    "campaign.Paused.v1",
    "campaign.Redeemed.v1",
    "campaign.Resumed.v1",
    "campaign.TermsChanged.v1",
    "code.Claimed.v1",
    "code.Released.v1",
];

#[test]
fn every_stored_version_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stored");
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (aggregate, rest) = name.split_once('.').unwrap();
        let (event, version) = rest.rsplit_once(".v").unwrap();
        let payload = fs::read_to_string(&path).unwrap();
        let fact = Fact::read(aggregate, event, version, payload.trim()).unwrap();
        let (event_type, current, again) = match &fact {
            Fact::Campaign(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Code(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
        };
        assert_eq!(event_type, event, "{name} is filed under its own type");
        if current == version {
            assert_eq!(again.unwrap(), payload.trim(), "{name} is written as it was");
        }
        seen.insert(name);
    }
    let missing: Vec<_> = WRITTEN.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "no sample in stored/ of {missing:?}");
}
