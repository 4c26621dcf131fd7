//! The compiled table of codes: rows of `data/regions.csv`, found by the first four digits, then by the last two.

include!(concat!(env!("OUT_DIR"), "/regions.rs"));

/// A code with a name over some years.
pub(super) struct Row {
    /// First year; 0 if open.
    pub(super) start: u16,
    /// Last year; `u16::MAX` if open.
    pub(super) end: u16,
    name_at: u16,
    today_at: u16,
    /// The code's last two digits; the other four are the group's.
    last_digits: u8,
    name_length: u8,
    today_length: u8,
}

impl Row {
    /// The unit's own name.
    pub(super) fn name(&self) -> &'static str {
        let at = usize::from(self.name_at);
        NAMES.get(at..at + usize::from(self.name_length)).unwrap_or_default()
    }

    /// The codes in force today for this area.
    pub(super) fn codes_today(&self) -> &'static [u32] {
        let at = usize::from(self.today_at);
        CODES.get(at..at + usize::from(self.today_length)).unwrap_or_default()
    }

    /// Whether its years are known at all.
    pub(super) fn is_dated(&self) -> bool {
        self.start != 0 || self.end != u16::MAX
    }

    pub(super) fn covers(&self, year: u16) -> bool {
        (self.start..=self.end).contains(&year)
    }

    /// The year of the row that is nearest to a year.
    pub(super) fn clamp(&self, year: u16) -> u16 {
        year.clamp(self.start, self.end)
    }
}

/// The rows of a code in order of time; none if it is in no table.
pub(super) fn rows_of(code: u32) -> &'static [Row] {
    let group = (code / 100) as usize;
    let (Some(&start), Some(&end)) = (GROUPS.get(group), GROUPS.get(group + 1)) else { return &[] };
    let rows = &ROWS[usize::from(start)..usize::from(end)];
    let last_digits = (code % 100) as u8;
    // Provinces and prefectures stand first in their groups.
    let first = if last_digits == 0 { 0 } else { rows.partition_point(|row| row.last_digits < last_digits) };
    let count = rows[first..].iter().take_while(|row| row.last_digits == last_digits).count();
    &rows[first..first + count]
}

/// Every code with every name that it has had.
pub(super) fn all() -> impl Iterator<Item = (u32, &'static str)> {
    GROUPS.windows(2).enumerate().flat_map(|(group, bounds)| {
        let rows = ROWS.get(usize::from(bounds[0])..usize::from(bounds[1])).unwrap_or_default();
        rows.iter().map(move |row| (group as u32 * 100 + u32::from(row.last_digits), row.name()))
    })
}
