//! Which day it is, for programs that run longer than one.

use time::Date;

/// The day in Asia/Shanghai by which cards are judged.
#[derive(Clone, Copy, Debug)]
pub enum Today {
    /// Always this one.
    Fixed(Date),
    /// The one that it is when asked.
    Clock(fn() -> Date),
}

impl Today {
    /// The day now.
    pub fn date(self) -> Date {
        match self {
            Today::Fixed(date) => date,
            Today::Clock(date) => date(),
        }
    }
}

impl From<Date> for Today {
    fn from(date: Date) -> Today {
        Today::Fixed(date)
    }
}
