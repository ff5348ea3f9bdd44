//! Keyboard reports, a tenth of a second apart.
#![no_main]

use std::time::Duration;

use keys::yubikey::typed::Collector;

libfuzzer_sys::fuzz_target!(|reports: &[u8]| {
    let mut collector = Collector::new();
    for (report, tenths) in reports.chunks(8).zip(0..) {
        let now = Duration::from_millis(100 * tenths);
        collector.push(now, report);
        while collector.take(now).is_some() {}
    }
});
