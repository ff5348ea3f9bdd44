//! Settings of the administrator's desk: the time zone of reports, and the encoding of lists.

use jiff::tz::TimeZone;
use settings::StationSection;
use table::Encoding;

/// The time zone of that name, if this machine knows it.
pub(super) fn zone_named(name: &str) -> Option<TimeZone> {
    match name {
        "UTC" => Some(TimeZone::UTC),
        _ => TimeZone::get(name).ok(),
    }
}

/// The time zone of reports: the one that is named, else the machine's.
#[must_use]
pub fn zone(station: &StationSection) -> TimeZone {
    let named = station.time_zone.as_ref().and_then(|name| zone_named(name.as_str()));
    named.unwrap_or_else(TimeZone::system)
}

/// The encoding of lists that are not Unicode, where the site has one.
#[must_use]
pub fn lists_encoding(station: &StationSection) -> Option<Encoding> {
    station.lists_encoding.and_then(|encoding| Encoding::named(encoding.word()))
}

#[cfg(test)]
mod tests {
    use settings::ListsEncoding;

    use super::*;

    #[test]
    fn every_encoding_of_the_settings_is_one_that_is_read() {
        for encoding in [
            ListsEncoding::Windows1250,
            ListsEncoding::Windows1251,
            ListsEncoding::Windows1252,
            ListsEncoding::Windows1253,
            ListsEncoding::Windows1254,
            ListsEncoding::Windows1257,
            ListsEncoding::Utf8,
        ] {
            assert_eq!(Encoding::named(encoding.word()).map(Encoding::name), Some(encoding.word()));
        }
    }
}
