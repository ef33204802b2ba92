use super::super::{Kind, read};
use super::*;
use crate::integrations::telegram::Rights;

const ADA: &str = r#"{"id":42,"is_bot":false,"first_name":"Ada","username":"ada","language_code":"en"}"#;
const BOT: &str = r#"{"id":77,"is_bot":true,"first_name":"Sandbox bot","username":"sandbox_77_bot"}"#;
const CHANNEL: &str = r#"{"id":-1001234,"title":"VIP","type":"channel"}"#;
const LINK: &str = r#"{"invite_link":"https://t.me/+AbCdEfGh12345678","name":"subscription 7","creator":
    {"id":77,"is_bot":true,"first_name":"Sandbox bot"},"pending_join_request_count":1,"creates_join_request":true,
    "is_primary":false,"is_revoked":false,"expire_date":1800000000}"#;

fn kind(name: &str, content: &str) -> Kind {
    let body = format!(r#"{{"update_id":7,"{name}":{content}}}"#);
    let theirs: teloxide::types::Update = serde_json::from_str(&body).unwrap();
    let known = !matches!(theirs.kind, teloxide::types::UpdateKind::Error(_));
    assert!(known || content.contains("hologram"), "the sample is none of Telegram's: {content}");
    let update = read(body.as_bytes()).unwrap();
    assert_eq!((update.update_id, update.chat_id), (7, Some(-1_001_234)));
    for personal in ["42", "Ada", "ada", "AbCd", "subscription", "1234", "VIP"] {
        let shown = format!("{update:?}");
        assert!(!shown.contains(personal), "{shown}");
    }
    update.kind
}

/// A change from one standing to another, with more fields.
fn change(from: &str, person: &str, old: &str, new: &str, rest: &str) -> String {
    format!(
        r#"{{"chat":{CHANNEL},"from":{from},"date":1700000000,
            "old_chat_member":{{"user":{person},{old}}},"new_chat_member":{{"user":{person},{new}}}{rest}}}"#
    )
}

