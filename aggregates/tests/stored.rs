//! Every event version ever stored is read, for ever.
#![allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]

use std::{collections::BTreeSet, fs, path::Path};

use aggregates::{
    BotUser, Broadcast, Campaign, Code, Conversation, Decide, Fact, Guard, Member, Plan, Signal, Submission,
    Subscription, Template,
};
use cqrs_es::DomainEvent;

/// The events this program writes, as serde names them when it meets another.
fn written<A: Decide>() -> Vec<String> {
    let error = serde_json::from_str::<A::Event>(r#"{"NoSuchEvent":{}}"#).unwrap_err().to_string();
    let (_, known) = error.split_once("expected").unwrap();
    known.split('`').skip(1).step_by(2).map(|event| format!("{}.{event}.", A::TYPE)).collect()
}

#[test]
fn every_stored_version_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stored");
    let mut current = BTreeSet::new();
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
        let (event_type, newest, again) = match &fact {
            Fact::Campaign(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Code(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::BotUser(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Broadcast(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Guard(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Conversation(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Submission(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Template(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Plan(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Subscription(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Signal(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
            Fact::Member(e) => (e.event_type(), e.event_version(), serde_json::to_string(e)),
        };
        assert_eq!(event_type, event, "{name} is filed under its own type");
        if newest == version {
            assert_eq!(again.unwrap(), payload.trim(), "{name} is written as it was");
            current.insert(format!("{aggregate}.{event}."));
        }
    }
    let written: Vec<_> = [
        written::<Campaign>(),
        written::<Code>(),
        written::<BotUser>(),
        written::<Broadcast>(),
        written::<Guard>(),
        written::<Conversation>(),
        written::<Submission>(),
        written::<Template>(),
        written::<Plan>(),
        written::<Subscription>(),
        written::<Member>(),
        written::<Signal>(),
    ]
    .concat();
    assert!(written.len() >= 101, "{written:?}");
    let missing: Vec<_> = written.iter().filter(|event| !current.contains(*event)).collect();
    assert!(missing.is_empty(), "no sample in stored/ of the current {missing:?}");
}
