//! Errors of the card, as the kernel tells of them: the only place where a card shows that it fails before it is gone.
//!
//! A flash card has no counter of its own errors that could be asked. The kernel's driver repeats what fails, and says so in its log,
//! long before a file system is closed for it.

/// Whether a record of `/dev/kmsg` tells of an error of the card (Linux, Documentation/ABI/testing/dev-kmsg): the text, if so.
pub fn told(record: &str) -> Option<&str> {
    let (about, text) = record.split_once(';')?;
    let level = about.split(',').next()?.parse::<u32>().ok()? & 7;
    let text = text.lines().next()?.trim();
    // Warnings and worse.
    (level <= 4 && is_about_the_card(text)).then_some(text)
}

/// Every device tree on the card makes its slot `mmc0` (`image/trees.py`); an emulated machine has `vda`.
fn is_about_the_card(text: &str) -> bool {
    const HOST: &str = "mmc0: ";
    const DISKS: [&str; 2] = ["mmcblk0", "vda"];
    let failed = ["error", "timeout", "Timeout", "stuck", "timed out", "failed"];
    let of_host = text.starts_with(HOST) && failed.iter().any(|word| text.contains(word));
    // The disk itself, or a partition of it: mmcblk0p4, vda4.
    let names = |place: &str| {
        DISKS.iter().filter_map(|disk| place.strip_prefix(disk)).any(|rest| {
            let rest =
                rest.strip_prefix('p').unwrap_or(rest).trim_start_matches(|next: char| next.is_ascii_digit());
            !rest.starts_with(|next: char| next.is_ascii_alphanumeric())
        })
    };
    let of_disk = [
        "I/O error, dev ",
        "critical medium error, dev ",
        "critical target error, dev ",
        "Buffer I/O error on dev ",
        "EXT4-fs error (device ",
        "JBD2: Detected IO errors while flushing file data on ",
    ]
    .iter()
    .any(|begin| text.split(begin).nth(1).is_some_and(names));
    of_host || of_disk
}

/// What is left for the daemon: how many there were, and the last of them.
pub fn lines(count: u64, last: &str) -> String {
    let last: String = last.chars().filter(|letter| !letter.is_control()).take(200).collect();
    format!("{count}\n{last}\n")
}

/// Reads that.
pub fn read(text: &str) -> Option<(u64, String)> {
    let (count, last) = text.split_once('\n')?;
    let count = count.parse().ok().filter(|count| *count > 0)?;
    Some((count, last.trim_end().chars().filter(|letter| !letter.is_control()).take(200).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_card_are_told_from_others() {
        for text in [
            "mmc0: error -84 whilst initialising SD card",
            "mmc0: Timeout waiting for hardware interrupt.",
            "mmc0: Card stuck being busy! __mmc_poll_for_busy",
            "I/O error, dev mmcblk0, sector 1187840 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 0",
            "Buffer I/O error on dev mmcblk0p4, logical block 7, lost sync page write",
            "EXT4-fs error (device mmcblk0p4): ext4_journal_check_start:84: comm enrolld: Detected aborted journal",
            "critical medium error, dev vda, sector 12 op 0x0:(READ)",
        ] {
            assert_eq!(told(&format!("3,512,8123456,-;{text}\n SUBSYSTEM=block\n")), Some(text));
            assert_eq!(told(&format!("6,512,8123456,-;{text}\n")), None, "that is no warning");
        }
        for text in [
            "mmc0: new high speed SDHC card at address 1234",
            "mmc1: error -110 whilst initialising SDIO card",
            "I/O error, dev sda, sector 1",
            "I/O error, dev vdab, sector 1",
            "usb 1-1.3: device descriptor read/64, error -71",
            "EXT4-fs (mmcblk0p4): mounted filesystem",
        ] {
            assert_eq!(told(&format!("4,512,8123456,-;{text}\n")), None, "{text}");
        }
        for record in ["", ";", "3", "x,1,2,-;mmc0: error", "3,1,2,-;"] {
            assert_eq!(told(record), None, "{record}");
        }
    }

    #[test]
    fn what_is_left_can_be_read() {
        assert_eq!(read(&lines(3, "mmc0: error\u{7}")), Some((3, "mmc0: error".to_owned())));
        for nothing in ["", "0\n\n", "x\ny\n", "-1\nx\n"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
