//! German.

use super::{Text, say};
use crate::refusal::Code;

pub(super) const fn german(code: Code) -> Text {
    match code {
        Code::KeyUnknown => say(
            "Unbekannter Key",
            "Dieses Gerät kann die Station nicht einrichten.",
            "YubiKey mit OTP oder Nitrokey Pro, Storage oder 3 verwenden.",
        ),
        Code::SerialHidden => say(
            "Seriennummer fehlt",
            "Der Key nennt seine Seriennummer nicht, sein Token hätte keinen Namen.",
            "Seriennummer lesbar machen (ykman otp settings) oder anderen Key nehmen.",
        ),
        Code::FirmwareTooOld => say(
            "Firmware zu alt",
            "Die Firmware dieses Keys kann nicht, was das Profil verlangt.",
            "Neueren Key nehmen oder ein Profil, das diese Firmware kann.",
        ),
        Code::NoSuchSlot => say(
            "Slot fehlt",
            "Der Key hat keinen Slot, der zum Profil passt.",
            "Im Profil slot oder kind anders wählen.",
        ),
        Code::SlotOccupied => say(
            "Slot belegt",
            "Der Inhalt ist nicht von dieser Station. In neuen YubiKeys: Yubico-OTP des Herstellers.",
            "Slot 2 nehmen, Überschreiben bestätigen oder YubiCloud aufgeben (im Profil overwrite = factory).",
        ),
        Code::AlreadyEnrolled => say(
            "Schon eingerichtet",
            "Dieser Key hat bereits ein gültiges Token.",
            "Nichts zu tun. Zum neuen Einrichten nennt ein Operator das Token: enroll --replace TOKEN.",
        ),
        Code::AccessCode => say(
            "Slot geschützt",
            "Der Slot ist durch einen Zugriffscode geschützt; der Station fehlt der richtige.",
            "Code angeben: enroll --unlock oder access-codes.table-file. Sonst anderen Key nehmen.",
        ),
        Code::PulledEarly => say(
            "Zu früh gezogen",
            "Der Key wurde gezogen, bevor etwas geschrieben war.",
            "Wieder einstecken und stecken lassen, bis FERTIG erscheint.",
        ),
        Code::PulledWhileWriting => say(
            "Beim Schreiben gezogen",
            "Der Key wurde beim Schreiben gezogen. Er hat jetzt kein Token.",
            "Denselben Key wieder einstecken; die Station macht allein weiter.",
        ),
        Code::KeySilent => say(
            "Key antwortet nicht",
            "Der Key steckt, antwortet aber nicht.",
            "Ziehen, fünf Sekunden warten, wieder einstecken; sonst anderen Key nehmen.",
        ),
        Code::WriteRefused => say(
            "Schreiben verweigert",
            "Der Key hat die neuen Daten nicht angenommen.",
            "Erneut einstecken; beim zweiten Mal diesen Key beiseitelegen.",
        ),
        Code::KeyGarbled => say(
            "Antwort gestört",
            "Der Key antwortete gegen sein Protokoll.",
            "Erneut einstecken, möglichst ohne Hub; sonst beiseitelegen.",
        ),
        Code::InterfaceDisabled => say(
            "OTP abgeschaltet",
            "Die Schnittstelle für Einmalpasswörter ist an diesem Key abgeschaltet.",
            "OTP einschalten (ykman config usb --enable OTP), dann neu einstecken.",
        ),
        Code::KeyPin => say(
            "PIN des Keys",
            "Die PIN des Keys stimmt nicht oder hat zu wenige Versuche übrig.",
            "Richtige PIN angeben. Zu wenige Versuche übrig: PIN einmal in der App des Herstellers eingeben.",
        ),
        Code::KeyFull => say(
            "Key ist voll",
            "Der Key hat keinen freien Platz mehr.",
            "Unnötiges auf dem Key löschen oder anderen nehmen.",
        ),
        Code::NotWelcome => say(
            "Key nicht zugelassen",
            "Dieser Key steht nicht auf der Liste der erlaubten Keys.",
            "Key aus dem Bestand nehmen oder von einem Operator eintragen lassen.",
        ),
        Code::Unsettled => say(
            "Noch nicht bereinigt",
            "Eine frühere Einrichtung dieses Keys wird noch bereinigt.",
            "Warten, bis der Server erreichbar ist, dann neu einstecken.",
        ),
        Code::NothingEnrolled => say(
            "Hier nicht eingerichtet",
            "Die Station kennt keine abgeschlossene Einrichtung dieses Keys.",
            "Die Station nehmen, die ihn einrichtete, oder das Token am Server löschen.",
        ),
        Code::WhichSlot => say(
            "Welcher Slot?",
            "Mehr als ein Slot dieses Keys ist eingerichtet.",
            "Den gemeinten Slot nennen.",
        ),
        Code::AccessCodeFixed => say(
            "Code nicht änderbar",
            "Diese Firmware kann den Zugriffscode eines Slots nicht zuverlässig ändern.",
            "Anderen Key nehmen oder ein Profil ohne neuen Zugriffscode.",
        ),
        Code::SomebodysKey => say(
            "Key gehört jemandem",
            "Dieser Key ist eingerichtet; Fertiges ersetzt nur ein Auftrag, der es nennt.",
            "Anderen Key nehmen. Ein Operator nennt sein Token: enroll --replace TOKEN.",
        ),
        Code::OtherToken => say(
            "Anderes Token genannt",
            "Der Auftrag nennt ein Token, das diese Station auf diesem Key nie angelegt hat.",
            "Den gemeinten Key einstecken oder dessen Token nennen. Es zeigt: key KEY.",
        ),
        Code::IdentityInUse => say(
            "OTP wird benutzt",
            "Das Yubico-OTP im Slot gehört zu einem Token des Servers: jemand meldet sich damit an.",
            "Slot 2 oder anderen Key nehmen. Oder erst jenes Token löschen, dann neu beauftragen.",
        ),
        Code::ServerUnreachable => say(
            "Server nicht da",
            "Der Server ist über das Netz nicht erreichbar.",
            "Kabel, Adresse in enrollment.toml und Server prüfen.",
        ),
        Code::CertificateUntrusted => say(
            "Server nicht vertraut",
            "Das Zertifikat des Servers stammt von einer unbekannten Stelle.",
            "Richtige CA-Datei neben enrollment.toml legen.",
        ),
        Code::CertificateExpired => say(
            "Zertifikat abgelaufen",
            "Das Zertifikat des Servers ist abgelaufen.",
            "Zertifikat auf dem Server erneuern.",
        ),
        Code::CertificateWrongHost => say(
            "Falscher Servername",
            "Das Zertifikat gilt für einen anderen Namen als den eingestellten.",
            "Den Namen aus dem Zertifikat in enrollment.toml eintragen.",
        ),
        Code::ClockWrong => say(
            "Uhr geht falsch",
            "Die Uhren von Station und Server weichen zu sehr ab.",
            "Zeitserver (NTP) im Netz prüfen, dann neu starten.",
        ),
        Code::PinMismatch => say(
            "Serverschlüssel neu",
            "Der Schlüssel des Servers ist nicht der festgelegte.",
            "Ursache klären, dann neuen Pin in enrollment.toml setzen.",
        ),
        Code::TlsFailed => say(
            "Keine TLS-Verbindung",
            "Server und Station fanden keine sichere Verbindung.",
            "Der Server muss TLS 1.2 oder 1.3 anbieten; Einstellungen prüfen.",
        ),
        Code::WrongCredentials => say(
            "Anmeldung verweigert",
            "Der Server nimmt Name und Passwort der Station nicht an.",
            "Ein Operator meldet neu an: server login.",
        ),
        Code::NotAnAdministrator => say(
            "Kein Admin-Konto",
            "Das Konto darf sich anmelden, ist aber kein Administrator.",
            "Admin-Konto oder API-Schlüssel der Rolle admin verwenden.",
        ),
        Code::SessionRefused => say(
            "Sitzung abgelehnt",
            "Der Server akzeptiert Sitzung oder API-Schlüssel nicht mehr.",
            "Ein Operator meldet neu an oder erneuert den API-Schlüssel.",
        ),
        Code::NoCredential => say(
            "Operator nötig",
            "Die Station hat noch keine Anmeldung am Server.",
            "Ein Operator meldet über SSH an: server login.",
        ),
        Code::RightMissing => say(
            "Recht fehlt",
            "Dem Konto der Station fehlt ein Recht auf dem Server.",
            "Der Administrator des Servers erteilt es in einer Admin-Policy.",
        ),
        Code::PolicyForbids => say(
            "Server-Policy verbietet",
            "Eine Policy des Servers verbietet dieses Token.",
            "Den Administrator fragen; der Wortlaut steht im Protokoll.",
        ),
        Code::SerialTaken => say(
            "Token existiert schon",
            "Auf dem Server gibt es schon ein fremdes Token dieser Nummer.",
            "Falls überholt, dort löschen, dann den Key neu einstecken.",
        ),
        Code::RegistrationRefused => say(
            "Token abgelehnt",
            "Der Server hat das Token nicht angenommen.",
            "Wortlaut im Protokoll lesen und das Profil berichtigen.",
        ),
        Code::SecretReplaced => say(
            "Geheimnis ersetzt",
            "Der Server hat das Geheimnis durch ein eigenes ersetzt. Das Token wurde gelöscht.",
            "Die Policy dafür abschalten; bei 3.12 und 3.13 eine Admin-Policy anlegen.",
        ),
        Code::DigitsChanged => say(
            "Stellenzahl geändert",
            "Eine Policy gab dem Token eine andere Stellenzahl. Das Token wurde gelöscht.",
            "Im Profil (digits) und in der Policy dieselbe Stellenzahl einstellen.",
        ),
        Code::HashChanged => say(
            "Hash geändert",
            "Eine Policy gab dem Token einen Hash, den der Key nicht kann. Das Token wurde gelöscht.",
            "In der Policy des Servers hashlib auf sha1 setzen.",
        ),
        Code::NotVerified => say(
            "Verify-Policy fehlt",
            "Das Profil verlangt, dass der Server neue Token prüft; er tut es nicht.",
            "verify_enrollment am Server setzen oder verify = \"auto\" im Profil.",
        ),
        Code::TwoStepMissing => say(
            "Zwei-Schritt-Regel fehlt",
            "Das Profil verlangt zwei Schritte; der Server kennt sie für dieses Konto nicht.",
            "Am Server hotp_2step oder totp_2step setzen, oder two-step im Profil ändern.",
        ),
        Code::TwoStepUnusable => say(
            "Zwei Schritte unmöglich",
            "Die zwei Schritte des Servers sind mit diesem Key oder dieser Version nicht zu beenden.",
            "Einzelheiten im Protokoll lesen; Richtlinie ändern oder in einem Schritt einrichten.",
        ),
        Code::CodeRejected => say(
            "Server lehnt Code ab",
            "Der Code passt zum Geheimnis, doch der Server lehnt ihn ab. Das Getane ist zurückgenommen.",
            "Neu einstecken; bleibt es so, das Serverprotokoll prüfen.",
        ),
        Code::ServerContradicts => say(
            "Server widerspricht",
            "Die Antworten des Servers passen nicht zusammen. Das Getane wurde zurückgenommen.",
            "Server und Proxy davor prüfen; siehe Protokoll.",
        ),
        Code::OutcomeUnknown => say(
            "Antwort verloren",
            "Eine Antwort des Servers ging verloren, Nachfragen half noch nicht.",
            "Station eingeschaltet lassen; sie klärt es, sobald der Server antwortet.",
        ),
        Code::ServerFault => say(
            "Fehler im Server",
            "Der Server meldet einen eigenen Fehler.",
            "Den Administrator bitten, ins Server-Protokoll zu sehen.",
        ),
        Code::ServerBusy => say(
            "Server überlastet",
            "Der Server ist zu beschäftigt, um zu antworten.",
            "Eine Minute warten, dann den Key neu einstecken.",
        ),
        Code::AnswerUnreadable => say(
            "Antwort unlesbar",
            "Was antwortet, ist nicht privacyIDEA, oder ein Proxy steht dazwischen.",
            "Adresse in enrollment.toml und Proxy prüfen.",
        ),
        Code::PersonUnknown => say(
            "Person unbekannt",
            "Der Server kennt diesen Benutzer in diesem Realm nicht.",
            "Schreibweise und Realm prüfen: user find.",
        ),
        Code::LookupForbidden => say(
            "Suche nicht erlaubt",
            "Diese Anmeldung darf am Server keine Personen nachschlagen.",
            "Ihr das Recht userlist geben, oder nicht nachschlagen: run start --unchecked.",
        ),
        Code::DirectoryAway => say(
            "Verzeichnis fehlt",
            "Das Verzeichnis des Servers gibt zu diesen Personen keine Antwort.",
            "Die Resolver des Servers prüfen, oder nicht nachschlagen: run start --unchecked.",
        ),
        Code::PersonUnclear => say(
            "Person nicht eindeutig",
            "Am Server können mehrere Personen gemeint sein.",
            "Login und Realm schreiben, wie sie hier stehen: user find TEXT.",
        ),
        Code::RealmUnknown => say(
            "Realm unbekannt",
            "Der Server hat keinen Realm dieses Namens.",
            "Ihn berichtigen; Personen stehen mit ihrem Realm hier: user find TEXT.",
        ),
        Code::LineAside => say(
            "Zeile zurückgestellt",
            "Die Zeile der Liste für diesen Key bekommt zurzeit keinen.",
            "Grund ansehen: run status. Die Zeile zurückholen: run retry LINE|failed.",
        ),
        Code::AssignRefused => say(
            "Zuordnung abgelehnt",
            "Der Server hat das Token nicht zugeordnet. Das Getane wurde zurückgenommen.",
            "Wortlaut im Protokoll lesen, etwa eine Token-Grenze.",
        ),
        Code::TokenVanished => say(
            "Token verschwunden",
            "Das Token verschwand während der Einrichtung vom Server.",
            "Klären, wer es gelöscht hat; dann den Key neu einstecken.",
        ),
        Code::Trial => say(
            "Eine Probe",
            "Zur Probe angelegt: ob der Server so ein Token nimmt. Es galt nie und ist gelöscht.",
            "Nichts zu tun.",
        ),
        Code::ServerLags => say(
            "Server ist im Verzug",
            "Der Server zeigt noch nicht, was er bestätigt hat oder vielleicht getan hat.",
            "Station eingeschaltet lassen; sie sieht weiter nach und stellt es richtig.",
        ),
        Code::RandomPin => say(
            "PIN kennt niemand",
            "Eine Richtlinie des Servers gibt dem Token eine zufällige PIN, die niemand erfährt.",
            "Person und PIN im Auftrag nennen oder otp_pin_random am Server ändern.",
        ),
        Code::ConfigurationInvalid => say(
            "Konfigurationsfehler",
            "Die Datei enrollment.toml hat einen Fehler.",
            "Die genannte Zeile berichtigen: enrolld check DATEI.",
        ),
        Code::ProfileUnknown => {
            say("Profil unbekannt", "Ein Profil dieses Namens gibt es nicht.", "Die Namen zeigt: profiles.")
        }
        Code::NoProfileFits => say(
            "Kein Profil passt",
            "Kein Profil passt zu Hersteller, Modell und Firmware dieses Keys.",
            "Ein Profil dafür anlegen oder anderen Key nehmen.",
        ),
        Code::ProfilesTie => say(
            "Mehrere Profile passen",
            "Mehrere Profile passen gleich gut zu diesem Key.",
            "Ein Standardprofil nennen oder die Profile genauer unterscheiden.",
        ),
        Code::RunInvalid => say(
            "Lauf nicht möglich",
            "Der Lauf kann so nicht begonnen oder fortgesetzt werden.",
            "Das Genannte ändern und neu versuchen.",
        ),
        Code::RunInTheWay => say(
            "Anderer Lauf aktiv",
            "Ein anderer Lauf nimmt gerade Keys an.",
            "Diesen zuerst anhalten oder beenden.",
        ),
        Code::RunUnknown => say(
            "Lauf unbekannt",
            "Einen Lauf dieses Namens oder dieser Nummer gibt es nicht.",
            "Die Namen zeigt: run status.",
        ),
        Code::Locked => say(
            "Station ist gesperrt",
            "Die Station ist gesperrt, bis jemand die Zugangsdaten des Servers eingibt.",
            "Am Server anmelden oder eine andere Betriebsart wählen.",
        ),
        Code::NotTouched => say(
            "Nicht berührt",
            "Der Key wurde nicht rechtzeitig berührt. Das Getane wurde zurückgenommen.",
            "Neu einstecken und berühren, wenn die Anzeige es sagt.",
        ),
        Code::WrongCode => say(
            "Falscher Code",
            "Die Codes passen nicht zum neuen Geheimnis. Das Getane wurde zurückgenommen.",
            "Nur den genannten Key berühren, so kurz oder lang wie angezeigt.",
        ),
        Code::Cancelled => say(
            "Abgebrochen",
            "Die Einrichtung wurde abgebrochen. Das Getane wurde zurückgenommen.",
            "Key neu einstecken, um neu zu beginnen.",
        ),
        Code::KeyAbsent => say(
            "Key nicht da",
            "Ein solcher Key steckt in keinem Anschluss.",
            "Einstecken; was steckt, zeigt: keys.",
        ),
        Code::KeyBusy => say(
            "Key in Arbeit",
            "Mit diesem Key geschieht gerade etwas anderes.",
            "Warten, bis es vorbei ist, oder abbrechen.",
        ),
        Code::OrderExpired => say(
            "Auftrag abgelaufen",
            "Zu diesem Auftrag kam rechtzeitig kein Key. Nichts wurde geändert.",
            "Neu beauftragen, auch für länger: enroll --timeout TIME.",
        ),
        Code::NotIdentified => say(
            "Nicht ausgewiesen",
            "Passwort oder Code falsch, oder Code verbraucht.",
            "Noch einmal, oder einen neuen Code anlegen.",
        ),
        Code::Released => say(
            "Freigegeben",
            "Ein Operator gab diesen Key frei. Token gelöscht, Slot geleert.",
            "Key einstecken, um ihn neu einzurichten.",
        ),
        Code::HandOverFailed => say(
            "Übergabe gescheitert",
            "Was zu übergeben ist, konnte nicht in die Übergabedatei geschrieben werden.",
            "Übergabedatei und Empfänger einrichten, dann den Key neu einstecken.",
        ),
        Code::JournalFailed => say(
            "Speicher defekt",
            "Das Journal kann nicht geschrieben werden, also darf nichts geändert werden.",
            "Platz schaffen oder SD-Karte tauschen; Belege vorher exportieren.",
        ),
        Code::Internal => say(
            "Fehler der Station",
            "Die Station hat einen eigenen Defekt bemerkt.",
            "Neu starten; das Protokoll an den Betreuer schicken.",
        ),
        Code::ReceiptsFailed => say(
            "Kein Beleg möglich",
            "Belege können nicht geschrieben werden, deshalb wurde nichts begonnen.",
            "Platz schaffen oder Karte ersetzen; dann den Key neu einstecken.",
        ),
        Code::Stopping => say(
            "Station fährt herunter",
            "Die Station fährt herunter und beginnt nichts Neues.",
            "Den Key wieder einstecken, wenn sie zurück ist.",
        ),
        Code::NoServer => say(
            "Kein Server",
            "Es ist kein Server eingestellt, also kann kein Token angelegt werden.",
            "server.url setzen: config set oder enrollment.toml auf der Karte.",
        ),
        Code::TokenUnknown => say(
            "Kein solches Token",
            "Der Server hat kein Token mit dieser Seriennummer oder zeigt es nicht.",
            "Nachsehen, welche es gibt: token list.",
        ),
        Code::RoleMissing => say(
            "Nicht erlaubt",
            "Die Rolle erlaubt das nicht.",
            "Einen Operator mit höherer Rolle bitten; operators zeigt sie.",
        ),
        Code::OperatorUnknown => say(
            "Operator unbekannt",
            "Kein Operator hat diesen SSH-Key oder darf von dieser Adresse kommen.",
            "Key oder Adresse bei den operators in enrollment.toml eintragen.",
        ),
        Code::InputInvalid => say(
            "Nicht verstanden",
            "Die Eingabe ist nicht zu verstehen.",
            "Berichtigen und wiederholen; help zeigt, was gemeint ist.",
        ),
        Code::NoChange => say(
            "Keine Änderung",
            "Es gibt keine Änderung zu übernehmen, bestätigen oder verwerfen.",
            "Nachsehen, was gilt: config show.",
        ),
        Code::PasswordHeld => say(
            "Passwort zurückgehalten",
            "Der Server lehnte das Passwort ab. Es wird nicht wieder gesendet, um das Konto nicht zu sperren.",
            "Neu eingeben: server login. Nach 15 Minuten versucht es ein Auftrag noch einmal.",
        ),
        Code::LastCopy => say(
            "Code nur einmal da",
            "Nur das Token bewahrt den Zugriffscode; ohne ihn bleibt der Slot für immer gesperrt.",
            "Den Key freigeben (release) oder: token delete TOKEN --lose-access-code.",
        ),
        Code::AdminMissing => say(
            "Kein Admin übrig",
            "Niemand dürfte die Station danach noch ändern.",
            "Einen Operator mit der Rolle admin behalten oder die Datei auf der Karte ändern.",
        ),
        Code::SignatureMissing => say(
            "Signatur nötig",
            "Das ändert, wer herein darf oder wohin Geheimnisse gehen: Ein Admin muss es signieren.",
            "Den Text ausgeben lassen, lesen, signieren, die Signatur senden.",
        ),
        Code::SignatureWrong => say(
            "Signatur abgelehnt",
            "Es ist keine Signatur eines Admins für diese Änderung, oder sie kam zu spät.",
            "Den Text neu ausgeben lassen, lesen, signieren, die Signatur senden.",
        ),
        Code::SessionUnknown => say(
            "Sitzung unbekannt",
            "Eine Sitzung mit dieser Nummer gibt es nicht.",
            "Nachsehen, welche es gibt: sessions.",
        ),
        Code::KeyForAnother => say(
            "API-Key zurückgehalten",
            "Der API-Key war für eine andere Adresse oder ein anderes Vertrauen und wird nicht gesendet.",
            "Ihn neu angeben (config set server.api-key) oder anmelden: server login.",
        ),
        Code::SessionsFull => say(
            "Kein Platz frei",
            "Alle Sitzungen oder alle dieses Operators sind belegt.",
            "Eine Sitzung verlassen oder einen Admin eine beenden lassen: sessions.",
        ),
        Code::SessionEnded => say(
            "Sitzung beendet",
            "Ein Admin hat sie beendet, oder die Rechte ihres Operators wurden geändert.",
            "Neu anmelden, sofern das noch erlaubt ist.",
        ),
        Code::CardOnly => say(
            "Nur auf der Karte",
            "Dieses Feld wird allein in der Datei auf der Karte geändert.",
            "Die Station ausschalten und enrollment.toml auf der Karte ändern.",
        ),
        Code::TooManyAnswers => say(
            "Zu viele Antworten",
            "So viele ungelesene Ausgaben darf ein Bediener höchstens haben.",
            "Zu Ende lesen oder schließen; dann erneut fragen.",
        ),
        Code::PowerRefused => say(
            "Abschalten unmöglich",
            "Die Station darf sich nicht selbst abschalten oder neu starten.",
            "Am Stecker ausschalten, sobald kein Key in Arbeit ist.",
        ),
        Code::CardReadOnly => say(
            "Karte nimmt nichts an",
            "Die Karte lässt sich nicht mehr beschreiben. Lesen und exportieren geht noch.",
            "Belege exportieren, dann das Abbild der Station auf eine neue Karte schreiben.",
        ),
        Code::CardFull => say(
            "Karte ist voll",
            "Die Karte hat keinen Platz mehr für Journal und Belege; kein Key wird angenommen.",
            "Abgeholte versiegelte Dateien entfernen oder auf eine größere Karte umziehen.",
        ),
        Code::CardDamaged => say(
            "Karte ist beschädigt",
            "Was die Station sich merkt, ist beschädigt. Nichts wird geschrieben, bis jemand entscheidet.",
            "Was noch da ist und was zu tun ist, zeigt: status. Zuerst die Belege exportieren.",
        ),
        Code::PowerStays => say(
            "Immer noch an",
            "Die Station sollte sich abschalten oder neu starten und läuft 30 Sekunden danach noch.",
            "Grund nachsehen: logs. Am Stecker ausschalten, sobald kein Key in Arbeit ist.",
        ),
    }
}
