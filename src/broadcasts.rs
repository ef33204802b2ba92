//! Broadcasts at work: who gets one, sending it, and what became of it.
//!
//! The aggregate says what may happen to a broadcast; this is how it happens.
//! When one is released, a job fixes its audience as rows of work
//! ([`audience`]). The senders of all processes ([`sender`]) claim those rows
//! in small batches under leases and send, always behind the replies of the
//! bot. [Record 0013](../docs/decisions/0013-broadcasts.md) says what happens
//! to a message that was on its way in a crash.

pub mod audience;
pub mod recipients;
pub mod sender;

use aggregates::broadcast::{Invalid, Message};
use reqwest::Url;

use crate::integrations::telegram::{
    Button, OutgoingMessage, TextFormat, html,
    text::{LONGEST, LONGEST_CAPTION, cleaned, units},
};

/// A message as a recipient will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The text without its markup.
    pub text: String,
    /// Its length, as Telegram counts it: in UTF-16 units.
    pub length: usize,
    /// How long it may be.
    pub longest: usize,
}

/// Checks what a message says by all of Telegram's rules, so that a mistake is
/// heard of at once and not from every recipient.
///
/// # Errors
/// The first field that is wrong.
pub fn shown(message: &Message) -> Result<Shown, Invalid> {
    message.check()?;
    outgoing(message)?;
    let wrong = |reason: String| Invalid { field: "text".to_owned(), reason };
    let text = cleaned(&message.text);
    let text = if message.html { html::parse(&text).map_err(wrong)?.0 } else { text };
    if text.trim().is_empty() {
        return Err(wrong("must not be empty when it is shown".to_owned()));
    }
    let length = units(&text);
    let longest = if message.photo.is_some() { LONGEST_CAPTION } else { LONGEST };
    if length > longest {
        return Err(wrong(format!("has {length} characters when it is shown; {longest} are allowed")));
    }
    Ok(Shown { text, length, longest })
}

/// The message as it is sent, to nobody yet.
///
/// # Errors
/// An address that is none.
pub fn outgoing(message: &Message) -> Result<OutgoingMessage, Invalid> {
    let address = |text: &str, field: String| {
        Url::parse(text).map_err(|_| Invalid { field, reason: "must be an https address".to_owned() })
    };
    if let Some(photo) = message.photo.as_ref().filter(|photo| photo.contains(':')) {
        address(photo, "photo".to_owned())?;
    }
    let mut buttons = vec![];
    for (row, of_row) in message.buttons.iter().enumerate() {
        let mut links = vec![];
        for (column, button) in of_row.iter().enumerate() {
            let url = address(&button.url, format!("buttons[{row}][{column}].url"))?;
            links.push(Button::Link { text: button.text.clone(), url });
        }
        buttons.push(links);
    }
    Ok(OutgoingMessage {
        text: message.text.clone(),
        format: message.html.then_some(TextFormat::Html),
        photo: message.photo.clone(),
        buttons,
        ..OutgoingMessage::default()
    })
}

#[cfg(test)]
mod tests {
    use aggregates::broadcast::Button;

    use super::*;

    fn html(text: &str) -> Message {
        Message { text: text.to_owned(), html: true, photo: None, buttons: vec![] }
    }

    #[test]
    fn length_counts_as_it_is_shown() {
        let shown = shown(&html("<b>Gold</b> &lt; 😀")).unwrap();
        assert_eq!((shown.text.as_str(), shown.length, shown.longest), ("Gold < 😀", 9, 4096));
        let longest = |count: usize| html(&format!("<b>{}</b>", "x".repeat(count)));
        assert!(super::shown(&longest(4096)).is_ok());
        assert_eq!(super::shown(&longest(4097)).unwrap_err().field, "text");
        let caption = |count| Message { photo: Some("https://example.com/a.png".to_owned()), ..longest(count) };
        assert!(super::shown(&caption(1024)).is_ok());
        assert_eq!(super::shown(&caption(1025)).unwrap_err().field, "text");
    }

    #[test]
    fn wrong_markup_and_addresses_are_heard_of_at_once() {
        let error = shown(&html("<b>Gold")).unwrap_err();
        assert_eq!(error.reason, "Can't find end tag corresponding to start tag \"b\"");
        assert_eq!(shown(&html("<b> </b>")).unwrap_err().field, "text");
        let plain = Message { html: false, ..html("<b>Gold") };
        assert_eq!(shown(&plain).unwrap().text, "<b>Gold");
        let button = Button { text: "Open".to_owned(), url: "https://exa mple".to_owned() };
        let with = Message { buttons: vec![vec![button]], ..html("x") };
        assert_eq!(shown(&with).unwrap_err().field, "buttons[0][0].url");
        let with = Message { photo: Some("https://[".to_owned()), ..html("x") };
        assert_eq!(shown(&with).unwrap_err().field, "photo");
    }
}
