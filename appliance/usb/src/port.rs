//! Where a device is plugged in: the bus and the ports from its root hub on.

use core::fmt;
use core::str::FromStr;

/// Hubs may be stacked five deep, so a path has six ports at most (USB 2.0, 4.1.1).
const DEEPEST: usize = 6;

/// A USB port path as the kernel writes it: bus, `-`, ports with dots (`1-1.3`). It
/// stays the same whatever is plugged in there, in which order, and how often.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortPath {
    bus: u8,
    /// One to six.
    ports: Vec<u8>,
}

/// Why something is no port path or pattern of some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no USB port; write a port as 1-1.3, or many as 1-1.*")]
pub struct BadPort(String);

impl PortPath {
    /// The path of a device, as libusb gives it. Root hubs have none.
    pub fn new(bus: u8, ports: &[u8]) -> Option<Self> {
        let fits = bus > 0 && (1..=DEEPEST).contains(&ports.len()) && !ports.contains(&0);
        fits.then(|| Self { bus, ports: ports.to_vec() })
    }

    /// The hub's own port that the device is plugged into, as it is counted there.
    pub fn last(&self) -> u8 {
        self.ports.last().copied().unwrap_or_default()
    }
}

impl fmt::Display for PortPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bus)?;
        for (at, port) in self.ports.iter().enumerate() {
            write!(f, "{}{port}", if at == 0 { '-' } else { '.' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for PortPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PortPath {
    type Err = BadPort;

    fn from_str(text: &str) -> Result<Self, BadPort> {
        let bad = || BadPort(text.chars().take(40).collect());
        let (bus, ports) = text.split_once('-').ok_or_else(bad)?;
        let number = |digits: &str| -> Option<u8> {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            digits.parse().ok().filter(|_| plain)
        };
        let bus = number(bus).ok_or_else(bad)?;
        let ports: Option<Vec<u8>> = ports.split('.').map(number).collect();
        Self::new(bus, &ports.ok_or_else(bad)?).ok_or_else(bad)
    }
}

/// Ports by a pattern: `*` stands for anything, `?` for one character (`1-1.*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPattern(String);

impl PortPattern {
    /// Whether a port is among them.
    pub fn matches(&self, port: &PortPath) -> bool {
        glob(self.0.as_bytes(), port.to_string().as_bytes())
    }
}

impl FromStr for PortPattern {
    type Err = BadPort;

    fn from_str(text: &str) -> Result<Self, BadPort> {
        let known = |byte: u8| byte.is_ascii_digit() || b"-.*?".contains(&byte);
        let fits = !text.is_empty() && text.len() <= 40 && text.bytes().all(known);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadPort(text.chars().take(40).collect())) }
    }
}

impl fmt::Display for PortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Goes back to the last `*` when it cannot go on, so it takes no more than
/// pattern times text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(want) if *want == b'?' || text.get(t) == Some(want) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> PortPath {
        text.parse().unwrap()
    }

    #[test]
    fn paths_are_read_as_the_kernel_writes_them() {
        for text in ["1-1", "1-1.3", "2-14.3.1.2.5.7"] {
            assert_eq!(path(text).to_string(), text);
        }
        assert_eq!(path("1-1.3").last(), 3);
        assert_eq!(PortPath::new(1, &[1, 3]), Some(path("1-1.3")));
        for wrong in [
            "",
            "usb1",
            "1-0:1.0",
            "1-1:1.0",
            "1",
            "1-",
            "1-1.",
            "0-1",
            "1-0",
            "1-01",
            "1-+1",
            "1-1.2.3.4.5.6.7",
        ] {
            assert!(wrong.parse::<PortPath>().is_err(), "{wrong}");
        }
        assert_eq!(PortPath::new(1, &[]), None);
    }

    #[test]
    fn patterns_are_globs() {
        for (pattern, port, fits) in [
            ("*", "1-1.3", true),
            ("1-1.*", "1-1.3", true),
            ("1-1.*", "1-1.3.2", true),
            ("1-1.*", "1-1", false),
            ("1-1.*", "1-2.3", false),
            ("1-?", "1-4", true),
            ("1-?", "1-14", false),
            ("1-1.3", "1-1.3", true),
            ("*.3", "1-1.3", true),
            ("*.3", "1-1.33", false),
        ] {
            assert_eq!(
                pattern.parse::<PortPattern>().unwrap().matches(&path(port)),
                fits,
                "{pattern} {port}"
            );
        }
        assert!("1-a".parse::<PortPattern>().is_err());
        assert!("".parse::<PortPattern>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_is_not(text in "\\PC{0,20}") {
            if let Ok(port) = text.parse::<PortPath>() {
                prop_assert_eq!(port.to_string(), text);
            }
        }

        #[test]
        fn a_pattern_of_many_stars_does_not_take_for_ever(pattern in "[*1.]{1,40}", port in "1-[1-9](\\.[1-9]){0,5}") {
            let _ = pattern.parse::<PortPattern>().unwrap().matches(&path(&port));
        }
    }
}
