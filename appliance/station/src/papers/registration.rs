//! Registration codes: how a person who has no token yet shows who they are, once.
//!
//! The server makes a code for each; it comes to the person on paper, and later at the desk
//! it is checked together with their password. Here is whether a code can
//! be read off paper at all, and the table; letters are drawn by the crate `paper`. Codes are secrets: whoever calls
//! this seals tables at once, or prints.

use zeroize::Zeroizing;

use crate::engine::server::Person;

/// A code and whose it is.
pub struct Letter {
    pub person: Person,
    /// What people call them; the login where the server knows no name.
    pub name: String,
    /// The token's serial.
    pub token: String,
    pub code: Zeroizing<String>,
}

/// Whether people can read a code off paper and type it.
///
/// # Errors
/// Why not, with the policy of the server that makes better ones.
pub fn readable(code: &str) -> Result<(), &'static str> {
    if code.chars().any(|c| !c.is_ascii_alphanumeric()) {
        return Err(
            "codes have punctuation that people misread and shells change; set the policy registration.length=12, registration.contents=-cs",
        );
    }
    // Digits alone cannot be taken for letters.
    let letters = code.bytes().any(|b| b.is_ascii_alphabetic());
    if letters && code.contains(['0', 'O', '1', 'l', 'I']) {
        return Err(
            "codes have letters and digits that look alike; set the policy registration.contents=-n or =-c",
        );
    }
    Ok(())
}

/// All codes as a table for whoever sends them.
pub fn table(letters: &[Letter]) -> Zeroizing<String> {
    // Enough that it never grows: a text that moves leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(1024 * (letters.len() + 1)));
    table::write(&mut text, ["user", "realm", "name", "token", "code"]);
    for letter in letters {
        let Person { user, realm } = &letter.person;
        let mut line = Zeroizing::new(String::with_capacity(1024));
        table::write(&mut line, [user.as_str(), realm, &letter.name, &letter.token]);
        text.push_str(line.trim_end());
        // The code as it is, quoted: an apostrophe against formulas would be part of it.
        text.push_str(",\"");
        text.push_str(&Zeroizing::new(letter.code.replace('"', "\"\"")));
        text.push_str("\"\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str, code: &str) -> Letter {
        Letter {
            person: Person { user: "zoe".into(), realm: "büro".into() },
            name: name.to_owned(),
            token: "REG0001".to_owned(),
            code: Zeroizing::new(code.to_owned()),
        }
    }

    #[test]
    fn codes_that_people_misread_are_told() {
        assert_eq!(readable("466108201283"), Ok(()));
        assert_eq!(readable("kXmhTwRb"), Ok(()));
        // A default code of a real server.
        assert!(readable("|YSvY]#db64h,t\\Ic^fJs/lo").is_err());
        assert!(readable("kX0hTwRb").is_err());
    }

    #[test]
    fn the_table_keeps_codes_as_they_are() {
        let table = table(&[letter("O'Hara, Zoë", "=\"x,")]);
        let lines: Vec<&str> = table.split("\r\n").collect();
        assert_eq!(lines[1], "zoe,büro,\"O'Hara, Zoë\",REG0001,\"=\"\"x,\"");
    }
}
