// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Values as people read them.

use std::time::Duration;

/// A NUL-terminated name.
pub fn until_nul(bytes: &[u8]) -> String {
    let name = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    printable(name)
}

/// Bytes that may be anything, on one line.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// An amount of bytes.
pub fn bytes(amount: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if amount < 1024 {
        return format!("{amount} bytes");
    }
    let mut value = amount as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A number of things.
pub fn count(number: impl Into<u64>, thing: &str) -> String {
    match number.into() {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

/// Milliseconds to the microsecond.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Seconds of nanoseconds.
pub fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}

/// Nanoseconds since the epoch as a date and time in UTC (proleptic Gregorian calendar).
pub fn date(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    let (days, time) = (seconds / 86400, seconds % 86400);
    // Years that begin in March have the leap day at their end.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// A 16-byte identity.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(*bytes));
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Names of the bits of a value, joined by commas; what has no name in hexadecimal; "-" for none.
pub fn flags(value: u64, names: &[(u64, &str)]) -> String {
    let mut found: Vec<String> = names
        .iter()
        .filter(|(bit, _)| value & bit != 0)
        .map(|(_, name)| (*name).into())
        .collect();
    let rest = names.iter().fold(value, |rest, (bit, _)| rest & !bit);
    if rest != 0 {
        found.push(format!("{rest:#x}"));
    }
    if found.is_empty() {
        "-".into()
    } else {
        found.join(",")
    }
}

/// The bits of a mask of words as a list of ranges ("0-3,8"), as in /proc/PID/status.
pub fn ranges(words: &[u64]) -> String {
    let bits = words.len() * 64;
    let is_set = |bit: usize| bit < bits && (words[bit / 64] >> (bit % 64)) & 1 != 0;
    let mut found = Vec::new();
    let mut bit = 0;
    while bit < bits {
        let first = bit;
        while is_set(bit) {
            bit += 1;
        }
        match bit - first {
            0 => {}
            1 => found.push(first.to_string()),
            _ => found.push(format!("{first}-{}", bit - 1)),
        }
        bit += 1;
    }
    if found.is_empty() {
        "none".into()
    } else {
        found.join(",")
    }
}

const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// Name of a signal without SIG.
pub fn signal(number: u32) -> String {
    match SIGNALS.get((number as usize).wrapping_sub(1)) {
        Some(name) => (*name).into(),
        None => number.to_string(),
    }
}

/// The number of a signal: its name, with or without SIG, or the number itself.
pub fn signal_number(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = SIGNALS.iter().position(|signal| *signal == name).map(|at| at + 1);
    let number = number.or_else(|| name.parse().ok().filter(|number| (1..=64).contains(number)))?;
    i32::try_from(number).ok()
}

/// A span of time: seconds, or numbers with units (ms, s, m, h, d) one behind the other.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a span of time such as 90, 15m or 1h30m".to_owned();
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        seconds += number
            * match unit {
                "" | "s" => 1.0,
                "ms" => 0.001,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return Err(wrong()),
            };
        rest = behind;
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(wrong()),
    }
}

/// Names of the signals of a mask.
pub fn signals(mask: u64) -> String {
    if mask == u64::MAX {
        return "all".into();
    }
    let names: Vec<_> = (0..64)
        .filter(|bit| (mask >> bit) & 1 != 0)
        .map(|bit| signal(bit + 1))
        .collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400_000_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_700_000_000_123_456_789), "2023-11-14 22:13:20 UTC");
        assert_eq!(date(4_107_542_399_000_000_000), "2100-02-28 23:59:59 UTC");
        assert_eq!(date(u64::MAX), "2554-07-21 23:34:33 UTC");
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(
            (count(1u32, "page"), count(2u32, "page")),
            ("1 page".into(), "2 pages".into())
        );
        assert_eq!(bytes(17), "17 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn names_cannot_confuse_a_terminal() {
        assert_eq!(until_nul(b"a\x1b[2Jb\0c"), "a\\u{1b}[2Jb");
        assert_eq!(printable(b"tab\there"), "tab\\there");
    }

    #[test]
    fn an_identity_has_five_groups() {
        assert_eq!(
            uuid(b"\0\x01\x02\x03a-sample-of-"),
            "00010203-612d-7361-6d70-6c652d6f662d"
        );
    }

    #[test]
    fn processors_are_ranges() {
        assert_eq!(ranges(&[0b1011_0001]), "0,4-5,7");
        assert_eq!(ranges(&[u64::MAX, 1]), "0-64");
        assert_eq!(ranges(&[1 << 63, 1]), "63-64");
        assert_eq!(ranges(&[0]), "none");
    }

    #[test]
    fn reads_signals_and_spans_of_time() {
        assert_eq!([signal_number("USR1"), signal_number("sigterm")], [Some(10), Some(15)]);
        assert_eq!(
            [signal_number("34"), signal_number("65"), signal_number("X")],
            [Some(34), None, None]
        );
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0.5s"), duration("500ms"));
        for wrong in ["", "0", "h", "5x", "1..2", "-1", "m5"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bits_have_names() {
        assert_eq!(flags(0x15, &[(1, "one"), (4, "four")]), "one,four,0x10");
        assert_eq!(flags(0, &[]), "-");
        assert_eq!(signals((1 << 9) | (1 << 63)), "USR1 64");
        assert_eq!(signals(0), "none");
    }
}