fn status(name: &str) -> String {
    format!(r#""status":"{name}""#)
}

#[test]
fn a_request_to_join_tells_who_asks_by_which_link() {
    let content = format!(
        r#"{{"chat":{CHANNEL},"from":{ADA},"user_chat_id":42,"date":1700000000,"bio":"I paid\u0000","invite_link":{LINK}}}"#
    );
    let Kind::JoinRequest(request) = kind("chat_join_request", &content) else { panic!("{content}") };
    assert_eq!((request.chat, request.from.id, request.user_chat_id), (-1_001_234, 42, Some(42)));
    assert_eq!((request.at.timestamp(), request.bio.as_deref()), (1_700_000_000, Some("I paid")));
    assert_eq!(kind("chat_join_request", &content).member(), Some(42));
    let link = request.link.unwrap();
    assert_eq!((link.url.as_str(), link.name.as_deref()), ("https://t.me/+AbCdEfGh12345678", Some("subscription 7")));
    assert!(link.asks && !link.revoked && link.member_limit.is_none());
    assert_eq!(link.expires_at.unwrap().timestamp(), 1_800_000_000);

    let bare = format!(r#"{{"chat":{CHANNEL},"from":{ADA},"user_chat_id":42,"date":1}}"#);
    let Kind::JoinRequest(request) = kind("chat_join_request", &bare) else { panic!("{bare}") };
    assert!(request.link.is_none() && request.bio.is_none());
}

#[test]
fn who_came_left_or_was_removed_is_told_with_who_did_it() {
    let restricted = |is_member: bool| {
        let rights = ["send_messages", "send_audios", "send_documents", "send_photos", "send_videos"];
        let more = ["send_video_notes", "send_voice_notes", "send_other_messages", "add_web_page_previews"];
        let last = ["change_info", "invite_users", "pin_messages", "manage_topics", "send_polls"];
        let rights = rights.iter().chain(&more).chain(&last).map(|right| format!(r#","can_{right}":true"#));
        format!(r#""status":"restricted","until_date":0,"is_member":{is_member}{}"#, rights.collect::<String>())
    };
    let banned = format!(r#"{},"until_date":0"#, status("kicked"));
    let owner = format!(r#"{},"is_anonymous":false"#, status("creator"));
    for (old, new, expected, is_in) in [
        (status("left"), status("member"), Standing::Member, Some(true)),
        (status("member"), status("left"), Standing::Left, Some(false)),
        (status("member"), banned.clone(), Standing::Banned, Some(false)),
        (banned, status("left"), Standing::Left, Some(false)),
        (status("member"), owner, Standing::Owner, Some(true)),
        (status("member"), restricted(true), Standing::Restricted { is_member: true }, Some(true)),
        (status("member"), restricted(false), Standing::Restricted { is_member: false }, Some(false)),
        (status("member"), status("hologram"), Standing::Unknown("hologram".to_owned()), None),
    ] {
        let content = change(BOT, ADA, &old, &new, r#","via_join_request":false"#);
        let Kind::MemberChanged(change) = kind("chat_member", &content) else { panic!("{content}") };
        assert_eq!((change.chat, change.by.id, change.person.id), (-1_001_234, 77, 42));
        assert_eq!((change.new.is_in(), change.new), (is_in, expected));
        assert!(change.link.is_none() && !change.via_join_request);
    }
}

#[test]
fn who_came_in_is_told_with_the_link_or_that_they_had_asked() {
    let by_link = change(BOT, ADA, &status("left"), &status("member"), &format!(r#","invite_link":{LINK}"#));
    let by_link = by_link.replace(r#""invite_link":{"#, r#""via_join_request":false,"invite_link":{"#);
    let Kind::MemberChanged(change_by_link) = kind("chat_member", &by_link) else { panic!("{by_link}") };
    assert_eq!(change_by_link.link.unwrap().name.as_deref(), Some("subscription 7"));
    let asked = change(ADA, ADA, &status("left"), &status("member"), r#","via_join_request":true"#);
    let Kind::MemberChanged(asked) = kind("chat_member", &asked) else { panic!("{asked}") };
    assert!(asked.via_join_request && asked.link.is_none());
    assert_eq!((asked.by.id, asked.old), (42, Standing::Left));
}

#[test]
fn the_bot_learns_which_rights_it_has_left() {
    let administrator = |rest: &str| {
        format!(
            r#""status":"administrator","can_be_edited":false,"is_anonymous":false,"can_manage_chat":true,
                "can_change_info":false,"can_delete_messages":true,"can_manage_video_chats":false,
                "can_promote_members":false,"can_post_messages":true,"can_edit_messages":true,
                "can_restrict_members":true{rest}"#
        )
    };
    let (all, fewer) = (administrator(r#","can_invite_users":true"#), administrator(r#","can_invite_users":false"#));
    let content = change(ADA, BOT, &all, &fewer, "");
    let content = content.replace(r#""date":"#, r#""via_join_request":false,"date":"#);
    let Kind::BotChanged(change) = kind("my_chat_member", &content) else { panic!("{content}") };
    assert_eq!((change.chat, change.title.as_deref(), change.by.id), (-1_001_234, Some("VIP"), 42));
    assert_eq!(change.old.rights(), Rights::ALL);
    assert_eq!(change.new, Standing::Administrator(Rights { can_invite_users: false, ..Rights::ALL }));
    assert_eq!(change.new.rights().missing().collect::<Vec<_>>(), ["can_invite_users"]);
    let out = super::tests::change(ADA, BOT, &fewer, &format!(r#"{},"until_date":0"#, status("kicked")), "");
    let out = out.replace(r#""date":"#, r#""via_join_request":false,"date":"#);
    let Kind::BotChanged(change) = kind("my_chat_member", &out) else { panic!("{out}") };
    assert_eq!((change.new.is_in(), change.new.rights()), (Some(false), Rights::default()));
}

#[test]
fn what_cannot_be_read_is_kept_as_another_kind() {
    for name in ["chat_join_request", "chat_member", "my_chat_member"] {
        for content in [r#"{"chat":{"id":-1001234}}"#, r#"{"chat":{"id":-1001234,"type":"channel"},"date":"soon"}"#] {
            let body = format!(r#"{{"update_id":7,"{name}":{content}}}"#);
            let update = read(body.as_bytes()).unwrap();
            assert_eq!(update.chat_id, Some(-1_001_234));
            assert_eq!(update.kind, Kind::Other { name: Some(name.to_owned()) });
        }
    }
}
