//! The typed columns of the result table.

use time::Date;

use crate::field::{BirthDate, Validity};
use crate::result::PictureResult;

/// The fields of a picture as the result table stores them. Empty text means that the field could not be read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CardColumns {
    /// 姓名.
    pub name: String,
    /// 男 or 女.
    pub gender: String,
    /// 民族, without 族.
    pub ethnic: String,
    /// 出生; absent if it could not be read as a date.
    pub birth_date: Option<Date>,
    /// 住址.
    pub address: String,
    /// 公民身份号码.
    pub identity_no: String,
    /// 签发机关.
    pub authority: String,
    /// First day of validity.
    pub valid_from: Option<Date>,
    /// Last day of validity; absent if there is none (长期) or it could not be read.
    pub valid_to: Option<Date>,
    /// 长期: valid without end.
    pub long_term: bool,
}

impl CardColumns {
    /// The columns of a result.
    pub fn of(result: &PictureResult) -> CardColumns {
        let text = |name: &str| result.message.get(name).cloned().unwrap_or_default();
        let validity = Validity::parse(&text("effectiveDate")).ok();
        CardColumns {
            name: text("name"),
            gender: text("gender"),
            ethnic: text("ethnic"),
            birth_date: BirthDate::parse(&text("birthDate")).ok().map(BirthDate::reveal),
            address: text("birthPlace"),
            identity_no: text("identityNo"),
            authority: text("authority"),
            valid_from: validity.map(Validity::from),
            valid_to: validity.and_then(Validity::until),
            long_term: validity.is_some_and(|validity| validity.until().is_none()),
        }
    }
}

crate::mask::masked!(CardColumns);
