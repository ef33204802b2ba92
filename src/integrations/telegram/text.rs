//! What Telegram does to a text before it stores it, and how it counts its length.

/// The longest text of a message, in UTF-16 units after formatting.
pub(crate) const LONGEST: usize = 4096;

/// The longest caption of a photo, in UTF-16 units after formatting.
pub(crate) const LONGEST_CAPTION: usize = 1024;

/// Control characters become spaces, carriage returns go, and so does the white space around.
pub(crate) fn cleaned(text: &str) -> String {
    let printable = text.chars().filter(|c| *c != '\r').map(|c| match c {
        '\n' => c,
        c if c.is_control() => ' ',
        c => c,
    });
    printable.collect::<String>().trim().to_owned()
}

/// Telegram counts positions and lengths in UTF-16 units.
pub(crate) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The length of the bot command a text begins with, or `None`.
pub(crate) fn command_length(text: &str) -> Option<i32> {
    let name = text.strip_prefix('/')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    let length = name.find(|c| !is_part(c)).unwrap_or(name.len());
    // Telegram knows commands of up to 32 characters, and a bot's name of 32 after the @.
    (1..=65).contains(&length).then(|| i32::try_from(length + 1).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_survive() {
        assert_eq!(cleaned("  a\0b\tc\r\nd \u{7} "), "a b c\nd");
        assert_eq!(cleaned("\0\r\n"), "");
    }

    #[test]
    fn length_is_counted_as_telegram_does() {
        assert_eq!((units("abc"), units("é"), units("😀")), (3, 1, 2));
    }

    #[test]
    fn a_command_ends_where_its_name_does() {
        assert_eq!(command_length("/start SAVE10"), Some(6));
        assert_eq!(command_length("/help@sandbox_1_bot"), Some(19));
        assert_eq!(command_length("/"), None);
        assert_eq!(command_length("start"), None);
    }
}
