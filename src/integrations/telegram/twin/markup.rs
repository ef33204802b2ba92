//! The buttons below a message, as strictly as Telegram takes them.

use serde_json::Value;

use super::answer::Refusal;
use super::params::Params;

const MOST_BUTTONS: usize = 100;
const MOST_IN_A_ROW: usize = 8;

/// An inline keyboard of buttons with addresses; the twin knows no others.
pub(super) fn read(params: &Params) -> Result<Option<Value>, Refusal> {
    let Some(markup) = params.structured("reply_markup")? else { return Ok(None) };
    let rows =
        markup["inline_keyboard"].as_array().ok_or_else(|| Refusal::bad_request("object expected as reply markup"))?;
    let mut count = 0;
    for row in rows {
        let row = row
            .as_array()
            .ok_or_else(|| Refusal::bad_request("field \"inline_keyboard\" must be an Array of Arrays"))?;
        if row.len() > MOST_IN_A_ROW {
            return Err(Refusal::bad_request("reply markup is too long"));
        }
        count += row.len();
        row.iter().try_for_each(button)?;
    }
    if count > MOST_BUTTONS {
        return Err(Refusal::bad_request("reply markup is too long"));
    }
    Ok((count > 0).then_some(markup))
}

fn button(button: &Value) -> Result<(), Refusal> {
    let Some(text) = button["text"].as_str() else {
        return Err(Refusal::bad_request("can't parse inline keyboard button: Field \"text\" must be of type String"));
    };
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("text buttons are unallowed in the inline keyboard"));
    }
    let Some(address) = button["url"].as_str() else {
        return Err(Refusal::bad_request("text buttons are unallowed in the inline keyboard"));
    };
    let url = reqwest::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "tg"));
    if url.is_none() {
        return Err(Refusal::bad_request(format!("inline keyboard button URL '{address}' is invalid: Wrong HTTP URL")));
    }
    Ok(())
}
