//! English.

use super::{Text, say};
use crate::refusal::Code;

pub(super) const fn english(code: Code) -> Text {
    match code {
        Code::KeyUnknown => say(
            "Unknown key",
            "This device is not a key that the station can enroll.",
            "Use a YubiKey with OTP or a Nitrokey Pro, Storage or 3.",
        ),
        Code::SerialHidden => say(
            "Serial hidden",
            "The key does not tell its serial number, so its token could not be named.",
            "Make the serial readable (ykman otp settings) or use another key.",
        ),
        Code::FirmwareTooOld => say(
            "Firmware too old",
            "The firmware of this key cannot do what the profile asks.",
            "Use a newer key, or a profile that this firmware can do.",
        ),
        Code::NoSuchSlot => say(
            "No such slot",
            "The key has no slot that fits the profile.",
            "Choose another slot or kind in the profile.",
        ),
        Code::SlotOccupied => say(
            "Slot in use",
            "Its content is not this station's. New YubiKeys hold the maker's Yubico OTP in slot 1.",
            "Use slot 2, confirm overwriting, or give up YubiCloud by overwrite = factory in the profile.",
        ),
        Code::AlreadyEnrolled => say(
            "Already enrolled",
            "This key has a token that counts already.",
            "Nothing to do. To enroll it anew, an operator names its token: enroll --replace TOKEN.",
        ),
        Code::AccessCode => say(
            "Slot is protected",
            "The slot is protected by an access code, and the station has none or a wrong one.",
            "Give the code: enroll --unlock, or access-codes.table-file. Else use another key.",
        ),
        Code::PulledEarly => say(
            "Pulled too early",
            "The key was pulled out before anything was written to it.",
            "Insert it again and leave it in until the display says done.",
        ),
        Code::PulledWhileWriting => say(
            "Pulled while writing",
            "The key was pulled out while it was being written. It has no token now.",
            "Insert the same key again; the station finishes by itself.",
        ),
        Code::KeySilent => say(
            "Key does not answer",
            "The key is plugged in but does not answer.",
            "Pull it out, wait five seconds, insert it again; else use another key.",
        ),
        Code::WriteRefused => say(
            "Write refused",
            "The key did not take the new credential.",
            "Insert it again; if it happens twice, put this key aside.",
        ),
        Code::KeyGarbled => say(
            "Garbled answer",
            "The key answered against its protocol.",
            "Insert it again, without a hub if possible; else put this key aside.",
        ),
        Code::InterfaceDisabled => say(
            "OTP switched off",
            "The interface for one-time passwords is switched off on this key.",
            "Switch OTP on (ykman config usb --enable OTP), then insert it again.",
        ),
        Code::KeyPin => say(
            "PIN of the key",
            "The PIN of the key was refused, or it has too few tries left to risk one.",
            "Give the station the right PIN. If too few tries are left, enter it once in the vendor's app.",
        ),
        Code::KeyFull => say(
            "Key is full",
            "The key has no free place for another credential.",
            "Delete what is not needed on the key, or use another one.",
        ),
        Code::NotWelcome => say(
            "Key not in stock list",
            "This key is not on the list of keys that may be enrolled here.",
            "Use a key of your stock, or let an operator add this one.",
        ),
        Code::Unsettled => say(
            "Not settled yet",
            "An earlier enrollment of this key is still being put right.",
            "Wait until the server can be reached, then insert the key again.",
        ),
        Code::NothingEnrolled => say(
            "Not enrolled here",
            "The station knows of no finished enrollment of this key.",
            "Use the station that enrolled it, or delete its token on the server.",
        ),
        Code::WhichSlot => {
            say("Which slot?", "More than one slot of this key is enrolled.", "Name the slot that is meant.")
        }
        Code::AccessCodeFixed => say(
            "Code not changeable",
            "This firmware cannot change the access code of a slot reliably.",
            "Use another key, or a profile without a new access code.",
        ),
        Code::SomebodysKey => say(
            "Somebody's key",
            "This key is enrolled, and what is finished goes only by an order that names it.",
            "Use another key. An operator names its token: enroll --replace TOKEN.",
        ),
        Code::OtherToken => say(
            "Another token is named",
            "The order names a token that this station never made on this key.",
            "Insert the key that is meant, or name the token that it has: key KEY.",
        ),
        Code::IdentityInUse => say(
            "OTP is in use",
            "The Yubico OTP in the slot belongs to a token of the server: somebody logs in with it.",
            "Use slot 2, or another key. Or delete that token first, and order it again.",
        ),
        Code::ServerUnreachable => say(
            "Server unreachable",
            "The server cannot be reached over the network.",
            "Check the cable, the address in enrollment.toml, and the server.",
        ),
        Code::CertificateUntrusted => say(
            "Server not trusted",
            "The server's certificate comes from an authority that the station does not know.",
            "Put the right CA file beside enrollment.toml.",
        ),
        Code::CertificateExpired => say(
            "Certificate expired",
            "The server's certificate has expired.",
            "Renew the certificate on the server.",
        ),
        Code::CertificateWrongHost => say(
            "Wrong host name",
            "The server's certificate is for another name than the one in the configuration.",
            "Use the name of the certificate in enrollment.toml.",
        ),
        Code::ClockWrong => say(
            "Clock is wrong",
            "The station's clock and the server's differ too much, or a certificate is not valid yet.",
            "Check the time server (NTP) of the network, then restart.",
        ),
        Code::PinMismatch => say(
            "Server key changed",
            "The server's public key is not the one that the configuration pins.",
            "Find out why it changed; then set the new pin in enrollment.toml.",
        ),
        Code::TlsFailed => say(
            "No secure connection",
            "The server and the station could not agree on a secure connection.",
            "The server must offer TLS 1.2 or 1.3; check its settings.",
        ),
        Code::WrongCredentials => say(
            "Login refused",
            "The server does not accept the station's name and password.",
            "An operator logs in again: server login.",
        ),
        Code::NotAnAdministrator => say(
            "Not an admin account",
            "The account may log in, but it is not an administrator's.",
            "Use an administrator's account or an API key of role admin.",
        ),
        Code::SessionRefused => say(
            "Session refused",
            "The server does not accept the session or the API key any more.",
            "An operator logs in again or renews the API key.",
        ),
        Code::NoCredential => say(
            "Operator needed",
            "The station has no credential for the server yet.",
            "An operator logs in over SSH: server login.",
        ),
        Code::RightMissing => say(
            "Right missing",
            "The station's account lacks a right at the server.",
            "The server's administrator grants it in an admin policy.",
        ),
        Code::PolicyForbids => say(
            "Server policy says no",
            "A policy of the server forbids this token.",
            "Ask the server's administrator; the server's words are in the log.",
        ),
        Code::SerialTaken => say(
            "Token exists already",
            "The server has a token of this serial that this station did not make.",
            "Delete that token on the server if it is obsolete, then insert the key again.",
        ),
        Code::RegistrationRefused => say(
            "Token refused",
            "The server did not accept the token.",
            "Read the server's words in the log; correct the profile.",
        ),
        Code::SecretReplaced => say(
            "Secret was replaced",
            "The server threw away the secret it was given and made its own. The token was deleted.",
            "Switch off the policy that makes it do so; on 3.12 and 3.13 add an admin policy.",
        ),
        Code::DigitsChanged => say(
            "Digits were changed",
            "A policy of the server gave the token another number of digits. The token was deleted.",
            "Set the same digits in the profile and in the policy.",
        ),
        Code::HashChanged => say(
            "Hash was changed",
            "A policy of the server gave the token a hash that the key cannot compute. The token was deleted.",
            "Set hashlib to sha1 in the server's policy for these tokens.",
        ),
        Code::NotVerified => say(
            "Verify policy missing",
            "The profile demands that the server verifies new tokens, and it does not.",
            "Set verify_enrollment on the server, or verify = \"auto\" in the profile.",
        ),
        Code::TwoStepMissing => say(
            "Two-step policy missing",
            "The profile demands two-step enrollment, and the server does not do it for this account.",
            "Set hotp_2step or totp_2step in an admin policy, or two-step in the profile.",
        ),
        Code::TwoStepUnusable => say(
            "Two-step unusable",
            "The server's two-step enrollment cannot be finished with this key or this version.",
            "Read the particulars in the log; correct the policy, or enroll in one step.",
        ),
        Code::CodeRejected => say(
            "Server rejects code",
            "The code fits the secret, yet the server rejected it. What it had done was taken back.",
            "Insert the key again; if it stays, check the server's log.",
        ),
        Code::ServerContradicts => say(
            "Server contradicts",
            "The server's answers do not fit together. What it had done was taken back.",
            "Check the server and any proxy before it; see the log.",
        ),
        Code::OutcomeUnknown => say(
            "Answer was lost",
            "An answer of the server was lost, and asking again did not help yet.",
            "Leave the station on; it settles this when the server answers again.",
        ),
        Code::ServerFault => say(
            "Fault in the server",
            "The server reports a fault of its own.",
            "Ask the server's administrator to look into its log.",
        ),
        Code::ServerBusy => say(
            "Server is busy",
            "The server is too busy to answer.",
            "Wait a minute, then insert the key again.",
        ),
        Code::AnswerUnreadable => say(
            "Unreadable answer",
            "What answered is not privacyIDEA, or a proxy stands in between.",
            "Check the address in enrollment.toml and the proxy.",
        ),
        Code::PersonUnknown => say(
            "Person unknown",
            "The server does not know this user in this realm.",
            "Check spelling and realm: user find.",
        ),
        Code::LookupForbidden => say(
            "People not looked up",
            "This login may not look people up at the server.",
            "Grant it the right userlist, or go on without looking: run start --unchecked.",
        ),
        Code::DirectoryAway => say(
            "Directory is away",
            "The server's directory does not answer for these people.",
            "See to the server's resolvers, or do not look: run start --unchecked.",
        ),
        Code::PersonUnclear => say(
            "Person is not clear",
            "Several people at the server may be meant.",
            "Write login and realm as they are shown by: user find TEXT.",
        ),
        Code::RealmUnknown => say(
            "Realm unknown",
            "The server has no realm of this name.",
            "Correct it; people are shown with their realms by: user find TEXT.",
        ),
        Code::LineAside => say(
            "Its line is set aside",
            "The list's line for this key gets no key for now.",
            "See why: run status. To bring the line back: run retry LINE|failed.",
        ),
        Code::AssignRefused => say(
            "Could not be assigned",
            "The server did not give the token to this person. What it had done was taken back.",
            "Read the server's words in the log, for instance a token limit.",
        ),
        Code::TokenVanished => say(
            "Token vanished",
            "The token disappeared from the server during enrollment.",
            "Find out who deleted it; then insert the key again.",
        ),
        Code::Trial => say(
            "A trial",
            "A token was made to see whether the server takes such a one; it never counted, and is deleted.",
            "Nothing to do.",
        ),
        Code::ServerLags => say(
            "Server lags behind",
            "The server does not show yet what it has acknowledged, or may have done.",
            "Leave the station on; it goes on looking and puts this right.",
        ),
        Code::RandomPin => say(
            "PIN nobody knows",
            "A policy of the server puts a random PIN on the token, and nobody is told which.",
            "Name a person and a PIN in the order, or change otp_pin_random at the server.",
        ),
        Code::ConfigurationInvalid => say(
            "Configuration error",
            "The file enrollment.toml has an error.",
            "Correct the line that is named: enrolld check FILE.",
        ),
        Code::ProfileUnknown => {
            say("No such profile", "There is no profile of this name.", "See the names with: profiles.")
        }
        Code::NoProfileFits => say(
            "No profile fits",
            "No profile fits this key's vendor, model and firmware.",
            "Add a profile for it, or use another key.",
        ),
        Code::ProfilesTie => say(
            "Several profiles fit",
            "Several profiles fit this key equally well.",
            "Name a default profile, or match vendor, model or firmware more closely.",
        ),
        Code::RunInvalid => say(
            "Run not possible",
            "The run cannot be begun or resumed as asked.",
            "Mend what is named, and try again.",
        ),
        Code::RunInTheWay => {
            say("Another run is on", "Another run takes keys now.", "Pause or stop it first.")
        }
        Code::RunUnknown => {
            say("No such run", "There is no run of this name or number.", "See the names with: run status.")
        }
        Code::Locked => say(
            "Station is locked",
            "The station is locked until an operator supplies the server's credential.",
            "Log in to the server, or choose another mode.",
        ),
        Code::NotTouched => say(
            "Not touched",
            "The key was not touched in time. What it had done was taken back.",
            "Insert it again and touch it when the display says so.",
        ),
        Code::WrongCode => say(
            "Wrong code",
            "The codes that came do not fit the new secret. What it had done was taken back.",
            "Touch only the key that is named, as short or long as the display says.",
        ),
        Code::Cancelled => say(
            "Cancelled",
            "The enrollment was cancelled. What it had done was taken back.",
            "Insert the key again to start anew.",
        ),
        Code::KeyAbsent => say(
            "No such key",
            "There is no such key in any port.",
            "Insert it, and see what is there with: keys.",
        ),
        Code::KeyBusy => say(
            "Key is busy",
            "Something else is being done with this key.",
            "Wait until it is over, or cancel it.",
        ),
        Code::OrderExpired => say(
            "Order has run out",
            "No key came in time for this order. Nothing was changed.",
            "Order it again, or give it longer: enroll --timeout TIME.",
        ),
        Code::NotIdentified => say(
            "Identity not shown",
            "Password or code is wrong, or the code was used.",
            "Try again, or make a new registration code.",
        ),
        Code::Released => say(
            "Released",
            "An operator released this key. Its token was deleted and its slot emptied.",
            "Insert the key to enroll it anew.",
        ),
        Code::HandOverFailed => say(
            "Hand-over failed",
            "What is to be handed over could not be put into the hand-over file.",
            "Set up the hand-over file and its recipients, then insert the key again.",
        ),
        Code::JournalFailed => say(
            "Storage failed",
            "The journal cannot be written, so nothing may be changed.",
            "Free space or replace the SD card; receipts can be exported first.",
        ),
        Code::Internal => say(
            "Fault in the station",
            "The station found a defect in itself.",
            "Restart it; send the log to whoever maintains it.",
        ),
        Code::ReceiptsFailed => say(
            "Receipts not writable",
            "Receipts cannot be written, so nothing was begun.",
            "Make room on the card or replace it; then insert the key again.",
        ),
        Code::Stopping => say(
            "Station is stopping",
            "The station is shutting down and begins nothing new.",
            "Insert the key again when it is back.",
        ),
        Code::NoServer => say(
            "No server",
            "No server is configured, so no token can be registered.",
            "Set server.url: config set, or enrollment.toml on the card.",
        ),
        Code::TokenUnknown => say(
            "No such token",
            "The server has no token of this serial, or does not show it.",
            "See which there are: token list.",
        ),
        Code::RoleMissing => say(
            "Not allowed",
            "Your role does not allow this.",
            "Ask an operator with a higher role; operators lists them.",
        ),
        Code::OperatorUnknown => say(
            "Operator unknown",
            "No operator has this SSH key, or not from this address.",
            "Add the key or the address to the operators in enrollment.toml.",
        ),
        Code::InputInvalid => say(
            "Not understood",
            "What was entered cannot be understood.",
            "Correct it and try again; help shows what is wanted.",
        ),
        Code::NoChange => say(
            "No change",
            "There is no change to commit, confirm or take back.",
            "See what is in force: config show.",
        ),
        Code::PasswordHeld => say(
            "Password held back",
            "The server refused the station's password; it is not sent again, as that may lock the account.",
            "Enter it anew: server login. An order to enroll tries it once more after 15 minutes.",
        ),
        Code::LastCopy => say(
            "Last copy of a code",
            "The token keeps the only copy of an access code; without it the slot stays locked for ever.",
            "Release the key instead, or say so: token delete TOKEN --lose-access-code.",
        ),
        Code::AdminMissing => say(
            "No admin left",
            "Nobody would be left who may change the station.",
            "Keep an operator with the role admin, or change the file on the card.",
        ),
        Code::SignatureMissing => say(
            "Signature needed",
            "This changes who may come in or where secrets go. An admin has to sign it.",
            "Let the station print the text, read it, sign it, send the signature.",
        ),
        Code::SignatureWrong => say(
            "Signature refused",
            "It is no admin's signature of this change, or it came too late.",
            "Let the text be printed anew, read it, sign it, send the signature.",
        ),
        Code::SessionUnknown => {
            say("No such session", "There is no session of that number.", "See which there are: sessions.")
        }
        Code::KeyForAnother => say(
            "API key held back",
            "The API key was given for another address or trust and is not sent.",
            "Give it anew (config set server.api-key), or log in: server login.",
        ),
        Code::SessionsFull => say(
            "No place left",
            "All sessions, or all of this operator, are taken.",
            "Leave a session, or let an admin end one: sessions.",
        ),
        Code::SessionEnded => say(
            "Session ended",
            "An admin ended it, or the rights of its operator changed.",
            "Log in again, if you still may.",
        ),
        Code::CardOnly => say(
            "Only on the card",
            "This field is changed in the file on the card and nowhere else.",
            "Switch the station off and change enrollment.toml on the card.",
        ),
        Code::TooManyAnswers => say(
            "Too many answers",
            "You have as many unread exports and lists as one operator may.",
            "Read them to their end or close them; then ask again.",
        ),
        Code::PowerRefused => say(
            "Cannot switch off",
            "The station may not switch itself off or restart.",
            "Switch it off at the socket once no key is in work.",
        ),
        Code::CardReadOnly => say(
            "Card takes no writes",
            "The card takes no more writes. What it holds can be read and exported.",
            "Export the receipts, then write the station's image onto a new card.",
        ),
        Code::CardFull => say(
            "Card is full",
            "The card has no room left for journal and receipts, so no key is taken.",
            "Remove sealed files that were handed over, or move to a larger card.",
        ),
        Code::CardDamaged => say(
            "Card is damaged",
            "What the station remembers is damaged, and nothing is written before somebody decides.",
            "See what is left and what to do with: status. Export the receipts first.",
        ),
        Code::PowerStays => say(
            "Still switched on",
            "The station was told to switch off or restart, and 30 seconds later it is still up.",
            "See the reason with: logs. Once no key is in work, switch it off at the socket.",
        ),
    }
}
